"""What is wanted of a preset, by name, and whether it was reached. The criteria are the same for every instrument."""

from collections.abc import Callable, Iterable

import numpy as np

from .figures import HeldOut, Judgement, Note, Texture, VelocityCurve, Verdict
from .sounding import rank_correlation

LAYER_DISTANCE = 0.8
"""About that of a recording two or three velocity layers softer, of a piano."""

KEYS = (24, 103)
"""Where pitch is asked for: beyond them the piano's own is uncertain."""

CLEAR_DB, CLEAR_PERCENT = 0.5, 3.0
"""A step in velocity counts where the recordings themselves become louder, or brighter, by as much."""

VOICES = 8
MOST_LOST_BITS = 0.01


def judge_verdicts(found: Judgement) -> list[Verdict]:
    """Every criterion that applies to what was measured."""
    verdicts = []
    if found.held_out:
        verdicts += _distances(found.held_out)
    if found.notes:
        verdicts += _tones(found.notes) + _levels(found.notes) + _endings(found.notes)
    if found.velocities:
        verdicts += _velocities(found.velocities)
    if found.textures:
        verdicts += _textures(found.textures)
    return [*verdicts, *_machinery(found)]


def _share(name: str, wanted: float, flags: Iterable[bool], meaning: str) -> list[Verdict]:
    """A criterion that a share of the notes, in %, must meet; none where there is no note to ask."""
    flags = list(flags)
    if not flags:
        return []
    reached = 100.0 * float(np.mean(flags))
    met = reached >= wanted - 1e-9
    return [Verdict(name=name, wanted=f"≥ {wanted:g}", reached=round(reached, 1), unit="%", met=met, meaning=meaning)]


def _at_most(name: str, wanted: float, reached: float, unit: str, meaning: str) -> Verdict:
    met = reached <= wanted
    return Verdict(name=name, wanted=f"≤ {wanted:g}", reached=round(reached, 3), unit=unit, met=met, meaning=meaning)


def _both(items: list, first: str, second: str) -> list[tuple]:
    """Pairs of two figures, of the items that have both."""
    pairs = [(getattr(item, first), getattr(item, second)) for item in items]
    return [pair for pair in pairs if None not in pair]


def _distances(held_out: list[HeldOut]) -> list[Verdict]:
    near = "how like the recording a note sounds on the whole that training never heard"
    return [
        *_share("distance below 0.8", 80.0, [each.distance < LAYER_DISTANCE for each in held_out], near),
        *_share(
            "distance below the next softer layer's",
            80.0,
            [distance < softer for distance, softer in _both(held_out, "distance", "softer")],
            "a neighbouring recording would be no better a likeness",
        ),
        *_share(
            "audible distance below 0.8", 80.0, [each.audible_distance < LAYER_DISTANCE for each in held_out], near
        ),
    ]


def _tones(notes: list[Note]) -> list[Verdict]:
    tuned = [note for note in notes if KEYS[0] <= note.key <= KEYS[1]]
    cents = [note.cents for note in tuned if note.cents is not None]
    second = [note.second_cents for note in tuned if note.second_cents is not None]
    purity = _both(notes, "purity_db", "recorded_purity_db")
    return [
        *_share("pitch within 5 cents", 98.0, [abs(each) <= 5.0 for each in cents], "in tune, as the recordings are"),
        *_share("pitch within 10 cents", 95.0, [abs(each) <= 10.0 for each in cents], "nothing is out of tune"),
        *_share("pitch within 10 cents, second judge", 95.0, [abs(each) <= 10.0 for each in second], "to other ears"),
        *_share("purity within 6 dB", 80.0, [abs(a - b) <= 6.0 for a, b in purity], "neither hissing nor too clean"),
        *_share("purity at least the recording's less 6 dB", 80.0, [a >= b - 6.0 for a, b in purity], "no hiss"),
    ]


def _levels(notes: list[Note]) -> list[Verdict]:
    early = _both(notes, "level_db", "recorded_level_db")
    late = _both(notes, "late_level_db", "recorded_late_level_db")
    bright = _both(notes, "brightness_hz", "recorded_brightness_hz")
    decays = octave_decays(notes)
    close = [2 / 3 <= ours / theirs <= 1.5 for _, ours, theirs in decays if theirs > 1.0]
    return [
        *_share("level within 3 dB", 90.0, [abs(a - b) <= 3.0 for a, b in early], "each key as loud as recorded"),
        *_share("level after 2 s within 6 dB", 80.0, [abs(a - b) <= 6.0 for a, b in late], "rings on as long"),
        *_share("brightness within 20 %", 80.0, [0.8 <= a / b <= 1.25 for a, b in bright], "neither dull nor shrill"),
        *_share("decay by octave within a factor 1.5", 100.0, close, "notes die away as fast as the recorded ones"),
        _at_most("full scale held", 20.0, max(note.full_scale_ms for note in notes), "ms", "no distortion"),
    ]


def octave_decays(notes: list[Note]) -> list[tuple[int, float, float]]:
    """(lowest key of the octave, median decay played, recorded), dB/s."""
    known = [note for note in notes if None not in (note.decay_db_per_s, note.recorded_decay_db_per_s)]
    octaves = sorted({note.key // 12 for note in known})

    def middle(octave: int, figure: Callable[[Note], float]) -> float:
        return float(np.median([figure(note) for note in known if note.key // 12 == octave]))

    return [
        (12 * o, middle(o, lambda n: n.decay_db_per_s), middle(o, lambda n: n.recorded_decay_db_per_s)) for o in octaves
    ]


def _endings(notes: list[Note]) -> list[Verdict]:
    damped = _both(notes, "damping_s", "expected_damping_s")
    ends = [0.75 <= ours / theirs <= 1.25 for ours, theirs in damped]
    released = [note.released_dbfs for note in notes if note.released_dbfs is not None]
    return [
        *_share("note-off within 25 % of the damper", 90.0, ends, "keys end when let go"),
        *_share("below −60 dBFS 1 s after release", 100.0, [each < -60.0 for each in released], "clean tails"),
    ]


def _velocities(curves: list[VelocityCurve]) -> list[Verdict]:
    """Steps in velocity, of those that are clear in the recordings."""
    louder, brighter = [], []
    for curve in curves:
        ours, theirs = np.diff(curve.level_db), np.diff(curve.recorded_level_db)
        louder += list(ours[theirs > CLEAR_DB] > 0.0)
        if None not in curve.brightness_hz + curve.recorded_brightness_hz:
            ours, theirs = (np.diff(np.log(each)) for each in (curve.brightness_hz, curve.recorded_brightness_hz))
            brighter += list(ours[theirs > CLEAR_PERCENT / 100.0] > 0.0)
    ranks = [rank_correlation(curve.velocities, curve.level_db) for curve in curves]
    return [
        *_share("level rises with velocity", 95.0, louder, "playing harder is louder"),
        *_share("brightness rises with velocity", 90.0, brighter, "playing harder is brighter"),
        *_share("level follows velocity (Spearman above 0.95)", 90.0, [each > 0.95 for each in ranks], "on every key"),
    ]


def _textures(textures: list[Texture]) -> list[Verdict]:
    """Of the timbre that is farthest off, beside the recordings that it was learned from."""
    spectrum = max(each.spectrum_db for each in textures)
    off = max(abs(float(np.median(each.level_db)) - each.recorded_level_db) for each in textures)
    drift = max(abs(each.drift_db) for each in textures)
    rises = np.diff([list(each.level_by_temperature.values()) for each in textures]).ravel() > 0.0
    return [
        _at_most("long-term spectrum off", 4.0, spectrum, "dB", "the colour is that of what it learned from"),
        _at_most("level off", 6.0, off, "dB", "as loud as what it learned from"),
        _at_most("level drifts in a minute", 3.0, drift, "dB", "it neither dies nor runs off"),
        *_share("level rises with temperature", 80.0, rises, "the mod wheel is heard"),
    ]


def _machinery(found: Judgement) -> list[Verdict]:
    enough = found.speed.voices_in_real_time
    verdicts = [
        _at_most("silence", -90.0, found.silence_dbfs, "dBFS", "nothing is heard before the first note"),
        Verdict(
            name=f"voices in real time on {found.speed.threads} cores",
            wanted=f"≥ {VOICES}",
            reached=enough,
            unit="voices",
            met=enough >= VOICES,
            meaning="chords without drop-outs",
        ),
    ]
    bits = found.bits.bits
    if found.bits.played in bits and "float32" in bits:
        lost = bits[found.bits.played] - bits["float32"]
        meaning = "what speed costs cannot be heard"
        verdicts.append(_at_most(f"bits lost in {found.bits.played}", MOST_LOST_BITS, lost, "bits", meaning))
    return verdicts
