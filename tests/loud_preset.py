"""A preset whose first sample after note-on is loud, and whose notes end at once: what latency is measured with."""

from pathlib import Path

import numpy as np

from rtwave.presets import Playing, Preset, write_preset
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.instrument import Instrument
from rtwave.wavenet.weights import Weights, tensor_shapes

LOUD = 0.5
"""Every sample of a held note, as near as float32 comes."""


def loud_weights(sample_rate: int = 48_000) -> Weights:
    """The smallest network there is: it predicts a constant, whatever it hears; dampers take 1 ms."""
    config = WaveNetConfig(
        sample_rate=sample_rate,
        leveling="loudness",
        dilations=(1,),
        residual_channels=1,
        skip_channels=1,
        head_channels=1,
        control_period=8,
        conditioning=(),
    )
    tensors = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes(config).items()}
    tensors["head.output.bias"] = np.array([LOUD, -9.5], np.float32)
    instrument = Instrument.neutral(config.partials)
    instrument.release_s[:] = 0.001
    return Weights(config, tensors, instrument)


def write_loud_preset(folder: Path, sample_rate: int = 48_000) -> Preset:
    """Write it; at its own `sample_rate` in Hz no resampler delays it."""
    return write_preset(
        folder,
        loud_weights(sample_rate),
        name=folder.name,
        description="a click to measure with",
        license="CC0-1.0",
        source="made by a test",
        playing=Playing(temperature=0.0, polyphony=4),
    )
