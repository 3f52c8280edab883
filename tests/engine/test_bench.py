"""The benchmark: checks before it times, and says what it found. No figure is judged here."""

import json
import re

import numpy as np
import pytest

from rtwave import _engine
from rtwave.cli.main import run
from rtwave.engine import Engine, bench
from rtwave.errors import RtwaveError
from rtwave.wavenet.codec import encode
from rtwave.wavenet.reference import ReferenceWaveNet

from .networks import quiet_network

QUICK = ["--model", "2x4x4", "--seconds", "0.05", "--voices", "2"]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(bench, "SEARCH_S", 0.01)
    monkeypatch.setattr(bench, "ROUNDS", 1)


def test_json_has_the_figures(capsys):
    assert run(["bench", *QUICK, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["voices"], report["precision"], report["threads"]) == ("2x4x4", 2, "float32", 1)
    assert report["instruction_set"] in _engine.instruction_sets()
    assert report["sample_rate"] == 16_000
    assert report["samples_per_second"] > 0
    assert report["times_real_time"] == pytest.approx(report["samples_per_second"] / 2 / 16_000, rel=0.01)
    assert min(report[key] for key in ("weight_bytes", "streaming_gb_per_s", "multiply_adds_per_s")) > 0
    share = report["samples_per_second"] / report["roofline_samples_per_second"]
    assert report["roofline_fraction"] == pytest.approx(share, abs=1e-4)
    assert 0 < report["step_us"]["p50"] <= report["step_us"]["p99"] <= report["step_us"]["max"]
    assert 0 <= report["voices_in_real_time"] <= 128
    assert 0 <= report["error"] < 1e-4
    assert report["machine"]


def test_words_are_for_people(capsys):
    assert run(["bench", *QUICK, "--instruction-set", "portable"]) == 0
    words = capsys.readouterr().out
    assert re.search(r"portable\n.*equals the reference .*limit .* GB/s.*\nreached .*\nratio .*%", words, re.DOTALL)
    assert re.search(r"over 2 voices.* \d+ voices? on 1 thread\n$", words, re.DOTALL)


def test_a_wrong_engine_is_not_timed(monkeypatch):
    def wrong(self, samples, conditioning, excitation):
        return np.zeros((len(samples), 2))

    def timed(*_):
        raise AssertionError("timed")

    monkeypatch.setattr(ReferenceWaveNet, "teacher_force", wrong)
    monkeypatch.setattr(bench, "_time_s", timed)
    with pytest.raises(RtwaveError, match=r"in float32 differs from the reference by .*, expected at most 0\.0001"):
        bench.measure(quiet_network(), "quiet", seconds=0.05)


def test_voices_that_fall_silent_are_not_counted():
    weights = quiet_network()
    weights.tensors["head.output.bias"] = np.array([100.0, 0.0], np.float32)
    with pytest.raises(RtwaveError, match=r"2 of 2 voices were cut while they were timed, .* runs off; train"):
        bench.measure(weights, "loud", voices=2, seconds=0.05)


@pytest.mark.parametrize("weights", [quiet_network(), quiet_network(output="mulaw", excitation="none")])
def test_both_outputs_can_be_measured(weights):
    assert bench.measure(weights, "quiet", voices=1, seconds=0.05).error < 1e-4


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_every_precision_is_checked_and_measured(precision):
    report = bench.measure(bench.random_model("3x24x40"), "small", precision=precision, seconds=0.05)
    assert report.precision == precision
    assert report.error <= bench.TOLERANCE[precision]


def test_narrower_weights_are_fewer_bytes():
    model = bench.random_model("2x16x16")
    narrow, wide = (Engine(model, precision=precision).native.network for precision in ("int8", "float32"))
    assert narrow.weight_bytes < wide.weight_bytes


def test_several_threads_can_be_measured():
    report = bench.measure(bench.random_model("2x4x4"), "small", voices=2, threads=2, seconds=0.05)
    assert (report.threads, report.voices) == (2, 2)
    assert 0 < report.step_us.p50 <= report.step_us.max


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_a_device_is_checked_and_measured_without_a_limit(capsys, precision):
    pytest.importorskip("torch")
    assert run(["bench", *QUICK, "--engine", "torch", "--precision", precision, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["engine"], report["precision"]) == ("torch", precision)
    assert 0 < report["error"] <= bench.DEVICE_TOLERANCE[precision]
    assert report["samples_per_second"] > 0
    assert report["roofline_fraction"] is report["roofline_samples_per_second"] is report["weight_bytes"] is None
    assert run(["bench", *QUICK, "--engine", "torch"]) == 0
    assert re.search(r"float32, torch\n.*equals the reference .*\nreached ", capsys.readouterr().out, re.DOTALL)


def test_more_voices_than_keys_are_held_on_more_channels():
    engine = Engine(quiet_network(), voices=200)
    bench._hold(engine)
    assert engine.active_voices == 200


def test_a_random_network_has_the_size_it_is_named_by():
    config = bench.random_model("12x8x24").config
    assert config.dilations == (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1, 2)
    assert (config.residual_channels, config.skip_channels, config.head_channels) == (8, 24, 24)
    assert (config.output, config.quantization_channels, config.excitation) == ("mulaw", 256, "none")


@pytest.mark.parametrize("size", ["1x64x64", "20x64x256", "64x16x32"])
def test_a_random_network_neither_saturates_nor_falls_asleep(size):
    weights = bench.random_model(size)
    engine = Engine(weights, voices=1)
    engine.note_on(60, 80)
    classes = encode(engine.render(600))
    reference = ReferenceWaveNet(weights)
    logits = reference.teacher_force(classes, np.full((weights.config.conditioning_channels, 600), 0.5))
    assert all(0.3 < past[past.any(1)].std() < 3.0 for past in reference.past)
    assert 0.3 < logits.std(1).mean() < 3.0
    assert len(np.unique(classes)) > 100


def test_timing_changes_no_sample():
    timed, plain = (Engine(quiet_network(), voices=2, seed=3) for _ in range(2))
    for engine in (timed, plain):
        engine.note_on(60, 80)
    assert (timed.native.time_blocks(3, 7) > 0).all()
    plain.render(21)
    assert timed.frame == 21
    assert np.array_equal(timed.render(50), plain.render(50))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "big"], "model is 'big', expected LAYERSxRESIDUALxSKIP"),
        (["--model", "9" * 5000 + "x4x4"], "expected LAYERSxRESIDUALxSKIP"),
        (["--model", "99999999x32x64"], "model is '99999999x32x64' with 99999999 layers, expected 1 to 256"),
        (["--model", "0x32x64"], "expected 1 to 256"),
        (["--model", "2x4x0"], "skip_channels is 0"),
        (["--model", "256x4096x4096"], " MB of weights, expected at most 256 MB"),
        (["--model", "2x4x4", "--voices", "0"], "voices is 0"),
        (["--model", "2x4x4", "--seconds", "0"], "seconds is 0.0"),
        (["--model", "2x4x4", "--threads", "0"], "threads is 0"),
        (["--model", "2x4x4", "--precision", "int4"], "precision is 'int4'"),
        (["--model", "2x4x4", "--instruction-set", "abacus"], "instruction set is 'abacus', this machine has"),
        (["--model", "2x4x4", "--preset", "piano"], "both given"),
        (["--preset", "nowhere"], "no preset 'nowhere'"),
    ],
)
def test_bad_arguments_are_one_line(arguments, told, capsys):
    assert run(["bench", *arguments]) != 0
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert len(error) < 300


def test_the_machine_is_told_with_the_gpu_that_was_timed(monkeypatch):
    monkeypatch.setattr("rtwave.engine.cuda.find_gpu", lambda: "a GPU, compute capability 9.0")
    for device in ("cuda", "cuda-graph"):
        assert bench.machine_with(device) == f"a GPU, compute capability 9.0; {bench.machine()}"
    for device in ("cpu", "torch"):
        assert bench.machine_with(device) == bench.machine()
