"""Play notes over the whole keyboard and measure each beside its recording; play each key from soft to loud."""

import numpy as np

from ...wavenet.features import note_frequency
from ..corpus import Corpus, Entry
from ..purity import PURITY_S, purity_db, recorded_partials
from . import sounding
from .figures import Note, VelocityCurve
from .player import Player, in_parallel, nearest, recorded

HELD_S, AFTER_S = 3.0, 1.3
RELEASED_S = (HELD_S + 1.0, HELD_S + 1.2)
DECAY_FROM_S, DRUM_DECAY_FROM_S, DECAY_TO_S = 0.1, 0.02, 2.5
VELOCITIES = (40.0, 80.0, 110.0)
QUICK_KEYS, FEWEST_KEYS = 24, 6
QUICK_CURVES, MOST_STEPS = 8, 16
CURVE_S = 0.55


def timbres_of(corpus: Corpus) -> list[float]:
    """The places of the timbres that a player can choose between; one, where each key has its own."""
    return sorted({entry.timbre for entry in corpus.index.entries}) if corpus.index.kind == "notes" else [0.0]


def choose_notes(corpus: Corpus, thorough: bool) -> list[tuple[int, float, float]]:
    """(key, velocity, timbre) to play: all keys between the lowest and the highest recorded, or some; soft to loud.

    Velocities are recorded ones, the nearest to VELOCITIES. Of drums, the recorded keys.
    """
    timbres, chosen = timbres_of(corpus), []
    for timbre in timbres:
        entries = [e for e in corpus.index.entries if e.timbre == timbre or corpus.index.kind != "notes"]
        known = sorted({entry.velocity for entry in entries})
        velocities = sorted({min(known, key=lambda each, v=velocity: abs(each - v)) for velocity in VELOCITIES})
        if corpus.index.kind == "drums":
            keys = np.array(sorted({round(entry.note) for entry in entries}))
        else:
            keys = np.arange(round(min(e.note for e in entries)), round(max(e.note for e in entries)) + 1)
        count = len(keys) if thorough else max(QUICK_KEYS // len(timbres), FEWEST_KEYS)
        picked = keys[np.unique(np.linspace(0, len(keys) - 1, min(count, len(keys))).round().astype(int))]
        chosen += [(int(key), velocity, timbre) for key in picked for velocity in velocities]
    return chosen


def judge_notes(player: Player, corpus: Corpus, chosen: list[tuple[int, float, float]]) -> list[Note]:
    """Measure every chosen note."""
    return list(in_parallel(lambda note: judge_note(player, corpus, *note), chosen))


def judge_note(player: Player, corpus: Corpus, key: int, velocity: float, timbre: float) -> Note:
    """Render one note and hold it against the nearest recording."""
    rate, pitched = corpus.index.sample_rate, corpus.index.kind == "notes"
    entry = nearest(corpus, key, velocity, timbre)
    recording = recorded(corpus, entry, HELD_S, key)
    sound = player.note(key, velocity, HELD_S + AFTER_S, HELD_S, timbre, entry.knobs)
    held = sound[: int(HELD_S * rate)]
    figures = {"key": key, "velocity": velocity, "timbre": timbre, "recording": entry.name}
    figures |= _levels(held, recording, rate, DECAY_FROM_S if pitched else DRUM_DECAY_FROM_S)
    figures["full_scale_ms"] = sounding.full_scale_ms(sound, rate)
    if pitched:
        figures |= _tone(player, corpus, entry, key, held, recording)
    damped = pitched and corpus.index.is_damped(key)
    if damped:
        figures["expected_damping_s"] = corpus.index.damper_s
        figures["damping_s"] = sounding.damping_s(sound, rate, HELD_S)
    if damped or not pitched:
        figures["released_dbfs"] = sounding.level_db(sounding.part(sound, rate, RELEASED_S))
    return Note(**{name: _rounded(value) for name, value in figures.items()})


def _levels(held: np.ndarray, recording: np.ndarray, rate: int, decay_from_s: float) -> dict[str, float | None]:
    """Level, brightness and decay of both sides; late levels where the recording lasts so long."""
    found = {}
    span_s = sounding.decay_span_s(recording, rate, decay_from_s, DECAY_TO_S)
    complete = len(recording) >= sounding.LATE_S[1] * rate
    for side, sound in (("", held), ("recorded_", recording)):
        early, late = _early(sound, rate), sounding.part(sound, rate, sounding.LATE_S)
        found[f"{side}level_db"] = sounding.level_db(early)
        found[f"{side}late_level_db"] = sounding.level_db(late) if complete else None
        found[f"{side}brightness_hz"] = sounding.centroid_hz(early, rate)
        found[f"{side}decay_db_per_s"] = sounding.decay_db_per_s(sound, rate, span_s)
    return found


def _tone(player: Player, corpus: Corpus, entry: Entry, key: int, held: np.ndarray, recording: np.ndarray) -> dict:
    """Pitch, purity and noise of a pitched note."""
    rate = corpus.index.sample_rate
    tuned = {each.note: each.cents for each in corpus.index.entries if each.timbre == entry.timbre}
    expected = key + float(np.interp(key, sorted(tuned), [tuned[note] for note in sorted(tuned)])) / 100.0
    found = {"cents": sounding.pitch_cents(held, rate, expected, stiff=entry.stiffness > 0.0)}
    near_hz = float(note_frequency(expected, 0.0))
    ours, theirs = (sounding.second_pitch_hz(each, rate, key, near_hz) for each in (held, recording))
    if ours and theirs:
        found["second_cents"] = 1200.0 * float(np.log2(ours / theirs))
    own = player.partials(key, entry.timbre)
    its = recorded_partials(entry) * 2.0 ** ((key - entry.note) / 12.0)
    for name, sound, partials in (("", held, own), ("recorded_", recording, its)):
        span = sounding.part(sound, rate, PURITY_S)
        if len(span) >= 0.4 * rate:
            purity = purity_db(sound, rate, partials)
            found[f"{name}purity_db"] = purity
            found[f"{name}noise_dbfs"] = sounding.level_db(span) - 10.0 * float(np.log10(1.0 + 10.0 ** (purity / 10.0)))
    return found


def choose_curves(corpus: Corpus, thorough: bool) -> list[tuple[float, float]]:
    """(recorded key, timbre) of keys recorded at several velocities: all of them, or some."""
    found = []
    for timbre in timbres_of(corpus):
        entries = [e for e in corpus.index.entries if e.timbre == timbre or corpus.index.kind != "notes"]
        notes = sorted({entry.note for entry in entries})
        several = [note for note in notes if len({e.velocity for e in entries if e.note == note}) > 1]
        count = len(several) if thorough else min(QUICK_CURVES, len(several))
        found += [(several[i], timbre) for i in np.unique(np.linspace(0, len(several) - 1, count).round().astype(int))]
    return found


def judge_velocities(player: Player, corpus: Corpus, chosen: list[tuple[float, float]]) -> list[VelocityCurve]:
    """Play recorded keys at the velocities that they were recorded at."""
    return list(in_parallel(lambda key: _curve(player, corpus, *key), chosen))


def _curve(player: Player, corpus: Corpus, note: float, timbre: float) -> VelocityCurve:
    rate = corpus.index.sample_rate
    same = [e for e in corpus.index.entries if e.note == note and (e.timbre == timbre or corpus.index.kind != "notes")]
    by_velocity = {entry.velocity: entry for entry in same}
    known = sorted(by_velocity)
    steps = np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST_STEPS)).round().astype(int))
    levels, brightness = ([], []), ([], [])
    for velocity in (known[step] for step in steps):
        entry = by_velocity[velocity]
        sounds = player.entry(entry, CURVE_S), recorded(corpus, entry, CURVE_S)
        for side, sound in enumerate(sounds):
            early = _early(sound, rate)
            levels[side].append(_rounded(sounding.level_db(early)))
            brightness[side].append(_rounded(sounding.centroid_hz(early, rate)))
    return VelocityCurve(
        key=round(note),
        timbre=timbre,
        velocities=[known[step] for step in steps],
        level_db=levels[0],
        recorded_level_db=levels[1],
        brightness_hz=brightness[0],
        recorded_brightness_hz=brightness[1],
    )


def _early(sound: np.ndarray, rate: int) -> np.ndarray:
    """0.05 to 0.5 s, or all of a sound that is too short for that."""
    return sounding.part(sound, rate, sounding.EARLY_S) if len(sound) > 0.15 * rate else sound


def _rounded(value):
    return round(value, 5) if isinstance(value, float) else value
