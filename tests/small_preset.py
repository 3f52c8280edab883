"""A preset small enough for tests: a random network that sounds, in a folder of its own."""

from pathlib import Path

import numpy as np

from rtwave.presets import Playing, Preset, write_preset
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights


def small_weights(seed: int = 0, sample_rate: int = 16_000) -> Weights:
    """A network of a few hundred weights whose noise is quiet and whose notes ring out within half a second."""
    config = WaveNetConfig(
        sample_rate=sample_rate,
        dilations=(1, 2, 4, 8),
        residual_channels=8,
        skip_channels=8,
        head_channels=8,
        excitation="partials",
        partials=4,
        conditioning=("pitch", "loudness", "gate"),
    )
    weights = Weights.random(config, seed, scale=0.5)
    weights.tensors["head.output.bias"] = np.array([0.0, -4.0], np.float32)
    return weights


def write_small_preset(folder: Path, weights: Weights | None = None, **options: object) -> Preset:
    """Write it, of `weights` or of small ones; `options` go to write_preset."""
    described = {
        "name": folder.name,
        "description": "a random network",
        "license": "CC0-1.0",
        "source": "made by a test",
        "playing": Playing(temperature=0.5, polyphony=6),
    }
    return write_preset(folder, weights or small_weights(), **(described | options))
