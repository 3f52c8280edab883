"""What a player can tell the engine: small frozen records, checked where they are made."""

from numbers import Integral

import msgspec

from ..errors import RtwaveError
from .controls import CONTROLS


def _require(good: bool, field: str, value: object, expected: str) -> None:
    if not good:
        raise RtwaveError(f"{field} is {value!r}, expected {expected}")


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= value <= high


class NoteOn(msgspec.Struct, frozen=True):
    """Strike a key: `note` 0..127 (MIDI), `velocity` 1..127."""

    note: int
    velocity: int

    def __post_init__(self) -> None:
        _require(_whole(self.note, 0, 127), "note", self.note, "a whole number from 0 to 127")
        _require(_whole(self.velocity, 1, 127), "velocity", self.velocity, "a whole number from 1 to 127")


class NoteOff(msgspec.Struct, frozen=True):
    """Let a key go: `note` 0..127."""

    note: int

    def __post_init__(self) -> None:
        _require(_whole(self.note, 0, 127), "note", self.note, "a whole number from 0 to 127")


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


Command = NoteOn | NoteOff | Control | AllNotesOff | AllSoundOff
