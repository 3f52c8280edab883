"""Controllers learned by turning them, and the file that keeps them."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.engine.control_map import MAPPABLE, RESERVED
from rtwave.errors import RtwaveError
from rtwave.instrument.controllers import Learner, controls_file, read_controls, write_controls
from rtwave.instrument.messages import CONTROL_CHANGE, Message, Parser


def turn(learner, controller, *values):
    learned = [learner.hear(Message(CONTROL_CHANGE, 3, controller, value)) for value in values]
    return [name for name in learned if name]


def test_turned_knob_is_learned_and_the_next_is_asked_for():
    learner = Learner(["timbre", "release"])
    assert learner.current == "timbre"
    assert turn(learner, 21, 10, 14, 18, 22, 26) == ["timbre"]
    assert learner.current == "release"
    assert turn(learner, 21, 30, 60, 127) == []  # still turning
    assert turn(learner, 22, 127, 0) == ["release"]
    assert learner.current is None
    assert learner.learned == {"timbre": 21, "release": 22}
    assert turn(learner, 23, 0, 127) == []


def test_trembling_knob_is_not_taken_for_one_that_is_turned():
    learner = Learner(["timbre"])
    assert turn(learner, 21, *[60, 61, 62, 61] * 50) == []
    assert turn(learner, 22, 60, 70) == ["timbre"]


def test_control_can_be_left_as_it_is():
    learner = Learner(["timbre", "release"])
    turn(learner, 21, 60)
    learner.skip()
    assert turn(learner, 21, 70) == []  # its travel counts from the question on
    assert turn(learner, 21, 90) == ["release"]
    learner.skip()
    assert learner.learned == {"release": 21}


def test_fine_half_of_a_14_bit_controller_is_not_taken_for_another():
    learner = Learner(["timbre"])
    learned = [
        name for step in range(20) for half in ((20, step), (52, step * 37 % 128)) for name in turn(learner, *half)
    ]
    assert learned == ["timbre"]
    assert learner.learned == {"timbre": 20}


@pytest.mark.parametrize("controller", sorted(RESERVED - set(range(120, 128))))
def test_pedals_and_banks_are_not_learned(controller):
    assert turn(Learner(["timbre"]), controller, 0, 127) == []


@given(st.binary(max_size=500))
def test_any_bytes_teach_a_map_that_can_be(data):
    learner = Learner(MAPPABLE)
    for message in Parser().feed(data):
        learner.hear(message)
    assert len(set(learner.learned.values())) == len(learner.learned)
    assert not RESERVED & set(learner.learned.values())


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "config" / "controls.toml"
    write_controls(path, {"timbre": 21, "knob1": 22})
    assert read_controls(path) == {"timbre": 21, "knob1": 22}
    write_controls(path, {})
    assert read_controls(path) == {}
    assert [file.name for file in path.parent.iterdir()] == ["controls.toml"]


def test_file_tells_every_control_with_its_range(tmp_path):
    write_controls(tmp_path / "controls.toml", {"timbre": 21})
    text = (tmp_path / "controls.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == {"controls": {"timbre": 21}}
    assert all(name in text for name in MAPPABLE)
    assert "\ntimbre = 21                 # 0 to 1 dull to bright\n" in text
    assert "\n# volume = 7                # 0 to 1 (linear)\n" in text


def test_nothing_learned_yet_is_an_empty_map(tmp_path):
    assert read_controls(tmp_path / "controls.toml") == {}
    assert controls_file().name == "controls.toml"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[controls]\ntimbre = \n", r"not a TOML file: .*line 2.*; mend it, or delete it"),
        (b"\xff\xfe\x00", "not a TOML file"),
        (b"[controls]\ncolour = 3\n", r"\[controls\] 'colour' is no control, expected one of temperature"),
        (b"[controls]\nvolume = 130\n", r"\[controls\] volume is 130, expected a controller from 1 to 119"),
        (b"[controls]\nvolume = 'knob'\n", r"\[controls\] volume is 'knob'"),
        (b"volume = 7\n", r"'volume' is out of place, expected one table, \[controls\]"),
        (b"controls = 7\n", r"'controls' is out of place"),
    ],
)
def test_damaged_file_is_one_line_that_says_where(tmp_path, text, problem):
    path = tmp_path / "controls.toml"
    path.write_bytes(text)
    with pytest.raises(RtwaveError, match=problem) as caught:
        read_controls(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_path_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RtwaveError, match="the controls cannot be written"):
        write_controls(tmp_path / "file" / "controls.toml", {})
    with pytest.raises(RtwaveError, match="cannot be read"):
        read_controls(tmp_path)
