"""Everything a player can turn: one table, in the order of control_t in extensions/engine.h."""

from numbers import Real

import msgspec

from ..errors import RtwaveError


class ControlRange(msgspec.Struct, frozen=True):
    """A control: its number in the native engine, its unit, its range and the value it starts with."""

    name: str
    id: int
    unit: str
    low: float
    high: float
    default: float

    def check(self, value: float) -> float:
        """Return `value` if it lies in the range, else raise RtwaveError."""
        if not isinstance(value, Real) or isinstance(value, bool) or not self.low <= value <= self.high:
            unit = f" {self.unit}" if self.unit else ""
            raise RtwaveError(f"{self.name} is {value!r}, expected {self.low:g} to {self.high:g}{unit}")
        return float(value)


_TABLE = [
    ("temperature", "", 0.0, 2.0, 1.0),
    ("gain_db", "dB", -60.0, 12.0, 0.0),
    ("volume", "(linear)", 0.0, 1.0, 1.0),
    ("expression", "(linear)", 0.0, 1.0, 1.0),
    ("bend", "semitones", -24.0, 24.0, 0.0),
    ("tune", "Hz at A4", 400.0, 480.0, 440.0),
    ("vibrato", "semitones", 0.0, 2.0, 0.0),
    ("release", "times the instrument's", 0.1, 20.0, 1.0),
    ("knob1", "", 0.0, 1.0, 0.0),
    ("knob2", "", 0.0, 1.0, 0.0),
    ("knob3", "", 0.0, 1.0, 0.0),
    ("knob4", "", 0.0, 1.0, 0.0),
]

CONTROLS = {row[0]: ControlRange(row[0], number, *row[1:]) for number, row in enumerate(_TABLE)}
"""Every control by name. A preset may start temperature, gain_db and release elsewhere."""
