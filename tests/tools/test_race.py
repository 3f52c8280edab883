"""The race: peers compute the network they are timed with, and a contestant that does not is never timed."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from rtwave.engine.bench import random_model
from rtwave.wavenet.reference import ReferenceWaveNet
from tests.engine.networks import ODD_SIZES, network

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))  # tools are run from there

import race
from racers.course import Course
from racers.numpy_step import NumpyStep
from racers.peer import Peer
from racers.runner import Entry

NETWORKS = {
    "classes": random_model("12x8x20"),
    "gaussian": network(residual_channels=24, skip_channels=100, dilations=(1, 2, 4, 8)),
    "driven-classes": network(output="mulaw", quantization_channels=19, residual_channels=5, dilations=(1, 2, 4)),
    "kernel-three": network(**ODD_SIZES["five"]),
    "one-layer": network(**ODD_SIZES["one-layer"]),
    "no-conditioning": network(**ODD_SIZES["no-conditioning"]),
}


class Faulty(NumpyStep):
    """Right but for one weight."""

    def __init__(self, course: Course) -> None:
        course.weights.tensors["layers.0.gate.weight"][0, 0, 0] += 0.5
        super().__init__(course)


class Careless(NumpyStep):
    """Its outputs are right, but it draws without chance."""

    def _draw(self) -> None:
        self.sample[0] = self.outputs.argmax()


class Crashing(NumpyStep):
    """Passes the check, and then its process ends."""

    def run(self, steps: int) -> None:
        sys.exit(3)


def ours(name: str) -> Entry:
    return Entry(name, f"{__name__}:{name}")


def peer(kind: str, course: Course) -> Peer:
    """A peer, in this process; the graph that PyTorch compiles is run as it stands."""
    if kind == "NumPy":
        return NumpyStep(course)
    if kind == "ONNX":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        return importlib.import_module("racers.onnx_step").OnnxStep(course)
    pytest.importorskip("torch")
    if kind == "eager":
        return importlib.import_module("racers.torch_eager").Eager(course)
    compiled = importlib.import_module("racers.torch_compiled").Compiled

    class Uncompiled(compiled):
        def _compile(self, step):
            return lambda state: step(*state)

    return Uncompiled(course)


@pytest.mark.parametrize("kind", ["NumPy", "eager", "compiled", "ONNX"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_peer_computes_the_network(name, kind):
    course = Course.of(NETWORKS[name])
    expected = ReferenceWaveNet(course.weights).teacher_force(*course.checked_inputs())
    np.testing.assert_allclose(peer(kind, course).teacher_force(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["NumPy", "eager", "compiled", "ONNX"])
def test_peers_feed_back_the_same_samples(kind):
    course = Course.of(NETWORKS["classes"])
    reference, expected = ReferenceWaveNet(course.weights), [0]
    for noise in course.noise[:200]:
        expected.append(int((reference.step(expected[-1], course.conditioning) + noise).argmax()))
    contestant, found = peer(kind, course), [0]
    for _ in range(200):
        contestant.run(1)
        found.append(int(contestant.sample[0]))
    assert found == expected


def test_a_wrong_contestant_is_not_timed():
    entries = [Entry("NumPy", "racers.numpy_step:NumpyStep"), *map(ours, ("Faulty", "Careless", "Crashing"))]
    outcome = race.race(Course.of(NETWORKS["classes"]), entries, rounds=1, seconds=0.01)
    assert [result.name for result in outcome.results] == ["NumPy"]
    assert outcome.results[0].error < 1e-4
    assert "differs from the reference" in outcome.failed["Faulty"]
    assert "its samples are not what its outputs" in outcome.failed["Careless"]
    assert "ended with status 3" in outcome.failed["Crashing"]


def test_a_missing_package_is_left_out():
    outcome = race.race(Course.of(NETWORKS["classes"]), [Entry("Abacus", "abacus:Step")], rounds=1, seconds=0.01)
    assert outcome == race.Outcome([], {"Abacus": "No module named 'abacus'"}, {})


def test_weights_without_ranges_leave_int8_out():
    course, entries = Course.of(NETWORKS["gaussian"]), race.rtwave_entries()
    outcome = race.race(course, [entry for entry in entries if entry.precision == "int8"], rounds=1, seconds=0.01)
    assert "ranges is missing" in outcome.left_out["rtwave int8"]
    assert not outcome.failed


@pytest.mark.parametrize("network", [("--model", "3x8x16"), ("--preset", "piano-lite")], ids=" ".join)
def test_the_table_has_every_precision(monkeypatch, capsys, network):
    monkeypatch.setattr(race, "PEERS", [Entry("PyTorch eager", "racers.numpy_step:NumpyStep")])
    monkeypatch.setattr(sys, "argv", ["race.py", *network, "--rounds", "2", "--seconds", "0.01", "--json"])
    assert race.main() == 0
    outcome = json.loads(capsys.readouterr().out)
    results = {result["name"]: result for result in outcome["results"]}
    assert results.keys() == {"rtwave float32", "rtwave bfloat16", "rtwave int8", "PyTorch eager"}
    assert results["PyTorch eager"]["to_eager"] == 1.0
    for result in results.values():
        assert 0 < result["lowest"] <= result["samples_per_second"] <= result["highest"]
        assert result["error"] <= result["tolerance"]
    assert results["rtwave int8"]["error_to_float32"] > results["rtwave float32"]["error_to_float32"]


def test_a_planted_fault_fails_the_program(monkeypatch, capsys):
    monkeypatch.setattr(race, "PEERS", [ours("Faulty")])
    monkeypatch.setattr(sys, "argv", ["race.py", "--model", "3x8x16", "--rounds", "1", "--only", "Faulty"])
    assert race.main() == 1
    assert "Faulty is not timed: differs from the reference" in capsys.readouterr().err
