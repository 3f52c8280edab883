"""Controls on their way: no step is heard, the end is exact, and a note that begins is already there."""

import numpy as np
import pytest

from rtwave.engine.commands import Control, NoteControl, NoteOn
from rtwave.engine.engine import Engine

from .networks import quiet_network, sustained

WEIGHTS = quiet_network()
LEVELLED = quiet_network(leveling="loudness")
SETTLED = 16 * 80 + 32
"""Frames: sixteen time constants of 5 ms, and a control period."""

MOVED = {
    "temperature": 0.3,
    "gain_db": -7.0,
    "volume": 0.4,
    "expression": 0.6,
    "bend": -3.0,
    "tune": 452.0,
    "vibrato": 0.8,
    "timbre": 0.9,
    "knob2": 0.7,
}
OWN = {"bend": 4.0, "pressure": 0.8, "timbre": -0.4}


def settled(weights, commands, then=()):
    """A note to which `commands` came long before, and `then` in its 21st frame."""
    engine = Engine(weights, seed=3)
    engine.submit(commands)
    engine.submit([NoteOn(60, 90)], at=SETTLED)
    engine.submit(then, at=SETTLED + 20)
    return engine.render(SETTLED + 500)[SETTLED:]


@pytest.mark.parametrize("weights", [WEIGHTS, LEVELLED], ids=["plain", "levelled"])
@pytest.mark.parametrize("ahead", [0, 1, 40])
def test_a_control_set_before_a_note_or_with_it_is_there_at_its_first_sample(weights, ahead):
    moved = [Control(name, value) for name, value in MOVED.items()]
    engine = Engine(weights, seed=3)
    engine.submit(moved, at=SETTLED - ahead)
    engine.submit([NoteOn(60, 90)], at=SETTLED)
    np.testing.assert_array_equal(engine.render(SETTLED + 500)[SETTLED:], settled(weights, moved))


def test_a_control_set_right_behind_the_note_in_its_frame_is_there_at_its_first_sample():
    moved = [Control(name, value) for name, value in MOVED.items()]
    engine = Engine(WEIGHTS, seed=3)
    engine.submit([NoteOn(60, 90), *moved], at=SETTLED)
    np.testing.assert_array_equal(engine.render(SETTLED + 500)[SETTLED:], settled(WEIGHTS, moved))


def test_a_note_s_own_control_right_behind_it_is_there_at_its_first_sample():
    own, common = Engine(WEIGHTS, seed=3), Engine(WEIGHTS, seed=3)
    own.submit([NoteOn(60, 90), NoteControl("bend", 7.0), NoteControl("bend", 2.0), NoteControl("timbre", 0.25)])
    common.submit([Control("bend", 2.0), Control("timbre", 0.75), NoteOn(60, 90)])
    np.testing.assert_array_equal(own.render(500), common.render(500))


def test_a_note_goes_on_from_where_it_began_though_other_notes_are_still_behind():
    """Its bend begins at 5 semitones and leaves from there, although the bend as others hear it was just leaving 0."""
    first, then = [Control("bend", 5.0)], [Control("bend", -1.0)]
    engine = Engine(WEIGHTS, seed=3)
    engine.control("temperature", 0.0)
    engine.submit(first, at=SETTLED - 10)
    engine.submit([NoteOn(60, 90)], at=SETTLED)
    engine.submit(then, at=SETTLED + 20)
    expected = settled(WEIGHTS, [Control("temperature", 0.0), *first], then)
    np.testing.assert_allclose(engine.render(SETTLED + 500)[SETTLED:], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["volume", "gain_db", "expression"])
def test_a_control_arrives_exactly(name):
    moved, there = Engine(sustained(), seed=3), Engine(sustained(), seed=3)
    there.control(name, MOVED[name])
    for engine in (moved, there):
        engine.control("temperature", 0.0)
        engine.note_on(60, 90)
    moved.control(name, MOVED[name], at=100)
    arrived = 100 + 2 * SETTLED
    np.testing.assert_array_equal(moved.render(2 * arrived)[arrived:], there.render(2 * arrived)[arrived:])


@pytest.mark.parametrize("name", ["volume", "expression", "pressure"])
def test_a_step_of_a_control_is_spread_over_milliseconds(name):
    engine = Engine(sustained(0.1, conditioning=()))
    engine.submit([Control("temperature", 0.0), Control("pressure_gain_db", 6.0), NoteOn(60, 90)])
    before = engine.render(1000)[-1]
    engine.submit([NoteControl(name, 1.0) if name == "pressure" else Control(name, 0.0)])
    sound = engine.render(2000)
    whole = abs(sound[-1] - before)
    assert whole > 0.05
    assert np.abs(np.diff(sound, prepend=before)).max() < 0.02 * whole


@pytest.mark.parametrize("weights", [WEIGHTS, LEVELLED], ids=["plain", "levelled"])
def test_controls_set_to_where_they_stand_change_nothing_however_many_come(weights):
    stormed, plain = (Engine(weights, seed=3) for _ in range(2))
    stay = [Control(name, value) for name, value in MOVED.items()]
    stay += [NoteControl(name, value, 60) for name, value in OWN.items()]
    for engine in (stormed, plain):
        engine.submit([NoteOn(60, 90), *stay])
    for frame in range(1, 300):
        stormed.submit(stay, at=frame)
    np.testing.assert_array_equal(stormed.render(400), plain.render(400))


def test_a_control_sent_in_two_halves_of_its_way_never_jumps():
    engine = Engine(sustained())
    engine.submit([Control("temperature", 0.0), NoteOn(60, 90)])
    engine.render(100)
    for volume in (0.0, 1.0, 0.2, 0.9, 0.0):
        engine.control("volume", volume)
        assert np.abs(np.diff(engine.render(37))).max() < 0.3 * 0.02
