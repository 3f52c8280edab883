"""The benchmark: checks before it times, and says what it found. No figure is judged here."""

import json
import re

import numpy as np
import pytest

from rtwave import _engine
from rtwave.cli.main import run
from rtwave.engine import bench
from rtwave.errors import RtwaveError
from rtwave.wavenet.reference import ReferenceWaveNet

from .networks import quiet_network

QUICK = ["--model", "2x4x4", "--seconds", "0.05", "--voices", "2"]


@pytest.fixture(autouse=True)
def _short_search(monkeypatch):
    monkeypatch.setattr(bench, "SEARCH_S", 0.01)


def test_json_has_the_figures(capsys):
    assert run(["bench", *QUICK, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["voices"], report["precision"], report["threads"]) == ("2x4x4", 2, "float32", 1)
    assert report["instruction_set"] in _engine.instruction_sets()
    assert report["sample_rate"] == 16_000
    assert report["samples_per_second"] > 0
    assert 0 < report["step_us"]["p50"] <= report["step_us"]["p99"] <= report["step_us"]["max"]
    assert 0 <= report["voices_in_real_time"] <= 128
    assert {"times_real_time", "machine"} <= report.keys()


def test_words_are_for_people(capsys):
    assert run(["bench", *QUICK, "--instruction-set", "portable"]) == 0
    assert re.search(r"portable\n.*equals the reference .*voices on one core\n", capsys.readouterr().out, re.DOTALL)


def test_a_wrong_engine_is_not_timed(monkeypatch):
    def wrong(self, samples, conditioning, excitation):
        return np.zeros((len(samples), 2))

    monkeypatch.setattr(ReferenceWaveNet, "teacher_force", wrong)
    with pytest.raises(RtwaveError, match="differs from the reference"):
        bench.measure(quiet_network(), "quiet", seconds=0.05)


@pytest.mark.parametrize("weights", [quiet_network(), quiet_network(output="mulaw", excitation="none")])
def test_both_outputs_can_be_measured(weights):
    assert bench.measure(weights, "quiet", voices=1, seconds=0.05).error < 1e-4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "big"], "model is 'big', expected LAYERSxRESIDUALxSKIP"),
        (["--model", "9" * 5000 + "x4x4"], "expected LAYERSxRESIDUALxSKIP"),
        (["--model", "99999999x32x64"], "model is '99999999x32x64' with 99999999 layers, expected 1 to 256"),
        (["--model", "0x32x64"], "expected 1 to 256"),
        (["--model", "2x4x0"], "skip_channels is 0"),
        (["--model", "2x4x4", "--voices", "0"], "voices is 0"),
        (["--model", "2x4x4", "--seconds", "0"], "seconds is 0.0"),
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
