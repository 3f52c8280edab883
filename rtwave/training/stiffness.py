"""How much the strings of a key are stretched by their stiffness, read from several recordings of it together."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..wavenet.features import NYQUIST_SHARE, partial_frequencies

GRID = np.concatenate([[0.0], np.geomspace(2e-5, 3e-2, 150)])
MOST_PARTIALS = 24
PARTIALS_TO_TRUST = 7
"""With fewer, what stands out may as well be a hammer's or a microphone's."""
NEAR, NEAR_STEPS = 0.004, 17
"""Partials lie so far beside a string's own places: the soundboard draws them."""
FIRST_S, LAST_S = 0.03, 1.5
FAINTEST = 1e-14
"""Of the strongest line's power."""
TREND_KEYS, TREND_RANGE = 24.0, 0.15
FEWEST_KEYS = 4


def stiffness_by_key(
    keys: Iterable[tuple[float, float, Sequence[np.ndarray]]], sample_rate: int, partials: int
) -> dict[float, float]:
    """The stiffness of every key, given as (key, f0, recordings), rising.

    It grows from string to string by about the same factor, and the highest have too few partials to tell: theirs is
    looked for where that of the two octaves below leads to.
    """
    found: dict[float, float] = {}
    trusted: dict[float, float] = {}
    for key, f0, sounds in keys:
        near = {each: value for each, value in trusted.items() if each >= max(trusted) - TREND_KEYS and value > 0.0}
        count = int(np.clip(NYQUIST_SHARE * sample_rate / f0, 1, min(partials, MOST_PARTIALS)))
        few = count < PARTIALS_TO_TRUST
        found[key] = fit_stiffness(sounds, sample_rate, f0, count, _about(near, key) if few and near else GRID)
        if not few:
            trusted[key] = found[key]
    return found


def _about(known: dict[float, float], key: float) -> np.ndarray:
    """The stiffnesses to try for a key above others."""
    if len(known) < FEWEST_KEYS:
        return GRID
    _, height = np.polyfit(np.array(list(known)) - key, np.log(list(known.values())), 1)
    return np.exp(height) * np.linspace(1.0 - TREND_RANGE, 1.0 + TREND_RANGE, 31)


def fit_stiffness(
    sounds: Sequence[np.ndarray], sample_rate: int, f0: float, count: int, grid: np.ndarray = GRID
) -> float:
    """Which stiffness of a grid puts `count` partials of recordings (T,) where their mean spectrum stands out most.

    Every partial counts by how far it stands out of what is around it, in nats: not by its level, which would leave
    the choice to the first few. 0 where the first is the only one.
    """
    k = np.arange(2.0, count + 1.0)
    if not len(k):
        return 0.0
    levels, bin_hz = _spectrum(sounds, sample_rate)
    around = [levels[round((n - 0.5) * f0 / bin_hz) : round((1.1 * n + 0.5) * f0 / bin_hz)] for n in k]
    floor = np.array([np.median(each) for each in around])
    near = np.linspace(-NEAR, NEAR, NEAR_STEPS)
    places = np.array([partial_frequencies(f0, stiffness, count)[1:] for stiffness in grid])
    bins = places[:, :, None] * (1.0 + near) / bin_hz
    out = levels[np.minimum(bins.round().astype(int), len(levels) - 1)] - floor[:, None]
    out[bins * bin_hz > NYQUIST_SHARE * sample_rate] = 0.0
    scores = (np.maximum(out, 0.0) * (1.0 - 0.5 * np.abs(near) / NEAR)).max(axis=2).sum(axis=1)
    return float(grid[scores.argmax()])


def _spectrum(sounds: Sequence[np.ndarray], sample_rate: int) -> tuple[np.ndarray, float]:
    """ln of the mean magnitude of sounds, each as loud as the others, (bins,) float64, and Hz between bins."""
    first, last = int(FIRST_S * sample_rate), int(LAST_S * sample_rate)
    size = 4 * 2 ** int(np.ceil(np.log2(last)))
    heard = [sound[first:last] for sound in sounds]
    powers = [np.abs(np.fft.rfft(each * np.hanning(len(each)), size)) ** 2 for each in heard]
    power = np.mean([each / (each.sum() + 1e-20) for each in powers], axis=0)
    return 0.5 * np.log(power + FAINTEST * power.max() + 1e-30), sample_rate / size
