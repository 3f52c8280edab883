"""A race on one GPU: the same networks and notes by PyTorch eager, a CUDA graph of it, and rtwave's persistent kernel.

    python tools/race_cuda.py
    python tools/race_cuda.py --models 20x64x256 --voices 1 64 --json
    python tools/race_cuda.py --device torch --models 4x16x32 --voices 1 8    # on the processor: no GPU, no floors

First the floors, measured by kernels of their own: bytes and multiply-adds a second, and how long blocks of a cluster
and of a grid wait for each other; and what they leave each network at most. Then each contestant is teacher-forced and
compared with the NumPy reference; one that is wrong is not timed, and the exit status is 1. Timed is the whole engine,
notes held, every sample drawn and fed back: envelopes and the mix are part of it. Speeds go by the median block.
Without a GPU the exit status is 2.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from racers.cuda_floors import Floors, Work, measure

from rtwave import RtwaveError, load_preset
from rtwave._engine import SPARE_SLOTS
from rtwave.engine import Engine
from rtwave.engine.bench import check_against_reference, machine, random_model
from rtwave.engine.devices import MAX_DEVICE_VOICES
from rtwave.engine.engine import cores
from rtwave.wavenet.weights import Weights

MODELS = ["20x64x256", "30x128x256", "piano"]
VOICES = [1, 8, 64, 512, 4096]
BLOCK_FRAMES = 256
"""As long as a chunk of a device."""
FEWEST_BLOCKS, MOST_BLOCKS = 3, 500
MOST_THREADS = 16
KEYS, VELOCITY, STRUCK_AT_ONCE = 128, 80, 1024


@dataclass(frozen=True)
class Contestant:
    """`device` and `precision` as Engine takes them, or `make` of weights, slots and precision for one of no name."""

    name: str
    device: str
    precision: str
    make: Callable[[Weights, int, str], object] | None = None

    def engine(self, weights: Weights, voices: int) -> Engine:
        """One that plays so many voices; what is left for the processor is shared by its cores."""
        device = self.make(weights, voices + SPARE_SLOTS, self.precision) if self.make else self.device
        return Engine(
            weights, voices=voices, precision=self.precision, threads=min(cores(), MOST_THREADS), device=device
        )


@dataclass(frozen=True)
class Speed:
    """Samples/s of all voices together, and × real time of each."""

    voices: int
    samples_per_second: float
    times_real_time: float


@dataclass
class Row:
    """A contestant on one network. `error`: of its check, relative to the largest output, None where that failed.
    `failed`: why there are no speeds, or not all."""

    name: str
    precision: str
    error: float | None = None
    speeds: list[Speed] = field(default_factory=list)
    failed: str = ""


@dataclass
class Heat:
    """One network. `at_most`: samples/s that the floors leave, by case; empty where none are known."""

    model: str
    sample_rate: int
    work: Work
    at_most: dict[str, float]
    rows: list[Row]


def eager(weights: Weights, slots: int, precision: str) -> object:
    """The plain device on the GPU, its steps called one by one."""
    from rtwave.engine.plain import PlainDevice

    class Eager(PlainDevice):
        def _capture(self, batch: object) -> None:
            """Leave the batch without a graph."""

    return Eager(weights, slots, precision, "cuda")


CONTESTANTS = {
    "cuda": [
        Contestant("PyTorch eager", "cuda-graph", "float32", eager),
        Contestant("CUDA graph", "cuda-graph", "float32"),
        Contestant("persistent kernel", "cuda", "float32"),
        Contestant("persistent kernel", "cuda", "float16"),
    ],
    "torch": [Contestant("PyTorch eager", "torch", "float32")],
}


def network(name: str) -> Weights:
    """A preset's or a random one, without the tables by which its notes would die away."""
    weights = random_model(name) if name[:1].isdigit() else load_preset(name).weights
    return replace(weights, instrument=None)


def hold(engine: Engine) -> None:
    """Strike as many notes as there are voices. That is more than MIDI's channels have room for, so they are numbered
    on."""
    for first in range(0, engine.voices, STRUCK_AT_ONCE):
        places = range(first, min(first + STRUCK_AT_ONCE, engine.voices))
        engine.native.push([(-1, 0, 0, place // KEYS, place % KEYS, VELOCITY, 0, 0.0) for place in places])
        engine.render(1)


def time_voices(engine: Engine, seconds: float) -> Speed:
    """Notes held, for about so many seconds; the first block warms up, and says how many there is time for."""
    hold(engine)
    (first_ns,) = engine.native.time_blocks(1, BLOCK_FRAMES)
    blocks = int(np.clip(seconds * 1e9 / first_ns, FEWEST_BLOCKS, MOST_BLOCKS))
    block_s = float(np.median(engine.native.time_blocks(blocks, BLOCK_FRAMES))) * 1e-9
    if problem := engine.take_problem():
        raise RtwaveError(problem)
    if engine.active_voices != engine.voices:
        raise RtwaveError(f"{engine.voices - engine.active_voices} of {engine.voices} voices were cut, expected none")
    alone = BLOCK_FRAMES / block_s
    return Speed(engine.voices, round(engine.voices * alone, 1), round(alone / engine.model_rate, 3))


def run(contestant: Contestant, weights: Weights, voices: list[int], seconds: float) -> Row:
    """Check a contestant, then time it with each number of voices, as far as it gets."""
    row = Row(contestant.name, contestant.precision)
    try:
        row.error = check_against_reference(contestant.engine(weights, 1), weights)
        for count in voices:
            row.speeds.append(time_voices(contestant.engine(weights, count), seconds))
    except (RtwaveError, RuntimeError) as error:  # the latter from torch, whose memory may be too small
        row.failed = " ".join(str(error).split())
    return row


def at_most(work: Work, floors: Floors, blocks: int, cluster: bool) -> dict[str, float]:
    """What the floors leave: of many voices together by tensor cores or without, of one by hops alone."""
    return {
        "many voices, float16": work.samples_per_second(floors, tensor=True, bytes_a_value=2),
        "many voices, float32": work.samples_per_second(floors, tensor=False, bytes_a_value=4),
        f"one voice, {blocks} blocks": 1.0 / work.chain_s(floors, blocks, cluster),
    }


def measure_floors() -> tuple[str, Floors, Callable[[Weights], tuple[int, bool]]]:
    """The GPU in words, its floors, and what says over how many blocks a network is dealt, and whether in a cluster.

    RtwaveError where there is no GPU, or no compiler for it.
    """
    from rtwave.engine.cuda import CLUSTERS, find_gpu
    from rtwave.engine.cuda_compile import compile_kernel
    from rtwave.engine.cuda_plan import plan

    gpu = find_gpu()
    properties = gpu.properties(CLUSTERS[0] if gpu.clusters else 1)

    def deal(weights: Weights) -> tuple[int, bool]:
        dealt = plan(weights.config, "float16", 1, properties)
        return len(dealt.layers), dealt.cluster > 1

    return str(gpu), measure(lambda capability: compile_kernel({}, capability, "floors.cu")), deal


def print_heat(heat: Heat, voices: list[int]) -> None:
    """A table for people: samples/s of all voices together, and below them × real time of each."""
    work, rate = heat.work, heat.sample_rate
    print(f"\n{heat.model}, {rate} Hz: {work.weights:,} weights, {work.multiply_adds:,} multiply-adds a sample")
    for name, speed in heat.at_most.items():
        print(f"  at most {speed:,.0f} samples/s, {speed / rate:,.1f} x real time ({name})")
    print(f"{'voices':28}" + "".join(f"{count:>14,}" for count in voices))
    for row in heat.rows:
        if row.error is None:
            continue
        print(
            f"{row.name + ', ' + row.precision:28}"
            + "".join(f"{speed.samples_per_second:14,.0f}" for speed in row.speeds)
        )
        print(
            f"{f'  error {row.error:.0e}, x real time':28}"
            + "".join(f"{speed.times_real_time:14.3f}" for speed in row.speeds)
        )


def parsed() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=CONTESTANTS, default="cuda")
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME", help="presets, or LAYERSxRESIDUALxSKIP")
    parser.add_argument("--voices", nargs="+", type=int, default=VOICES, metavar="N")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number of voices")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not all(1 <= count <= MAX_DEVICE_VOICES for count in arguments.voices):
        parser.error(f"--voices are {arguments.voices}, expected 1 to {MAX_DEVICE_VOICES}")
    if not 0.01 <= arguments.seconds <= 600:
        parser.error(f"--seconds is {arguments.seconds:g}, expected 0.01 to 600")
    return arguments


def main() -> int:
    arguments = parsed()
    gpu, floors, deal, heats = "no GPU", None, None, []
    try:
        networks = {name: network(name) for name in arguments.models}
        if arguments.device == "cuda":
            gpu, floors, deal = measure_floors()
    except RtwaveError as error:
        print(f"race_cuda: {error}", file=sys.stderr)
        return 2
    where = f"{gpu}; {machine()}"
    if not arguments.json:
        print("\n".join([where, *(floors.lines() if floors else [])]), flush=True)
    for name, weights in networks.items():
        work = Work.of(weights.config)
        most = at_most(work, floors, *deal(weights)) if floors else {}
        rows = [run(each, weights, arguments.voices, arguments.seconds) for each in CONTESTANTS[arguments.device]]
        heats.append(Heat(name, weights.config.sample_rate, work, most, rows))
        if not arguments.json:
            print_heat(heats[-1], arguments.voices)
        for row in rows:
            if row.failed:
                timed = [speed.voices for speed in row.speeds] or "nothing"
                print(f"{row.name}, {row.precision}, on {name}, timed for {timed}: {row.failed}", file=sys.stderr)
    if arguments.json:
        found = {"machine": where, "floors": floors and asdict(floors), "heats": [asdict(heat) for heat in heats]}
        print(json.dumps(found, indent=1))
    return 1 if any(row.failed for heat in heats for row in heat.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
