"""How loud recordings are at every age, and how their levels follow the velocity."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..wavenet.features import LOUDNESS_FLOOR_DB
from .corpus import Corpus, Entry
from .holds import fall_start

ENVELOPE_AGES_S = np.float32(
    [
        *(0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32),
        *(0.48, 0.64, 0.96, 1.28, 1.9, 2.6, 3.8, 5.2, 7.0, 9.5, 14.0, 20.0, 30.0),
    ]
)
SLOWEST_DECAY_DB_PER_S = 1.0

PLAIN_VELOCITIES = (1.0, 8.0, 16.0, 32.0, 64.0, 100.0, 127.0)
PLAIN_DYNAMIC = 40.0
"""dB for ten times the velocity, as General MIDI recommends: of sounds recorded at one velocity only."""

STEEPEST_DYNAMIC = 60.0


def held_s(corpus: Corpus, entry: Entry) -> float:
    """For how long a recording is held: to its end, or until it was let go, if one hears that."""
    period_s = corpus.index.control_period / corpus.index.sample_rate
    return fall_start(corpus.loudness_db(entry), period_s) * period_s


def recorded_envelope(corpus: Corpus, entry: Entry) -> np.ndarray:
    """Level (dBFS) of one recording at ENVELOPE_AGES_S, float64.

    Past its end its last second goes on: at its slope, or where the corpus is sustained at its level.
    """
    period_s = corpus.index.control_period / corpus.index.sample_rate
    level = corpus.loudness_db(entry).astype(np.float64)
    if corpus.index.sustained:
        level = level[: fall_start(level, period_s)]
    ages = np.arange(len(level)) * period_s
    curve = list(levels_at_ages(level, period_s))
    late = ages >= ages[-1] - 1.0
    slope = min(np.polyfit(ages[late], level[late], 1)[0] if late.sum() > 2 else 0.0, -SLOWEST_DECAY_DB_PER_S)
    if corpus.index.sustained:
        slope = 0.0
    end = level[late].mean() + slope * (ages[-1] - ages[late].mean())
    curve += [end + slope * (age - ages[-1]) for age in ENVELOPE_AGES_S[ages[-1] < ENVELOPE_AGES_S]]
    return np.maximum(curve, LOUDNESS_FLOOR_DB)


def levels_at_ages(level: np.ndarray, period_s: float) -> np.ndarray:
    """Of a level every `period_s` (dB), what it is at those ENVELOPE_AGES_S that it reaches, (ages,) float64."""
    ages = np.arange(len(level)) * period_s
    reached = ENVELOPE_AGES_S[ages[-1] >= ENVELOPE_AGES_S]
    return np.array([level[np.abs(ages - age) <= max(0.08 * age, period_s / 2)].mean() for age in reached])


def velocity_axis(entries: Sequence[Entry], most: int) -> np.ndarray:
    """The velocities of an envelope table, at most so many: those recorded, and a whole range where only one was."""
    recorded = {entry.velocity for entry in entries}
    velocities = np.array(sorted(recorded | set(PLAIN_VELOCITIES if len(recorded) == 1 else ())))
    return velocities if len(velocities) <= most else np.linspace(velocities[0], velocities[-1], most)


def envelopes(corpus: Corpus, entries: Sequence[Entry], velocities: np.ndarray) -> dict[float, np.ndarray]:
    """Level (M, G) of each recorded key at `velocities`, dBFS.

    Takes of one velocity count alike. Between a key's velocities it is interpolated; beyond them it goes on as all keys
    together follow the velocity.
    """
    same: dict[tuple[float, float], list[np.ndarray]] = {}
    for entry in entries:
        same.setdefault((entry.note, entry.velocity), []).append(recorded_envelope(corpus, entry))
    curves: dict[float, dict[float, np.ndarray]] = {}
    for (note, velocity), found in sorted(same.items(), key=lambda item: item[0]):
        curves.setdefault(note, {})[velocity] = np.mean(found, axis=0)
    dynamic = _dynamic(curves.values())
    return {key: _across_velocities(found, velocities, dynamic) for key, found in curves.items()}


def _dynamic(keys: Sequence[Mapping[float, np.ndarray]]) -> float:
    """By how many dB levels rise with ten times the velocity, in all keys together."""
    above, rises = [], []
    for curves in keys:
        logs = np.log10(list(curves))
        levels = np.array([curve.mean() for curve in curves.values()])
        above.append(logs - logs.mean())
        rises.append(levels - levels.mean())
    x, y = np.concatenate(above), np.concatenate(rises)
    return float(np.clip(x @ y / (x @ x), 0.0, STEEPEST_DYNAMIC)) if x.any() else PLAIN_DYNAMIC


def _across_velocities(curves: Mapping[float, np.ndarray], velocities: np.ndarray, dynamic: float) -> np.ndarray:
    known, levels = np.array(list(curves)), np.array(list(curves.values()))
    inside = np.array([np.interp(velocities, known, column) for column in levels.T]).T
    beyond = np.log10(velocities) - np.log10(np.clip(velocities, known[0], known[-1]))
    heard = inside > LOUDNESS_FLOOR_DB  # no velocity brings back what has died away
    return np.where(heard, np.maximum(inside + dynamic * beyond[:, None], LOUDNESS_FLOOR_DB), LOUDNESS_FLOOR_DB)
