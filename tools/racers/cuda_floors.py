"""What the GPU of this machine can do at best, by the kernels of extensions/cuda/floors.cu, and what that leaves a
network at most."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rtwave.wavenet.config import WaveNetConfig

REPEATS = 5
"""Timings of each kernel, of which the median counts; one before them warms up."""
THREADS = 256
CLUSTER = 8
"""Blocks of a cluster: as many as every GPU with clusters has."""
CHAINS, TENSOR_MULTIPLY_ADDS = 8, 16 * 8 * 16
"""As in floors.cu: independent sums, and multiply-adds of one of its products."""
MEMORY_BYTES = 2**30
"""Copied where memory's own rate is asked for: far more than any second-level cache."""


@dataclass(frozen=True)
class Floors:
    """Rates of the whole GPU in bytes/s (read plus written) and multiply-adds/s; times in seconds.

    A barrier is one of all blocks of a cluster of CLUSTER, or of a grid with a block on each multiprocessor; a hop is
    from one block's write to another's sight of it. None where the GPU has no clusters.
    """

    cache: float
    memory: float
    multiply_adds: float
    tensor_multiply_adds: float
    grid_barrier_s: float
    grid_hop_s: float
    cluster_barrier_s: float | None
    cluster_hop_s: float | None

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"copied          {self.cache / 1e9:,.0f} GB/s in the cache, {self.memory / 1e9:,.0f} GB/s in memory"
        rates = self.multiply_adds / 1e12, self.tensor_multiply_adds / 1e12
        yield "multiply-adds   {:,.1f} T/s in float32, {:,.1f} T/s by tensor cores in float16".format(*rates)
        yield f"grid            barrier {self.grid_barrier_s * 1e6:.2f} us, hop {self.grid_hop_s * 1e6:.2f} us"
        if self.cluster_hop_s is not None:
            barrier_us, hop_us = self.cluster_barrier_s * 1e6, self.cluster_hop_s * 1e6
            yield f"cluster of {CLUSTER}    barrier {barrier_us:.2f} us, hop {hop_us:.2f} us"


@dataclass(frozen=True)
class Work:
    """What one sample of one voice takes: weights in all, multiply-adds, and values of history read and written."""

    weights: int
    multiply_adds: int
    history: int
    layers: int

    @classmethod
    def of(cls, config: WaveNetConfig) -> "Work":
        """Conditioning, which is worked out once a control period, is left out."""
        r, s, h, k = config.residual_channels, config.skip_channels, config.head_channels, config.kernel_size
        layers = len(config.dilations)
        inner = layers * (2 * k * r * r + r * s) + (layers - 1) * r * r
        outer = s * h + h * config.outputs + config.excitation_channels * r
        entry = r * (config.quantization_channels if config.output == "mulaw" else 1)
        return cls(weights=inner + outer + entry, multiply_adds=inner + outer, history=layers * k * r, layers=layers)

    def samples_per_second(self, floors: Floors, tensor: bool, bytes_a_value: int) -> float:
        """Of many voices together: multiply-adds, or history through the cache, whichever takes longer."""
        rate = floors.tensor_multiply_adds if tensor else floors.multiply_adds
        return 1.0 / max(self.multiply_adds / rate, self.history * bytes_a_value / floors.cache)

    def chain_s(self, floors: Floors, blocks: int, cluster: bool) -> float:
        """One sample of one voice on its way through so many blocks and back to the first, were computing free."""
        return blocks * (floors.cluster_hop_s if cluster else floors.grid_hop_s)


class Meter:
    """Runs the kernels of one compiled floors.cu on a GPU and times them with its own clock."""

    def __init__(self, code: bytes, device: object) -> None:
        from cuda.core import EventOptions, ObjectCode

        self.device, self.module = device, ObjectCode.from_cubin(code)
        self.stream = device.create_stream()
        self.timed = EventOptions(timing_enabled=True)
        self.blocks = device.properties.multiprocessor_count

    def time_s(self, kernel: str, rounds: int, arguments: Callable[[], list], **shape: object) -> float:
        """Median time of one of `rounds` rounds; `arguments` come before their number, anew for each run."""
        from cuda.core import LaunchConfig, launch

        function, config = self.module.get_kernel(kernel), LaunchConfig(**shape)
        times = []
        for _ in range(REPEATS + 1):
            given = arguments()
            before = self.stream.record(options=self.timed)
            launch(self.stream, config, function, *given, np.int32(rounds))
            after = self.stream.record(options=self.timed)
            after.sync()
            times.append((after - before) * 1e-3 / rounds)
        return float(np.median(times[1:]))

    def zeros(self, size: int) -> object:
        """A block of zeros on the GPU."""
        block = self.device.allocate(size, stream=self.stream)
        block.fill(0, stream=self.stream)
        return block

    def copy(self, size: int) -> float:
        """Bytes/s, read and written, copying blocks of `size` bytes."""
        source, target = self.zeros(size), self.zeros(size)
        given = [source, target, np.uint32(size // 16)]
        rounds = math.ceil(2**33 / size)
        return 2.0 * size / self.time_s("copy", rounds, lambda: given, grid=4 * self.blocks, block=THREADS)

    def multiply_adds(self, kernel: str, each: float, *factor: object) -> float:
        """Multiply-adds/s of a kernel in which a thread does `each` a round."""
        given, blocks = [self.zeros(4), *factor], 4 * self.blocks
        return blocks * THREADS * each / self.time_s(kernel, 20_000, lambda: given, grid=blocks, block=THREADS)

    def waits(self) -> dict[str, float | None]:
        """Barriers and hops, by Floors' names."""
        zeros, nothing, whole = lambda: [self.zeros(256)], list, {"grid": self.blocks, "is_cooperative": True}
        found: dict[str, float | None] = {
            "grid_barrier_s": self.time_s("grid_barriers", 2_000, zeros, block=THREADS, **whole),
            "grid_hop_s": self.time_s("grid_hops", 2_000, zeros, grid=2, block=1, is_cooperative=True) / 2.0,
            "cluster_barrier_s": None,
            "cluster_hop_s": None,
        }
        if self.device.compute_capability[0] >= 9:
            cluster = {"grid": 1, "cluster": CLUSTER, "block": THREADS}
            found["cluster_barrier_s"] = self.time_s("cluster_barriers", 20_000, nothing, **cluster)
            pair = {"grid": 1, "cluster": 2, "block": 1}
            found["cluster_hop_s"] = self.time_s("cluster_hops", 20_000, nothing, **pair) / 2.0
        return found


def measure(compile: Callable[[tuple[int, int]], bytes]) -> Floors:
    """All floors of the first GPU; `compile` gives floors.cu as machine code for a compute capability."""
    from cuda.core import Device

    device = Device(0)
    device.set_current()
    meter = Meter(compile(tuple(device.compute_capability)), device)
    return Floors(
        cache=meter.copy(device.properties.l2_cache_size // 64 * 16),
        memory=meter.copy(MEMORY_BYTES),
        multiply_adds=meter.multiply_adds("multiply_adds", CHAINS, np.float32(0.5)),
        tensor_multiply_adds=meter.multiply_adds("tensor_multiply_adds", CHAINS * TENSOR_MULTIPLY_ADDS / 32.0),
        **meter.waits(),
    )
