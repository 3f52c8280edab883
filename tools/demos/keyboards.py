"""Phrases for what is struck: piano, piano-lite, mallets, bass, drums."""

from .score import MODULATION, Score


def piano() -> Score:
    """Eight bars in three four, a melody over broken chords; keys from D1 to A6, velocities from 38 to 100."""
    chords = [  # a bass and its broken chord, six quavers a bar
        (38, 45, 50, 53, 57, 53),  # D minor
        (34, 41, 46, 50, 57, 53),  # B flat, major seventh
        (33, 41, 48, 53, 57, 60),  # F over A
        (36, 43, 48, 52, 55, 60),  # C
        (31, 43, 46, 50, 53, 58),  # G minor seventh
        (41, 45, 50, 53, 57, 62),  # D minor over F
        (33, 45, 50, 52, 49, 55),  # A, the fourth resolving
    ]
    melody = [  # bar, quaver, key, quavers long
        *((0, 0, 69, 3), (0, 3, 74, 2), (0, 5, 76, 1)),
        *((1, 0, 77, 4), (1, 4, 76, 1), (1, 5, 74, 1)),
        *((2, 0, 72, 3), (2, 3, 77, 2), (2, 5, 79, 1)),
        *((3, 0, 79, 3), (3, 3, 84, 2), (3, 5, 82, 1)),
        *((4, 0, 81, 2), (4, 2, 82, 2), (4, 4, 86, 2)),
        *((5, 0, 84, 2), (5, 2, 81, 2), (5, 4, 77, 1), (5, 5, 76, 1)),
        *((6, 0, 74, 2), (6, 2, 76, 2), (6, 4, 73, 2)),
    ]
    close = [  # D major, rolled from the bottom up: quaver, key, velocity
        *((0, 26, 62), (0, 38, 56), (0.3, 45, 52), (0.6, 50, 52), (0.9, 54, 54), (1.2, 57, 54), (1.5, 62, 58)),
        *((1.8, 66, 62), (2.1, 74, 72), (4, 81, 54), (5, 86, 48), (6, 93, 44)),
    ]
    loudness = [60, 68, 74, 86, 100, 88, 70]  # of each bar's melody
    score = Score(84)
    for bar, quaver, bpm in ((3, 0, 90), (5, 3, 84), (6, 0, 76), (6, 2, 68), (6, 4, 58), (7, 0, 66)):
        score.tempo(3 * bar + quaver / 2, bpm)
    for bar, keys in enumerate(chords):
        for quaver, key in enumerate(keys):
            accent = 0.82 if quaver == 0 else 0.66 + 0.02 * (quaver % 3)
            score.note(3 * bar + quaver / 2, key, 0.475, accent * loudness[bar])
        score.pedal(3 * bar, 3)
    for bar, quaver, key, quavers in melody:
        lift = 4 * (quavers > 1) - 3 * (quaver % 2)
        score.note(3 * bar + quaver / 2, key, quavers / 2 - 0.02, loudness[bar] + lift)
    for quaver, key, velocity in close:
        score.note(21 + quaver / 2, key, 5 - quaver / 2, velocity)
    score.pedal(21, 5)
    return score


def piano_lite() -> Score:
    """A toccata in A minor: a run handed from the left hand to the right, repeated notes, a chord at the end."""
    bars = [  # bass, and the chord that the run climbs
        (33, (57, 60, 64, 69)),
        (31, (55, 59, 62, 67)),
        (29, (57, 60, 65, 69)),
        (28, (56, 59, 64, 68)),
        (26, (57, 62, 65, 69)),
        (28, (56, 62, 64, 71)),
    ]
    score = Score(104)
    for bar, (bass, chord) in enumerate(bars):
        beat, loud = 4 * bar, (62, 68, 74, 82, 96, 104)[bar]
        score.chord(beat, (bass, bass + 12), 1.8, 0.9 * loud)
        score.note(beat + 2, bass + 12, 0.9, 0.7 * loud)
        climb = (*chord, *(key + 12 for key in chord))
        run = (*climb, *reversed(climb[1:7]), climb[2], climb[1])
        for step, key in enumerate(run):
            score.note(beat + step / 4, key, 0.22, loud * (0.95 if step % 4 == 0 else 0.74) + step)
        for step in range(3):  # one key, struck three times
            score.note(beat + 3.25 + step / 4, chord[3] + 12, 0.15, loud * (0.6 + 0.1 * step))
    score.tempo(22.5, 84)
    score.chord(24, (33, 45, 52, 57, 60, 64, 69), 5, 92, roll=0.06)
    score.note(26, 81, 3, 54)
    score.note(27, 88, 2, 44)
    score.pedal(24, 5)
    return score


def mallets() -> Score:
    """Two hands on bars: a rocking figure that goes round, a tune above it, wood turning into bells."""
    harmony = [(57, 64, 67, 71), (53, 60, 67, 69), (60, 64, 67, 74), (55, 62, 66, 69)] * 2  # Am7, Fadd9, Cadd9, G maj7
    tune = [(0, 83), (1.5, 81), (2, 79), (4, 76), (5.5, 79), (6, 81), (8, 84), (9.5, 83), (10, 79), (12, 78), (14, 74)]
    score = Score(112)
    score.control(0, MODULATION, 32)  # marimba
    score.sweep(12, 6, MODULATION, 32, 64)  # vibraphone
    score.sweep(22, 8, MODULATION, 64, 127)  # music box
    for bar, chord in enumerate(harmony):
        beat = 4 * bar
        figure = (0, 1, 2, 3, 2, 1, 2, 3)
        for step, voice in enumerate(figure):
            loud = 52 + 3 * bar + (14 if step == 0 else 0) - 5 * (step % 2)
            score.note(beat + step / 2, chord[voice], 0.45, loud)
        score.pedal(beat, 4)
    for repeat in (0, 16):
        for beat, key in tune:
            score.note(
                repeat + beat, key + (12 if repeat and beat >= 8 else 0), 1.2, 74 + repeat + (6 if beat % 4 == 0 else 0)
            )
    score.chord(32, (45, 57, 64, 71, 76, 83), 6, 72, roll=0.09)
    score.note(34, 95, 4, 52)
    score.pedal(32, 6)
    return score


def bass() -> Score:
    """Two choruses of four bars, walking: chord notes on the beat, leading notes before the change, a slide home."""
    walk = [  # a key for each beat; D minor 7, G 7, C major 7, A 7
        *((38, 41, 45, 44), (43, 47, 50, 42), (36, 40, 43, 46), (45, 43, 40, 37)),
        *((38, 45, 48, 45), (43, 41, 38, 35), (36, 43, 45, 47), (48, 46, 45, 44)),
    ]
    score = Score(132)
    for bar, keys in enumerate(walk):
        for step, key in enumerate(keys):
            beat, skips = 4 * bar + step, (bar, step) in {(1, 1), (2, 3), (4, 1), (5, 3), (7, 1)}
            score.note(beat, key, 0.55 if skips else 0.88, (96 if step == 0 else 82) + 4 * (step == 2))
            if skips:  # a ghost before the next beat
                score.note(beat + 0.66, key, 0.16, 46)
    score.note(32, 43, 0.6, 104)
    score.note(32.66, 43, 0.2, 60)
    score.note(33, 41, 0.6, 98)
    score.note(33.66, 40, 0.3, 90)
    score.note(34, 38, 5, 108)
    for step in range(9):  # from a tone below up to D
        score.bend(34 + step / 16, -2 + step / 4)
    return score


KICK, RIM, SNARE, CLAP, FLOOR_TOM, HAT, FOOT, LOW_TOM = 36, 37, 38, 39, 41, 42, 44, 45
OPEN_HAT, MID_TOM, CRASH, HIGH_TOM, RIDE, BELL, TAMBOURINE, COWBELL = 46, 48, 49, 50, 51, 53, 54, 56


def drums() -> Score:
    """Eight bars: a groove with ghost notes, a fill, the ride and the others of the kit, a longer fill, a crash."""
    score = Score(98)

    def hit(beat: float, key: int, velocity: float) -> None:
        score.note(beat, key, 0.2, velocity)

    def groove(bar: int, cymbal: int) -> None:
        beat = 4 * bar
        for step in range(16):
            if cymbal == HAT or step % 2 == 0:
                hit(beat + step / 4, cymbal, (84, 42, 62, 46)[step % 4] + (bar % 2) * 4)
        for at, loud in ((0, 112), (1.75, 72), (2.5, 104), (3.25 + 0.5 * (bar % 2), 66)):
            hit(beat + at, KICK, loud)
        for at, loud in ((1, 108), (3, 112), (0.75, 26), (1.5, 32), (2.25, 24), (2.75, 34), (3.75, 28)):
            hit(beat + at, SNARE, loud)

    hit(0, CRASH, 92)
    for bar in range(3):
        groove(bar, HAT)
    hit(11.5, OPEN_HAT, 88)
    for step, (key, loud) in enumerate(
        zip((SNARE, SNARE, HIGH_TOM, HIGH_TOM, MID_TOM, LOW_TOM, FLOOR_TOM, KICK), range(70, 118, 6), strict=True)
    ):
        hit(12 + 2 * (step >= 4) + step % 4 / 4, key, loud)
    for at in (12, 13, 14, 15):
        hit(at, FOOT, 70)
    hit(15, CLAP, 96)
    hit(15.5, CLAP, 104)
    hit(16, CRASH, 104)
    for bar in (4, 5, 6):
        groove(bar, RIDE)
        for step in range(4):
            hit(4 * bar + step, FOOT, 54)
            hit(4 * bar + step + 0.5, TAMBOURINE, 50 + 6 * (step % 2))
        hit(4 * bar + 1.5, COWBELL, 70)
        hit(4 * bar + 2.5, RIM, 76)
        hit(4 * bar, BELL, 88)
    fill = (SNARE, SNARE, SNARE, KICK, HIGH_TOM, HIGH_TOM, MID_TOM, KICK, LOW_TOM, LOW_TOM, FLOOR_TOM, FLOOR_TOM)
    for step, key in enumerate(fill):
        hit(28 + step / 4, key, 74 + 4 * step)
    for at in (31, 31.5):
        hit(at, SNARE, 116)
        hit(at, KICK, 110)
    hit(32, CRASH, 118)
    hit(32, KICK, 116)
    score.note(36, FOOT, 0.2, 40)
    return score
