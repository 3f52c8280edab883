"""The instrument's tables, measured from a corpus: envelope, stretch, stiffness, damping, onset phases, timbres."""

from dataclasses import replace

import numpy as np

from ..errors import RtwaveError
from ..wavenet.config import WaveNetConfig
from ..wavenet.instrument import KEYS, Instrument
from .corpus import Corpus, Entry
from .envelopes import ENVELOPE_AGES_S, PLAIN_DYNAMIC, PLAIN_VELOCITIES, envelopes, held_s, velocity_axis
from .modes import mode_places
from .strengths import strength_tables

REFERENCE_VELOCITY = 80.0
MOST_VELOCITIES = 32
MOST_KEYS_OF_SEVERAL, MOST_VELOCITIES_OF_SEVERAL = 48, 8
"""Of instruments of several timbres, whose tables would else be larger than their network."""

EVERY_KEY = np.arange(KEYS)


def measure_tables(corpus: Corpus, config: WaveNetConfig) -> Instrument:
    """Every table of `Instrument`, from the recordings of a corpus of any kind that are not held out."""
    neutral = Instrument.neutral(config.partials, config.excitation == "weighted")
    match corpus.index.kind:
        case "drums":
            return _drums(corpus, neutral)
        case "texture":
            return _texture(corpus, neutral)
        case _:
            return _notes(corpus, config, neutral)


def entries_by_timbre(corpus: Corpus) -> list[list[Entry]]:
    """The recordings of each timbre that a control moves between; all together where it moves between none."""
    timbres, entries = corpus.index.timbres, corpus.index.entries
    if corpus.index.kind == "drums" or len(timbres) < 2:
        return [entries]
    groups = [[entry for entry in entries if round(entry.timbre) == place] for place in range(len(timbres))]
    if not all(groups):
        missing = timbres[groups.index([])]
        raise RtwaveError(f"{corpus.folder}: no recording of the timbre {missing!r}; prepare the corpus again")
    return groups


def _learned(corpus: Corpus) -> list[list[Entry]]:
    """The recordings of each timbre that training hears: by the others it is judged. All, where it hears none."""
    groups = entries_by_timbre(corpus)
    return [[entry for entry in group if not entry.held_out] or group for group in groups]


def _stacked(tables: list[np.ndarray]) -> np.ndarray:
    """Float32, with an axis for the timbres where there are several."""
    return np.float32(tables if len(tables) > 1 else tables[0])


def _nearest(keys: np.ndarray) -> np.ndarray:
    """Which of `keys`, rising, is nearest to each of the 128: indices (128,)."""
    return np.abs(EVERY_KEY[:, None] - keys[None, :]).argmin(axis=1)


def _notes(corpus: Corpus, config: WaveNetConfig, neutral: Instrument) -> Instrument:
    """Pitched notes: everything is interpolated between the recorded keys but phases, which are the nearest one's."""
    groups, index = _learned(corpus), corpus.index
    entries = [entry for group in groups for entry in group]
    keys = np.array(sorted({entry.note for entry in entries}))
    if len(groups) > 1 and len(keys) > MOST_KEYS_OF_SEVERAL:
        keys = np.linspace(keys[0], keys[-1], MOST_KEYS_OF_SEVERAL)
    velocities = velocity_axis(entries, MOST_VELOCITIES if len(groups) == 1 else MOST_VELOCITIES_OF_SEVERAL)
    tuned = [_tuned(group) for group in groups]
    damped = (index.undamped_from > EVERY_KEY) | index.sustained
    return replace(
        neutral,
        envelope_keys=np.float32(keys),
        envelope_velocities=np.float32(velocities),
        envelope_ages_s=ENVELOPE_AGES_S,
        envelope_db=_stacked([_at_keys(envelopes(corpus, group, velocities), keys) for group in groups]),
        cents=_stacked([np.interp(EVERY_KEY, list(each), [entry.cents for entry in each.values()]) for each in tuned]),
        stiffness=_stacked([_stiffness(each) for each in tuned]),
        release_s=_stacked([np.where(damped, index.damper_s, 0.0)] * len(groups)),
        onset_phases=_stacked([_onset_phases(corpus, config, each) for each in tuned]),
        modes_hz=_stacked([_modes_hz(corpus, config, each) for each in tuned]),
        temperature=None,
        onset_temperature=None,
        longest_age_s=_longest_age_s(corpus, groups) if index.sustained else neutral.longest_age_s,
        **(strength_tables(corpus, groups, config.partials) if config.excitation == "weighted" else {}),
    )


def _tuned(entries: list[Entry]) -> dict[float, Entry]:
    """Of each recorded key, rising, the recording that its tuning is read from."""
    keys = sorted({entry.note for entry in entries})
    same = {key: [entry for entry in entries if entry.note == key] for key in keys}
    return {key: min(same[key], key=lambda entry: abs(entry.velocity - REFERENCE_VELOCITY)) for key in keys}


def _at_keys(levels: dict[float, np.ndarray], keys: np.ndarray) -> np.ndarray:
    """Envelopes (N, M, G) at `keys`, from those of the recorded ones."""
    recorded, known = np.array(list(levels)), np.array(list(levels.values()))
    if np.array_equal(recorded, keys):
        return known
    flat = known.reshape(len(recorded), -1)
    return np.array([np.interp(keys, recorded, column) for column in flat.T]).T.reshape(len(keys), *known.shape[1:])


def _stiffness(tuned: dict[float, Entry]) -> np.ndarray:
    stiffness = np.array([entry.stiffness for entry in tuned.values()])
    if not stiffness.any():
        return np.zeros(KEYS)
    return np.exp(np.interp(EVERY_KEY, list(tuned), np.log(np.maximum(stiffness, 1e-6))))


def _onset_phases(corpus: Corpus, config: WaveNetConfig, tuned: dict[float, Entry]) -> np.ndarray:
    if not config.excitation_channels:
        return np.zeros((KEYS, config.partials))
    recorded = np.array([corpus.phases_of(entry)[0, : config.partials] for entry in tuned.values()])
    return np.angle(np.exp(1j * recorded))[_nearest(np.array(list(tuned)))]


def _modes_hz(corpus: Corpus, config: WaveNetConfig, tuned: dict[float, Entry]) -> np.ndarray:
    if config.excitation != "weighted":
        return np.zeros((KEYS, config.partials))
    places = corpus.index.partials
    recorded = np.array([mode_places(entry.modes_hz, config.partials, places) for entry in tuned.values()])
    return recorded[_nearest(np.array(list(tuned)))]


def _longest_age_s(corpus: Corpus, groups: list[list[Entry]]) -> np.ndarray:
    """The longest that a key, or the nearest recorded one, was heard to be held, in the timbre that was held least."""
    longest = []
    for group in groups:
        keys = np.array(sorted({entry.note for entry in group}))
        held = [max(held_s(corpus, entry) for entry in group if entry.note == key) for key in keys]
        longest.append(np.array(held)[_nearest(keys)])
    return np.float32(np.min(longest, axis=0))


def _drums(corpus: Corpus, neutral: Instrument) -> Instrument:
    """One sound a key: a key without one has the nearest key's, and what is struck rings out, whatever the key does."""
    entries = _learned(corpus)[0]
    velocities = velocity_axis(entries, MOST_VELOCITIES)
    levels = envelopes(corpus, entries, velocities)
    places = {entry.note: entry.timbre for entry in entries}
    recorded = np.array(list(levels))
    owners = recorded[_nearest(recorded)]
    edges = np.flatnonzero(np.diff(owners, prepend=-1.0, append=-1.0))  # where another key's sound begins
    keys = np.unique([*edges[:-1], *(edges[1:] - 1)])
    return replace(
        neutral,
        envelope_keys=np.float32(keys),
        envelope_velocities=np.float32(velocities),
        envelope_ages_s=ENVELOPE_AGES_S,
        envelope_db=np.float32([levels[owners[key]] for key in keys]),
        release_s=np.zeros(KEYS, np.float32),
        timbre=np.float32([places[owner] for owner in owners]),
        temperature=None,
    )


def _texture(corpus: Corpus, neutral: Instrument) -> Instrument:
    """Sound that goes on for ever at its recordings' average level; the velocity that they stand for is 100."""
    groups, index = _learned(corpus), corpus.index
    dynamic_db = PLAIN_DYNAMIC * np.log10(np.array(PLAIN_VELOCITIES) / 100.0)
    average_db = [np.mean(np.concatenate([corpus.loudness_db(entry) for entry in group])) for group in groups]
    levels = [np.repeat((average + dynamic_db)[None, :, None], 2, axis=2) for average in average_db]
    return replace(
        neutral,
        envelope_velocities=np.float32(PLAIN_VELOCITIES),
        envelope_db=_stacked([np.clip(level, -89.0, 0.0) for level in levels]),
        cents=_stacked([neutral.cents] * len(groups)),
        stiffness=_stacked([neutral.stiffness] * len(groups)),
        release_s=_stacked([np.full(KEYS, index.damper_s)] * len(groups)),
        onset_phases=_stacked([neutral.onset_phases] * len(groups)),
        modes_hz=_stacked([neutral.modes_hz] * len(groups)),
        temperature=None,
        onset_temperature=None,
    )
