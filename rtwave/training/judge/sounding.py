"""What a note sounds like, in numbers: level, brightness, pitch, decay, damping.

Sounds are float32 (T,), rates in Hz. A measure that a sound is too short or too quiet for is None.
"""

import numpy as np

from ...wavenet.features import note_frequency
from ..partials import fit_pitch

SILENCE_DB = -200.0
EARLY_S = (0.05, 0.5)
LATE_S = (1.9, 2.1)
YIN_S = (0.1, 0.8)
HIGHEST_YIN_KEY = 95
"""B6. Above, a period is too few samples, and the strongest peak near the pitch is taken."""

FULL_SCALE = 0.999
DECIBELS = 20.0 / np.log(10.0)
WINDOW_S = 0.02
FADED_DB, TELLING_DB, INAUDIBLE_DB = 40.0, 20.0, -85.0
"""What lies as far below a note's level, or lower than that, no longer tells how it ends."""


def part(sound: np.ndarray, sample_rate: int, span_s: tuple[float, float]) -> np.ndarray:
    """The samples between two moments."""
    return sound[int(span_s[0] * sample_rate) : int(span_s[1] * sample_rate)]


def level_db(sound: np.ndarray) -> float:
    """RMS in dBFS; SILENCE_DB for silence and for nothing at all."""
    power = np.mean(np.square(sound, dtype=np.float64)) if len(sound) else 0.0
    return max(float(10.0 * np.log10(power + 1e-30)), SILENCE_DB)


def centroid_hz(sound: np.ndarray, sample_rate: int) -> float | None:
    """Centre of gravity of the magnitudes' spectrum: the brightness."""
    magnitudes = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    if not magnitudes.sum() > 1e-6:
        return None
    return float(magnitudes @ np.fft.rfftfreq(len(sound), 1.0 / sample_rate) / magnitudes.sum())


def pitch_cents(sound: np.ndarray, sample_rate: int, key: float, stiff: bool) -> float | None:
    """Cents against equal temperament by the comb of partials that gathers most of the spectrum, at most ±60."""
    if len(sound) < 0.2 * sample_rate or level_db(sound) <= INAUDIBLE_DB:
        return None
    return fit_pitch(sound, sample_rate, key, partials=24, stiff=stiff)[0]


def second_pitch_hz(sound: np.ndarray, sample_rate: int, key: float, near_hz: float | None = None) -> float | None:
    """Pitch by a judge that knows no partials: yin's median over 0.1 to 0.8 s, above B6 the strongest peak.

    Within two semitones of `near_hz` (by default the key's).
    """
    near_hz = float(note_frequency(key, 0.0)) if near_hz is None else near_hz
    steady = part(sound, sample_rate, YIN_S)
    if len(steady) < 0.2 * sample_rate or level_db(steady) <= INAUDIBLE_DB:
        return None
    low, high = near_hz * 2.0 ** (-2 / 12), min(near_hz * 2.0 ** (2 / 12), 0.45 * sample_rate)
    if key <= HIGHEST_YIN_KEY:
        return float(np.median(yin_hz(steady, sample_rate, low, high)))
    size = 1 << 18
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)), size))
    bins = np.arange(len(spectrum)) * sample_rate / size
    return float(bins[np.argmax(spectrum * ((bins > low) & (bins < high)))])


def yin_hz(sound: np.ndarray, sample_rate: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Pitch of every 32 ms, Hz: the lag at which a window of 64 ms differs least from itself, against all shorter lags.

    De Cheveigné and Kawahara, JASA 111 (2002), steps 2, 3 and 5; between lags by a parabola.
    """
    window, shortest, longest = round(0.064 * sample_rate), int(sample_rate / high_hz), int(sample_rate / low_hz) + 1
    frames = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), window + longest + 1)[:: window // 2]
    lags = np.arange(1, longest + 2)
    difference = np.array([np.sum((frames[:, :window] - frames[:, lag : lag + window]) ** 2, axis=1) for lag in lags]).T
    normalised = difference * lags / (np.cumsum(difference, axis=1) + 1e-20)
    best = np.argmin(normalised[:, shortest - 1 : longest], axis=1) + shortest - 1
    rows = np.arange(len(frames))
    before, here, after = (normalised[rows, np.clip(best + side, 0, longest)] for side in (-1, 0, 1))
    curve = before - 2.0 * here + after
    shift = np.where(curve > 0.0, 0.5 * (before - after) / np.maximum(curve, 1e-20), 0.0)
    return sample_rate / (lags[best] + np.clip(shift, -1.0, 1.0))


def decay_span_s(recording: np.ndarray, sample_rate: int, start_s: float, end_s: float) -> tuple[float, float]:
    """Where to watch a note decay: from `start_s` until its recording has fallen by 40 dB, at the latest to `end_s`."""
    levels = _levels_db(part(recording, sample_rate, (start_s, end_s)), sample_rate)
    loud = np.flatnonzero(levels > max(levels.max(initial=SILENCE_DB) - FADED_DB, INAUDIBLE_DB))
    return start_s, start_s + (WINDOW_S * (loud[-1] + 1) if len(loud) else 0.0)


def decay_db_per_s(sound: np.ndarray, sample_rate: int, span_s: tuple[float, float]) -> float | None:
    """How fast the level falls, dB/s (below 0 where it rises), by a straight line through windows of 20 ms."""
    levels = _levels_db(part(sound, sample_rate, span_s), sample_rate)
    if len(levels) < 5 or levels.max() <= INAUDIBLE_DB:
        return None
    return -float(np.polyfit(np.arange(len(levels)) * WINDOW_S, levels, 1)[0])


def damping_s(sound: np.ndarray, sample_rate: int, released_s: float) -> float | None:
    """Time constant with which a note ends from `released_s` on: seconds to fall to 1/e in amplitude.

    Until it has fallen by 40 dB or can no longer be heard; None where it is too soft at first to tell.
    """
    levels = _levels_db(sound[int(released_s * sample_rate) :], sample_rate)
    if not len(levels) or levels[0] < INAUDIBLE_DB + TELLING_DB:
        return None
    low = levels <= max(levels[0] - FADED_DB, INAUDIBLE_DB)
    end = int(np.argmax(low)) if low.any() else len(levels)
    if end < 3:
        return None
    slope = np.polyfit(np.arange(end) * WINDOW_S, levels[:end], 1)[0]
    return float(DECIBELS / -slope) if slope < 0.0 else None


def full_scale_ms(sound: np.ndarray, sample_rate: int) -> float:
    """Longest time that the sound stands at full scale."""
    flags = np.concatenate([[0], np.abs(sound) > FULL_SCALE, [0]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(flags))
    return 1000.0 * float(max(edges[1::2] - edges[::2], default=0)) / sample_rate


def rank_correlation(x: list[float], y: list[float]) -> float:
    """Spearman's: the correlation of the ranks, −1..1; nan where all of one are the same."""
    ranks = [np.searchsorted(np.sort(values), values) + 0.0 for values in (x, y)]
    if min(np.ptp(each) for each in ranks) == 0.0:
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def _levels_db(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """Level of every 20 ms, dBFS."""
    window = int(WINDOW_S * sample_rate)
    whole = sound[: len(sound) // window * window].reshape(-1, window).astype(np.float64)
    return np.maximum(10.0 * np.log10(np.mean(whole**2, axis=1) + 1e-30), SILENCE_DB)
