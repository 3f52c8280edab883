"""What a run starts from, and what several runs are exported as: the mean of their weights."""

import numpy as np
import pytest

from rtwave.errors import RtwaveError
from rtwave.presets import write_preset
from rtwave.training.corpus import Corpus
from rtwave.training.origin import open_origin, require_told
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

from .made_corpus import level, made_corpus, recording

CONFIG = WaveNetConfig(dilations=(1, 2), residual_channels=4, skip_channels=4, head_channels=4, conditioning=("gate",))


def run(folder, seed, config=CONFIG):
    folder.mkdir()
    weights = Weights.random(config, seed)
    weights.save(folder / "model.safetensors")
    return weights.tensors


def test_of_one_run_or_preset_it_is_the_very_weights(tmp_path):
    learned = run(tmp_path / "run", 1)
    write_preset(tmp_path / "preset", Weights.load(tmp_path / "run" / "model.safetensors"), name="bell")
    for name in ("run", "preset"):
        tensors = open_origin([tmp_path / name]).weights.tensors
        assert tensors.keys() == learned.keys()
        assert all(np.array_equal(tensors[each], learned[each]) for each in learned)


def test_one_that_is_named_twice_counts_twice(tmp_path):
    first, second = run(tmp_path / "first", 1), run(tmp_path / "second", 2)
    found = open_origin([tmp_path / "first", tmp_path / "second", tmp_path / "second"]).weights
    for name, tensor in found.tensors.items():
        assert tensor.dtype == np.float32
        np.testing.assert_allclose(tensor, first[name] / 3.0 + second[name] * 2.0 / 3.0, atol=1e-6)


def test_another_network_among_them_is_named(tmp_path):
    run(tmp_path / "first", 1)
    run(tmp_path / "wide", 1, WaveNetConfig(dilations=(1, 2), residual_channels=8, conditioning=("gate",)))
    with pytest.raises(RtwaveError, match=r"wide: has another network than .*first; name those that went on"):
        open_origin([tmp_path / "first", tmp_path / "wide"])


def test_a_network_that_cannot_tell_the_recordings_apart_is_nothing_to_start_from(tmp_path):
    loud = level(-20.0, 2.0)
    recordings = [recording(60 + place, 100.0, loud, timbre=float(place)) for place in range(2)]
    made_corpus(tmp_path / "morph", recordings, timbres=["bell", "reed"])
    morph = Corpus(tmp_path / "morph")
    with pytest.raises(RtwaveError, match=r"morph: its recordings differ in timbre, of which the network of --from is"):
        require_told(WaveNetConfig(conditioning=("pitch",)), morph)
    require_told(WaveNetConfig(conditioning=("pitch_fine", "timbre")), morph)
    require_told(WaveNetConfig(excitation="partials", conditioning=("timbre",)), morph)
    made_corpus(tmp_path / "bell", [recording(60, 100.0, loud)])
    require_told(WaveNetConfig(conditioning=("pitch",)), Corpus(tmp_path / "bell"))
    with pytest.raises(RtwaveError, match=r"bell: its recordings differ in pitch, of which"):
        require_told(CONFIG, Corpus(tmp_path / "bell"))


def test_presets_behind_a_run_are_told_with_their_licence_once_however_many_runs_lie_between(tmp_path):
    run(tmp_path / "alone", 1)
    write_preset(tmp_path / "preset", Weights.random(CONFIG), name="bell", license="CC0")
    run(tmp_path / "first", 2)
    (tmp_path / "first" / "run.json").write_text('{"corpus": "somewhere", "origin": "bell (CC0)"}')
    assert open_origin([tmp_path / "alone"]).presets == ""
    assert open_origin([tmp_path / name for name in ("alone", "preset", "first")]).presets == "bell (CC0)"
