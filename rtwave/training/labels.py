"""Whether a recording is the note that its label says: the pitch of its strongest partials, against the label's."""

import numpy as np

from ..wavenet.features import note_frequency

WIDEST = 26
"""Semitones to either side of the label within which a pitch is looked for."""
PEAKS, PARTIALS = 12, 10
PEAK_DB = -40.0
START_S, WINDOW_S = 0.05, 0.6
TOLERANCE_CENTS = 35.0
"""Of a partial, from where the pitch would have it: strings are stiff."""
CLEARLY = 0.75
LEAST_MATCH = 0.45
FUNDAMENTAL = 0.1
"""A peak at the label's pitch, so strong beside the strongest, says that the label is right or octaves too high."""
WRONG_CENTS = 60.0


def label_error(samples: np.ndarray, sample_rate: int, note: float) -> float:
    """Semitones by which a note (T,) sounds above its label; 0 unless another pitch explains it clearly better."""
    frequencies, levels = _peaks(samples, sample_rate, float(note_frequency(note - WIDEST, 0.0)))
    if not len(frequencies):
        return 0.0
    candidates = np.arange(-WIDEST, WIDEST + 0.05, 0.1)
    matches = _match(frequencies, levels, note_frequency(note + candidates, 0.0), 0.47 * sample_rate)
    as_labelled = matches[np.abs(candidates) * 100.0 < WRONG_CENTS - 1.0].max()
    best = float(matches.max())
    if best < LEAST_MATCH or as_labelled >= CLEARLY * best:
        return 0.0
    error = _refined(frequencies, levels, note, float(np.median(candidates[matches >= 0.999 * best])))
    off = 1200.0 * np.abs(np.log2(frequencies / note_frequency(note, 0.0)))
    if (off < WRONG_CENTS).any() and levels[off < WRONG_CENTS].max() > FUNDAMENTAL * levels.max():
        octaves_below = min(abs(error + 12.0), abs(error + 24.0)) < WRONG_CENTS / 100.0
        return error if octaves_below else 0.0  # else it is a bell
    return error


def _refined(frequencies: np.ndarray, levels: np.ndarray, note: float, error: float) -> float:
    """The error that the partials themselves show, the lowest most: a string's upper ones are sharp."""
    harmonics = frequencies / note_frequency(note, 100.0 * error)
    order = np.maximum(np.rint(harmonics), 1.0)
    off = 12.0 * np.log2(harmonics / order)
    near = np.abs(off) < TOLERANCE_CENTS / 100.0
    return error + float(np.average(off[near], weights=(levels / order**2)[near]))


def _peaks(samples: np.ndarray, sample_rate: int, lowest: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and levels of the strongest peaks of a note's first part."""
    start = int(START_S * sample_rate)
    window = samples[start : start + int(WINDOW_S * sample_rate)]
    size = 4 * 2 ** int(np.ceil(np.log2(max(len(window), 2))))
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)), size))
    spectrum[: int(0.9 * lowest * size / sample_rate)] = 0.0
    reach = max(2, int(6.0 * size / max(len(window), 1)))
    near = np.lib.stride_tricks.sliding_window_view(np.pad(spectrum, reach), 2 * reach + 1).max(axis=1)
    found = np.flatnonzero((spectrum == near) & (spectrum > spectrum.max() * 10.0 ** (PEAK_DB / 20.0)))
    found = found[np.argsort(spectrum[found])[::-1][:PEAKS]]
    return found * sample_rate / size, spectrum[found]


def _match(frequencies: np.ndarray, levels: np.ndarray, candidates: np.ndarray, highest: float) -> np.ndarray:
    """How well each candidate f0 (C,) explains the peaks, 0..1: the share of their level that lies on its partials,
    times the share of its partials, up to the highest peak it explains, that are there (Maher and Beauchamp, 1994).
    """
    order = np.rint(frequencies[None, :] / candidates[:, None])
    cents = 1200.0 * np.abs(np.log2(frequencies[None, :] / (np.maximum(order, 1.0) * candidates[:, None])))
    explained = (cents < TOLERANCE_CENTS) & (order >= 1) & (order <= PARTIALS)
    recall = (explained * levels).sum(axis=1) / levels.sum()
    there = np.stack([((order == k) & explained).any(axis=1) for k in range(1, PARTIALS + 1)], axis=1)
    last = np.maximum((there * np.arange(1, PARTIALS + 1)).max(axis=1), 1)
    return recall * np.sqrt(there.sum(axis=1) / last)
