"""The performer: what each message means, and that no note is ever left hanging."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.engine.commands import AllNotesOff, AllSoundOff, Control, NoteOff, NoteOn
from rtwave.engine.controls import CONTROLS
from rtwave.errors import RtwaveError
from rtwave.instrument.messages import Parser
from rtwave.instrument.performer import Performer


def performer(**options):
    return Performer(**({"temperature": 0.3, "temperature_range": (0.1, 0.9)} | options))


def play(player, data):
    return [command for message in Parser().feed(bytes.fromhex(data)) for command in player.perform(message)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("90 3c 40", [NoteOn(60, 64)]),
        ("90 3c 40 80 3c 40", [NoteOn(60, 64), NoteOff(60)]),
        ("90 3c 40 3c 00", [NoteOn(60, 64), NoteOff(60)]),
        ("80 3c 40", []),
        ("e0 00 40", [Control("bend", 0.0)]),
        ("e0 7f 7f", [Control("bend", 2.0)]),
        ("e0 00 00", [Control("bend", -2.0)]),
        ("b0 01 00", [Control("temperature", 0.1)]),
        ("b0 01 7f", [Control("temperature", 0.9)]),
        ("b0 07 7f 0b 00", [Control("volume", 1.0), Control("expression", 0.0)]),
        ("b0 78 00", [AllSoundOff()]),
        ("b0 7b 00", [AllNotesOff()]),
        ("b0 79 00", [Control("bend", 0.0), Control("expression", 1.0), Control("temperature", 0.3)]),
        ("c0 05", []),
        ("d0 05", []),
        ("b0 14 05", []),
    ],
)
def test_messages_become_commands(data, expected):
    assert play(performer(), data) == expected


def test_pedal_holds_notes_until_it_comes_up():
    player = performer()
    assert play(player, "90 3c 40 b0 40 7f 80 3c 00") == [NoteOn(60, 64)]
    assert play(player, "b0 40 00") == [NoteOff(60)]


def test_key_held_when_the_pedal_comes_up_sounds_on():
    assert play(performer(), "b0 40 7f 90 3c 40 3c 00 3c 40 b0 40 00") == [NoteOn(60, 64), NoteOn(60, 64)]


def test_pedal_holds_what_all_notes_off_lets_go():
    player = performer()
    assert play(player, "b0 40 7f 90 3c 40 b0 7b 00") == [NoteOn(60, 64)]
    assert play(player, "b0 40 00") == [NoteOff(60)]


def test_reset_controllers_lifts_the_pedal():
    assert NoteOff(60) in play(performer(), "b0 40 7f 90 3c 40 3c 00 b0 79 00")


def test_one_channel_hears_no_other():
    player = performer(channel=2)
    assert play(player, "90 3c 40 b0 07 10") == []
    assert play(player, "92 3c 40") == [NoteOn(60, 64)]


def test_transpose_moves_notes_and_drops_those_beyond_the_keyboard():
    player = performer(transpose=12)
    assert play(player, "90 3c 40 3c 00") == [NoteOn(72, 64), NoteOff(72)]
    assert play(player, "90 7f 40 7f 00") == []


@pytest.mark.parametrize("curve", [0.1, 0.5, 1.0, 3.0, 10.0])
def test_velocity_curve_rises_and_stays_in_range(curve):
    player = performer(velocity_curve=curve)
    velocities = [play(player, f"90 3c {velocity:02x}")[0].velocity for velocity in range(1, 128)]
    assert velocities == sorted(velocities)
    assert velocities[0] >= 1
    assert velocities[-1] == 127


@pytest.mark.parametrize("options", [{"channel": 16}, {"channel": -1}, {"transpose": 200}])
def test_impossible_settings_are_refused(options):
    with pytest.raises(RtwaveError, match="expected"):
        performer(**options)


@given(st.binary(max_size=600), st.sampled_from([None, 0, 5]), st.integers(-40, 40))
def test_random_bytes_never_hang_a_note(data, channel, transpose):
    player = performer(channel=channel, transpose=transpose)
    lift = bytes(
        byte
        for each in range(16)
        for byte in (0xB0 | each, 64, 0, *(byte for key in range(128) for byte in (0x80 | each, key, 0)))
    )
    sounding = set()
    for message in Parser().feed(data + lift):
        for command in player.perform(message):
            match command:
                case NoteOn(note, _):
                    sounding.add(note)
                case NoteOff(note):
                    sounding.discard(note)
                case AllNotesOff() | AllSoundOff():
                    sounding.clear()
                case Control(name, value):
                    CONTROLS[name].check(value)
    assert sounding == set()
