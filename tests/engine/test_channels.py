"""Notes of several channels: the same key twice is two notes, and each can be shaped by itself."""

import numpy as np
import pytest

from rtwave.engine.commands import NoteControl, NoteOff, NoteOn
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError

from .networks import quiet_network, sustained

WEIGHTS = quiet_network()


def cold(weights=WEIGHTS, **options):
    engine = Engine(weights, **options)
    engine.control("temperature", 0.0)
    return engine


def test_one_key_of_two_channels_is_two_notes():
    engine = cold(sustained())
    engine.submit([NoteOn(60, 90, channel=1), NoteOn(60, 90, channel=2)])
    np.testing.assert_allclose(engine.render(200), 2 * 0.3, atol=1e-4)
    assert engine.active_voices == 2


def test_a_key_struck_again_replaces_the_note_of_its_own_channel_alone():
    engine = cold()
    engine.submit([NoteOn(60, 90, channel=1), NoteOn(60, 90, channel=2)])
    engine.render(10)
    engine.submit([NoteOn(60, 90, channel=2)])
    engine.render(10)
    assert engine.active_voices == 2
    engine.submit([NoteOn(60, 90, channel=3)])
    engine.render(10)
    assert engine.active_voices == 3


def test_note_off_lets_go_only_the_note_of_its_channel():
    engine = cold()
    engine.submit([NoteOn(60, 90, channel=1), NoteOn(60, 90, channel=2)])
    engine.submit([NoteOff(60, channel=5), NoteOff(60, channel=2)], at=10)
    engine.render(16_000)
    assert engine.active_voices == 1
    engine.submit([NoteOff(60, channel=1)])
    engine.render(16_000)
    assert engine.active_voices == 0


def test_all_notes_off_lets_the_keys_of_every_channel_go():
    engine = cold()
    engine.submit([NoteOn(60, 90, channel=channel) for channel in (0, 7, 15)])
    engine.all_notes_off(at=10)
    engine.render(16_000)
    assert engine.active_voices == 0


@pytest.mark.parametrize("controls", [[NoteControl("bend", 1.7, 60, 3)], [NoteControl("bend", 1.7, None, 3)]])
def test_a_note_s_own_bend_adds_to_the_bend_of_all(controls):
    own, common = cold(), cold()
    own.control("bend", 0.5)
    common.control("bend", 0.5 + 1.7)
    own.submit([NoteOn(60, 90, channel=3), *controls])
    common.submit([NoteOn(60, 90, channel=3)])
    np.testing.assert_allclose(own.render(300), common.render(300), atol=1e-5)


@pytest.mark.parametrize(
    "elsewhere", [NoteControl("bend", 5.0, 61, 3), NoteControl("bend", 5.0, 60, 4), NoteControl("bend", 5.0, None, 4)]
)
def test_a_note_control_changes_no_other_note(elsewhere):
    shaped, plain = cold(), cold()
    for engine in (shaped, plain):
        engine.submit([NoteOn(60, 90, channel=3)])
    shaped.submit([elsewhere], at=50)
    np.testing.assert_array_equal(shaped.render(300), plain.render(300))


def test_a_note_starts_unshaped_whatever_its_predecessor_heard():
    shaped, plain = cold(voices=1), cold(voices=1)
    for engine in (shaped, plain):
        engine.submit([NoteOn(60, 90)])
    shaped.submit([NoteControl("bend", 5.0)], at=50)
    for engine in (shaped, plain):
        engine.all_sound_off(at=100)
        engine.submit([NoteOn(60, 90)], at=3000)
    np.testing.assert_array_equal(shaped.render(4000)[3000:], plain.render(4000)[3000:])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: NoteOn(60, 90, channel=16), "channel is 16, expected a whole number from 0 to 15"),
        (lambda: NoteOff(60, channel=-1), "channel is -1"),
        (
            lambda: NoteControl("brightness", 0.5),
            "note control is .brightness., expected one of bend, ",
        ),
        (lambda: NoteControl("pressure", 1.5), "pressure is 1.5, expected 0 to 1"),
        (lambda: NoteControl("bend", float("nan")), "bend is nan, expected -96 to 96 semitones"),
        (lambda: NoteControl("bend", 1.0, note=128), "note is 128"),
    ],
)
def test_a_key_or_value_out_of_range_is_told(make, told):
    with pytest.raises(RtwaveError, match=told):
        make()
