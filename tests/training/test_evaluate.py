import msgspec
import numpy as np
import pytest

from rtwave import _engine
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError
from rtwave.training.calibrate import calibrate_ranges
from rtwave.training.checkpoint import Run
from rtwave.training.corpus import Corpus
from rtwave.training.evaluate import evaluate, evaluate_model, open_model
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.precision import PRECISIONS
from rtwave.wavenet.weights import Weights

from ..small_preset import write_small_preset

CONFIG = WaveNetConfig(
    dilations=(1, 2, 4), residual_channels=8, skip_channels=8, head_channels=8,
    excitation="partials", partials=12, pre_emphasis=0.85, leveling="loudness",
)  # fmt: skip


@pytest.fixture
def corpus(corpus_folder):
    return Corpus(corpus_folder)


def measured_weights(corpus, config=CONFIG):
    """A random network that is not sure of anything, with its ranges."""
    weights = Weights.random(config, scale=0.3)
    weights.tensors["head.output.bias"][:2] = 0.0, -1.0
    weights.ranges = calibrate_ranges(weights, corpus)
    return weights


@pytest.mark.parametrize("fields", [{}, {"output": "mulaw"}, {"excitation": "none", "conditioning": ()}], ids=str)
def test_every_precision_is_judged_and_rounding_costs_little(corpus, fields):
    found = evaluate(measured_weights(corpus, msgspec.structs.replace(CONFIG, **fields)), corpus)
    assert found.bits.keys() == set(PRECISIONS)
    assert found.instruction_set == _engine.instruction_sets()[-1]
    assert (found.recordings, found.samples) == (1, 2 * 4096)
    assert found.bits["bfloat16"] == pytest.approx(found.bits["float32"], abs=0.01)
    assert found.bits["int8"] == pytest.approx(found.bits["float32"], abs=0.01)
    assert found.auto == _engine.precisions(found.instruction_set)[0]


@pytest.mark.parametrize("output", ["gaussian", "mulaw"])
def test_float32_has_the_bits_that_training_tells(corpus, tmp_path, output):
    pytest.importorskip("torch")
    from rtwave.training.checkpoint import TrainingOptions
    from rtwave.training.trainer import Trainer

    trainer = Trainer(corpus, msgspec.structs.replace(CONFIG, output=output), TrainingOptions(), Run(tmp_path))
    weights = trainer.weights()
    weights.ranges = calibrate_ranges(weights, corpus)
    assert evaluate(weights, corpus).bits["float32"] == pytest.approx(trainer.validate(), abs=2e-4)


def test_a_precision_that_loses_too_much_is_not_taken(corpus):
    """Of a network that is the surer the larger its activations, which it was measured too small at."""
    weights = measured_weights(corpus)
    weights.tensors["head.hidden.bias"][...] = 0.0
    weights.tensors["head.output.weight"][1] = -0.5 / calibrate_ranges(weights, corpus)[-1]
    weights.tensors["head.output.bias"][1] = 1.0
    weights.ranges = weights.ranges * np.float32(0.01)
    found = evaluate(weights, corpus)
    assert found.bits["int8"] > found.bits["float32"] + 0.01
    assert found.auto != "int8"


def test_an_instruction_set_is_judged_by_its_own_kernels(corpus, monkeypatch):
    played = []
    teacher_force = Engine.teacher_force

    def listen(self, *given):
        played.append((self.instruction_set, self.precision))
        return teacher_force(self, *given)

    monkeypatch.setattr(Engine, "teacher_force", listen)
    evaluate(measured_weights(corpus), corpus, "portable")
    assert set(played) == {("portable", precision) for precision in PRECISIONS}


def test_without_a_held_out_recording_there_is_nothing_to_tell_and_float32_is_played(corpus):
    weights = measured_weights(corpus)
    entries = [msgspec.structs.replace(entry, held_out=False) for entry in corpus.index.entries]
    corpus.index = msgspec.structs.replace(corpus.index, entries=entries)
    found = evaluate(weights, corpus)
    assert (found.bits, found.recordings, found.samples, found.auto) == ({}, 0, 0, "float32")
    with pytest.raises(RtwaveError, match="no recording is held out, so nothing can be judged; prepare four or more"):
        evaluate_model(weights, corpus)
    corpus.index = msgspec.structs.replace(corpus.index, kind="drums")
    assert evaluate_model(weights, corpus) == found, "the rest of it can be judged"


def test_int8_without_ranges_is_told(corpus):
    with pytest.raises(RtwaveError, match="ranges is missing"):
        evaluate(Weights.random(CONFIG), corpus)


def test_a_model_is_a_run_or_a_preset_by_folder_or_name(tmp_path, monkeypatch):
    preset = write_small_preset(tmp_path / "presets" / "bell")
    monkeypatch.setattr("rtwave.presets.user_presets_folder", lambda: tmp_path / "presets")
    assert open_model("bell").folder == open_model(preset.folder).folder == preset.folder
    run = Run(tmp_path / "run")
    run.create()
    preset.weights.save(run.weights_path)
    assert open_model(str(tmp_path / "run")).weights_path == run.weights_path
    for missing in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(
            RtwaveError, match=r"neither a run's folder nor a preset's, nor the name of a preset \(.*bell"
        ):
            open_model(missing)
