"""How strong each partial of the recordings is at every age: the table that weighted excitation is played from."""

from collections.abc import Sequence

import numpy as np

from ..wavenet.features import LOUDNESS_FLOOR_DB, STEADY_DB
from .corpus import Corpus, Entry
from .envelopes import held_s
from .modes import frequencies

STRENGTH_AGES_S = np.float32(
    [
        *(0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05),
        *np.arange(0.06, 0.19, 0.02),
        *np.linspace(0.2, 2.0, 22),
        *np.geomspace(2.0, 12.0, 12)[1:],
    ]
)
"""48, fine enough for beats while they are heard best."""
MOST_VELOCITIES, MOST_VELOCITIES_OF_SEVERAL = 8, 4
MOST_CELLS = 1_180_000
"""Of all timbres together, two bytes each in the file."""
FLOOR_DB = -120.0
EDGE_S, LAST_S = 0.05, 1.0
"""At its very end a recording's partials cannot be read; what goes on beyond is the average of its last second."""


def strength_tables(corpus: Corpus, groups: Sequence[Sequence[Entry]], partials: int) -> dict[str, np.ndarray]:
    """partial_keys, partial_velocities, partial_ages_s and partial_db of an Instrument, from each timbre's recordings.

    A partial above 0.47 of the sample rate has the level of the nearest key where it is heard, for the sake of keys
    in between. Levels are such as float16 can hold.
    """
    several = len(groups) > 1
    ages_s = STRENGTH_AGES_S[::2] if several else STRENGTH_AGES_S
    entries = [entry for group in groups for entry in group]
    velocities = _spread(
        {entry.velocity for entry in entries}, MOST_VELOCITIES_OF_SEVERAL if several else MOST_VELOCITIES
    )
    row = len(groups) * len(velocities) * len(ages_s) * partials
    keys = _spread({entry.note for entry in entries}, max(MOST_CELLS // row, 1))
    levels_db = [_levels(corpus, group, keys, velocities, ages_s, partials) for group in groups]
    return {
        "partial_keys": np.float32(keys),
        "partial_velocities": np.float32(velocities),
        "partial_ages_s": ages_s,
        "partial_db": np.float16(levels_db if several else levels_db[0]).astype(np.float32),
    }


def recorded_strengths(corpus: Corpus, entry: Entry, ages_s: np.ndarray, partials: int) -> np.ndarray:
    """Level (G, K) of one recording's partials at `ages_s`, dB against its loudness, float64; NaN where masked.

    At each age it is the mean over a window that reaches half-way to the nearer neighbour, so that beats survive;
    linear between frames where they are farther apart than that.
    """
    index = corpus.index
    stride = index.phase_stride // index.control_period
    loudness_db = np.maximum(corpus.loudness_db(entry)[::stride], LOUDNESS_FLOOR_DB)
    levels_db = corpus.partials_db(entry)[:, :partials] - (loudness_db - STEADY_DB)[:, None]
    frame_s = index.phase_stride / index.sample_rate
    ends_s = entry.samples / index.sample_rate - EDGE_S
    frames = round((min(held_s(corpus, entry), ends_s) if index.sustained else ends_s) / frame_s)
    frames = min(max(frames, 1), len(levels_db))
    levels_db = levels_db[:frames].astype(np.float64)
    places, reach = ages_s / frame_s, _reach(ages_s) / frame_s
    found = _between(places, np.arange(frames), levels_db)
    beyond = places > frames - 1
    for i in np.flatnonzero((reach >= 1.0) & ~beyond):
        found[i] = levels_db[int(np.ceil(places[i] - reach[i])) : int(places[i] + reach[i]) + 1].mean(axis=0)
    found[beyond] = levels_db[-max(round(LAST_S / frame_s), 1) :].mean(axis=0)
    found[:, frequencies(entry, partials, index.partials, index.sample_rate) == 0.0] = np.nan
    return found


def _reach(ages_s: np.ndarray) -> np.ndarray:
    """Half of the way to the nearer neighbour of each age; 0 for the first."""
    gaps = np.diff(ages_s)
    return np.concatenate([[0.0], np.minimum(gaps[:-1], gaps[1:]), [gaps[-1]]]) / 2.0


def _spread(recorded: set[float], most: int) -> np.ndarray:
    """So many at most of the values that were recorded, evenly among them, the first and the last included."""
    values = np.array(sorted(recorded))
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(int)]


def _levels(
    corpus: Corpus,
    entries: Sequence[Entry],
    keys: np.ndarray,
    velocities: np.ndarray,
    ages_s: np.ndarray,
    partials: int,
) -> np.ndarray:
    """Levels (N, M, G, K) of one timbre."""
    recorded = sorted({entry.note for entry in entries})
    at_keys = []
    for key in recorded:
        same = [entry for entry in entries if entry.note == key]
        known = sorted({entry.velocity for entry in same})
        curves = [
            np.mean(
                [recorded_strengths(corpus, entry, ages_s, partials) for entry in same if entry.velocity == each], 0
            )
            for each in known
        ]
        at_keys.append(_between(velocities, np.array(known), np.array(curves)))
    levels_db = np.array(at_keys)
    _fill(levels_db, np.array(recorded))
    return np.maximum(_between(keys, np.array(recorded), levels_db), FLOOR_DB)


def _between(places: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear along the first axis of `values`, which stand at `known`, rising; constant beyond them."""
    where = np.interp(places, known, np.arange(len(known)))
    low = where.astype(int)
    high = np.minimum(low + 1, len(known) - 1)
    share = (where - low).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] + share * (values[high] - values[low])


def _fill(levels_db: np.ndarray, keys: np.ndarray) -> None:
    """Give partials that are masked at a key the levels of the nearest one where they are not."""
    for k in range(levels_db.shape[-1]):
        heard = np.flatnonzero(~np.isnan(levels_db[:, 0, 0, k]))
        if len(heard):
            nearest = heard[np.abs(keys[:, None] - keys[heard][None, :]).argmin(axis=1)]
            levels_db[..., k] = levels_db[nearest, ..., k]
        else:
            levels_db[..., k] = FLOOR_DB
