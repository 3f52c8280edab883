"""A player's settings: what cannot be is refused in one line."""

import pytest

from rtwave.errors import RtwaveError
from rtwave.instrument.style import Style


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"channel": 16}, "MIDI channel is 17, expected 1 to 16"),
        ({"channel": -1}, "MIDI channel is 0, expected 1 to 16"),
        ({"channel": 3, "mpe": True}, "MIDI channel is 4 with MPE"),
        ({"transpose": 200}, "transpose is 200, expected -127 to 127 semitones"),
        ({"tune_hz": 380.0}, r"tune is 380\.0, expected 400 to 480 Hz for A4"),
        ({"tune_hz": float("nan")}, "tune is nan"),
        ({"tune_hz": "high"}, "tune is 'high'"),
        ({"bend_range": 49.0}, r"bend range is 49\.0, expected 0 to 48 semitones"),
        ({"bend_range": -1}, "bend range is -1"),
        ({"velocity_curve": 0.0}, r"velocity_curve is 0, expected 0\.1 to 10"),
        ({"controls": {"colour": 3}}, "'colour' is no control"),
        ({"controls": {"volume": 64}}, "volume is 64, expected a controller"),
    ],
)
def test_impossible_settings_are_one_line(settings, problem):
    with pytest.raises(RtwaveError, match=problem) as caught:
        Style(**settings)
    assert "\n" not in str(caught.value)


def test_settings_reach_to_their_limits():
    Style(channel=15, transpose=-127, tune_hz=400, velocity_curve=10.0, bend_range=48, controls={"knob1": 119})
    Style(channel=0, transpose=127, tune_hz=480.0, velocity_curve=0.1, bend_range=0, controls={"knob1": 2})
