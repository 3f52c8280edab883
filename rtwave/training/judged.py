"""The recordings by which `export` sets an instrument, some of each key, and what keys take from their neighbours."""

from collections.abc import Sequence

import numpy as np

from .corpus import Corpus, Entry

MOST_KEYS, LEAST_KEYS = 48, 8
"""That are rendered in all timbres together, and in each where there are many of those."""

SHORTEST_S = 0.1


def judged_recordings(
    corpus: Corpus, groups: Sequence[Sequence[Entry]], velocities: Sequence[float]
) -> list[dict[float, list[Entry]]]:
    """Of each timbre's recordings that training heard, by key, rising: those nearest to `velocities`."""
    shortest, most_keys = SHORTEST_S * corpus.index.sample_rate, max(MOST_KEYS // len(groups), LEAST_KEYS)
    return [_of_group(group, shortest, most_keys, velocities) for group in groups]


def _of_group(
    entries: Sequence[Entry], shortest: float, most_keys: int, velocities: Sequence[float]
) -> dict[float, list[Entry]]:
    learned = [entry for entry in entries if not entry.held_out and entry.samples >= shortest]
    keys = sorted({entry.note for entry in learned})
    if len(keys) > most_keys:
        keys = [keys[index] for index in np.linspace(0, len(keys) - 1, most_keys).round().astype(int)]
    chosen = {}
    for key in keys:
        same = [entry for entry in learned if entry.note == key]
        levels = np.array([entry.velocity for entry in same])
        chosen[key] = [same[index] for index in sorted({int(np.abs(levels - each).argmin()) for each in velocities})]
    return chosen


def all_entries(judged: Sequence[dict[float, list[Entry]]]) -> list[Entry]:
    """Those of all timbres and keys."""
    return [entry for keys in judged for same in keys.values() for entry in same]


def with_neighbours(own: np.ndarray, share: float) -> np.ndarray:
    """What keys say (keys, …), each with `share` of what either neighbour says; edges are their own neighbours."""
    before, after = np.concatenate([own[:1], own[:-1]]), np.concatenate([own[1:], own[-1:]])
    return (1.0 - 2.0 * share) * own + share * (before + after)
