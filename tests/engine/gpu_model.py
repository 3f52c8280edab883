"""The CUDA kernel's source on the model of a GPU (extensions/cuda/host), and what it is told, as arrays."""

import ctypes
import hashlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtwave.engine.cuda_layout import Layout, Shape, power_of_two
from rtwave.engine.cuda_plan import LaunchPlan, launch, pack, settle
from rtwave.wavenet.weights import Weights

HOST = Path(__file__).parents[2] / "extensions" / "cuda" / "host"
FLAGS = ["-std=c++17", "-O1", "-fno-strict-aliasing", "-fPIC", "-shared", "-Wall", "-Wno-unused-function"]
FRAMES = 256

TOLD = np.dtype(
    [("slot", "i4"), ("frame", "i4"), ("starts", "i4"), ("temperature", "f4"), ("age", "i8"), ("ordinal", "u8")]
)
POINTERS = (
    *("weights", "state", "silence", "slots", "tellings", "conditioning"),
    *("phasors", "rotation", "forced", "outputs", "drawn", "done"),
)


class _Launch(ctypes.Structure):
    _fields_ = (
        [(name, ctypes.c_void_p) for name in POINTERS]
        + [("seed", ctypes.c_uint64)]
        + [(name, ctypes.c_int32) for name in ("frames", "active", "told")]
        + [("sequence", ctypes.c_uint32)]
    )


def laid_out(weights: Weights, precision: str = "float32", slots: int = 8, **choices: object) -> LaunchPlan:
    """A plan with these choices in the place of a GPU's: small blocks, as many stages as two layers each make."""
    layout = {"per_stage": 2, "warps": 2, "columns": 1, "clustered": True, "depth": 2, "pipes": 1} | choices
    groups = -(-slots // (8 * layout["columns"]))
    tiles = power_of_two(-(-groups // layout["pipes"]))
    limit = layout.pop("limit", 200_000)
    return launch(
        settle(Layout(Shape(weights.config, precision), slots=slots, tiles=tiles, places={}, **layout), limit)
    )


def compiled(plan: LaunchPlan, folder: Path, *flags: str) -> ctypes.CDLL:
    """The kernel for a plan; tests are skipped where there is no compiler."""
    if not shutil.which("g++"):
        pytest.skip("g++ is not there")
    words = [*FLAGS, *flags, *(f"-D{name}={value}" for name, value in plan.defines.items())]
    library = folder / f"{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}.so"
    if not library.exists():
        subprocess.run(["g++", *words, str(HOST / "run.cc"), str(HOST / "gpu.cc"), "-o", str(library)], check=True)
    kernel = ctypes.CDLL(str(library))
    kernel.wavenet_run.restype = ctypes.c_bool
    kernel.wavenet_run.argtypes = [ctypes.c_void_p, *[ctypes.c_int] * 3, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_int]
    return kernel


class Gpu:
    """A network on the model: its state, and launches. `order`: seed of the order in which threads have their turns."""

    def __init__(self, weights: Weights, plan: LaunchPlan, folder: Path, order: int = 1, *flags: str) -> None:
        self.plan, self.config, self.order = plan, weights.config, order
        self.kernel = compiled(plan, folder, *flags)
        self.weights = _aligned(pack(weights, plan))
        self.state = _aligned(np.zeros(plan.state_bytes, np.uint8))
        generator = np.random.default_rng(7)
        layers, r = len(self.config.dilations), self.config.residual_channels
        self.silence = generator.standard_normal((layers, r)).astype(np.float32)
        self.sequence = 0
        self.barriers = ctypes.c_int.in_dll(self.kernel, "wavenet_barriers").value

    def overrun(self) -> None:
        """A launch whose blocks are given 16 bytes of shared memory too few."""
        self.plan = replace(self.plan, shared_bytes=self.plan.shared_bytes - 16)
        self.render(1, [0])

    def render(
        self,
        frames: int,
        slots: list[int],
        tellings: list[tuple] = (),
        conditioning: np.ndarray | None = None,
        phasors: np.ndarray | None = None,
        rotation: np.ndarray | None = None,
        forced: np.ndarray | None = None,
        seed: int = 0,
        skipped_barrier: int = -1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Drawn (slots, frames) and outputs (slots, frames, outputs) of all slots; NaN in those that are not rendered.

        tellings: rows of TOLD with conditioning (told, C), phasors and rotation (told, 2K); forced (slots, frames).
        """
        every = self.plan.layout.slots
        arrays = {
            "weights": self.weights,
            "state": self.state,
            "silence": self.silence,
            "slots": np.array(slots, np.int32),
            "tellings": np.array(list(tellings), TOLD),
            "conditioning": _floats(conditioning),
            "phasors": _floats(phasors),
            "rotation": _floats(rotation),
            "forced": None if forced is None else _rows(forced),
            "outputs": np.full((every, FRAMES, self.config.outputs), np.nan, np.float32),
            "drawn": np.full((every, FRAMES), np.nan, np.float32),
            "done": np.zeros(1, np.uint32),
        }
        self.sequence += 1
        told = _Launch(
            *(None if arrays[name] is None else arrays[name].ctypes.data for name in POINTERS),
            *(seed, frames, len(slots), len(tellings), self.sequence),
        )
        plan = self.plan
        sizes = (plan.blocks, plan.threads, plan.cluster, plan.shared_bytes)
        ended = self.kernel.wavenet_run(ctypes.byref(told), *sizes, self.order, skipped_barrier)
        self.order += 1
        assert ended, "the kernel's threads wait for each other"
        assert arrays["done"][0] == self.sequence
        return arrays["drawn"][:, :frames], arrays["outputs"][:, :frames]


def _aligned(array: np.ndarray) -> np.ndarray:
    """Where a GPU's memory would begin: at a multiple of 256 bytes."""
    memory = np.empty(array.nbytes + 256, np.uint8)
    start = -memory.ctypes.data % 256
    memory[start : start + array.nbytes] = array
    return memory[start : start + array.nbytes]


def _floats(array: np.ndarray | None) -> np.ndarray:
    return np.ascontiguousarray(np.zeros(0) if array is None else array, np.float32)


def _rows(forced: np.ndarray) -> np.ndarray:
    return np.pad(np.asarray(forced, np.float32), ((0, 0), (0, FRAMES - forced.shape[1])))
