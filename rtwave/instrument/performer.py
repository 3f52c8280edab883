"""The performer: MIDI messages and a little state in, engine commands out. Pure; it knows no clock and no device."""

from collections.abc import Iterable, Mapping

from ..engine.commands import AllNotesOff, AllSoundOff, Command, NoteControl, NoteOff, NoteOn
from ..presets import Playing
from . import messages as midi
from . import parameters as rpn
from .messages import Message
from .mpe import LOWER, MEMBER_BEND_RANGE, MOST_MEMBERS, UPPER, WIDEST_BEND, Touch, Zones
from .panel import Panel, centred_share
from .parameters import Parameters
from .pedals import Note, Pedals
from .style import Style

CHANNELS = range(16)


class Performer:
    """Plays one instrument, whose presets may change, from all MIDI channels merged, from one, or from MPE zones.

    `playing` and `controls`, the control map, are the preset's. The notes of an MPE zone's members each have their own
    bend, pressure and timbre; pedals, controls and every other channel are the whole instrument's. One thread.
    """

    def __init__(self, playing: Playing, controls: Mapping[str, int], style: Style) -> None:
        self._style = style
        self._panel = Panel(playing, controls, style)
        self._curve = style.velocity_curve or playing.velocity_curve
        self._pedals = Pedals()
        self._zones = Zones()
        if style.mpe:
            self._zones.configure(LOWER, MOST_MEMBERS)
        self._banks = [0] * len(CHANNELS)
        self._program: int | None = None
        self._touches = [Touch() for _ in CHANNELS]
        self._parameters = [Parameters() for _ in CHANNELS]
        self._tuning, self._transpose = 0.0, style.transpose
        self._start_channels(CHANNELS)

    def _start_channels(self, channels: Iterable[int]) -> None:
        for channel in channels:
            self._touches[channel] = Touch()
            self._parameters[channel] = Parameters()
            member = self._zones.zone_of(channel)
            self._parameters[channel].set_bend_range(MEMBER_BEND_RANGE if member else self._style.bend_range)

    def perform(self, message: Message) -> list[Command]:
        """The commands that a message means now, to be applied together at one frame."""
        kind, channel, data1, data2 = message
        if self._style.channel is not None and channel != self._style.channel:
            return []
        match kind:
            case midi.NOTE_ON if data2 > 0:
                return self._note_on(channel, data1, data2)
            case midi.NOTE_ON | midi.NOTE_OFF:
                return _let_go(self._pedals.release((channel, data1)))
            case midi.POLY_PRESSURE:
                note = self._pedals.note_of((channel, data1))
                return [] if note is None else [_note_control("pressure", data2 / 127.0, note)]
            case midi.CONTROL_CHANGE:
                return self._control_change(channel, data1, data2)
            case midi.PROGRAM_CHANGE:
                self._program = self._banks[channel] << 7 | data1
            case midi.CHANNEL_PRESSURE:
                return self._press(channel, data1 / 127.0)
            case midi.PITCH_BEND:
                self._touches[self._home(channel)].wheel = _wheel_share(data1 | data2 << 7)
                return self._bend(channel)
        return []

    def change_preset(self, playing: Playing, controls: Mapping[str, int]) -> None:
        """Play another preset from now on; what is held stays held."""
        self._panel.change_preset(playing, controls)
        self._curve = self._style.velocity_curve or playing.velocity_curve

    def take_program(self) -> int | None:
        """The program that was called for since the last call, 128 × bank + program; None if none was."""
        program, self._program = self._program, None
        return program

    def state(self) -> list[Command]:
        """What a fresh engine of the present preset must be told to stand where the controls do."""
        return self._panel.state()

    def let_go(self) -> list[Command]:
        """Let every key and pedal go, as where a score ends."""
        dampers = self._panel.set("damper", 1.0) if self._pedals.damper < 1.0 else []
        self._pedals.lift()
        self._pedals.clear()
        return [AllNotesOff(), *dampers]

    # notes

    def _note_on(self, channel: int, key: int, velocity: int) -> list[Command]:
        number = key + self._transpose
        if not 0 <= number <= 127:
            return _let_go(self._pedals.release((channel, key)))
        note = (self._home(channel), number)
        released = self._pedals.press((channel, key), note)
        velocity = 127.0 * (velocity / 127.0) ** self._curve * self._pedals.softness
        struck = NoteOn(number, max(1, round(velocity)), note[0])
        return [*_let_go(released), struck, *self._touch(note)]

    def _touch(self, note: Note) -> list[Command]:
        """What its channel's fingers already do to a note that begins."""
        touch, common = self._touches[note[0]], self._touches[self._zones.common]
        own = {"pressure": max(touch.pressure, common.pressure)}
        if self._zones.zone_of(note[0]):
            own |= {"bend": self._member_bend(note[0]), "timbre": touch.timbre}
        return [_note_control(name, value, note) for name, value in own.items() if value != 0.0]

    def _all_notes_off(self, channel: int) -> list[Command]:
        leads = self._zones.members and not self._zones.zone_of(channel)
        released = _let_go(self._pedals.release_channels(CHANNELS if leads else [channel]))
        return [AllNotesOff()] if self._pedals.empty else released

    # channels

    def _home(self, channel: int) -> int:
        """The engine's channel for the notes of a MIDI channel."""
        return channel if self._zones.zone_of(channel) else self._zones.common

    def _press(self, channel: int, pressure: float) -> list[Command]:
        home = self._home(channel)
        self._touches[home].pressure = pressure
        if self._zones.zone_of(channel):  # a note that rings on is no longer under the finger
            return [_note_control("pressure", pressure, note) for note in self._pedals.pressed(home)]
        return [NoteControl("pressure", pressure, channel=each) for each in (home, *self._zones.members)]

    def _bend(self, channel: int) -> list[Command]:
        if self._zones.zone_of(channel):
            bend = self._member_bend(channel)
            return [_note_control("bend", bend, note) for note in self._pedals.pressed(channel)]
        common = self._zones.common
        bend = self._touches[common].wheel * self._parameters[common].bend_range
        return self._panel.set("bend", bend + self._tuning)

    def _member_bend(self, channel: int) -> float:
        bend = self._touches[channel].wheel * self._parameters[channel].bend_range
        return min(max(bend, -WIDEST_BEND), WIDEST_BEND)

    def _set_timbre(self, channel: int, timbre: float) -> list[Command]:
        self._touches[channel].timbre = timbre
        return [_note_control("timbre", timbre, note) for note in self._pedals.pressed(channel)]

    # control changes

    def _control_change(self, channel: int, controller: int, value: int) -> list[Command]:
        match controller:
            case midi.BANK:
                self._banks[channel] = value << 7 | self._banks[channel] & 0x7F
            case midi.BANK_LSB:
                self._banks[channel] = self._banks[channel] & 0x3F80 | value
            case midi.SUSTAIN:
                return self._sustain(value)
            case midi.SOSTENUTO:
                return _let_go(self._pedals.sostenuto(value))
            case midi.SOFT:
                self._pedals.soft(value)
            case midi.TIMBRE if self._zones.zone_of(channel):
                return self._set_timbre(channel, 0.5 * centred_share(value))
            case midi.ALL_SOUND_OFF:
                self._pedals.clear()
                return [AllSoundOff()]
            case midi.RESET_CONTROLLERS:
                return self._reset(channel)
            case _ if controller >= midi.ALL_NOTES_OFF:  # 124 to 127 change the mode, which implies it
                return self._all_notes_off(channel)
            case _ if controller in (midi.DATA_ENTRY, midi.DATA_ENTRY_LSB) or 96 <= controller <= 101:
                return self._set_parameter(channel, controller, value)
            case _:
                return self._panel.turn(controller, value)
        return []

    def _sustain(self, value: int) -> list[Command]:
        released = _let_go(self._pedals.sustain(value))
        return [*released, *self._panel.set("damper", self._pedals.damper)]

    def _reset(self, channel: int) -> list[Command]:
        """What MIDI's recommended practice RP-015 resets."""
        self._touches[self._home(channel)] = Touch()
        self._parameters[channel].close()
        touch = [*self._press(channel, 0.0), *self._bend(channel)]
        if self._zones.zone_of(channel):
            return [*touch, *self._set_timbre(channel, 0.0)]
        released = _let_go(self._pedals.lift())
        return [*released, *touch, *self._panel.reset("damper", "expression", *self._panel.moved_by(midi.MOD_WHEEL))]

    def _set_parameter(self, channel: int, controller: int, value: int) -> list[Command]:
        parameters = self._parameters[channel]
        match parameters.control_change(controller, value):
            case rpn.BEND_RANGE:
                return self._set_bend_range(channel, parameters.bend_range)
            case rpn.FINE_TUNING:
                self._tuning = parameters.tuning
                return self._bend(self._zones.common)
            case rpn.COARSE_TUNING:
                self._transpose = self._style.transpose + parameters.transpose
            case rpn.MPE_ZONE if channel in (LOWER, UPPER) and self._style.channel is None:
                return self._set_zone(channel, parameters.members)
        return []

    def _set_bend_range(self, channel: int, semitones: float) -> list[Command]:
        zone = self._zones.zone_of(channel)
        together = zone or [each for each in CHANNELS if not self._zones.zone_of(each)]
        for each in together:
            self._parameters[each].set_bend_range(semitones)
        return [command for each in (zone or [channel]) for command in self._bend(each)]

    def _set_zone(self, master: int, members: int) -> list[Command]:
        self._start_channels(self._zones.configure(master, members))
        return [*self.let_go(), *self._bend(self._zones.common)]


def _let_go(notes: Iterable[Note]) -> list[Command]:
    return [NoteOff(number, channel) for channel, number in notes]


def _note_control(name: str, value: float, note: Note) -> NoteControl:
    return NoteControl(name, value, note[1], note[0])


def _wheel_share(wheel: int) -> float:
    """−1..1 for a 14-bit pitch wheel: exactly 0 in the middle, exactly 1 at either end."""
    return (wheel - 8192) / (8191 if wheel > 8192 else 8192)
