"""The CUDA kernel's source, on a model of a GPU whose threads take turns by lot, against the NumPy reference."""

import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from rtwave.wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN
from rtwave.wavenet.reference import ReferenceWaveNet
from rtwave.wavenet.weights import Weights

from .gpu_model import Gpu, laid_out
from .networks import network
from .slow_voice import normal, philox

SMALL = {"residual_channels": 8, "skip_channels": 12, "head_channels": 8, "dilations": (1, 2, 4), "partials": 3}
CLASSES = {"output": "mulaw", "quantization_channels": 19, "kernel_size": 3, "excitation": "none"}
NETWORKS = {
    "gaussian": SMALL,
    "classes": SMALL | CLASSES,
    "no-conditioning": SMALL | {"conditioning": (), "dilations": (3,), "residual_channels": 4},
    "odd": {"residual_channels": 33, "skip_channels": 40, "head_channels": 50, "kernel_size": 3, "dilations": (2, 5, 1)}
    | {"output": "mulaw", "quantization_channels": 300, "conditioning": ("knob2",), "partials": 17},
    "wide": SMALL | {"residual_channels": 64, "skip_channels": 70, "dilations": (1, 2, 1, 4, 1), "partials": 40},
}
LAYOUTS = {
    "one tile": {"depth": 1},
    "a layer a block": {"per_stage": 1, "warps": 3},
    "weights in global memory": {"limit": 14_000, "warps": 4},
    "more tiles than messages have room": {"slots": 40, "depth": 2},
    "two clusters": {"slots": 40, "pipes": 2},
    "tiles of sixteen": {"slots": 40, "columns": 2},
    "a grid": {"clustered": False},
    "a grid of two pipelines": {"clustered": False, "slots": 40, "pipes": 2, "depth": 2, "per_stage": 1},
    "tiles of thirty-two in a grid": {"clustered": False, "slots": 40, "columns": 4},
}
HALF_UNITS = {"float32": 1e-5 / 4, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""What rounding a number to the format costs, relative to it. In float32 sums of hundreds come before rounding."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where kernels lie, each compiled once."""
    return tmp_path_factory.mktemp("kernels")


@dataclass
class Told:
    """What slots are told in one performance: in each at these frames something else."""

    weights: Weights
    slots: list[int]
    frames: tuple[int, ...] = (0, 5)
    starts: int = 1
    temperature: float = 0.7
    seed: int = 3

    def __post_init__(self):
        generator, k = np.random.default_rng(self.seed), self.weights.config.excitation_channels // 2
        self.rows = [(slot, frame) for slot in self.slots for frame in self.frames]
        self.conditioning = generator.standard_normal((len(self.rows), self.weights.config.conditioning_channels))
        angles, turns = generator.uniform(0.0, 2.0, (2, len(self.rows), k))
        self.phasors = np.hstack([np.sin(angles), np.cos(angles)])
        self.rotation = 0.999 * np.hstack([np.sin(turns), np.cos(turns)])

    def within(self, start: int, stop: int) -> dict:
        """Arguments of Gpu.render for a chunk."""
        here = [i for i, (_, frame) in enumerate(self.rows) if start <= frame < stop]
        tellings = [
            (slot, frame - start, self.starts if frame == 0 else 0, self.temperature, frame, 100 + slot)
            for slot, frame in (self.rows[i] for i in here)
        ]
        names = ("conditioning", "phasors", "rotation")
        return {"slots": self.slots, "tellings": tellings} | {name: getattr(self, name)[here] for name in names}

    def reference(self, gpu: Gpu, slot: int, frames: int, forced: np.ndarray | None = None):
        """Drawn (frames,) and outputs (frames, outputs) of one slot by the reference."""
        config, model = self.weights.config, ReferenceWaveNet(self.weights)
        for past, silent in zip(model.past, gpu.silence, strict=True):
            past[:] = silent if self.starts == 1 else 0.0
        drawn, outputs = [], []
        sample = 0.0 if config.output == "gaussian" else config.quantization_channels // 2
        for frame in range(frames):
            if (slot, frame) in self.rows:
                told = self.rows.index((slot, frame))
                sine, cosine = np.split(self.phasors[told], 2)
                turn_sine, turn_cosine = np.split(self.rotation[told], 2)
            excitation = np.hstack([sine, cosine]) if config.excitation_channels else None
            heard = sample if forced is None else forced[frame]
            outputs.append(model.step(heard, self.conditioning[told], excitation))
            sample = self.draw(outputs[-1], frame, 100 + slot)
            drawn.append(sample)
            sine, cosine = sine * turn_cosine + cosine * turn_sine, cosine * turn_cosine - sine * turn_sine
        return np.array(drawn), np.array(outputs)

    def draw(self, out: np.ndarray, age: int, ordinal: int) -> float:
        if self.weights.config.output == "gaussian":
            scale = np.exp(np.clip(out[1], LOG_SCALE_MIN, LOG_SCALE_MAX))
            return out[0] + self.temperature * scale * normal(self.seed, age, ordinal)
        if self.temperature == 0.0:
            return int(np.argmax(out))
        order = [i for lane in range(16) for i in range(lane, len(out), 16)]
        shares = np.exp((out - out.max()) / self.temperature)[order]
        passed = np.cumsum(shares) > shares.sum() * (philox(self.seed, age, ordinal)[0] + 0.5) / 2**32
        return order[int(np.argmax(passed))]


def played(gpu: Gpu, told: Told, frames: int, **more: object) -> tuple[np.ndarray, np.ndarray]:
    return gpu.render(frames, seed=told.seed, **told.within(0, frames), **more)


def check_forced(folder, name, precision, starts=1, frames=11, **choices):
    weights = network(2, **NETWORKS[name])
    plan = laid_out(weights, precision, **choices)
    gpu = Gpu(weights, plan, folder)
    slots = [i for i in range(plan.layout.slots) if i not in (1, plan.layout.slots - 2)]
    told = Told(weights, slots, starts=starts)
    generator = np.random.default_rng(4)
    forced = generator.uniform(-0.5, 0.5, (plan.layout.slots, frames))
    if weights.config.output == "mulaw":
        forced = generator.integers(0, weights.config.quantization_channels, forced.shape)
    _, outputs = played(gpu, told, frames, forced=forced)
    for slot in slots:
        _, expected = told.reference(gpu, slot, frames, forced[slot])
        tolerance = 4.0 * HALF_UNITS[precision] * (1.0 + np.abs(expected).max())
        np.testing.assert_allclose(outputs[slot], expected, rtol=0.0, atol=tolerance)
    silent = np.setdiff1d(np.arange(plan.layout.slots), slots)
    assert np.isnan(outputs[silent]).all()
    assert np.isfinite(outputs[slots]).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("precision", "starts"), [("float32", 2), ("float16", 1)])
def test_outputs_are_those_of_the_reference(folder, name, precision, starts):
    check_forced(folder, name, precision, starts)


def test_outputs_in_bfloat16_are_those_of_the_reference(folder):
    check_forced(folder, "odd", "bfloat16")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_outputs_are_those_of_the_reference_however_blocks_share_the_work(folder, layout):
    check_forced(folder, "classes" if layout.startswith("weights") else "gaussian", "float16", **LAYOUTS[layout])


@pytest.mark.parametrize("name", ["gaussian", "classes"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_samples_are_drawn_as_the_reference_draws_them(folder, name, temperature):
    weights = network(2, **NETWORKS[name])
    gpu, told = Gpu(weights, laid_out(weights), folder), Told(weights, [1, 4], temperature=temperature)
    drawn, _ = played(gpu, told, 40)
    for slot in told.slots:
        np.testing.assert_allclose(drawn[slot], told.reference(gpu, slot, 40)[0], rtol=0.0, atol=2e-4)


def chunks(gpu: Gpu, told: Told, ends: list[int]) -> np.ndarray:
    """Drawn (slots, frames), of chunks that end there."""
    starts = [0, *ends[:-1]]
    parts = [gpu.render(b - a, seed=told.seed, **told.within(a, b))[0] for a, b in zip(starts, ends, strict=True)]
    return np.hstack(parts)


@pytest.mark.parametrize("layout", ["one tile", "a grid of two pipelines"])
@pytest.mark.parametrize("name", ["gaussian", "classes"])
def test_chunk_size_does_not_change_a_bit(folder, name, layout):
    weights = network(2, **NETWORKS[name])
    plan = laid_out(weights, "float16", **LAYOUTS[layout])
    told = Told(weights, list(range(0, plan.layout.slots, 3)), frames=(0, 1, 3, 4, 9, 12, 15, 19))
    whole = chunks(Gpu(weights, plan, folder), told, [20])
    for ends in ([1, 2, 3, 20], [4, 5, 17, 20]):
        np.testing.assert_array_equal(chunks(Gpu(weights, plan, folder, order=9), told, ends), whole)


def test_a_note_that_starts_leaves_the_others_alone_and_hears_nothing_of_the_one_before(folder):
    weights = network(2, **SMALL)
    plan = laid_out(weights, "float16")
    told, later = Told(weights, [0, 2, 5]), Told(weights, [3], frames=(0,))
    alone = chunks(Gpu(weights, plan, folder), told, [8, 20])
    gpu = Gpu(weights, plan, folder)
    played(gpu, Told(weights, [3], seed=8), 9)  # what slot 3 played before
    first, _ = gpu.render(8, seed=told.seed, **told.within(0, 8))
    second = told.within(8, 20)
    assert not second["tellings"]  # and those that play are not told again
    second |= later.within(0, 12) | {"slots": [0, 2, 3, 5]}
    both = np.hstack([first, gpu.render(12, seed=told.seed, **second)[0]])
    np.testing.assert_array_equal(both[told.slots], alone[told.slots])
    fresh, _ = played(Gpu(weights, plan, folder), later, 12)
    np.testing.assert_array_equal(both[3, 8:], fresh[3])


def test_every_order_of_threads_gives_the_same_bits(folder):
    weights = network(2, **SMALL)
    plan = laid_out(weights, "float16", **LAYOUTS["more tiles than messages have room"])
    told = Told(weights, list(range(35)))
    first, _ = played(Gpu(weights, plan, folder), told, 7)
    assert np.isfinite(first[told.slots]).all()
    for order in range(100, 104):
        np.testing.assert_array_equal(played(Gpu(weights, plan, folder, order), told, 7)[0], first)


def test_what_other_slots_keep_is_not_touched(folder):
    weights = network(2, **SMALL)
    gpu, told = Gpu(weights, laid_out(weights, "float16"), folder), Told(weights, [0, 2, 5])
    played(gpu, told, 9)
    kept = gpu.state.copy()
    gpu.render(9, [2])
    rings = [gpu.plan.layout.state()["G_RINGS"], [0, 8 * 16 * 2]]
    changed = np.flatnonzero(kept != gpu.state)
    assert len(changed)
    row = 16 * 2  # bytes in a ring row
    for ring, rows in zip(rings[0], gpu.plan.layout.ring_rows(), strict=True):
        inside = changed[(changed >= ring) & (changed < ring + 8 * rows * row)] - ring
        assert len(inside)
        assert set(inside // (rows * row)) == {2}


@pytest.mark.parametrize("name", ["gaussian", "classes"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_weights_that_are_no_numbers_give_samples_that_are_none(folder, name, temperature):
    weights = network(2, **NETWORKS[name])
    plan = laid_out(weights)
    weights.tensors["layers.1.gate.weight"][0, 0, -1] = np.nan
    drawn, _ = played(Gpu(weights, plan, folder), Told(weights, [0, 3], temperature=temperature), 6)
    assert np.isnan(drawn[[0, 3]]).all()


def test_a_launch_without_a_voice_is_answered(folder):
    weights = network(2, **SMALL)
    for plan in (laid_out(weights, "float16"), laid_out(weights, "float16", clustered=False)):
        drawn, _ = Gpu(weights, plan, folder).render(0, [])
        assert np.isnan(drawn).all()


@pytest.mark.parametrize("name", ["gaussian", "classes"])
def test_every_barrier_that_is_left_out_is_found(folder, name):
    weights = network(2, **NETWORKS[name])
    plan, told = laid_out(weights, "float16"), Told(weights, [0, 2, 5])
    right, _ = played(Gpu(weights, plan, folder), told, 7)

    def differs(barrier: int, order: int) -> bool:
        try:
            return not np.array_equal(
                played(Gpu(weights, plan, folder, order), told, 7, skipped_barrier=barrier)[0], right
            )
        except AssertionError:
            return True

    barriers = Gpu(weights, plan, folder).barriers
    missed = [barrier for barrier in range(barriers) if not any(differs(barrier, order) for order in range(40))]
    assert missed == []


def test_no_byte_beyond_shared_memory_is_touched(folder, tmp_path):
    libasan = subprocess.run(["g++", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(libasan):
        pytest.skip("no address sanitizer here")
    script = (
        "import sys, pathlib; from tests.engine import test_cuda_kernel as t; from tests.engine.gpu_model import *\n"
        "weights = t.network(2, **t.SMALL); plan = laid_out(weights, 'float16')\n"
        "gpu = Gpu(weights, plan, pathlib.Path(sys.argv[1]), 1, '-fsanitize=address', '-g')\n"
        "print(t.played(gpu, t.Told(weights, [0, 2, 5]), 7)[0][2, 6] if len(sys.argv) < 3 else gpu.overrun())\n"
    )
    environment = os.environ | {"LD_PRELOAD": libasan, "ASAN_OPTIONS": "detect_leaks=0"}
    command = [sys.executable, "-c", script, str(tmp_path)]
    clean = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert clean.returncode == 0, clean.stderr
    assert np.isfinite(float(clean.stdout))
    beyond = subprocess.run([*command, "overrun"], capture_output=True, text=True, env=environment)
    assert "heap-buffer-overflow" in beyond.stderr
