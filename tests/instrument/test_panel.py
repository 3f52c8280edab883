"""The control panel: sweeps, soft takeover, presets that come and go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.engine.commands import Control
from rtwave.engine.control_map import MAPPABLE
from rtwave.engine.controls import CONTROLS
from rtwave.instrument.panel import Panel
from rtwave.instrument.style import Style
from rtwave.presets import Playing

FIRST = Playing(temperature=0.3, temperature_range=(0.1, 0.9), release=2.0)
SECOND = Playing(temperature=0.6, temperature_range=(0.5, 0.7))


def panel(playing=FIRST, preset=None, **style):
    return Panel(playing, preset or {}, Style(**style))


def turned(desk, controller, *values):
    return [command.value for value in values for command in desk.turn(controller, value)]


def test_standard_controllers_move_at_once():
    desk = panel()
    assert desk.turn(1, 0) == [Control("temperature", 0.1)]
    assert desk.turn(7, 0) == [Control("volume", 0.0)]
    assert desk.turn(11, 127) == [Control("expression", 1.0)]


def test_controller_moves_nothing_until_it_reaches_the_control():
    def own():
        return panel(controls={"timbre": 20})

    assert turned(own(), 20, 127, 100, 70) == []  # the timbre stands in the middle
    assert turned(own(), 20, 100, 63) == [0.5 * 63 / 64]
    assert turned(own(), 20, 0, 127) == [1.0]
    assert turned(own(), 20, 65)[0] > 0.5


def test_a_controls_own_controller_moves_it_from_anywhere():
    assert turned(panel(), 74, 127, 0) == [1.0, 0.0]


def test_controller_that_has_taken_over_leads():
    values = turned(panel(controls={"timbre": 20}), 20, 64, 127, 0, 100, 3)
    assert len(values) == 5


def test_control_put_elsewhere_must_be_reached_again():
    desk = panel(controls={"timbre": 20})
    assert turned(desk, 20, 64, 127) == [0.5, 1.0]
    desk.reset("timbre")
    assert turned(desk, 20, 126, 90) == []
    assert turned(desk, 20, 60) == [0.5 * 60 / 64]


def test_knob_goes_on_leading_where_a_new_preset_changes_nothing():
    desk = panel(controls={"knob1": 20})
    turned(desk, 20, 0, 50)
    desk.change_preset(SECOND, {})
    assert turned(desk, 20, 51) == [51 / 127]


def test_new_preset_brings_its_own_release_which_must_be_reached_again():
    desk = panel()
    desk.change_preset(FIRST, {"release": 20})
    before = len(turned(desk, 20, *range(128)))
    assert 0 < before < 128
    desk.change_preset(SECOND, {"release": 20})
    assert desk.state() == []
    assert turned(desk, 20, 120, 80) == []
    assert turned(desk, 20, 64) == [1.0]


def test_mod_wheel_keeps_its_place_in_a_new_presets_range():
    desk = panel()
    turned(desk, 1, 127)
    desk.change_preset(SECOND, {})
    assert desk.state() == [Control("temperature", 0.7)]


def test_preset_says_where_its_timbre_starts_and_a_mod_wheel_at_rest_takes_it_from_there():
    desk = panel()
    desk.change_preset(Playing(timbre=0.0), {"timbre": 1})
    assert desk.state() == []
    assert desk.turn(1, 1) == [Control("timbre", 0.5 / 64)]
    assert turned(desk, 1, 127) == [1.0]
    assert turned(desk, 74, 127) == []
    assert desk.moved_by(1) == ["timbre"]
    assert panel().moved_by(1) == ["temperature"]
    desk.change_preset(SECOND, {})
    assert desk.state() == []


def test_timbre_s_own_controller_keeps_its_place_in_a_new_preset():
    desk = panel()
    turned(desk, 74, 127)
    desk.change_preset(Playing(timbre=0.0), {})
    assert desk.state() == [Control("timbre", 1.0)]


def test_wheel_never_touched_leaves_a_new_preset_its_temperature():
    desk = panel()
    desk.change_preset(SECOND, {})
    assert desk.state() == []


def test_control_outside_of_its_sweep_is_reached_at_the_end():
    desk = panel(Playing(temperature=0.3, temperature_range=(0.5, 0.9)), controls={"temperature": 20})
    assert turned(desk, 20, 60) == []
    assert turned(desk, 20, 0, 127) == [0.5, 0.9]


def test_players_map_goes_before_the_presets():
    desk = panel(preset={"knob1": 30, "timbre": 31}, controls={"knob1": 31})
    assert turned(desk, 31, 0) == [0.0]
    assert turned(desk, 30, 0) == []
    assert turned(desk, 74, 64) == []


def test_learned_mod_wheel_takes_over_softly():
    desk = panel(controls={"knob1": 1})
    assert desk.turn(1, 100) == []
    assert desk.turn(1, 0) == [Control("knob1", 0.0)]


def test_tune_starts_with_the_player_and_returns_to_it():
    desk = panel(tune_hz=442.0)
    desk.set("tune", 470.0)
    assert desk.reset("tune") == [Control("tune", 442.0)]
    assert desk.state() == [Control("tune", 442.0)]


@pytest.mark.parametrize("name", MAPPABLE)
def test_full_turn_sweeps_a_control_from_end_to_end_and_never_back(name):
    desk = panel(controls={name: 20})
    values = turned(desk, 20, *reversed(range(128)), *range(128))[-128:]
    control = CONTROLS[name]
    low, high = FIRST.temperature_range if name == "temperature" else (control.low, control.high)
    assert values == sorted(set(values))
    assert (values[0], values[-1]) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(("name", "middle"), [("timbre", 0.5), ("release", 1.0), ("tune", 440.0)])
def test_middle_of_a_controller_is_exactly_neutral(name, middle):
    assert turned(panel(Playing(), controls={name: 20}), 20, 64) == [middle]


@given(st.lists(st.tuples(st.sampled_from([1, 7, 20, 21, 22]), st.integers(0, 127)), max_size=60))
def test_no_knob_makes_a_control_jump(turns):
    desk = panel(controls={"release": 20, "knob1": 21, "timbre": 22})
    stands, before = {"knob1": 0.0, "timbre": 0.5}, {}
    for controller, value in turns:
        for command in desk.turn(controller, value):
            if command.name in stands:
                step = abs(value - before.get(controller, value)) + 1.01
                assert abs(command.value - stands[command.name]) <= step / 126
                stands[command.name] = command.value
        before[controller] = value
