"""Fewer voices than the engine has: by command, or by the renderer when it cannot keep up."""

import numpy as np
import pytest

from rtwave._engine import LIMIT_TAG
from rtwave.engine.commands import Limit, NoteOff, NoteOn
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError

from .networks import quiet_network, sustained

CHORD = [NoteOn(key, 90) for key in (60, 62, 64, 66)]


def chord(weights=None, **options):
    """An engine in which four notes have sounded for 100 frames, the second of them let go."""
    engine = Engine(weights or sustained(), **({"voices": 6} | options))
    engine.control("temperature", 0.0)
    engine.submit(CHORD)
    engine.submit([NoteOff(62)], at=50)
    engine.render(100)
    return engine


def test_a_limit_fades_the_surplus_over_two_milliseconds():
    engine = Engine(sustained(0.1), voices=4)
    engine.control("temperature", 0.0)
    engine.submit(CHORD)
    engine.render(100)
    engine.submit([Limit(3)])
    sound = engine.render(200)
    np.testing.assert_allclose(sound[:32], 0.3 + 0.1 * (1.0 - np.arange(32) / 32.0), atol=1e-4)
    np.testing.assert_allclose(sound[32:], 0.3, atol=1e-4)
    assert engine.active_voices == 3
    assert engine.counters()["stolen_voices"] == 1


def test_a_limit_takes_the_released_first_and_then_the_oldest():
    engine = chord()
    engine.submit([Limit(2)])
    engine.render(1)
    for key in (62, 60):  # gone: letting them go changes nothing
        engine.note_off(key)
    engine.render(16_000)
    assert engine.active_voices == 2
    engine.submit([NoteOff(64), NoteOff(66)])
    engine.render(16_000)
    assert engine.active_voices == 0


def test_notes_steal_at_the_limit_and_have_all_voices_again_once_it_is_lifted():
    engine = chord()
    engine.submit([Limit(2)])
    for key in range(70, 80):
        engine.note_on(key, 90)
        engine.render(3)
        assert engine.active_voices == 2
    engine.submit([Limit(6)])
    for key in range(80, 90):
        engine.note_on(key, 90)
        engine.render(3)
    assert engine.active_voices == 6


def test_the_limit_never_exceeds_the_engine_s_voices():
    engine = chord()
    assert engine.limit == 6
    engine.submit([Limit(200)])
    engine.render(1)
    assert engine.limit == 6


def test_a_note_shed_at_its_own_frame_is_never_heard():
    engine, plain = (Engine(quiet_network(), voices=4) for _ in range(2))
    for either in (engine, plain):
        either.control("temperature", 0.0)
        either.submit([NoteOn(66, 90)])
        either.render(50)
    engine.submit([NoteOn(64, 90), NoteOff(64), Limit(1)])
    np.testing.assert_array_equal(engine.render(200), plain.render(200))


def test_the_renderer_s_own_limit_is_echoed_and_a_command_does_the_same():
    limited, replayed = chord(quiet_network()), chord(quiet_network())
    limited.native.set_limit(1)
    one = limited.render(300)
    assert limited.applied() == [(LIMIT_TAG | 1, 100)]
    assert limited.limit == 1
    replayed.submit([Limit(1)], at=100, tag=5)
    np.testing.assert_array_equal(one, replayed.render(300))
    assert replayed.applied() == [(5, 100)]


def test_the_renderer_s_limit_is_echoed_only_when_it_changes():
    engine = chord()
    for voices in (6, 2, 2, 0, 99):
        engine.native.set_limit(voices)
    assert [tag - LIMIT_TAG for tag, _ in engine.applied()] == [2, 1, 6]


@pytest.mark.parametrize("voices", [0, 257, 2.0, True])
def test_a_limit_is_a_number_of_voices(voices):
    with pytest.raises(RtwaveError, match=r"voices is .*, expected a whole number from 1 to 256"):
        Limit(voices)


def test_tags_stay_below_those_of_the_renderer():
    with pytest.raises(RtwaveError, match="tag is 2147483648, expected a whole number from 0 to 2147483647"):
        Engine(quiet_network()).note_on(60, 90, tag=LIMIT_TAG)
