"""Control maps: which controllers may move what, and which map goes before which."""

import pytest

from rtwave.engine.control_map import (
    MAPPABLE,
    RESERVED,
    check_control_map,
    default_control_map,
    merge_control_maps,
)
from rtwave.errors import RtwaveError


def test_controls_have_controllers_of_their_own_from_the_start():
    default = default_control_map()
    assert default["temperature"] == 1
    assert len(set(default.values())) == len(default)
    assert check_control_map(default) == default


@pytest.mark.parametrize("name", ["bend", "damper", "colour", ""])
def test_only_controls_that_a_knob_may_move_are_mapped(name):
    with pytest.raises(RtwaveError, match=r"is no control, expected one of temperature"):
        check_control_map({name: 20})
    assert name not in MAPPABLE


@pytest.mark.parametrize("controller", [*sorted(RESERVED), -1, 1.0, True, "7", None, [7]])
def test_only_free_controllers_move_controls(controller):
    with pytest.raises(RtwaveError, match=r"volume is .*, expected a controller from 1 to 119"):
        check_control_map({"volume": controller})


def test_later_map_has_its_controllers_for_itself():
    merged = merge_control_maps({"knob1": 16, "knob2": 17, "volume": 7}, {"timbre": 16}, {"volume": 20})
    assert merged == {"knob2": 17, "timbre": 16, "volume": 20}


def test_one_controller_may_move_several_controls_of_one_map():
    assert merge_control_maps({"knob1": 16}, {"timbre": 16, "release": 16}) == {"timbre": 16, "release": 16}
