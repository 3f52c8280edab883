"""How fast the engine steps, beside how fast this machine could; the output is checked before anything is timed."""

import dataclasses
import math
import platform
import re
import reprlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from .. import _engine
from ..errors import RtwaveError
from ..wavenet.config import MAX_LAYERS, WaveNetConfig
from ..wavenet.precision import activation_ranges
from ..wavenet.reference import ReferenceWaveNet
from ..wavenet.weights import Weights, tensor_shapes
from .commands import NoteOn
from .engine import Engine, cores
from .roofline import Rates, roofline

if TYPE_CHECKING:
    from ..presets import Preset

KEYS = 128
MAX_VOICES, MAX_DEVICE_VOICES = KEYS, 16 * KEYS
"""One voice a key is all there is; a device is given those of all channels."""

BLOCK_FRAMES = 32
ROUNDS = 8
SEARCH_S = 0.25
"""Music rendered for each voice count that is tried."""

MAX_WEIGHTS_MB = 256
"""Of a random network in float32: far more than any core streams in the time of a sample."""

CHECKED_FRAMES = 600
"""Beyond the longest dilation of a random network, so that every ring has turned."""

TOLERANCE = {"float32": 1e-4, "bfloat16": 1e-4, "int8": 3e-3}
"""Largest difference from the reference of the same precision, relative to the largest output.

int8: sums are exact, but an activation half-way between two steps may be rounded up here and down there, where float32
and float64 differ in the last place. That step moves others across their own borders, so that within a few layers the
two copies' roundings have nothing to do with each other: each is as near the truth as the other, and they lie apart by
the rounding's own noise: at most 0.0007 on networks of 1 to 256 layers, 0.0016 where ranges are three times what the
check's inputs fill. Weights that were not rounded at all would lie 0.005 to 0.02 away.
"""

DEVICE_TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
"""The same for devices, whose reference is that of float32: they round what is multiplied, too, to 11 or 8 bits."""


class StepTimes(msgspec.Struct, frozen=True):
    """Microseconds for one sample of all voices.

    One thread: each sample is rendered and timed alone, so that what comes once a control period shows; all notes were
    struck together, so for every voice it comes at the same sample. More threads are given blocks of 32 samples, as
    they are in use, and so are devices; a block's time is divided by 32.
    """

    p50: float
    p99: float
    max: float


class Report(msgspec.Struct, frozen=True):
    """What was measured; speeds go by the median block of 32 samples: one interrupted now and then does not count.

    `samples_per_second` and `roofline_samples_per_second` count every voice's samples, `times_real_time` is each
    voice's own; `roofline_fraction`: the former over the limit of roofline.py, which follows from `weight_bytes`,
    read at `streaming_gb_per_s`, and `multiply_adds_per_s`, both of one core and measured in turn with the engine.
    `voices_in_real_time`: the largest voice count that renders no slower than it sounds, on that many threads.
    `error`: largest difference from the reference, teacher-forced, relative to the largest output. Of a device, no
    limit is known: all that belongs to it is None.
    """

    model: str
    engine: str
    precision: str
    instruction_set: str
    voices: int
    threads: int
    sample_rate: int
    samples_per_second: float
    times_real_time: float
    roofline_samples_per_second: float | None
    roofline_fraction: float | None
    weight_bytes: int | None
    streaming_gb_per_s: float | None
    multiply_adds_per_s: float | None
    step_us: StepTimes
    voices_in_real_time: int
    error: float
    machine: str


def random_model(size: str) -> Weights:
    """A random network of `size` "LxRxS": layers (dilations 1…512 and again), residual and skip channels.

    Its head has S channels and 256 mu-law classes; no excitation, the default conditioning. Its activations are about
    as large in the last layer as in the first, neither vanished nor saturated, and its classes, played freely, carry
    about 6 of 8 bits. A size that cannot be, or of more than MAX_WEIGHTS_MB, is an RtwaveError.
    """
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})x(\d{1,9})", size)
    if not match:
        raise RtwaveError(f"model is {reprlib.repr(size)}, expected LAYERSxRESIDUALxSKIP such as 20x64x256")
    layers, residual, skip = map(int, match.groups())
    if not 1 <= layers <= MAX_LAYERS:
        raise RtwaveError(f"model is {size!r} with {layers} layers, expected 1 to {MAX_LAYERS}")
    config = WaveNetConfig(
        output="mulaw",
        dilations=tuple(2 ** (layer % 10) for layer in range(layers)),
        residual_channels=residual,
        skip_channels=skip,
        head_channels=skip,
    )
    weights_mb = sum(map(math.prod, tensor_shapes(config).values())) * 4 / 1e6
    if weights_mb > MAX_WEIGHTS_MB:
        came = f"model is {size!r} with {weights_mb:,.0f} MB of weights"
        raise RtwaveError(f"{came}, expected at most {MAX_WEIGHTS_MB} MB")
    weights = Weights.random(config)
    for name, tensor in weights.tensors.items():
        if name.endswith("bias"):
            tensor *= np.float32(0.1)
        elif name.endswith(("residual.weight", "skip.weight")):  # of which as many are added up as there are layers
            tensor *= np.float32((4.0 if "skip" in name else 1.0) / math.sqrt(layers))
        elif name.startswith("head"):
            tensor *= np.float32(math.sqrt(2.0))  # rectifying halves the power
    weights.ranges = activation_ranges(weights, *_random_inputs(config, CHECKED_FRAMES))
    return weights


def _random_inputs(config: WaveNetConfig, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples or classes (T,), conditioning (C, T) and excitation (2K, T)."""
    generator = np.random.default_rng(0)
    if config.output == "gaussian":
        samples = generator.uniform(-0.5, 0.5, frames).astype(np.float32)
    else:
        samples = generator.integers(0, config.quantization_channels, frames)
    conditioning, excitation = (
        generator.uniform(-1.0, 1.0, (channels, frames)).astype(np.float32)
        for channels in (config.conditioning_channels, config.excitation_channels)
    )
    return samples, conditioning, excitation


def check_against_reference(engine: Engine, weights: Weights) -> float:
    """Largest difference from the NumPy reference of the engine's precision (of a device: of float32) over random
    inputs, relative to the largest output. Raises RtwaveError when it is above TOLERANCE or DEVICE_TOLERANCE.
    """
    inputs = _random_inputs(weights.config, CHECKED_FRAMES)
    on_cpu = engine.device == "cpu"
    expected = ReferenceWaveNet(weights, engine.precision if on_cpu else "float32").teacher_force(*inputs)
    error = float(np.abs(engine.teacher_force(*inputs) - expected).max() / max(np.abs(expected).max(), 1.0))
    tolerance = (TOLERANCE if on_cpu else DEVICE_TOLERANCE)[engine.precision]
    if not error <= tolerance:
        kernels = f"{engine.instruction_set if on_cpu else engine.device} in {engine.precision}"
        raise RtwaveError(f"{kernels} differs from the reference by {error:g}, expected at most {tolerance:g}")
    return error


def _hold(engine: Engine) -> None:
    """Strike a key for each voice, outwards from the middle of the keyboard, channel by channel, and hold it."""
    for first in range(0, engine.voices, KEYS):
        count = min(KEYS, engine.voices - first)
        lowest = (KEYS - count) // 2
        engine.submit([NoteOn(note, 80, channel=first // KEYS) for note in range(lowest, lowest + count)])
    engine.render(4 * BLOCK_FRAMES)


def _time_s(engine: Engine, blocks: int, frames: int) -> np.ndarray:
    """Time of each of `blocks` blocks of so many frames, all voices sounding; the caches are warmed by one more."""
    engine.render(BLOCK_FRAMES)
    times = engine.native.time_blocks(blocks, frames) * 1e-9
    if engine.active_voices != engine.voices:
        lost = engine.voices - engine.active_voices
        raise RtwaveError(
            f"{lost} of {engine.voices} voices were cut while they were timed, expected none: "
            "what the network plays runs off; train it for longer"
        )
    return times


def _voices_in_real_time(make: Callable[..., Engine], most: int) -> int:
    def keeps_up(voices: int) -> bool:
        engine = make(voices=voices)
        _hold(engine)
        times = _time_s(engine, max(1, round(SEARCH_S * engine.model_rate / BLOCK_FRAMES)), BLOCK_FRAMES)
        return bool(np.median(times) <= BLOCK_FRAMES / engine.model_rate)

    enough, too_many = 0, 1
    while too_many <= most and keeps_up(too_many):
        enough, too_many = too_many, 2 * too_many
    while too_many - enough > 1 and enough < most:
        middle = (enough + too_many) // 2
        enough, too_many = (middle, too_many) if keeps_up(middle) else (enough, middle)
    return enough


def machine() -> str:
    """The processor's name and the number of its cores that this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        name = match[1] if match else name
    return f"{name}, {cores()} cores, {platform.system()}"


def machine_with(device: str) -> str:
    """The machine, and first its GPU where the device is on one."""
    if device not in ("cuda", "cuda-graph"):
        return machine()
    from .cuda import find_gpu

    return f"{find_gpu()}; {machine()}"


def _steady(model: "Preset | Weights") -> "Preset | Weights":
    """The model without its instrument's tables, so that no note dies away."""
    if isinstance(model, Weights):
        return dataclasses.replace(model, instrument=None)
    return dataclasses.replace(model, weights=_steady(model.weights))


def _limits(network: _engine.Network, rates: list[Rates], voices: int, threads: int, reached: float) -> dict:
    """What a Report says of the machine's limit; without rates there is none."""
    if not rates:
        names = "roofline_samples_per_second roofline_fraction weight_bytes streaming_gb_per_s multiply_adds_per_s"
        return dict.fromkeys(names.split())
    best = Rates(
        streaming=float(np.median([measured.streaming for measured in rates])),
        multiplying=float(np.median([measured.multiplying for measured in rates])),
    )
    limit = roofline(network, best, voices, min(threads, cores()))
    return {
        "roofline_samples_per_second": round(limit, 1),
        "roofline_fraction": round(reached / limit, 4),
        "weight_bytes": network.weight_bytes,
        "streaming_gb_per_s": round(best.streaming / 1e9, 2),
        "multiply_adds_per_s": round(best.multiplying),
    }


def measure(
    model: "Preset | Weights",
    name: str,
    voices: int = 4,
    instruction_set: str = "auto",
    precision: str = "auto",
    threads: int = 1,
    seconds: float = 2.0,
    device: str = "cpu",
) -> Report:
    """Check, then time `voices` held notes for `seconds` of music, then search the most that keep up.

    Engine and machine are measured in turn, so that what else the machine does meets both. The instrument's tables are
    set aside, so that no note dies away meanwhile. `device` as in Engine. Raises RtwaveError for a bad value.
    """
    on_cpu = device == "cpu"
    most = MAX_VOICES if on_cpu else MAX_DEVICE_VOICES
    if not isinstance(voices, int) or not 1 <= voices <= most:
        raise RtwaveError(f"voices is {voices!r}, expected a whole number from 1 to {most}")
    if not 0.05 <= seconds <= 600:
        raise RtwaveError(f"seconds is {seconds!r}, expected 0.05 to 600")
    steady = _steady(model)
    make = partial(Engine, steady, instruction_set=instruction_set, precision=precision, threads=threads, device=device)
    engine = make(voices=voices)
    network, rate = engine.native.network, engine.model_rate
    error = check_against_reference(engine, steady if isinstance(steady, Weights) else steady.weights)
    _hold(engine)
    blocks_a_round = max(1, round(seconds * rate / BLOCK_FRAMES / ROUNDS / 2))  # as blocks, and again as steps
    rates, blocks_s, steps_s = [], [], []
    for _ in range(ROUNDS):
        if on_cpu:
            rates.append(Rates.measure(network))
        blocks_s.append(_time_s(engine, blocks_a_round, BLOCK_FRAMES))
        if threads == 1 and on_cpu:
            steps_s.append(_time_s(engine, blocks_a_round * BLOCK_FRAMES, 1))
        else:
            steps_s.append(_time_s(engine, blocks_a_round, BLOCK_FRAMES) / BLOCK_FRAMES)
    reached = voices * BLOCK_FRAMES / float(np.median(blocks_s))
    step_us = np.concatenate(steps_s) * 1e6
    return Report(
        model=name,
        engine=device,
        precision=engine.precision,
        instruction_set=engine.instruction_set,
        voices=voices,
        threads=threads,
        sample_rate=rate,
        samples_per_second=round(reached, 1),
        times_real_time=round(reached / voices / rate, 3),
        **_limits(network, rates, voices, threads, reached),
        step_us=StepTimes(*(round(float(q), 3) for q in (*np.percentile(step_us, [50, 99]), step_us.max()))),
        voices_in_real_time=_voices_in_real_time(make, most),
        error=error,
        machine=machine_with(device),
    )
