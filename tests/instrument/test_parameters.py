"""Registered parameters: bend range and tuning, entered piece by piece."""

import pytest

from rtwave.engine.commands import Control, NoteOff, NoteOn

from .playing import performer, play


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("b0 65 00 64 00 06 0c e0 7f 7f", [Control("bend", 0.0), Control("bend", 12.0)]),
        ("e0 7f 7f b0 65 00 64 00 06 05", [Control("bend", 2.0), Control("bend", 5.0)]),
        ("e0 7f 7f b0 64 00 65 00 06 05 26 32", [Control("bend", 2.0), Control("bend", 5.0), Control("bend", 5.5)]),
        ("e0 7f 7f b0 65 00 64 00 60 00", [Control("bend", 2.0), Control("bend", 2.01)]),
        ("e0 7f 7f b0 65 00 64 00 61 00", [Control("bend", 2.0), Control("bend", 1.99)]),
        ("e0 7f 7f b0 65 00 64 00 06 7f", [Control("bend", 2.0), Control("bend", 48.0)]),
        ("b0 65 00 64 01 06 60", [Control("bend", 0.5)]),
        ("b0 65 00 64 02 06 43 90 3c 40", [NoteOn(63, 64)]),
        ("b0 65 00 64 00 65 7f 64 7f 06 0c e0 7f 7f", [Control("bend", 2.0)]),
        ("b0 63 00 62 00 06 0c 26 01 60 00 e0 7f 7f", [Control("bend", 2.0)]),
        ("b0 65 00 64 00 63 01 06 0c e0 7f 7f", [Control("bend", 2.0)]),
        ("b0 65 00 64 05 06 0c", []),
        ("b0 06 0c 26 0c 60 00 61 00", []),
        ("b0 65 00 b1 64 00 06 0c", []),
    ],
)
def test_registered_parameters_set_bend_range_and_tuning(data, expected):
    assert play(performer(), data) == expected


def test_bend_range_is_the_players():
    assert play(performer(bend_range=7.0), "e3 00 00") == [Control("bend", -7.0)]


def test_key_held_through_a_change_of_tuning_lets_go_what_it_struck():
    player = performer()
    play(player, "90 3c 40 b0 65 00 64 02 06 41")
    assert play(player, "80 3c 00") == [NoteOff(60)]


def test_key_struck_again_after_a_change_of_tuning_leaves_nothing_behind():
    player = performer()
    play(player, "90 3c 40 b0 65 00 64 02 06 41")
    assert play(player, "90 3c 40 3c 00") == [NoteOff(60), NoteOn(61, 64), NoteOff(61)]
