"""The oracle itself: against the torch module, and against what a hand can work out."""

import numpy as np
import pytest

from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.reference import ReferenceWaveNet
from rtwave.wavenet.weights import Weights

from ..engine.networks import ODD_SIZES, inputs, network


@pytest.mark.parametrize("size", ODD_SIZES)
def test_teacher_forced_output_equals_the_torch_module(size):
    torch = pytest.importorskip("torch")
    from rtwave.wavenet.network import WaveNet

    torch.manual_seed(0)
    module = WaveNet(network(**ODD_SIZES[size]).config)
    samples, conditioning, excitation = inputs(module.config, 100)
    with torch.no_grad():
        expected = module(
            torch.from_numpy(samples)[None],
            torch.from_numpy(conditioning)[None],
            torch.from_numpy(excitation)[None] if module.config.excitation_channels else None,
        )[0].numpy()
    found = ReferenceWaveNet(module.weights()).teacher_force(samples, conditioning, excitation)
    np.testing.assert_allclose(found.T, expected, rtol=1e-4, atol=1e-4)


def test_one_channel_by_hand():
    config = WaveNetConfig(
        residual_channels=1, skip_channels=1, head_channels=1, dilations=(2,), conditioning=("velocity",)
    )
    tensors = {
        "input.weight": [2.0],
        "input.bias": [0.5],
        "layers.0.gate.weight": [[[0.3, 0.7]], [[-0.2, 0.4]]],
        "layers.0.gate.bias": [0.1, -0.1],
        "layers.0.conditioning.weight": [[1.0], [0.5]],
        "layers.0.skip.weight": [[3.0]],
        "head.hidden.weight": [[1.5]],
        "head.hidden.bias": [0.2],
        "head.output.weight": [[1.0], [-1.0]],
        "head.output.bias": [0.0, -3.0],
    }
    weights = Weights(config, {name: np.array(value, np.float32) for name, value in tensors.items()})
    network = ReferenceWaveNet(weights)
    c = np.array([0.6])
    h = [2.0 * sample + 0.5 for sample in (0.1, 0.2, 0.3)]
    for present, past, sample in ((h[0], 0.0, 0.1), (h[1], 0.0, 0.2), (h[2], h[0], 0.3)):
        y = np.tanh(0.3 * past + 0.7 * present + 0.1 + 0.6) / (1.0 + np.exp(-(-0.2 * past + 0.4 * present - 0.1 + 0.3)))
        hidden = max(1.5 * max(3.0 * y, 0.0) + 0.2, 0.0)
        np.testing.assert_allclose(network.step(sample, c), [hidden, -hidden - 3.0], rtol=1e-6)


def test_a_sample_reaches_as_far_as_the_receptive_field_and_no_further():
    weights = network(residual_channels=4, dilations=(1, 2, 4), kernel_size=3, conditioning=())
    field = weights.config.receptive_field
    samples, conditioning, excitation = inputs(weights.config, 2 * field)
    touched = samples.copy()
    touched[3] += 0.5
    before, after = (
        ReferenceWaveNet(weights).teacher_force(given, conditioning, excitation) for given in (samples, touched)
    )
    changed = np.flatnonzero(np.abs(after - before).max(axis=1) > 0.0)
    assert changed[0] == 3
    assert changed[-1] == 3 + field - 1
