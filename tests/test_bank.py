"""The presets that come with rtwave: each whole, licensed, pictured and playable; and the recipes they are made by."""

import collections
import sys
import tomllib
from pathlib import Path

import mido
import numpy as np
import pytest

from rtwave.instrument.performance import Performance
from rtwave.instrument.render import render_score
from rtwave.instrument.scores import read_score
from rtwave.instrument.settings import Settings
from rtwave.presets import load_preset

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(file.parent for file in (ROOT / "presets").glob("*/preset.toml"))
LARGEST_BYTES, LARGEST_PICTURE_BYTES = 5 << 20, 150_000
HEARD_S, QUIETEST_DB = 3.0, -50.0
PHRASE_S = (15.0, 32.0)


@pytest.fixture(scope="session", autouse=True)
def tools():
    """The recipes' own modules can be imported."""
    sys.path.insert(0, str(ROOT / "tools"))
    yield
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def preset(request):
    return load_preset(request.param)


def test_presets_are_told_apart():
    presets = [load_preset(folder) for folder in FOLDERS]
    assert [preset.name for preset in presets] == [folder.name for folder in FOLDERS]
    programs = [preset.program for preset in presets]
    assert len(set(programs)) == len(programs)
    assert all(0 <= program < 128 for program in programs)


def test_a_preset_says_what_it_is_and_whose(preset):
    text = (preset.folder / "LICENSE.txt").read_text(encoding="utf-8")
    assert preset.description
    assert preset.license in ("MIT", "CC0 1.0", "CC-BY 3.0")
    assert len(preset.source) > 60
    assert preset.license.split()[0].removesuffix("-BY") in text
    assert "demo.mid" in text


def test_a_preset_is_small_and_complete(preset):
    files = {file.name: file.stat().st_size for file in preset.folder.iterdir()}
    assert files.keys() == {"preset.toml", "model.safetensors", "LICENSE.txt", "demo.mid", "spectrogram.png"}
    assert sum(files.values()) <= LARGEST_BYTES
    assert files["spectrogram.png"] <= LARGEST_PICTURE_BYTES
    assert (preset.folder / "spectrogram.png").read_bytes().startswith(b"\x89PNG")


def test_a_presets_own_phrase_sounds_from_its_beginning(preset):
    performance = Performance(Settings(preset=str(preset.folder)))
    wanted = int(HEARD_S * performance.rack.sample_rate)
    blocks, heard = [], 0
    for block in render_score(performance, read_score(preset.demo)):
        blocks.append(block)
        heard += len(block)
        if heard >= wanted:
            break
    sound = np.concatenate(blocks)[:wanted]
    assert len(sound) == wanted
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() < 1.0
    seconds = sound.reshape(int(HEARD_S), -1)
    assert (10.0 * np.log10(np.mean(seconds**2, axis=1) + 1e-20) > QUIETEST_DB).all()


def test_every_recipe_has_a_phrase_a_licence_and_a_program_of_its_own():
    from bank import read_bank
    from make_demo import PHRASES

    recipes, licences = read_bank()
    assert recipes.keys() == PHRASES.keys()
    assert {recipe.licence for recipe in recipes.values()} == licences.keys()
    assert len({recipe.program for recipe in recipes.values()}) == len(recipes)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_preset_is_what_its_recipe_says(folder):
    from bank import read_bank

    recipes, licences = read_bank()
    recipe, described = recipes[folder.name], tomllib.loads((folder / "preset.toml").read_text(encoding="utf-8"))
    assert described["program"] == recipe.program
    assert described["license"] == licences[recipe.licence].name


def test_phrases_are_as_long_as_a_breath_or_two_and_all_their_notes_end(tmp_path):
    from make_demo import PHRASES

    for name, phrase in PHRASES.items():
        length_s = phrase().save(tmp_path / f"{name}.mid")
        assert PHRASE_S[0] <= length_s <= PHRASE_S[1], name
        sounding = collections.Counter()
        for message in mido.MidiFile(tmp_path / f"{name}.mid").tracks[0]:
            if message.type in ("note_on", "note_off"):
                sounding[message.note] += 1 if message.type == "note_on" else -1
                assert 0 <= sounding[message.note] <= 1, (name, message.note)
        assert not sounding.total(), name
