"""How fast the engine steps on this machine; its output is checked against the reference before it is timed."""

import dataclasses
import os
import platform
import re
import reprlib
import time
from pathlib import Path

import msgspec
import numpy as np

from ..errors import RtwaveError
from ..wavenet.config import MAX_LAYERS, WaveNetConfig
from ..wavenet.instrument import Instrument
from ..wavenet.reference import ReferenceWaveNet
from ..wavenet.weights import Weights
from .engine import Engine

BLOCK_FRAMES = 32
TOLERANCE = 1e-4
CHECKED_FRAMES = 300
SEARCH_S = 0.25
"""Music rendered for each voice count that is tried."""


class StepTimes(msgspec.Struct, frozen=True):
    """Microseconds for one sample of all voices, over blocks of 32 samples."""

    p50: float
    p99: float
    max: float


class Report(msgspec.Struct, frozen=True):
    """What was measured; speeds go by the median block, so that a busy machine's other work does not count.

    `samples_per_second` counts every voice's samples; `times_real_time` is that of all voices together;
    `voices_in_real_time`: the largest voice count that renders no slower than it sounds, on one core.
    `error`: largest difference from the reference, teacher-forced, relative to the largest output.
    """

    model: str
    precision: str
    instruction_set: str
    voices: int
    threads: int
    sample_rate: int
    samples_per_second: float
    times_real_time: float
    step_us: StepTimes
    voices_in_real_time: int
    error: float
    machine: str


def random_model(size: str) -> Weights:
    """A quiet random network of `size` "LxRxS": layers (dilations 1…128 and again), residual and skip channels.

    Its head has 2 S channels; excitation and conditioning are those of the piano. Else RtwaveError.
    """
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})x(\d{1,9})", size)
    if not match:
        raise RtwaveError(f"model is {reprlib.repr(size)}, expected LAYERSxRESIDUALxSKIP such as 16x32x64")
    layers, residual, skip = map(int, match.groups())
    if not 1 <= layers <= MAX_LAYERS:
        raise RtwaveError(f"model is {size!r} with {layers} layers, expected 1 to {MAX_LAYERS}")
    config = WaveNetConfig(
        dilations=tuple(2 ** (layer % 8) for layer in range(layers)),
        residual_channels=residual,
        skip_channels=skip,
        head_channels=2 * skip,
        excitation="partials",
    )
    weights = Weights.random(config)
    weights.tensors["head.output.weight"] *= np.float32(0.01)
    weights.tensors["head.output.bias"] = np.array([0.0, -5.0], np.float32)
    return weights


def check_against_reference(weights: Weights, instruction_set: str) -> float:
    """Largest difference from the NumPy reference over random inputs, relative to the largest output.

    Raises RtwaveError when it is above TOLERANCE.
    """
    config, generator = weights.config, np.random.default_rng(0)
    if config.output == "gaussian":
        samples = generator.uniform(-0.5, 0.5, CHECKED_FRAMES).astype(np.float32)
    else:
        samples = generator.integers(0, config.quantization_channels, CHECKED_FRAMES)
    conditioning, excitation = (
        generator.uniform(-1.0, 1.0, (channels, CHECKED_FRAMES)).astype(np.float32)
        for channels in (config.conditioning_channels, config.excitation_channels)
    )
    expected = ReferenceWaveNet(weights).teacher_force(samples, conditioning, excitation)
    engine = Engine(weights, voices=1, instruction_set=instruction_set)
    found = engine.teacher_force(samples, conditioning, excitation)
    error = float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1.0))
    if not error <= TOLERANCE:
        raise RtwaveError(f"{instruction_set} differs from the reference by {error:g}, expected at most {TOLERANCE:g}")
    return error


def _block_times_s(weights: Weights, voices: int, instruction_set: str, seconds: float) -> np.ndarray:
    """Time of each block with `voices` notes held all along."""
    engine = Engine(weights, voices=voices, instruction_set=instruction_set)
    engine.control("temperature", 0.3)
    for voice in range(voices):  # one a key: striking one again would only replace it
        engine.note_on(voice, 80)
    engine.render(4 * BLOCK_FRAMES)
    times = []
    for _ in range(max(1, round(seconds * engine.model_rate / BLOCK_FRAMES))):
        start = time.perf_counter()
        engine.render(BLOCK_FRAMES)
        times.append(time.perf_counter() - start)
    return np.array(times)


def _voices_in_real_time(weights: Weights, instruction_set: str) -> int:
    def keeps_up(voices: int) -> bool:
        times = _block_times_s(weights, voices, instruction_set, SEARCH_S)
        return bool(np.median(times) <= BLOCK_FRAMES / weights.config.sample_rate)

    enough, too_many = 0, 1
    while too_many <= 128 and keeps_up(too_many):  # one voice a key is all there is
        enough, too_many = too_many, 2 * too_many
    while too_many - enough > 1 and enough < 128:
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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, {platform.system()}"


def measure(
    weights: Weights, name: str, voices: int = 4, instruction_set: str = "auto", seconds: float = 2.0
) -> Report:
    """Check, then time `voices` held notes for `seconds` of music, then search the most that keep up; one core.

    The instrument's tables are set aside, so that no note dies away meanwhile. Raises RtwaveError for a bad value.
    """
    if not isinstance(voices, int) or not 1 <= voices <= 128:
        raise RtwaveError(f"voices is {voices!r}, expected a whole number from 1 to 128")
    if not 0.05 <= seconds <= 600:
        raise RtwaveError(f"seconds is {seconds!r}, expected 0.05 to 600")
    held = dataclasses.replace(weights, instrument=Instrument.neutral(weights.config.partials))
    error = check_against_reference(held, instruction_set)
    times = _block_times_s(held, voices, instruction_set, seconds)
    step_us = times / BLOCK_FRAMES * 1e6
    per_second = voices * BLOCK_FRAMES / float(np.median(times))
    return Report(
        model=name,
        precision="float32",
        instruction_set=Engine(held, voices=1, instruction_set=instruction_set).instruction_set,
        voices=voices,
        threads=1,
        sample_rate=weights.config.sample_rate,
        samples_per_second=round(per_second, 1),
        times_real_time=round(per_second / voices / weights.config.sample_rate, 3),
        step_us=StepTimes(*(round(float(q), 3) for q in (*np.percentile(step_us, [50, 99]), step_us.max()))),
        voices_in_real_time=_voices_in_real_time(held, instruction_set),
        error=error,
        machine=machine(),
    )
