"""The computer's keys: a terminal tells of presses only, so notes end by time."""

import pytest

from rtwave.instrument.keyboard import AUTO_REPEAT_S, Keys
from rtwave.instrument.messages import NOTE_OFF, NOTE_ON


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
