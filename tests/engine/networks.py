"""Networks for the engine's tests: random ones of odd sizes, one that is heard to obey, one that breaks."""

import numpy as np

from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.instrument import Instrument
from rtwave.wavenet.precision import activation_ranges
from rtwave.wavenet.weights import Weights

EVERYTHING = ("pitch", "velocity", "loudness", "gate", "age", "release_age", "knob1", "knob2", "knob3", "knob4")

SMALL = {"residual_channels": 8, "skip_channels": 12, "head_channels": 8, "dilations": (1, 2, 4), "partials": 3}

ODD_SIZES = {
    "one-channel": {"residual_channels": 1, "skip_channels": 100, "head_channels": 7, "dilations": (1, 2, 4, 8)},
    "five": {"residual_channels": 5, "skip_channels": 100, "head_channels": 7, "kernel_size": 3, "dilations": (1, 3)},
    "twenty-four": {"residual_channels": 24, "skip_channels": 40, "output": "mulaw", "dilations": (1, 2, 4, 8, 16)},
    "thirty-three": {"residual_channels": 33, "skip_channels": 17, "kernel_size": 3, "conditioning": EVERYTHING},
    "forty": {"residual_channels": 40, "skip_channels": 100, "kernel_size": 3, "dilations": (8, 1, 16, 2)},
    "wide": {"residual_channels": 96, "skip_channels": 100, "head_channels": 50, "dilations": (1, 2, 1)},
    "one-layer": {"residual_channels": 16, "skip_channels": 16, "head_channels": 16, "dilations": (5,)},
    "dilation-one": {"residual_channels": 7, "dilations": (1, 1, 1), "kernel_size": 3, "conditioning": ()},
    "no-conditioning": {"residual_channels": 12, "dilations": (1, 2), "conditioning": (), "excitation": "none"},
    "few-classes": {"output": "mulaw", "quantization_channels": 19, "residual_channels": 9, "kernel_size": 3},
    "odd-partials": {"residual_channels": 6, "dilations": (1, 2), "partials": 17, "conditioning": ("knob2",)},
}


def network(seed: int = 1, **fields: object) -> Weights:
    """A random network of the given config, with excitation by a few partials unless the fields say otherwise."""
    return Weights.random(WaveNetConfig(**({"excitation": "partials", "partials": 5} | fields)), seed)


def measured_network(seed: int = 1, **fields: object) -> Weights:
    """`network` with the ranges that random inputs show: one that int8 can hold."""
    weights = network(seed, **fields)
    weights.ranges = activation_ranges(weights, *inputs(weights.config, 200))
    return weights


def quiet_network(seed: int = 1, instrument: Instrument | None = None, **fields: object) -> Weights:
    """A random network whose samples stay small, so that no voice is ever cut."""
    weights = network(seed, **(SMALL | {"conditioning": EVERYTHING} | fields))
    if weights.config.output == "gaussian":
        weights.tensors["head.output.weight"] *= np.float32(0.05)
        weights.tensors["head.output.bias"] = np.array([0.02, -4.0], np.float32)
    weights.instrument = instrument or weights.instrument
    return weights


def sustained(level: float = 0.3, **fields: object) -> Weights:
    """A network that hums at one level whatever it is told, so that gains can be read off."""
    weights = quiet_network(**fields)
    weights.tensors["head.output.weight"][...] = 0.0
    weights.tensors["head.output.bias"] = np.array([level, -9.0], np.float32)
    return weights


def inputs(config: WaveNetConfig, frames: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random samples (T,), conditioning (C, T) and excitation (2K, T)."""
    generator = np.random.default_rng(seed)
    if config.output == "gaussian":
        samples = generator.uniform(-1.0, 1.0, frames).astype(np.float32)
    else:
        samples = generator.integers(0, config.quantization_channels, frames)
    conditioning = generator.standard_normal((config.conditioning_channels, frames)).astype(np.float32)
    excitation = generator.uniform(-1.0, 1.0, (config.excitation_channels, frames)).astype(np.float32)
    return samples, conditioning, excitation
