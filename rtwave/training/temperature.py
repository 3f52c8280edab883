"""How random each note is played: the temperatures at which it is least far from recordings that training heard.

Far by two distances at once: the strict one, of which half is in what nobody hears (the holes that audio codecs leave
between partials), and the audible one, which lets hiss pass below its floor. Their geometric mean has no unit, so
neither buys its gain at a greater relative loss of the other.

Purity would be the wrong measure: a network's noise is whiter than what recordings hold between their partials, which
lies below 500 Hz, and as much of it in all is too much of it where it is heard.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..errors import RtwaveError
from ..wavenet.instrument import KEYS, Instrument
from ..wavenet.weights import Weights
from .corpus import Corpus, Entry
from .judge.player import Player, in_parallel, recorded
from .judge.stft_distance import both_distances
from .judged import all_entries, judged_recordings, with_neighbours
from .tables import entries_by_timbre

VELOCITIES = (16.0, 40.0, 64.0, 100.0)
"""Soft notes of a piano's high keys want up to 0.8 where loud ones want 0 to 0.3; of its lowest it is the other way."""
NEIGHBOUR = 0.25
"""What each neighbouring key counts in what a key is played at; its own recordings count the rest."""


class _Step(NamedTuple):
    """A table, what it may hold, over how many seconds from the onset that is judged, and whether each velocity has
    its own.
    """

    table: str
    candidates: tuple[float, ...]
    seconds: float
    by_velocity: bool


STEADY = _Step("temperature", (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0), 1.0, by_velocity=True)
ATTACK = _Step("onset_temperature", (0.0, -0.15, -0.3, 0.3, 0.6, 1.0), 0.15, by_velocity=False)
"""Where several do equally well, the first is taken."""
NEAREST = 1e-3
"""Nearer, no distance counts."""


def calibrate_temperatures(
    weights: Weights,
    corpus: Corpus,
    temperature: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
    precision: str = "float32",
) -> Instrument:
    """The instrument with `temperature` and `onset_temperature` as they suit a player who asks for `temperature`.

    A network is surer of some notes than of others, and of tones than of attacks: at one temperature for all, some
    hiss while others lack breath. `temperature` and what is asked for add up to 0..1. Nothing is added in a texture,
    which has no notes, or in drums: what suits one hit was found to be wrong for the next. RtwaveError where the corpus
    has other timbres than the network.
    """
    tables = replace(weights.instrument, temperature=None, onset_temperature=None)
    if corpus.index.kind != "notes":
        return tables
    groups = entries_by_timbre(corpus)
    if len(groups) != tables.timbres:
        came = f"{len(groups)} timbres, but the network has {tables.timbres}"
        raise RtwaveError(f"{corpus.folder}: has {came}; name the corpus that it learned from with --corpus")
    judged = judged_recordings(corpus, groups, VELOCITIES)
    entries = all_entries(judged)
    done, total = 0, len(entries) * (len(STEADY.candidates) + len(ATTACK.candidates))
    for step, asked in ((STEADY, temperature), (ATTACK, 0.0)):
        players, neutral = [], getattr(tables, step.table)
        for candidate in step.candidates:
            everywhere = np.full_like(neutral, candidate - asked)
            played = replace(weights, instrument=replace(tables, **{step.table: everywhere}))
            players.append(Player(played, precision=precision, temperature=temperature))
        costs = {}
        for entry, cost in zip(entries, in_parallel(_judge_by(players, corpus, step.seconds), entries), strict=True):
            costs[entry] = cost
            done += len(players)
            progress(done, total)
        velocities = tables.envelope_velocities if step.by_velocity else None
        found = np.reshape([_best(keys, costs, step.candidates, velocities) for keys in judged], neutral.shape)
        tables = replace(tables, **{step.table: np.float32(found - asked)})
    return tables


def _judge_by(players: Sequence[Player], corpus: Corpus, seconds: float) -> Callable[[Entry], np.ndarray]:
    """What tells of a recording how far from its first seconds each player is: log of both distances' product."""

    def judge(entry: Entry) -> np.ndarray:
        reference, rate = recorded(corpus, entry, seconds), corpus.index.sample_rate
        sounds = [player.entry(entry, (len(reference) + 0.5) / rate) for player in players]
        return np.log(both_distances(sounds, reference, rate) + NEAREST).sum(axis=1)

    return judge


def _best(
    keys: dict[float, list[Entry]],
    costs: dict[Entry, np.ndarray],
    candidates: Sequence[float],
    velocities: np.ndarray | None,
) -> np.ndarray:
    """Of all keys the best candidate (128, M) at each of `velocities`, or (128, 1) for all of them together.

    Between what was judged it is interpolated. Neighbouring keys have a say.
    """
    own = np.array([_costs_at(same, costs, velocities) for same in keys.values()])
    best = np.array(candidates)[with_neighbours(own, NEIGHBOUR).argmin(axis=2)]
    return np.array([np.interp(np.arange(KEYS), list(keys), column) for column in best.T]).T


def _costs_at(same: list[Entry], costs: dict[Entry, np.ndarray], velocities: np.ndarray | None) -> np.ndarray:
    """Of one key's recordings: costs (M, candidates) at `velocities`, between theirs; or their mean (1, candidates)."""
    known = sorted(same, key=lambda entry: entry.velocity)
    table = np.array([costs[entry] for entry in known])
    if velocities is None:
        return table.mean(axis=0, keepdims=True)
    return np.array([np.interp(velocities, [entry.velocity for entry in known], column) for column in table.T]).T
