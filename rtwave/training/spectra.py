"""The spectrogram that pages, pictures and curves show."""

import numpy as np

WINDOW_S, HOP_S = 0.064, 0.008


def spectrogram_db(sound: np.ndarray, sample_rate: int, window_s: float = WINDOW_S, hop_s: float = HOP_S) -> np.ndarray:
    """Power (dB) of a sound (T,), float64 (frequencies, moments): a Hann window about every `hop_s`."""
    half = round(window_s * sample_rate / 2)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(sound, half), 2 * half)[:: round(hop_s * sample_rate)]
    return 10.0 * np.log10(np.abs(np.fft.rfft(windows * np.hanning(2 * half))) ** 2 + 1e-12).T
