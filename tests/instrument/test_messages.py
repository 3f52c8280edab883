"""The MIDI parser: whole messages out of any bytes in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.instrument.messages import (
    CLOCK,
    CONTINUE,
    CONTROL_CHANGE,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    SONG_POSITION,
    START,
    STOP,
    Message,
    Parser,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("90 3c 40", [Message(NOTE_ON, 0, 60, 64)]),
        ("95 3c 40 3e 00", [Message(NOTE_ON, 5, 60, 64), Message(NOTE_ON, 5, 62, 0)]),
        ("90 3c f8 40 fe 3e ff 41", [Message(CLOCK, 0), Message(NOTE_ON, 0, 60, 64), Message(NOTE_ON, 0, 62, 65)]),
        ("fa f8 fc fb", [Message(START, 0), Message(CLOCK, 0), Message(STOP, 0), Message(CONTINUE, 0)]),
        ("f2 05 f8 02 03", [Message(CLOCK, 0), Message(SONG_POSITION, 0, 5, 2)]),
        ("91 3c 40 f2 05 02 3c 41", [Message(NOTE_ON, 1, 60, 64), Message(SONG_POSITION, 0, 5, 2)]),
        ("f1 05 f3 02 f6 f4 01 f9 fd", []),
        ("f0 7e fa 02 f7", [Message(START, 0)]),
        ("c3 07 08", [Message(0xC0, 3, 7), Message(0xC0, 3, 8)]),
        ("e0 00 40", [Message(PITCH_BEND, 0, 0, 64)]),
        ("f0 7e 01 02 f7 3c 40 80 3c 00", [Message(NOTE_OFF, 0, 60, 0)]),
        ("90 3c b0 40 7f", [Message(CONTROL_CHANGE, 0, 64, 127)]),
        ("3c 40", []),
        ("90 3c", []),
        ("", []),
    ],
)
def test_bytes_become_messages(data, expected):
    assert Parser().feed(bytes.fromhex(data)) == expected


@given(st.binary(max_size=200), st.integers(1, 50))
def test_pieces_do_not_change_messages(data, size):
    parser = Parser()
    in_pieces = [message for start in range(0, len(data), size) for message in parser.feed(data[start : start + size])]
    assert in_pieces == Parser().feed(data)


@given(st.binary(max_size=500))
def test_any_bytes_give_only_messages_that_are_in_range(data):
    system = (CLOCK, START, CONTINUE, STOP, SONG_POSITION)
    for message in Parser().feed(data):
        assert message.kind in range(0x80, 0xF0, 0x10) or (message.kind in system and message.channel == 0)
        assert 0 <= message.channel <= 15
        assert 0 <= message.data1 <= 127
        assert 0 <= message.data2 <= 127


@given(st.binary(max_size=500))
def test_messages_survive_the_wire(data):
    messages = Parser().feed(data)
    assert Parser().feed(b"".join(message.to_bytes() for message in messages)) == messages
    assert all(len(message.to_bytes()) == 1 for message in messages if message.kind >= CLOCK)
