"""The computer's keys: a terminal tells of presses only, so notes end by time."""

import os
import pty
import sys
import time

import pytest

from rtwave.instrument.keyboard import AUTO_REPEAT_S, Keyboard, Keys
from rtwave.instrument.messages import ALL_SOUND_OFF, CONTROL_CHANGE, NOTE_OFF, NOTE_ON, RESET_CONTROLLERS, SUSTAIN


def kinds_and_notes(messages):
    return [(message.kind, message.data1) for message in messages]


@pytest.mark.parametrize(("key", "expected"), [("z", 48), ("s", 49), ("m", 59), ("q", 60), ("2", 61), ("Q", 60)])
def test_rows_are_two_octaves(key, expected):
    assert kinds_and_notes(Keys().press(key, 0.0)) == [(NOTE_ON, expected)]


def test_note_ends_after_its_hold():
    keys = Keys()
    keys.press("z", 0.0)
    assert keys.expire(0.59) == []
    assert kinds_and_notes(keys.expire(0.61)) == [(NOTE_OFF, 48)]
    assert keys.expire(10.0) == []


def test_held_key_sounds_on_without_being_struck_again():
    keys = Keys()
    keys.press("z", 0.0)
    for step in range(1, 30):
        assert keys.press("z", 0.9 * AUTO_REPEAT_S * step) == []
    assert keys.expire(0.9 * AUTO_REPEAT_S * 29 + 0.1) == []


def test_key_pressed_again_is_struck_again():
    keys = Keys()
    keys.press("z", 0.0)
    assert kinds_and_notes(keys.press("z", 0.2)) == [(NOTE_OFF, 48), (NOTE_ON, 48)]


def test_octave_keys_shift_and_a_held_note_still_ends():
    keys = Keys()
    keys.press("z", 0.0)
    assert keys.press("=", 0.1) == []
    assert kinds_and_notes(keys.press("x", 0.1)) == [(NOTE_ON, 62)]
    assert kinds_and_notes(keys.press("z", 0.2)) == [(NOTE_OFF, 48), (NOTE_ON, 60)]


def test_octaves_stay_on_the_keyboard():
    keys = Keys()
    for shift in "=-":
        for _ in range(20):
            keys.press(shift, 0.0)
        for key in "z.qp":
            assert all(0 <= message.data1 <= 127 for message in keys.press(key, 0.0))


@pytest.mark.parametrize("key", ["\x1b", "[", "`", "é", "\n", "\x00"])
def test_other_keys_are_silent(key):
    assert Keys().press(key, 0.0) == []


def test_velocity_keys_make_notes_softer_and_louder_within_bounds():
    keys = Keys()
    velocities = {}
    for shift in "[]":
        for _ in range(20):
            assert keys.press(shift, 0.0) == []
        velocities[shift] = keys.press("z", 0.0)[-1].data2
        keys.expire(1.0)
    assert velocities == {"[": 1, "]": 127}


def test_keys_play_on_the_channel_that_is_listened_to():
    keys = Keys(channel=5)
    messages = [*keys.press("z", 0.0), *keys.expire(1.0), *keys.press("\x7f", 2.0)]
    assert {message.channel for message in messages} == {5}


@pytest.mark.parametrize("key", ["\x7f", "\x08"])
def test_backspace_silences_and_lets_everything_go(key):
    keys = Keys()
    keys.press("z", 0.0)
    messages = keys.press(key, 0.1)
    assert {message.kind for message in messages} == {CONTROL_CHANGE}
    assert {ALL_SOUND_OFF, SUSTAIN, RESET_CONTROLLERS} <= {message.data1 for message in messages}
    assert keys.expire(1.0) == []


@pytest.fixture
def terminal(monkeypatch):
    """The far end of a terminal that is this program's stdin."""
    far, near = pty.openpty()
    with os.fdopen(near) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield far
    os.close(far)


def test_arrows_are_no_notes(terminal):
    heard = []
    keyboard = Keyboard(heard.append)
    os.write(terminal, b"\x1b[A\x1bOP\x1b[1;5Dz\nx")
    give_up = time.monotonic() + 10.0
    while len(heard) < 2 and time.monotonic() < give_up:
        time.sleep(0.01)
    keyboard.close()
    assert kinds_and_notes(heard[:2]) == [(NOTE_ON, 48), (NOTE_ON, 50)]
    assert heard[0].data2 == 90


def test_letters_of_another_code_do_not_end_the_playing(terminal):
    heard = []
    keyboard = Keyboard(heard.append)
    for typed in (b"\xe4", b"z"):
        os.write(terminal, typed)
        time.sleep(0.1)
    keyboard.close()
    assert kinds_and_notes(heard) == [(NOTE_ON, 48), (NOTE_OFF, 48)]  # and no key is down when it ends
