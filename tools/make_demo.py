"""Write presets/piano/demo.mid: eight bars of our own, a melody over broken chords, in three four.

    python tools/make_demo.py [FILE]

Written for rtwave and under its licence. Keys from D1 to A6, velocities from 38 to 100, a change of pedal every bar.
"""

import sys
from pathlib import Path

import mido

TICKS_PER_BEAT = 480
EIGHTH = TICKS_PER_BEAT // 2
BAR = 6 * EIGHTH

# Bass and broken chord, six quavers a bar.
CHORDS = [
    (38, 45, 50, 53, 57, 53),  # D minor
    (34, 41, 46, 50, 57, 53),  # B flat, major seventh
    (33, 41, 48, 53, 57, 60),  # F over A
    (36, 43, 48, 52, 55, 60),  # C
    (31, 43, 46, 50, 53, 58),  # G minor seventh
    (41, 45, 50, 53, 57, 62),  # D minor over F
    (33, 45, 50, 52, 49, 55),  # A, the fourth resolving
]

# Melody: (bar, quaver, key, quavers long).
MELODY = [
    *((0, 0, 69, 3), (0, 3, 74, 2), (0, 5, 76, 1)),
    *((1, 0, 77, 4), (1, 4, 76, 1), (1, 5, 74, 1)),
    *((2, 0, 72, 3), (2, 3, 77, 2), (2, 5, 79, 1)),
    *((3, 0, 79, 3), (3, 3, 84, 2), (3, 5, 82, 1)),
    *((4, 0, 81, 2), (4, 2, 82, 2), (4, 4, 86, 2)),
    *((5, 0, 84, 2), (5, 2, 81, 2), (5, 4, 77, 1), (5, 5, 76, 1)),
    *((6, 0, 74, 2), (6, 2, 76, 2), (6, 4, 73, 2)),
]

# The last chord, D major, rolled from the bottom up: (quaver, key, velocity).
CLOSE = [
    (0, 26, 62),
    (0, 38, 56),
    (0.3, 45, 52),
    (0.6, 50, 52),
    (0.9, 54, 54),
    (1.2, 57, 54),
    (1.5, 62, 58),
    (1.8, 66, 62),
]
CLOSE += [(2.1, 74, 72), (4, 81, 54), (5, 86, 48), (6, 93, 44)]
CLOSE_EIGHTHS = 10

# Loudness of each bar's melody: rising to the fifth bar, then falling away.
DYNAMICS = [60, 68, 74, 86, 100, 88, 70]

# Beats a minute from a bar and quaver on: a little forward, then broadening into the close.
TEMPI = [(0, 0, 84), (3, 0, 90), (5, 3, 84), (6, 0, 76), (6, 2, 68), (6, 4, 58), (7, 0, 66)]


def at(bar: int, eighth: float) -> int:
    """Ticks from the beginning."""
    return bar * BAR + round(eighth * EIGHTH)


def phrase() -> list[tuple[int, mido.Message | mido.MetaMessage]]:
    """Every event with its tick."""
    events: list[tuple[int, mido.Message | mido.MetaMessage]] = [
        (at(bar, eighth), mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))) for bar, eighth, bpm in TEMPI
    ]

    def note(start: int, end: int, key: int, velocity: int) -> None:
        events.append((start, mido.Message("note_on", note=key, velocity=velocity)))
        events.append((end, mido.Message("note_off", note=key, velocity=64)))

    def pedal(tick: int, down: bool) -> None:
        events.append((tick, mido.Message("control_change", control=64, value=127 if down else 0)))

    for bar, keys in enumerate(CHORDS):
        for eighth, key in enumerate(keys):
            accent = 0.82 if eighth == 0 else 0.66 + 0.02 * (eighth % 3)
            note(at(bar, eighth), at(bar, eighth + 0.95), key, round(accent * DYNAMICS[bar]))
        if bar:
            pedal(at(bar, 0), down=False)
        pedal(at(bar, 0.15), down=True)
    for bar, eighth, key, length in MELODY:
        lift = 4 * (length > 1) - 3 * (eighth % 2)
        note(at(bar, eighth), at(bar, eighth + length) - 10, key, min(DYNAMICS[bar] + lift, 127))
    close = len(CHORDS)
    pedal(at(close, 0), down=False)
    pedal(at(close, 0.15), down=True)
    for eighth, key, velocity in CLOSE:
        note(at(close, eighth), at(close, CLOSE_EIGHTHS), key, velocity)
    pedal(at(close, CLOSE_EIGHTHS), down=False)
    return sorted(events, key=lambda event: event[0])


def main() -> None:
    """Write the file."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "presets/piano/demo.mid"
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="rtwave demo")])
    previous = 0
    for tick, message in phrase():
        track.append(message.copy(time=tick - previous))
        previous = tick
    midi = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track])
    midi.save(out)
    print(f"{out}: {midi.length:.1f} s")


if __name__ == "__main__":
    main()
