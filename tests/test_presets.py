"""Presets: found, read, checked, written."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from rtwave import presets
from rtwave.errors import RtwaveError
from rtwave.presets import Playing, load_preset, preset_folders, write_preset

from .small_preset import small_weights, write_small_preset


@pytest.fixture
def preset(tmp_path):
    return write_small_preset(tmp_path / "bell")


def edit(preset, old, new):
    file = preset.folder / "preset.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_written_is_read(tmp_path):
    playing = Playing(
        temperature=0.25,
        temperature_range=(0.1, 0.9),
        gain_db=-3.5,
        polyphony=5,
        release=2.0,
        velocity_curve=0.8,
        timbre=0.0,
    )
    (tmp_path / "phrase.mid").write_bytes(b"MThd")
    written = write_small_preset(
        tmp_path / "bell",
        name='A "bell" — Glöckchen',
        playing=playing,
        license_text="Do as you like.",
        demo=tmp_path / "phrase.mid",
        precision={"float32": 5.9, "bfloat16": 5.901, "int8": 5.8994},
        program=16_384,
        controls={"timbre": 21, "knob1": 22},
    )
    read = load_preset(tmp_path / "bell")
    assert (read.name, read.playing, read.license, read.source) == (written.name, playing, "CC0-1.0", "made by a test")
    assert (read.playing.temperature_min, read.playing.temperature_max) == (0.1, 0.9)
    assert read.precision == {"float32": 5.9, "bfloat16": 5.901, "int8": 5.8994}
    assert (read.program, read.controls) == (16_384, {"timbre": 21, "knob1": 22})
    assert read.demo.read_bytes() == b"MThd"
    assert (tmp_path / "bell" / "LICENSE.txt").read_text(encoding="utf-8") == "Do as you like."
    for name, tensor in small_weights().tensors.items():
        assert np.array_equal(read.weights.tensors[name], tensor)


def test_preset_is_found_by_folder_file_and_name(preset, monkeypatch):
    monkeypatch.setattr(presets, "user_presets_folder", lambda: preset.folder.parent)
    for way in (preset.folder, str(preset.folder), preset.folder / "preset.toml", "bell"):
        assert load_preset(way).folder == preset.folder


def test_users_own_preset_goes_before_a_bundled_one(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "user_presets_folder", lambda: tmp_path)
    for name in preset_folders():
        write_small_preset(tmp_path / name)
        assert load_preset(name).folder == tmp_path / name


def test_given_playing_parameters_replace_the_presets(preset):
    changed = preset.with_playing(temperature=0.9, gain_db=None)
    assert (changed.playing.temperature, changed.playing.polyphony) == (0.9, 6)
    assert preset.playing.temperature == 0.5


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "temperature = 0.5",
            "temprature = 0.5",
            r"unknown field 'temprature' in \[playing\], expected one of temperature",
        ),
        ("license = ", "licence = ", "unknown field 'licence', expected one of name"),
        ('license = "CC0-1.0"', "", "missing required field `license`"),
        ("temperature = 0.5", "temperature = -1", r"\[playing\] temperature is -1, expected 0 to 2"),
        ("temperature = 0.5", "temperature = nan", "expected 0 to 2"),
        ("temperature = 0.5", "temperature = 'hot'", "temperature"),
        ("timbre = 0.5", "timbre = 2", r"\[playing\] timbre is 2, expected 0 to 1"),
        ("polyphony = 6", "polyphony = 0", "polyphony is 0, expected 1 to 256 voices"),
        ("temperature_range = [0.0,1.0]", "temperature_range = [1.0, 0.0]", "temperature_range"),
        ("temperature = 0.5", "temperature =", "not a TOML file"),
        ("[playing]", "program = -1\n[playing]", "program is -1, expected 0 to 2097151, 128 to a bank"),
        ("[playing]", "program = 2097152\n[playing]", "program is 2097152, expected 0 to 2097151"),
        ("[playing]", "program = 1.5\n[playing]", "program"),
        (
            "[playing]",
            "[controls]\nvolme = 7\n[playing]",
            r"\[controls\] 'volme' is no control, expected one of temper",
        ),
        (
            "[playing]",
            "[controls]\nvolume = 120\n[playing]",
            r"\[controls\] volume is 120, expected a controller from 1",
        ),
        ("[playing]", "[controls]\nvolume = 64\n[playing]", r"volume is 64, expected .*pedals"),
        ("[playing]", "[controls]\nvolume = 'CC7'\n[playing]", r"volume is 'CC7'"),
        ("[playing]", "[controls]\nvolume = [7]\n[playing]", r"volume is \[7\]"),
        ("[playing]", "controls = 7\n[playing]", "controls"),
        ('model = "model.safetensors"', 'model = "../model.safetensors"', "in the same folder"),
        ('model = "model.safetensors"', 'model = "none.safetensors"', "none.safetensors: no such file"),
        ('model = "model.safetensors"', 'model = "model.safetensors"\ndemo = "demo.mid"', "demo.mid: no such file"),
    ],
)
def test_bad_preset_file_is_one_line_that_names_the_field(preset, old, new, problem):
    edit(preset, old, new)
    with pytest.raises(RtwaveError, match=problem) as caught:
        load_preset(preset.folder)
    assert str(preset.folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("int8 = ", "int4 = ", r"\[precision\] 'int4' is unknown, expected one of float32, bfloat16, int8"),
        ("5.25", "nan", r"\[precision\] int8 is nan, expected bits per sample, a finite number"),
        ("5.25", "-inf", r"\[precision\] int8 is -inf"),
        ("5.25", "'good'", r"\[precision\] int8 is 'good'"),
        ("5.25", "true", r"\[precision\] int8 is True"),
        ("5.25", "[5.25]", r"\[precision\] int8 is \[5\.25\]"),
        ("[precision]", "[precision.int8]", r"\[precision\] int8 is {"),
        ("[precision]", "precision = 3\n[other]", "unknown field"),
    ],
)
def test_bits_per_sample_that_cannot_be_are_one_line(tmp_path, old, new, problem):
    preset = write_small_preset(tmp_path / "bell", precision={"float32": 5, "int8": 5.25})
    assert preset.precision == {"float32": 5.0, "int8": 5.25}
    edit(preset, old, new)
    with pytest.raises(RtwaveError, match=problem) as caught:
        load_preset(preset.folder)
    assert str(preset.folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_preset_file_is_one_line(preset):
    (preset.folder / "preset.toml").write_bytes(bytes(range(256)))
    with pytest.raises(RtwaveError, match="not a TOML file"):
        load_preset(preset.folder)


def test_changed_weights_are_noticed(preset):
    model = preset.folder / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(RtwaveError, match="the file is damaged or was changed"):
        load_preset(preset.folder)


def test_broken_weights_are_noticed_even_when_the_sum_agrees(preset):
    model = preset.folder / "model.safetensors"
    before = hashlib.sha256(model.read_bytes()).hexdigest()
    model.write_bytes(model.read_bytes()[:-100])
    edit(preset, before, hashlib.sha256(model.read_bytes()).hexdigest())
    with pytest.raises(RtwaveError, match="not a whole safetensors file"):
        load_preset(preset.folder)


def test_missing_preset_lists_those_there(preset, monkeypatch):
    monkeypatch.setattr(presets, "user_presets_folder", lambda: preset.folder.parent)
    with pytest.raises(RtwaveError, match=r"no preset 'nosuch'.*there are: .*bell"):
        load_preset("nosuch")


def test_bad_weights_do_not_pass_for_a_preset(tmp_path):
    weights = small_weights()
    weights.tensors["input.bias"][0] = np.nan
    with pytest.raises(RtwaveError, match="NaN"):
        write_preset(tmp_path / "bell", weights, name="bell", description="", license="", source="")


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def nan_weights():
    weights = small_weights()
    weights.tensors["input.bias"][0] = np.nan
    return weights


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"demo": "none.mid"}, "none.mid: no such file"),
        ({"weights": nan_weights()}, "NaN"),
    ],
)
def test_preset_that_cannot_be_written_leaves_the_old_one_as_it_was(preset, changes, problem):
    before = contents(preset.folder)
    with pytest.raises(RtwaveError, match=problem):
        write_preset(preset.folder, **({"weights": small_weights(1), "name": "new"} | changes))
    assert contents(preset.folder) == before
    assert [file.name for file in preset.folder.parent.iterdir()] == ["bell"]


def test_failing_disk_is_one_line_and_the_old_preset_stays(preset, monkeypatch):
    before = contents(preset.folder)
    rename = Path.rename

    def fail(self, target):
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(RtwaveError, match=r"bell: the preset cannot be written \(No space left on device\)"):
        write_preset(preset.folder, small_weights(1), name="bell")
    assert contents(preset.folder) == before


def test_writing_over_a_preset_keeps_what_is_not_given(tmp_path):
    (tmp_path / "phrase.mid").write_bytes(b"MThd")
    playing = Playing(temperature=0.7)
    described = {"playing": playing, "license_text": "Do as you like.", "demo": tmp_path / "phrase.mid"}
    described |= {"program": 3, "controls": {"release": 20}}
    old = write_small_preset(tmp_path / "bell", **described)
    new = write_preset(tmp_path / "bell", small_weights(1), name="bell")
    for field in ("license", "source", "description", "playing", "program", "controls"):
        assert getattr(new, field) == getattr(old, field)
    assert new.demo.read_bytes() == b"MThd"
    assert (new.folder / "LICENSE.txt").read_text() == "Do as you like."
    assert not np.array_equal(new.weights.tensors["input.weight"], old.weights.tensors["input.weight"])


def test_bits_per_sample_stay_beside_the_weights_they_were_measured_of(tmp_path):
    write_small_preset(tmp_path / "bell", precision={"float32": 5.5, "int8": 5.25})
    renamed = write_preset(tmp_path / "bell", small_weights(), name="gong")
    assert renamed.precision == {"float32": 5.5, "int8": 5.25}
    assert write_preset(tmp_path / "bell", small_weights(1), name="gong").precision == {}
    measured = write_preset(tmp_path / "bell", small_weights(2), name="gong", precision={"float32": 6.0})
    assert measured.precision == {"float32": 6.0}


def test_a_preset_of_before_precisions_and_programs_has_none(preset):
    text = (preset.folder / "preset.toml").read_text()
    assert not any(word in text for word in ("precision", "program", "controls"))
    assert (preset.precision, preset.program, preset.controls) == ({}, None, {})


def test_what_is_given_replaces_what_was(preset):
    new = write_preset(preset.folder, small_weights(), name="gong", license="CC-BY-4.0", description="louder")
    assert (new.name, new.license, new.description, new.source) == ("gong", "CC-BY-4.0", "louder", "made by a test")
    assert "CC-BY-4.0" in (preset.folder / "LICENSE.txt").read_text()


def test_folder_of_other_things_is_not_written_to(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mother.txt").write_text("Dear mother")
    with pytest.raises(RtwaveError, match="letters: holds something other than a preset"):
        write_preset(tmp_path / "letters", small_weights(), name="bell")
    assert contents(tmp_path / "letters") == {"mother.txt": b"Dear mother"}


@pytest.mark.parametrize(
    ("field", "low", "high", "step"),
    [
        ("temperature", 0.0, 2.0, 0.01),
        ("gain_db", -60.0, 12.0, 0.1),
        ("polyphony", 1, 256, 1),
        ("release", 0.1, 20.0, 0.01),
        ("velocity_curve", 0.1, 10.0, 0.01),
    ],
)
def test_playing_parameters_reach_to_their_limits_and_no_further(field, low, high, step):
    for value in (low, high):
        assert getattr(Playing(**{field: value}), field) == value
    for value in (low - step, high + step, "loud", None, True):
        with pytest.raises(RtwaveError, match=f"{field} is .*, expected {low:g} to {high:g}"):
            Playing(**{field: value})


@pytest.mark.parametrize("sweep", [(0.5, 0.4), (-0.1, 1.0), (0.0, 2.1), (0.0,), 1.0, ("a", "b")])
def test_temperature_range_is_two_rising_values(sweep):
    with pytest.raises(RtwaveError, match=r"temperature_range is .*, expected two rising values in 0 to 2"):
        Playing(temperature_range=sweep)
