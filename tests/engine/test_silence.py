"""Where a note starts: as if its network had heard silence for ever."""

import numpy as np
import pytest

from rtwave.engine.engine import Engine
from rtwave.engine.silence import silent_inputs
from rtwave.wavenet.reference import ReferenceWaveNet

from .networks import ODD_SIZES, network, quiet_network


@pytest.mark.parametrize("size", ODD_SIZES)
def test_silent_inputs_are_what_priming_comes_to(size):
    weights = network(**ODD_SIZES[size])
    config, primed = weights.config, ReferenceWaveNet(weights)
    silence = 0.0 if config.output == "gaussian" else config.quantization_channels // 2
    for _ in range(config.receptive_field):
        primed.step(silence, np.zeros(config.conditioning_channels), np.zeros(config.excitation_channels))
    for past, expected in zip(primed.past, silent_inputs(weights), strict=True):
        np.testing.assert_allclose(past, np.broadcast_to(expected, past.shape), rtol=1e-6, atol=1e-6)


def free_run(weights, past, frames):
    """Means (frames,) of a note that has heard `past`, an input a layer."""
    reference, heard, means = ReferenceWaveNet(weights), 0.0, []
    for layer, h in zip(reference.past, past, strict=True):
        layer[:] = h
    for _ in range(frames):
        heard, _ = reference.step(heard, np.zeros(0))
        means.append(heard)
    return np.array(means)


def test_the_engine_s_notes_start_there():
    weights = quiet_network(conditioning=(), excitation="none", kernel_size=3)
    weights.tensors["head.output.weight"] *= np.float32(10.0)
    engine = Engine(weights, precision="float32")
    engine.control("temperature", 0.0)
    engine.note_on(60, 100)
    silence = silent_inputs(weights)
    sound = engine.render(40)
    np.testing.assert_allclose(sound, free_run(weights, silence, 40), atol=1e-6)
    assert np.abs(sound - free_run(weights, np.zeros_like(silence), 40)).max() > 1e-3
