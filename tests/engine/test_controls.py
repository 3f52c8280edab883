"""The table of controls and its twin in C."""

import re
from pathlib import Path

import pytest

from rtwave.engine.commands import Control, NoteOff, NoteOn
from rtwave.engine.controls import CONTROLS, NOTE_CONTROLS
from rtwave.errors import RtwaveError

HEADER = Path(__file__).parents[2] / "extensions" / "engine.h"


def test_controls_stand_in_the_order_of_the_header():
    names = [name.lower() for name in re.findall(r"^    CONTROL_(\w+),", HEADER.read_text(), re.MULTILINE)]
    assert list(CONTROLS) == names
    assert [control.id for control in CONTROLS.values()] == list(range(len(names)))


def test_note_controls_stand_in_the_order_of_the_header():
    (listed,) = re.findall(r"enum \{ (NOTE_\w+, .*) \} note_control_t;", HEADER.read_text())
    assert [f"NOTE_{name.upper()}" for name in NOTE_CONTROLS] == listed.split(", ")[:-1]


@pytest.mark.parametrize("name", CONTROLS)
def test_bounds_are_inclusive(name):
    control = CONTROLS[name]
    assert control.low <= control.default <= control.high
    assert Control(name, control.low).value == control.low
    assert Control(name, control.high).value == control.high
    for value in (control.low - 1e-3, control.high + 1e-3, float("nan"), float("inf"), "1", None, True):
        with pytest.raises(RtwaveError, match=f"{name} is .*, expected {control.low:g} to {control.high:g}"):
            Control(name, value)


@pytest.mark.parametrize(("make", "told"), [(lambda: NoteOn(60.0, 1), "note"), (lambda: NoteOff(True), "note")])
def test_notes_are_whole_numbers(make, told):
    with pytest.raises(RtwaveError, match=told):
        make()
