"""The partials of a recorded note: exact pitch, string stiffness, and the phase of every partial over time."""

import numpy as np

from ..wavenet.features import NYQUIST_SHARE, note_frequency, partial_frequencies

STIFFNESS_GRID = np.concatenate([[0.0], np.geomspace(2e-5, 1e-2, 40)])
TRUST_DB = -50.0
"""A partial this far below its own loudest moment no longer shows its phase."""


def fit_pitch(samples: np.ndarray, sample_rate: int, note: float, partials: int, stiff: bool) -> tuple[float, float]:
    """(cents, stiffness) of a note against equal temperament: the stretched comb that gathers most of its spectrum.

    samples float (T,) from the onset on; searches ±40 cents in steps that end at 0.1 cent.
    """
    start = int(0.08 * sample_rate)
    window = samples[start : start + int(1.5 * sample_rate)]
    if len(window) < 0.2 * sample_rate:
        window = samples
    size = 4 * 2 ** int(np.ceil(np.log2(len(window))))
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)), size))
    bin_hz = sample_rate / size
    nominal = note_frequency(note, 0.0)
    count = int(np.clip(0.4 * sample_rate / nominal, 1, min(partials, 24)))
    bins = np.arange(len(spectrum))

    def score(cents: float, stiffness: float) -> float:
        frequencies = partial_frequencies(nominal * 2.0 ** (cents / 1200.0), stiffness, count)
        return float(np.sqrt(np.interp(frequencies / bin_hz, bins, spectrum, right=0.0)).sum())

    grid = STIFFNESS_GRID if stiff else STIFFNESS_GRID[:1]
    best = max((score(c, b), c, b) for c in np.arange(-40.0, 40.5, 2.0) for b in grid)
    for step in (1.0, 0.5, 0.25, 0.1):
        _, cents, stiffness = best
        near = stiffness * np.array([0.94, 0.98, 1.0, 1.02, 1.06]) if stiffness else np.zeros(1)
        best = max((score(c, b), c, b) for c in cents + step * np.arange(-2, 3) for b in near)
    return best[1], best[2]


def track_phases(samples: np.ndarray, sample_rate: int, frequencies: np.ndarray, stride: int) -> np.ndarray:
    """Deviation of every partial's phase from 2π f_k t, float32 (frames, K) radians, at every `stride` samples.

    Heterodyning at f_k with a raised-cosine low-pass of min(20 Hz, f_1 / 3), done on the spectrum of the whole
    recording. The deviation is unwrapped, and held where the partial is too weak to trust.
    """
    frames = -(-len(samples) // stride)
    padding = sample_rate // 2 // stride * stride
    size = (frames * stride + padding + stride - 1) // stride * stride
    spectrum = np.fft.fft(samples, size)
    bin_hz = sample_rate / size
    width = min(20.0, frequencies[0] / 3.0)
    half = int(np.ceil(width / bin_hz))
    deviations = np.zeros((frames, len(frequencies)), np.float32)
    moments = np.arange(frames) * stride / sample_rate
    for k, frequency in enumerate(frequencies):
        if frequency > NYQUIST_SHARE * sample_rate:
            break
        centre = round(frequency / bin_hz)
        near = np.arange(-half, half + 1)
        shape = 0.5 + 0.5 * np.cos(np.pi * np.clip(((centre + near) * bin_hz - frequency) / width, -1.0, 1.0))
        band = np.zeros(size // stride, complex)
        band[near % len(band)] = spectrum[(centre + near) % size] * shape
        baseband = np.fft.ifft(band)[:frames] * np.exp(2j * np.pi * (centre * bin_hz - frequency) * moments)
        deviations[:, k] = _held(baseband)
    return deviations


def _held(baseband: np.ndarray) -> np.ndarray:
    """Unwrapped phase of one partial's baseband (frames,), held where its level is below trust."""
    level = np.abs(baseband)
    trusted = np.flatnonzero(level > level.max() * 10.0 ** (TRUST_DB / 20.0))
    if not len(trusted):
        return np.zeros(len(baseband))
    phase = np.unwrap(np.angle(baseband[trusted]))
    latest = np.clip(np.searchsorted(trusted, np.arange(len(baseband)), side="right") - 1, 0, None)
    return phase[latest]
