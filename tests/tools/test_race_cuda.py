"""The race on a GPU: what is wrong is not timed, the floors' arithmetic is right, and their kernels compile."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from rtwave.engine import Engine
from rtwave.engine.bench import random_model
from rtwave.engine.cuda_compile import compile_kernel
from rtwave.wavenet.weights import tensor_shapes
from tests.engine.networks import ODD_SIZES, network, quiet_network

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))  # tools are run from there

import race_cuda
from racers import cuda_floors
from racers.cuda_floors import Floors, Work

FLOORS_CU = Path(__file__).parents[2] / "extensions" / "cuda" / "floors.cu"
TINY = ["race_cuda.py", "--device", "torch", "--models", "3x8x16", "--voices", "1", "3", "--seconds", "0.01"]
FLOORS = Floors(
    cache=1e12,
    memory=1e11,
    multiply_adds=1e12,
    tensor_multiply_adds=1e13,
    grid_barrier_s=2e-6,
    grid_hop_s=1e-6,
    cluster_barrier_s=4e-7,
    cluster_hop_s=2e-7,
)


PARAMETERS = {
    name: [kind.strip() for kind in re.findall(r"([^,]*?[ *])\w+(?:,|$)", listed)]
    for name, listed in re.findall(r"__global__ void (\w+)\(([^)]*)\)", FLOORS_CU.read_text())
}
"""Of each kernel of the floors, the types."""
SCALARS = {"int": np.int32, "unsigned": np.uint32, "float": np.float32}


class Silent:
    """A device that draws nothing but silence."""

    def render(self, chunk: object) -> None:
        chunk.drawn[...] = 0.0


def faulty(weights: object, slots: int, precision: str) -> object:
    """The plain device with one weight wrong."""
    plain = pytest.importorskip("rtwave.engine.plain")
    weights.tensors["layers.0.gate.weight"][0, 0, 0] += 0.5
    try:
        return plain.PlainDevice(weights, slots, precision, "cpu")
    finally:
        weights.tensors["layers.0.gate.weight"][0, 0, 0] -= 0.5


def test_every_number_of_voices_is_timed(monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setattr(sys, "argv", [*TINY, "--json"])
    assert race_cuda.main() == 0
    (heat,) = json.loads(capsys.readouterr().out)["heats"]
    (row,) = heat["rows"]
    assert row["error"] < 1e-4
    assert [speed["voices"] for speed in row["speeds"]] == [1, 3]
    for speed in row["speeds"]:
        each = speed["samples_per_second"] / speed["voices"] / heat["sample_rate"]
        assert speed["times_real_time"] == pytest.approx(each, abs=1e-3)


def test_the_table_is_for_people(monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setattr(sys, "argv", TINY)
    assert race_cuda.main() == 0
    assert re.search(r"PyTorch eager, float32 +\d[\d,]* +\d[\d,]*\n", capsys.readouterr().out)


def test_a_wrong_contestant_is_not_timed(monkeypatch, capsys):
    monkeypatch.setitem(
        race_cuda.CONTESTANTS, "torch", [race_cuda.Contestant("Faulty", "torch", "float32", make=faulty)]
    )
    monkeypatch.setattr(sys, "argv", [*TINY, "--json"])
    assert race_cuda.main() == 1
    said = capsys.readouterr()
    assert said.err.startswith("Faulty, float32, on 3x8x16, timed for nothing: ")
    assert "differs from the reference" in said.err
    (heat,) = json.loads(said.out)["heats"]
    assert heat["rows"][0]["speeds"] == []


def test_what_was_timed_stays_where_more_voices_do_not_fit(monkeypatch, capsys):
    plain = pytest.importorskip("rtwave.engine.plain")

    def small(weights: object, slots: int, precision: str) -> object:
        if slots > 6:
            raise RuntimeError("out of memory\nTried to allocate")
        return plain.PlainDevice(weights, slots, precision, "cpu")

    monkeypatch.setitem(race_cuda.CONTESTANTS, "torch", [race_cuda.Contestant("Small", "torch", "float32", make=small)])
    monkeypatch.setattr(sys, "argv", TINY)
    assert race_cuda.main() == 1
    said = capsys.readouterr()
    assert said.err == "Small, float32, on 3x8x16, timed for [1]: out of memory Tried to allocate\n"
    assert re.search(r"Small, float32 +\d[\d,]*\n", said.out)


def test_without_a_gpu_it_is_one_line_and_exit_2(monkeypatch, capsys):
    monkeypatch.setenv("RTWAVE_LIBCUDA", "/nowhere/libcuda.so.1")
    monkeypatch.setattr(sys, "argv", ["race_cuda.py"])
    assert race_cuda.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"race_cuda: engine cuda has no GPU to play on: .*\n", said.err)


@pytest.mark.parametrize("option", [["--voices", "0"], ["--voices", "5000"], ["--seconds", "nan"]])
def test_impossible_options_are_refused(monkeypatch, option):
    monkeypatch.setattr(sys, "argv", ["race_cuda.py", *option])
    with pytest.raises(SystemExit) as caught:
        race_cuda.main()
    assert caught.value.code == 2


def test_as_many_notes_are_held_as_there_are_voices():
    engine = Engine(quiet_network(), voices=3000, precision="float32", device=Silent())
    race_cuda.hold(engine)
    assert engine.active_voices == 3000
    assert engine.counters()["stolen_voices"] == 0


@pytest.mark.parametrize("name", ["five", "twenty-four", "one-layer", "no-conditioning"])
def test_work_counts_every_weight_of_a_step(name):
    config = network(**ODD_SIZES[name]).config
    sizes = {name: int(np.prod(shape)) for name, shape in tensor_shapes(config).items()}
    matrices = {name: size for name, size in sizes.items() if "bias" not in name and "conditioning" not in name}
    work = Work.of(config)
    assert work.weights == sum(matrices.values())
    assert work.multiply_adds == work.weights - matrices["input.weight"]
    assert work.layers == len(config.dilations)
    assert work.history == work.layers * config.kernel_size * config.residual_channels


def test_what_the_floors_leave_a_network():
    work = Work.of(random_model("20x64x256").config)
    found = race_cuda.at_most(work, FLOORS, blocks=5, cluster=True)
    assert found["one voice, 5 blocks"] == pytest.approx(1e6)
    assert found["many voices, float32"] == pytest.approx(1e12 / work.multiply_adds)
    history_s = 20 * 2 * 64 * 2 / 1e12
    assert found["many voices, float16"] == pytest.approx(1.0 / max(work.multiply_adds / 1e13, history_s))
    assert race_cuda.at_most(work, FLOORS, blocks=5, cluster=False)["one voice, 5 blocks"] == pytest.approx(2e5)


def test_floors_say_what_they_are():
    lines = list(FLOORS.lines())
    assert lines[0].endswith("1,000 GB/s in the cache, 100 GB/s in memory")
    assert lines[2].endswith("barrier 2.00 us, hop 1.00 us")
    assert lines[3].endswith("barrier 0.40 us, hop 0.20 us")


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_kernels_of_the_floors_compile(tmp_path, architecture):
    if not shutil.which("nvcc"):
        pytest.skip("no nvcc")
    cubin = tmp_path / "floors.cubin"
    done = subprocess.run(
        ["nvcc", f"-arch={architecture}", "-cubin", "-Werror", "all-warnings", "-o", cubin, FLOORS_CU],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kernels = {name.decode() for name in re.findall(rb"\.text\.(\w+)", cubin.read_bytes())}
    asked = set(re.findall(r'"(\w+_(?:barriers|hops|adds)|copy)"', Path(cuda_floors.__file__).read_text()))
    of_clusters = {name for name in asked if name.startswith("cluster")}
    assert kernels == (asked if architecture == "sm_90" else asked - of_clusters)


def test_kernels_of_the_floors_compile_as_the_engines_own_does():
    pytest.importorskip("cuda.core")
    assert compile_kernel({}, (9, 0), "floors.cu").startswith(b"\x7fELF")


class Recorder:
    """cuda.core as far as the meter uses it: checks every launch against the kernel's source; a launch takes 1 ms."""

    class Block:
        def fill(self, value: int, stream: object) -> None:
            assert value == 0

    class Moment(float):
        def sync(self) -> None:
            """Has come already."""

    def __init__(self) -> None:
        self.launched, self.clock_ms = {}, 0.0
        self.compute_capability = (9, 0)
        self.properties = SimpleNamespace(multiprocessor_count=132, l2_cache_size=50 * 2**20)
        self.core = ModuleType("cuda.core")
        self.core.Device = lambda number: self
        self.core.ObjectCode = SimpleNamespace(from_cubin=lambda code: self)
        self.core.LaunchConfig, self.core.EventOptions = dict, dict
        self.core.launch = self.launch

    def create_stream(self) -> "Recorder":
        return self

    def set_current(self) -> None:
        """Here already."""

    def get_kernel(self, name: str) -> str:
        return name

    def allocate(self, size: int, stream: object) -> Block:
        assert size % 4 == 0
        return self.Block()

    def record(self, options: dict) -> Moment:
        assert options == {"timing_enabled": True}
        return self.Moment(self.clock_ms)

    def launch(self, stream: object, config: dict, kernel: str, *given: object) -> None:
        assert config.keys() <= {"grid", "block", "cluster", "is_cooperative"}
        assert len(given) == len(PARAMETERS[kernel])
        for value, kind in zip(given, PARAMETERS[kernel], strict=True):
            assert isinstance(value, self.Block if "*" in kind else SCALARS[kind])
        self.launched[kernel] = (config, int(given[-1]))
        self.clock_ms += 1.0


def test_kernels_are_given_what_they_take_and_rates_follow_from_their_times(monkeypatch):
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, "cuda.core", recorder.core)
    floors = cuda_floors.measure(lambda capability: b"for %d.%d" % capability)
    assert recorder.launched.keys() == PARAMETERS.keys()
    shape, rounds = recorder.launched["multiply_adds"]
    assert floors.multiply_adds == pytest.approx(shape["grid"] * shape["block"] * 8 * rounds / 1e-3)
    shape, rounds = recorder.launched["tensor_multiply_adds"]
    assert floors.tensor_multiply_adds == pytest.approx(shape["grid"] * shape["block"] / 32 * 8 * 2048 * rounds / 1e-3)
    assert floors.memory == pytest.approx(2 * 2**30 * recorder.launched["copy"][1] / 1e-3)
    assert floors.grid_barrier_s == pytest.approx(1e-3 / recorder.launched["grid_barriers"][1])
    assert floors.cluster_hop_s == pytest.approx(1e-3 / recorder.launched["cluster_hops"][1] / 2)


def test_a_gpu_without_clusters_has_no_floors_of_them(monkeypatch):
    recorder = Recorder()
    recorder.compute_capability = (8, 6)
    monkeypatch.setitem(sys.modules, "cuda.core", recorder.core)
    floors = cuda_floors.measure(lambda capability: b"")
    assert floors.cluster_barrier_s is floors.cluster_hop_s is None
    assert not {name for name in recorder.launched if name.startswith("cluster")}
    assert len(list(floors.lines())) == 3
