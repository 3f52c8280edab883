"""Everything a player can turn: one table, in the order of control_t in extensions/engine.h."""

from numbers import Real

import msgspec

from ..errors import RtwaveError


class ControlRange(msgspec.Struct, frozen=True):
    """A control: its number in the native engine, unit, range, the value it starts with, and the MIDI controller that
    moves it unless a control map says otherwise (None: none does)."""

    name: str
    id: int
    unit: str
    low: float
    high: float
    default: float
    controller: int | None = None

    def check(self, value: float) -> float:
        """Return `value` if it lies in the range, else raise RtwaveError."""
        if not isinstance(value, Real) or isinstance(value, bool) or not self.low <= value <= self.high:
            unit = f" {self.unit}" if self.unit else ""
            raise RtwaveError(f"{self.name} is {value!r}, expected {self.low:g} to {self.high:g}{unit}")
        return float(value)


def _table(*rows: tuple) -> dict[str, ControlRange]:
    return {row[0]: ControlRange(row[0], number, *row[1:]) for number, row in enumerate(rows)}


CONTROLS = _table(
    ("temperature", "", 0.0, 2.0, 1.0, 1),
    ("gain_db", "dB", -60.0, 12.0, 0.0),
    ("volume", "(linear)", 0.0, 1.0, 1.0, 7),
    ("expression", "(linear)", 0.0, 1.0, 1.0, 11),
    ("bend", "semitones", -48.0, 48.0, 0.0),
    ("tune", "Hz at A4", 400.0, 480.0, 440.0),
    ("vibrato", "semitones", 0.0, 2.0, 0.0, 77),
    ("release", "times the instrument's", 0.1, 20.0, 1.0, 72),
    ("timbre", "dull to bright", 0.0, 1.0, 0.5, 74),
    ("damper", "share of the dampers' force", 0.0, 1.0, 1.0),
    ("pressure_vibrato", "semitones at full pressure", 0.0, 2.0, 0.3),
    ("pressure_gain_db", "dB at full pressure", 0.0, 24.0, 0.0),
    ("knob1", "", 0.0, 1.0, 0.0, 16),
    ("knob2", "", 0.0, 1.0, 0.0, 17),
    ("knob3", "", 0.0, 1.0, 0.0, 18),
    ("knob4", "", 0.0, 1.0, 0.0, 19),
)
"""Every control by name. A preset may start temperature, gain_db, release and timbre elsewhere; of several timbres,
timbre goes from the first to the last."""

NOTE_CONTROLS = _table(
    ("bend", "semitones", -96.0, 96.0, 0.0),
    ("pressure", "", 0.0, 1.0, 0.0),
    ("timbre", "", -1.0, 1.0, 0.0),
)
"""What each note has of its own, in the order of note_control_t in extensions/engine.h."""
