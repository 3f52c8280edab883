"""From a network to a GPU that renders it, and what `doctor` tells of the GPU."""

import dataclasses
import os
from typing import TYPE_CHECKING

from .. import _cuda
from ..errors import RtwaveError
from . import cuda_compile, cuda_plan
from .cuda_plan import OLDEST, DeviceProperties, LaunchPlan
from .silence import silent_inputs

if TYPE_CHECKING:
    from ..wavenet.weights import Weights

CLUSTERS = (16, 8, 1)
"""Blocks in a cluster, at most, as they are tried: few GPUs hold 16 together, and not always where they say so."""


@dataclasses.dataclass(frozen=True)
class Gpu:
    """A GPU. `driver`: the newest CUDA (major, minor) that its driver runs; the rest as DeviceProperties has it."""

    name: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    shared_bytes_per_block: int
    clusters: bool
    driver: tuple[int, int]

    def __str__(self) -> str:
        capability, driver = _dotted(self.compute_capability), _dotted(self.driver)
        return f"{self.name}, compute capability {capability}, driver for CUDA {driver}"

    def properties(self, max_cluster: int) -> DeviceProperties:
        """What a plan must know, with clusters of at most so many blocks."""
        return DeviceProperties(
            self.name, self.compute_capability, self.multiprocessors, self.shared_bytes_per_block, max_cluster
        )


def find_gpu() -> Gpu:
    """The GPU to play on: the driver's first, which CUDA_VISIBLE_DEVICES chooses.

    The driver is the system's, or the library that RTWAVE_LIBCUDA names. Raises RtwaveError where there is none.
    """
    try:
        return _first_gpu()
    except OSError as error:
        raise RtwaveError(f"engine cuda has no GPU to play on: {error}; play with --engine cpu") from None


def _first_gpu() -> Gpu:
    version, gpus = _cuda.list_gpus(_library())
    if not gpus:
        raise OSError("the NVIDIA driver sees none")
    gpu = Gpu(**gpus[0], driver=(version // 1000, version % 1000 // 10))
    if gpu.compute_capability < OLDEST:
        raise OSError(f"compute capability {_dotted(OLDEST)} or later is needed, this is {gpu}")
    return gpu


def open_gpu(weights: "Weights", slots: int, precision: str) -> _cuda.GpuDevice:
    """The GPU with everything loaded, ready to render up to `slots` voices of a network.

    The first time that a network of this shape is played its kernel is compiled, which takes seconds. Raises
    RtwaveError saying what is missing: driver, GPU, cuda-core, memory.
    """
    gpu = find_gpu()
    tried: list[LaunchPlan] = []
    failure = None
    for max_cluster in CLUSTERS if gpu.clusters else CLUSTERS[-1:]:
        plan = cuda_plan.plan(weights.config, precision, slots, gpu.properties(max_cluster))
        if plan not in tried:
            tried.append(plan)
            try:
                return _load(gpu, weights, slots, plan)
            except OSError as error:
                failure = error
    raise RtwaveError(f"engine cuda cannot use {gpu.name}: {failure}")


def _load(gpu: Gpu, weights: "Weights", slots: int, plan: LaunchPlan) -> _cuda.GpuDevice:
    _check_compiler(gpu)
    code = cuda_compile.compile_kernel(plan.defines, gpu.compute_capability)
    packed, silent = cuda_plan.pack(weights, plan), silent_inputs(weights)
    return _cuda.GpuDevice(weights.config, plan, slots, packed, silent, code, _library())


def _check_compiler(gpu: Gpu) -> None:
    compiler = cuda_compile.compiler_version()
    if compiler[0] > gpu.driver[0]:
        raise RtwaveError(
            f"engine cuda compiles with CUDA {_dotted(compiler)}, the driver runs up to {_dotted(gpu.driver)}; "
            "update the NVIDIA driver"
        )


def describe() -> tuple[bool, str]:
    """Whether nothing is amiss, and a sentence: the GPU and its driver, and whether it can be played on."""
    try:
        gpu = _first_gpu()
    except OSError as error:
        return True, f"the processor plays, for no GPU can: {error}"
    try:
        _check_compiler(gpu)
    except RtwaveError as error:
        return False, f"{gpu}; {error}"
    return True, f"{gpu}; play --engine cuda"


def _library() -> str | None:
    return os.environ.get("RTWAVE_LIBCUDA") or None


def _dotted(version: tuple[int, int]) -> str:
    return "{}.{}".format(*version)
