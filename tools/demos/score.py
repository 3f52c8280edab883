"""A phrase on paper: notes and controls in beats, written out as a MIDI file."""

from pathlib import Path

import mido

TICKS_PER_BEAT = 480
MODULATION, EXPRESSION, SUSTAIN, TIMBRE, VIBRATO = 1, 11, 64, 74, 77
SWEEP_STEPS_PER_BEAT = 8


class Score:
    """Events on one channel, `beats` from the beginning, in any order."""

    def __init__(self, bpm: float) -> None:
        self._events: list[tuple[int, int, mido.Message | mido.MetaMessage]] = []
        self.tempo(0, bpm)

    def tempo(self, beat: float, bpm: float) -> None:
        self._add(beat, 0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm)))

    def note(self, beat: float, key: int, beats: float, velocity: float) -> None:
        """A key held for `beats`; velocities outside 1..127 are brought inside."""
        self._add(beat, 3, mido.Message("note_on", note=key, velocity=round(min(max(velocity, 1), 127))))
        self._add(beat + beats, 1, mido.Message("note_off", note=key, velocity=64))

    def chord(self, beat: float, keys: tuple[int, ...], beats: float, velocity: float, roll: float = 0.0) -> None:
        """Keys that end together; `roll` beats apart from the first to the last."""
        for index, key in enumerate(keys):
            self.note(beat + index * roll, key, beats - index * roll, velocity)

    def control(self, beat: float, controller: int, value: float) -> None:
        self._add(beat, 2, mido.Message("control_change", control=controller, value=round(min(max(value, 0), 127))))

    def sweep(self, beat: float, beats: float, controller: int, start: float, end: float) -> None:
        """A controller's way from one value to another."""
        steps = round(beats * SWEEP_STEPS_PER_BEAT)
        for step in range(steps + 1):
            share = step / steps
            self.control(beat + beats * share, controller, start + (end - start) * share)

    def swell(self, beat: float, beats: float, low: float, high: float, controller: int = EXPRESSION) -> None:
        """Up for three fifths of the time, and down again."""
        self.sweep(beat, 0.6 * beats, controller, low, high)
        self.sweep(beat + 0.6 * beats, 0.4 * beats, controller, high, low)

    def bend(self, beat: float, semitones: float) -> None:
        """Pitch wheel, of a range of two semitones."""
        self._add(beat, 2, mido.Message("pitchwheel", pitch=round(min(max(semitones / 2.0, -1.0), 1.0) * 8191)))

    def pedal(self, beat: float, beats: float) -> None:
        """The sustain pedal caught just after the harmony changes, and held for `beats`."""
        self.control(beat + 0.075, SUSTAIN, 127)
        self.control(beat + beats, SUSTAIN, 0)

    def save(self, path: Path) -> float:
        """Write a MIDI file of type 0; gives its length in seconds."""
        track = mido.MidiTrack([mido.MetaMessage("track_name", name="rtwave demo")])
        previous = 0
        for tick, _, message in sorted(self._events, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - previous))
            previous = tick
        midi = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track])
        midi.save(path)
        return midi.length

    def _add(self, beat: float, order: int, message: mido.Message | mido.MetaMessage) -> None:
        self._events.append((round(beat * TICKS_PER_BEAT), order, message))
