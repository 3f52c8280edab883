"""Presets: found, read, checked, written."""

import hashlib

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
        temperature=0.25, temperature_range=(0.1, 0.9), gain_db=-3.5, polyphony=5, release=2.0, velocity_curve=0.8
    )
    (tmp_path / "phrase.mid").write_bytes(b"MThd")
    written = write_small_preset(
        tmp_path / "bell",
        name='A "bell" — Glöckchen',
        playing=playing,
        license_text="Do as you like.",
        demo=tmp_path / "phrase.mid",
    )
    read = load_preset(tmp_path / "bell")
    assert (read.name, read.playing, read.license, read.source) == (written.name, playing, "CC0-1.0", "made by a test")
    assert (read.playing.temperature_min, read.playing.temperature_max) == (0.1, 0.9)
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
        ("polyphony = 6", "polyphony = 0", "polyphony is 0, expected 1 to 256 voices"),
        ("temperature_range = [0.0,1.0]", "temperature_range = [1.0, 0.0]", "temperature_range"),
        ("temperature = 0.5", "temperature =", "not a TOML file"),
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
