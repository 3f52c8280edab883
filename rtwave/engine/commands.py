"""What a player can tell the engine: small frozen records, checked where they are made."""

from numbers import Integral

import msgspec

from ..errors import RtwaveError
from .controls import CONTROLS, NOTE_CONTROLS


def _require(good: bool, field: str, value: object, expected: str) -> None:
    if not good:
        raise RtwaveError(f"{field} is {value!r}, expected {expected}")


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= value <= high


def _require_key(note: object, channel: object) -> None:
    _require(_whole(note, 0, 127), "note", note, "a whole number from 0 to 127")
    _require(_whole(channel, 0, 15), "channel", channel, "a whole number from 0 to 15")


class NoteOn(msgspec.Struct, frozen=True):
    """Strike a key: `note` 0..127 (MIDI), `velocity` 1..127; on another `channel` 0..15 it is another key.

    `stream` 0..2**31 − 2: which of the seed's random streams it draws from; None: one that is its own, the n-th note's
    being stream n from 0 on.
    """

    note: int
    velocity: int
    channel: int = 0
    stream: int | None = None

    def __post_init__(self) -> None:
        _require_key(self.note, self.channel)
        _require(_whole(self.velocity, 1, 127), "velocity", self.velocity, "a whole number from 1 to 127")
        if self.stream is not None:
            _require(_whole(self.stream, 0, 2**31 - 2), "stream", self.stream, "a whole number from 0 to 2**31 - 2")


class NoteOff(msgspec.Struct, frozen=True):
    """Let a key go: `note` 0..127 of `channel` 0..15."""

    note: int
    channel: int = 0

    def __post_init__(self) -> None:
        _require_key(self.note, self.channel)


class NoteControl(msgspec.Struct, frozen=True):
    """Shape notes that sound: `name` and `value` as NOTE_CONTROLS has them, on `note` or (None) all of `channel`.

    It adds to the control of that name, or for pressure to what the pressure controls say. A note starts with 0.
    """

    name: str
    value: float
    note: int | None = None
    channel: int = 0

    def __post_init__(self) -> None:
        control = NOTE_CONTROLS.get(self.name)
        _require(control is not None, "note control", self.name, f"one of {', '.join(NOTE_CONTROLS)}")
        control.check(self.value)
        _require_key(0 if self.note is None else self.note, self.channel)


class Control(msgspec.Struct, frozen=True):
    """Set a control by name, in its own unit; rtwave/engine/controls.py lists them."""

    name: str
    value: float

    def __post_init__(self) -> None:
        control = CONTROLS.get(self.name)
        _require(control is not None, "control", self.name, f"one of {', '.join(CONTROLS)}")
        control.check(self.value)


class AllNotesOff(msgspec.Struct, frozen=True):
    """Let every key go."""


class AllSoundOff(msgspec.Struct, frozen=True):
    """Silence everything within 5 ms."""


class Limit(msgspec.Struct, frozen=True):
    """Let no more than `voices` 1..256 notes sound: what is too much fades, and new notes take the place of others."""

    voices: int

    def __post_init__(self) -> None:
        _require(_whole(self.voices, 1, 256), "voices", self.voices, "a whole number from 1 to 256")


Command = NoteOn | NoteOff | NoteControl | Control | AllNotesOff | AllSoundOff | Limit
