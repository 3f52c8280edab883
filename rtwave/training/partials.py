"""The partials of a recorded note: exact pitch, string stiffness, and the phase of every partial over time."""

import numpy as np

from ..wavenet.features import NYQUIST_SHARE, note_frequency

STIFFNESS_GRID = np.concatenate([[0.0], np.geomspace(2e-5, 1e-2, 40)])
SEARCH_CENTS = 60.0
TRUST_DB = -50.0
"""A partial this far below its own loudest moment no longer shows its phase."""
FLOOR_DB = -120.0


def fit_pitch(samples: np.ndarray, sample_rate: int, note: float, partials: int, stiff: bool) -> tuple[float, float]:
    """(cents, stiffness) of a note against equal temperament: the stretched comb that gathers most of its spectrum.

    samples float (T,) from the onset on; searches ±60 cents in steps that end at 0.1 cent.
    """
    start = int(0.08 * sample_rate)
    window = samples[start : start + int(1.5 * sample_rate)]
    if len(window) < 0.2 * sample_rate:
        window = samples
    size = 4 * 2 ** int(np.ceil(np.log2(len(window))))
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)), size))
    bin_hz = sample_rate / size
    nominal = note_frequency(note, 0.0)
    count = int(np.clip(NYQUIST_SHARE * sample_rate / nominal, 1, min(partials, 24)))
    k = np.arange(1, count + 1, dtype=np.float64)

    def best_of(cents: np.ndarray, grid: np.ndarray) -> tuple[float, float]:
        """The best cents and stiffness of a grid; the comb's teeth lie between bins."""
        stretch = k * np.sqrt((1.0 + grid[:, None] * k * k) / (1.0 + grid[:, None]))
        teeth = (nominal / bin_hz * 2.0 ** (cents / 1200.0))[:, None, None] * stretch
        low = np.minimum(teeth.astype(np.int64), len(spectrum) - 2)
        levels = spectrum[low] + (teeth - low) * (spectrum[low + 1] - spectrum[low])
        levels[teeth > len(spectrum) - 1] = 0.0
        scores = np.sqrt(levels).sum(axis=2)
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        return float(cents[row]), float(grid[column])

    cents, stiffness = best_of(
        np.arange(-SEARCH_CENTS, SEARCH_CENTS + 0.5, 2.0), STIFFNESS_GRID if stiff else STIFFNESS_GRID[:1]
    )
    for step in (1.0, 0.5, 0.25, 0.1):
        near = stiffness * np.array([0.94, 0.98, 1.0, 1.02, 1.06]) if stiffness else np.zeros(1)
        cents, stiffness = best_of(cents + step * np.arange(-2, 3), near)
    return cents, stiffness


def track_partials(
    samples: np.ndarray, sample_rate: int, frequencies: np.ndarray, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Every partial over time, at every `stride` samples: two arrays float32 (frames, K).

    The first is the deviation of its phase from 2π f_k t, in radians, the second its amplitude in dB of full scale.

    Heterodyning at f_k with a raised-cosine low-pass of min(20 Hz, f_1 / 3), done on the spectrum of the whole
    recording. The deviation is unwrapped, and held where the partial is too weak to trust.
    """
    frames = -(-len(samples) // stride)
    if not len(frequencies):
        return np.zeros((frames, 0), np.float32), np.zeros((frames, 0), np.float32)
    padding = sample_rate // 2 // stride * stride
    size = (frames * stride + padding + stride - 1) // stride * stride
    spectrum = np.fft.fft(samples, size)
    bin_hz = sample_rate / size
    width = min(20.0, frequencies[0] / 3.0)
    half = int(np.ceil(width / bin_hz))
    deviations = np.zeros((frames, len(frequencies)), np.float32)
    levels_db = np.full((frames, len(frequencies)), FLOOR_DB, np.float32)
    moments = np.arange(frames) * stride / sample_rate
    for k, frequency in enumerate(frequencies):
        if not 0.0 < frequency <= NYQUIST_SHARE * sample_rate:
            continue
        centre = round(frequency / bin_hz)
        near = np.arange(-half, half + 1)
        shape = 0.5 + 0.5 * np.cos(np.pi * np.clip(((centre + near) * bin_hz - frequency) / width, -1.0, 1.0))
        band = np.zeros(size // stride, complex)
        band[near % len(band)] = spectrum[(centre + near) % size] * shape
        baseband = np.fft.ifft(band)[:frames] * np.exp(2j * np.pi * (centre * bin_hz - frequency) * moments)
        deviations[:, k] = _held(baseband)
        levels_db[:, k] = 20.0 * np.log10(np.abs(baseband) * (2.0 / stride) + 10.0 ** (FLOOR_DB / 20.0))
    return deviations, levels_db


def _held(baseband: np.ndarray) -> np.ndarray:
    """Unwrapped phase of one partial's baseband (frames,), held where its level is below trust."""
    level = np.abs(baseband)
    trusted = np.flatnonzero(level > level.max() * 10.0 ** (TRUST_DB / 20.0))
    if not len(trusted):
        return np.zeros(len(baseband))
    phase = np.unwrap(np.angle(baseband[trusted]))
    latest = np.clip(np.searchsorted(trusted, np.arange(len(baseband)), side="right") - 1, 0, None)
    return phase[latest]
