"""Which of the ports that are there get listened to."""

import pytest

from rtwave.instrument.port_names import choose, missing

THERE = {
    "ALSA": ["Midi Through:Midi Through Port-0 14:0", "Keystation 88:Port 1 24:0", "Pedals:Pedals 28:0"],
    "JACK": ["Midi-Bridge:Keystation 88", "rtwave-midi:out", "a sequencer:out"],
}


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (None, [("ALSA", "Keystation 88:Port 1 24:0"), ("ALSA", "Pedals:Pedals 28:0")]),
        (["keystation"], [("ALSA", "Keystation 88:Port 1 24:0")]),
        (["SEQUENCER", "pedals"], [("JACK", "a sequencer:out"), ("ALSA", "Pedals:Pedals 28:0")]),
        (["Port 1", "Key"], [("ALSA", "Keystation 88:Port 1 24:0")]),
        (["through"], [("ALSA", "Midi Through:Midi Through Port-0 14:0")]),
        (["nosuch"], []),
        ([""], []),
        ([], []),
    ],
)
def test_words_choose_ports_and_each_instrument_once(wanted, chosen):
    assert choose(THERE, wanted) == chosen


def test_system_that_is_heard_already_stays():
    heard = {("JACK", "Midi-Bridge:Keystation 88")}
    assert choose(THERE, ["key"], heard) == [("JACK", "Midi-Bridge:Keystation 88")]
    assert {system for system, _ in choose(THERE, None, heard)} == {"JACK"}


def test_first_word_that_no_port_has_is_missing():
    assert missing(THERE, ["key", "organ", "nosuch"]) == "organ"
    assert missing(THERE, ["key"]) is None
