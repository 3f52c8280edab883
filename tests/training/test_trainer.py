import math
import sys

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtwave.errors import RtwaveError  # noqa: E402
from rtwave.training.checkpoint import Run, TrainingOptions  # noqa: E402
from rtwave.training.corpus import Corpus  # noqa: E402
from rtwave.training.trainer import Trainer, learning_rate  # noqa: E402
from rtwave.wavenet.config import WaveNetConfig  # noqa: E402
from rtwave.wavenet.weights import Weights  # noqa: E402

CONFIG = WaveNetConfig(
    dilations=(1, 2, 4), residual_channels=8, skip_channels=8, head_channels=8,
    excitation="partials", partials=12, pre_emphasis=0.85, leveling="loudness",
)  # fmt: skip
OPTIONS = TrainingOptions(steps=30, batch=2, learning_rate=0.02, length=512, precision="float32", validate_every=10)


def trainer(corpus_folder, folder, config=CONFIG, options=OPTIONS):
    run = Run(folder)
    run.create()
    return Trainer(Corpus(corpus_folder), config, options, run)


def train(instance):
    reports = []
    instance.train(reports.append)
    return reports


@pytest.mark.parametrize("output", ["gaussian", "mulaw"])
def test_the_network_learns(corpus_folder, tmp_path, output):
    config = WaveNetConfig(**{name: getattr(CONFIG, name) for name in CONFIG.__struct_fields__} | {"output": output})
    instance = trainer(corpus_folder, tmp_path, config)
    before = instance.validate()
    reports = train(instance)
    assert [report.step for report in reports] == list(range(1, 31))
    assert instance.validate() < before - 0.5
    assert [report.step for report in reports if report.held_out_bits is not None] == [10, 20, 30]


def test_a_resumed_run_ends_where_an_unbroken_one_does(corpus_folder, tmp_path):
    whole = trainer(corpus_folder, tmp_path / "whole")
    train(whole)
    broken = trainer(corpus_folder, tmp_path / "broken")

    def interrupt(progress):
        if progress.step == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.train(interrupt)
    again = trainer(corpus_folder, tmp_path / "broken")
    again.resume(Run(tmp_path / "broken").load_state())
    assert again.step == 17
    train(again)
    for name, tensor in whole.weights().tensors.items():
        np.testing.assert_array_equal(tensor, again.weights().tensors[name])


def test_a_run_leaves_averaged_weights_and_a_log(corpus_folder, tmp_path):
    instance = trainer(corpus_folder, tmp_path)
    train(instance)
    weights = Weights.load(tmp_path / "model.safetensors")
    assert (weights.tensors["head.output.bias"] == instance.weights().tensors["head.output.bias"]).all()
    assert not (weights.tensors["head.output.bias"] == instance.network.weights().tensors["head.output.bias"]).all()
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "step,samples,bits,held_out_bits,samples_per_second"
    assert [line.split(",")[0] for line in lines[1:]] == ["10", "20", "30"]


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(corpus_folder, tmp_path):
    instance = trainer(corpus_folder, tmp_path)

    def poison(progress):
        if progress.step == 15:
            with torch.no_grad():
                instance.network.hidden.weight.fill_(math.nan)

    with pytest.raises(RtwaveError, match="loss is nan at step 15"):
        instance.train(poison)
    assert Run(tmp_path).load_state()["step"] == 10


def test_the_learning_rate_rises_then_falls_as_a_cosine():
    options = TrainingOptions(steps=1000)
    rates = [learning_rate(options, step) for step in range(1001)]
    assert rates.index(max(rates)) == pytest.approx(30, abs=1)
    assert rates[0] < 0.05 * max(rates)
    assert rates[-1] == pytest.approx(0.01 * options.learning_rate)
    assert learning_rate(TrainingOptions(steps=1000, schedule="cosine"), 0) == options.learning_rate


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("learning_rate", -1.0),
        ("learning_rate", math.nan),
        ("schedule", "linear"),
        ("ema", 1.0),
        ("precision", "int4"),
    ],
)
def test_a_bad_option_is_named(field, value):
    with pytest.raises(RtwaveError, match=f"training: {field} is .*expected"):
        TrainingOptions(**{field: value})


def test_a_network_that_does_not_fit_the_corpus_is_refused(corpus_folder, tmp_path):
    with pytest.raises(RtwaveError, match="prepare it again"):
        trainer(corpus_folder, tmp_path, WaveNetConfig(sample_rate=22_050))
    with pytest.raises(RtwaveError, match="partials"):
        trainer(corpus_folder, tmp_path, WaveNetConfig(excitation="partials", partials=13))


def test_a_folder_that_does_not_know_its_corpus_asks_for_it(tmp_path):
    with pytest.raises(RtwaveError, match=r"does not say what corpus it was learned from; name it with --corpus"):
        Run(tmp_path).corpus_folder()


def test_resuming_from_nothing_or_from_a_damaged_file_is_one_clear_error(tmp_path):
    with pytest.raises(RtwaveError, match=r"no checkpoint\.pt"):
        Run(tmp_path).load_state()
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(RtwaveError, match="damaged"):
        Run(tmp_path).load_state()


def test_weights_that_are_not_finite_never_replace_a_good_checkpoint(corpus_folder, tmp_path):
    instance = trainer(corpus_folder, tmp_path)

    def poison(progress):
        if progress.step == 15:
            with torch.no_grad():
                instance.averaged.hidden.weight.fill_(math.nan)
            raise KeyboardInterrupt

    with pytest.raises(RtwaveError, match=r"training: .* holds NaN .* at step 15"):
        instance.train(poison)
    assert Run(tmp_path).load_state()["step"] == 10


@pytest.mark.parametrize(("clip_norm", "clipped"), [(0.01, True), (1e6, False)])
def test_gradients_are_clipped_to_their_norm(corpus_folder, tmp_path, clip_norm, clipped):
    instance = trainer(corpus_folder, tmp_path, options=msgspec.structs.replace(OPTIONS, clip_norm=clip_norm))
    instance._learn(instance.dataset.draw(np.random.default_rng(0)))
    gradients = [parameter.grad for parameter in instance.network.parameters()]
    norm = float(torch.nn.utils.get_total_norm(gradients))
    assert norm == pytest.approx(0.01, rel=0.01) if clipped else norm > 0.05


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_the_network_learns_in_the_precision_asked_for_and_is_judged_in_float32(corpus_folder, tmp_path, precision):
    options = msgspec.structs.replace(OPTIONS, precision=precision, engine="torch")
    instance = trainer(corpus_folder, tmp_path, options=options)
    kinds = []
    for network in (instance.network, instance.averaged):
        network.hidden.register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    instance._learn(instance.dataset.draw(np.random.default_rng(0)))
    instance.validate()
    assert kinds[0] == getattr(torch, precision)
    assert set(kinds[1:]) == {torch.float32}


def test_without_held_out_recordings_there_is_no_judgement(corpus_folder, tmp_path):
    instance = trainer(corpus_folder, tmp_path)
    instance.held_out = []
    reports = train(instance)
    assert all(report.held_out_bits is None for report in reports)
    assert (tmp_path / "log.csv").read_text().splitlines()[1].split(",")[3] == ""


def test_a_run_knows_its_corpus_wherever_it_is_asked_and_without_torch(corpus_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(corpus_folder.parent)
    trainer(corpus_folder.name, tmp_path).save()
    assert Run(tmp_path).load_state()["corpus"] == str(corpus_folder)
    with monkeypatch.context() as blocked:
        blocked.setitem(sys.modules, "torch", None)
        assert Run(tmp_path).corpus_folder() == str(corpus_folder)
    (tmp_path / "run.json").unlink()
    assert Run(tmp_path).corpus_folder() == str(corpus_folder)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RtwaveError, match=r"run\.json: damaged .*--corpus"):
        Run(tmp_path).corpus_folder()
