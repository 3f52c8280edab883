"""The performer: MIDI messages and a little state in, engine commands out. Pure; it knows no clock and no device."""

from ..engine.commands import AllNotesOff, AllSoundOff, Command, Control, NoteOff, NoteOn
from ..errors import RtwaveError
from . import messages as midi
from .messages import Message

BEND_RANGE_SEMITONES = 2.0


class Performer:
    """Plays one instrument from all MIDI channels merged (omni), or from one.

    `channel` 0..15 or None for all; `transpose` in semitones; `temperature` what the mod wheel leaves and
    `temperature_range` what it sweeps; `velocity_curve` exponent on velocity (below 1 is louder). One thread.
    """

    def __init__(
        self,
        temperature: float,
        temperature_range: tuple[float, float],
        channel: int | None = None,
        transpose: int = 0,
        velocity_curve: float = 1.0,
    ) -> None:
        if channel is not None and not 0 <= channel <= 15:
            raise RtwaveError(f"MIDI channel is {channel + 1}, expected 1 to 16")
        if not -127 <= transpose <= 127:
            raise RtwaveError(f"transpose is {transpose}, expected -127 to 127 semitones")
        self._temperature = temperature
        self._temperature_range = temperature_range
        self._channel = channel
        self._transpose = transpose
        self._velocity_curve = velocity_curve
        self._down: set[int] = set()
        self._sustained: set[int] = set()
        self._pedal = False

    def perform(self, message: Message) -> list[Command]:
        """The commands that a message means now, to be applied together at one frame."""
        if self._channel is not None and message.channel != self._channel:
            return []
        match message.kind:
            case midi.NOTE_ON if message.data2 > 0:
                return self._note_on(message.data1 + self._transpose, message.data2)
            case midi.NOTE_ON | midi.NOTE_OFF:
                return self._note_off(message.data1 + self._transpose)
            case midi.PITCH_BEND:
                return [Control("bend", _bend_semitones(message.data1 | message.data2 << 7))]
            case midi.CONTROL_CHANGE:
                return self._control_change(message.data1, message.data2)
        return []

    def _note_on(self, note: int, velocity: int) -> list[Command]:
        if not 0 <= note <= 127:
            return []
        self._down.add(note)
        self._sustained.discard(note)
        return [NoteOn(note, max(1, round(127.0 * (velocity / 127.0) ** self._velocity_curve)))]

    def _note_off(self, note: int) -> list[Command]:
        if note not in self._down:
            return []
        self._down.discard(note)
        if self._pedal:
            self._sustained.add(note)
            return []
        return [NoteOff(note)]

    def _control_change(self, controller: int, value: int) -> list[Command]:
        match controller:
            case midi.MOD_WHEEL:
                low, high = self._temperature_range
                return [Control("temperature", low + (high - low) * value / 127.0)]
            case midi.VOLUME:
                return [Control("volume", _gain(value))]
            case midi.EXPRESSION:
                return [Control("expression", _gain(value))]
            case midi.SUSTAIN:
                return self._sustain(value >= 64)
            case midi.ALL_SOUND_OFF:
                self._down.clear()
                self._sustained.clear()
                return [AllSoundOff()]
            case midi.RESET_CONTROLLERS:
                return [
                    *self._sustain(False),
                    Control("bend", 0.0),
                    Control("expression", 1.0),
                    Control("temperature", self._temperature),
                ]
            case _ if controller >= midi.ALL_NOTES_OFF:  # 124 to 127 change the mode, which implies it
                return self._all_notes_off()
        return []

    def _sustain(self, pedal: bool) -> list[Command]:
        self._pedal = pedal
        if pedal:
            return []
        released = [NoteOff(note) for note in sorted(self._sustained)]
        self._sustained.clear()
        return released

    def _all_notes_off(self) -> list[Command]:
        if self._pedal:  # MIDI 1.0: the pedal holds what all notes off lets go
            self._sustained |= self._down
            self._down.clear()
            return []
        self._down.clear()
        return [AllNotesOff()]


def _gain(value: int) -> float:
    """Amplitude of a volume or expression controller: 40 log10(value / 127) dB, as General MIDI recommends."""
    return (value / 127.0) ** 2


def _bend_semitones(wheel: int) -> float:
    """Semitones of a 14-bit pitch wheel: exactly 0 in the middle, exactly the range at either end."""
    return BEND_RANGE_SEMITONES * (wheel - 8192) / (8191 if wheel > 8192 else 8192)
