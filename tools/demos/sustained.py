"""Phrases for what is bowed, sung and blown, and for what only rtwave has: strings, choir, flute, morph, drift."""

from .score import EXPRESSION, MODULATION, TIMBRE, VIBRATO, Score


def strings() -> Score:
    """Five voices in D minor: a chord for each breath, suspensions in the violins, a swell through each."""
    chords = [  # beats long, from the bass up, how loud the swell becomes
        (4, (38, 50, 57, 65, 74), 88),  # D minor
        (4, (43, 50, 58, 65, 74), 92),  # G minor seventh
        (2, (36, 48, 55, 65, 72), 98),  # C, the fourth …
        (2, (36, 48, 55, 64, 72), 94),  # … resolving
        (4, (41, 48, 57, 64, 69), 100),  # F, major seventh
        (2, (34, 46, 58, 62, 77), 116),  # B flat
        (2, (43, 46, 55, 64, 76), 108),  # E half diminished over G
        (2, (33, 45, 57, 64, 74), 100),  # A, the fourth …
        (2, (33, 45, 57, 61, 73), 92),  # … resolving
    ]
    score = Score(66)
    score.control(0, EXPRESSION, 48)
    score.sweep(0.5, 3, VIBRATO, 0, 14)
    beat = 0.0
    for beats, keys, high in chords:
        score.chord(beat, keys, beats - 0.04, 72)
        score.swell(beat, beats, 56, high)
        beat += beats
    score.tempo(beat, 56)
    score.chord(beat, (38, 45, 50, 57, 66, 74), 6, 68)  # D major
    score.sweep(beat, 2, EXPRESSION, 56, 104)
    score.sweep(beat + 2, 4, EXPRESSION, 104, 24)
    score.note(beat + 2, 81, 4, 60)
    return score


def choir() -> Score:
    """A chorale in F for four voices: sung on a closed vowel that opens towards the height of the phrase."""
    chords = [  # beats, bass, tenor, alto, soprano
        (2, (53, 60, 65, 69)),
        (1, (52, 60, 67, 72)),
        (1, (50, 62, 65, 74)),
        (2, (46, 62, 65, 74)),
        (1, (48, 60, 67, 76)),
        (1, (45, 60, 65, 77)),
        (2, (46, 58, 65, 74)),
        (1, (43, 58, 62, 70)),
        (1, (48, 58, 64, 67)),
        (4, (53, 57, 60, 69)),
    ]
    score = Score(60)
    score.control(0, MODULATION, 8)
    score.sweep(3, 4, MODULATION, 8, 112)
    score.sweep(9, 4, MODULATION, 112, 20)
    score.control(0, EXPRESSION, 70)
    score.sweep(2, 5, EXPRESSION, 70, 120)
    score.sweep(8, 4, EXPRESSION, 120, 76)
    beat = 0.0
    for beats, keys in chords:
        score.chord(beat, keys, beats - 0.06, 84)
        beat += beats
    score.sweep(beat - 3, 3, EXPRESSION, 76, 20)
    return score


def flute() -> Score:
    """Alone, in E dorian: long notes that swell and start to vibrate, runs between them, a bend into the last."""
    notes = [  # beats after the one before, key, beats held, velocity
        *((0, 71, 2.5, 78), (2.5, 73, 0.25, 70), (0.25, 74, 0.25, 74), (0.25, 76, 2.9, 84)),
        *((3, 79, 0.5, 86), (0.5, 78, 0.5, 80), (0.5, 76, 0.5, 78), (0.5, 73, 0.5, 74), (0.5, 74, 1.9, 82)),
        *((2, 71, 0.33, 70), (0.33, 73, 0.33, 74), (0.34, 74, 0.33, 78), (0.33, 76, 0.33, 82), (0.33, 78, 0.33, 86)),
        *((0.34, 79, 0.33, 90), (0.33, 81, 0.33, 94), (0.34, 83, 3.4, 104), (3.5, 81, 0.25, 88), (0.25, 79, 0.25, 84)),
        *((0.25, 78, 0.5, 84), (0.5, 74, 0.5, 78), (0.5, 76, 0.12, 60), (0.12, 78, 0.12, 62), (0.12, 76, 4.6, 80)),
    ]
    score = Score(76)
    score.control(0, EXPRESSION, 80)
    beat = 0.0
    for wait, key, beats, velocity in notes:
        beat += wait
        score.note(beat, key, beats + 0.02, velocity)
        if beats > 1.5:  # straight at first, then it sings
            score.swell(beat, beats, 76, 122)
            score.control(beat, VIBRATO, 0)
            score.sweep(beat + 0.4 * beats, 0.4 * beats, VIBRATO, 0, 20)
        elif beats < 0.6:
            score.control(beat, VIBRATO, 0)
    for step in range(9):
        score.bend(beat + step / 16, -1 + step / 8)
    return score


def morph() -> Score:
    """Chords that are held while one instrument turns into the next: mod wheel, from struck to blown and back."""
    chords = [
        (50, 57, 62, 66, 69),
        (47, 59, 62, 66, 69),
        (55, 59, 62, 66, 71),
        (52, 59, 62, 67, 74),
        (50, 57, 62, 64, 69),
    ]
    score = Score(72)
    score.control(0, MODULATION, 0)
    places = (0, 32, 64, 96, 127, 0)  # the mod wheel over each instrument in turn
    for bar, keys in enumerate(chords):
        beat = 4 * bar
        score.chord(beat, keys, 3.95, 80, roll=0.05)
        score.sweep(beat + 1, 2.5, MODULATION, places[bar], places[bar + 1])
        score.note(beat + 2, keys[-1] + 5, 0.9, 76)
        score.note(beat + 3, keys[-1] + 3, 0.9, 72)
    score.chord(20, (38, 50, 57, 62, 66, 74), 6, 88, roll=0.05)
    score.sweep(21, 4, MODULATION, 0, 127)
    score.sweep(24, 2, EXPRESSION, 127, 40)
    return score


def drift() -> Score:
    """Two voices left to themselves: from still to stormy (mod wheel), then from place to place (timbre)."""
    score = Score(60)
    score.control(0, TIMBRE, 0)
    score.control(0, MODULATION, 30)
    score.note(0, 60, 24, 90)
    score.sweep(3, 5, MODULATION, 30, 110)
    score.sweep(8, 2, MODULATION, 110, 64)
    score.note(8, 67, 15, 70)
    score.sweep(9, 10, TIMBRE, 0, 127)
    score.sweep(17, 5, MODULATION, 64, 16)
    score.sweep(20, 4, EXPRESSION, 127, 30)
    return score
