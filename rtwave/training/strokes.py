"""Recordings of one key brought to the same moment of their stroke.

A threshold finds each stroke a fraction of a millisecond early or late. That is half a period of a high note, whose
attack, learned from many recordings that disagree, becomes their mean.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..wavenet.features import emphasis
from .modes import COMMON_EMPHASIS

ROOM_S = 0.01
"""How much earlier or later than it was cut a recording may begin."""
HEARD_S = 0.05
ALIKE = 0.5
"""Correlation from which on two strokes are."""
FINER = 4
"""Lags between samples are tried too: half a sample off, a high tone is more like itself some whole periods away."""


def lags(sounds: Sequence[np.ndarray], sample_rate: int) -> list[int]:
    """How many samples later than most each of a key's recordings (T,) is struck, at most 10 ms, which they lead by.

    They come in the order of their velocities: each is held against the one before it, whose stroke is most like it.
    """
    most, length = round(ROOM_S * sample_rate), round((ROOM_S + HEARD_S) * sample_rate)
    heard = [np.pad(sound[:length], (0, max(0, length - len(sound)))) for sound in sounds]
    spectra = [_whole(each) for each in heard]
    steps = [_lag(before, after, 2 * most) for before, after in pairwise(spectra)]
    places = np.concatenate([[0.0], np.cumsum(steps)])
    return np.clip(np.rint(places - np.quantile(places, 0.5, method="lower")), -most, most).astype(int).tolist()


def _whole(heard: np.ndarray) -> np.ndarray:
    """Spectrum of a sound (T,) after pre-emphasis, of unit energy, with room for lags as long as it is."""
    size = 2 * len(heard)
    spectrum = np.fft.rfft(heard, size) * emphasis(np.arange(size // 2 + 1) / size, COMMON_EMPHASIS)
    return spectrum / np.sqrt((np.abs(np.fft.irfft(spectrum, size)) ** 2).sum() + 1e-20)


def _lag(before: np.ndarray, after: np.ndarray, most: int) -> float:
    """How many samples later the second of two spectra is, no more than `most`; 0 where they are not alike."""
    size = 2 * (len(before) - 1) * FINER
    correlation = FINER * np.fft.irfft(np.conj(before) * after, size)
    possible = np.arange(-most * FINER, most * FINER + 1)
    best = int(possible[correlation[possible].argmax()])
    return best / FINER if correlation[best] > ALIKE else 0.0
