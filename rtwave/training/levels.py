"""How loud each key is played: envelopes put right by what the network makes of them.

A network of steady level is as loud as its envelope only where it keeps that level. It does not where a tone sinks into
the noise that a low temperature leaves out, and in attacks that are shorter than the window of the level.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..wavenet.features import LOUDNESS_FLOOR_DB, note_frequency
from ..wavenet.instrument import Instrument
from ..wavenet.weights import Weights
from .corpus import Corpus, Entry
from .envelopes import ENVELOPE_AGES_S, held_s, levels_at_ages
from .judge.player import Player, in_parallel, recorded
from .judged import all_entries, judged_recordings, with_neighbours
from .loudness import measure_loudness
from .tables import entries_by_timbre

VELOCITIES = (40.0, 80.0)
ROUNDS = 2
LONGEST_S = 5.0
QUIETEST_DB = -75.0
MOST_DB = 12.0
NEIGHBOUR = 0.2
"""What each neighbouring key says of a key's correction; its own recordings say the rest."""


def calibrate_levels(
    weights: Weights,
    corpus: Corpus,
    temperature: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
    precision: str = "float32",
) -> Instrument:
    """The instrument with `envelope_db` such that keys are as loud as the recordings that training heard, at every age.

    Of notes alone, and of networks that work at a steady level. By 12 dB at most; what is recorded below -75 dBFS says
    nothing; after 5 s the last correction goes on.
    """
    tables = weights.instrument
    if corpus.index.kind != "notes" or weights.config.leveling != "loudness":
        return tables
    groups = entries_by_timbre(corpus)
    judged = judged_recordings(corpus, groups, VELOCITIES)
    entries = all_entries(judged)
    corrections_db = np.zeros((len(groups), len(tables.envelope_keys), len(ENVELOPE_AGES_S)))
    for number in range(ROUNDS):
        player = Player(replace(weights, instrument=tables), precision=precision, temperature=temperature)
        errors = {}
        for entry, error in zip(entries, in_parallel(partial(_error_db, player, corpus), entries), strict=True):
            errors[entry] = error
            progress(number * len(entries) + len(errors), ROUNDS * len(entries))
        found = np.array([_by_key(keys, errors, tables.envelope_keys) for keys in judged])
        corrections_db = np.clip(corrections_db - found, -MOST_DB, MOST_DB)
        tables = replace(tables, envelope_db=_corrected(weights.instrument.envelope_db, corrections_db))
    return tables


def _error_db(player: Player, corpus: Corpus, entry: Entry) -> np.ndarray:
    """By how many dB a recording's key is played too loud, at ENVELOPE_AGES_S; NaN where that cannot be told."""
    index = corpus.index
    rate, period = index.sample_rate, index.control_period
    seconds = min(held_s(corpus, entry) if index.sustained else entry.samples / rate, LONGEST_S)
    reference = recorded(corpus, entry, seconds)
    f0 = float(note_frequency(entry.note, entry.cents))
    wanted, found = (
        levels_at_ages(measure_loudness(sound[: len(reference)], rate, period, f0), period / rate)
        for sound in (reference, player.entry(entry, seconds + 0.5 / rate))
    )
    error = np.full(len(ENVELOPE_AGES_S), np.nan)
    error[: len(wanted)] = np.where(wanted > QUIETEST_DB, found[: len(wanted)] - wanted, np.nan)
    return error


def _by_key(keys: dict[float, list[Entry]], errors: dict[Entry, np.ndarray], at: np.ndarray) -> np.ndarray:
    """Errors (N, G) at the keys `at`: of each recorded key its recordings' mean, with a share of its neighbours'."""
    own = np.array([_filled(np.array([errors[entry] for entry in same])) for same in keys.values()])
    return np.array([np.interp(at, list(keys), column) for column in with_neighbours(own, NEIGHBOUR).T]).T


def _filled(errors: np.ndarray) -> np.ndarray:
    """Mean (G,) of errors (recordings, G); ages of which nothing is known have what the nearest says."""
    known = ~np.isnan(errors).all(axis=0)
    if not known.any():
        return np.zeros(errors.shape[1])
    places = np.flatnonzero(known)
    return np.interp(np.arange(errors.shape[1]), places, np.nanmean(errors[:, known], axis=0))


def _corrected(envelope_db: np.ndarray, corrections_db: np.ndarray) -> np.ndarray:
    """Envelopes (N, M, G), or (I, N, M, G), with corrections (I, N, G); what is silent stays silent."""
    shape = (*corrections_db.shape[:2], 1, corrections_db.shape[2])
    corrections_db = corrections_db.reshape(shape if envelope_db.ndim == 4 else shape[1:])
    return np.where(
        envelope_db > LOUDNESS_FLOOR_DB, np.clip(envelope_db + corrections_db, LOUDNESS_FLOOR_DB, 0.0), envelope_db
    ).astype(np.float32)
