"""MIDI ports where python-rtmidi is not installed; tests/cli/test_jack.py has those of a real server."""

import importlib
import sys

import pytest

from rtwave.errors import RtwaveError
from rtwave.instrument import midi


@pytest.fixture
def without_rtmidi(monkeypatch):
    """The module as it is imported where `import rtmidi` fails."""
    with monkeypatch.context() as blocked:
        blocked.setitem(sys.modules, "rtmidi", None)
        blocked.delitem(sys.modules, "rtwave.instrument.midi")
        yield importlib.import_module("rtwave.instrument.midi")
    sys.modules["rtwave.instrument"].midi = midi


def test_without_rtmidi_there_are_no_ports_and_one_line_says_why(without_rtmidi):
    ports, problem = without_rtmidi.list_ports()
    assert ports == []
    assert "python-rtmidi is not installed" in problem
    assert "\n" not in problem


def test_without_rtmidi_no_port_is_chosen_unless_one_is_wanted(without_rtmidi):
    assert without_rtmidi.choose_port(None) is None
    with pytest.raises(RtwaveError, match=r"no MIDI port 'key'; there are: none; .*python-rtmidi is not installed"):
        without_rtmidi.choose_port("key")


@pytest.mark.parametrize("number", [None, 0])
def test_without_rtmidi_no_port_opens(without_rtmidi, number):
    port = None if number is None else without_rtmidi.Port(0, number, "keys")
    with pytest.raises(RtwaveError, match="python-rtmidi is not installed"):
        without_rtmidi.MidiInput(port, print)
