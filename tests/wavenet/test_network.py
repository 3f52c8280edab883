import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtwave.wavenet.config import WaveNetConfig  # noqa: E402
from rtwave.wavenet.network import WaveNet  # noqa: E402
from rtwave.wavenet.weights import Weights  # noqa: E402

CONFIGS = [
    WaveNetConfig(dilations=(1, 2, 4), residual_channels=5, skip_channels=7, head_channels=13),
    WaveNetConfig(output="mulaw", quantization_channels=31, dilations=(3, 1), kernel_size=3, conditioning=("gate",)),
    WaveNetConfig(excitation="partials", partials=4, conditioning=(), dilations=(2, 2)),
]


def inputs(config, frames, seed=0):
    generator = torch.Generator().manual_seed(seed)
    samples = torch.rand(2, frames, generator=generator) * 0.2
    if config.output == "mulaw":
        samples = torch.randint(0, config.quantization_channels, (2, frames), generator=generator)
    conditioning = torch.randn(2, config.conditioning_channels, frames, generator=generator)
    excitation = torch.randn(2, config.excitation_channels, frames, generator=generator)
    return samples, conditioning, excitation if config.excitation_channels else None


@pytest.mark.parametrize("config", CONFIGS)
def test_a_network_takes_over_the_weights_of_another_bit_for_bit(config):
    weights, network = Weights.random(config, seed=3), WaveNet(config)
    network.take(weights)
    assert network.weights().same_network(weights)


@pytest.mark.parametrize("config", CONFIGS)
def test_output_never_sees_the_future(config):
    torch.manual_seed(0)
    network = WaveNet(config)
    samples, conditioning, excitation = inputs(config, 40)
    before = network(samples, conditioning, excitation)
    assert before.shape == (2, config.outputs, 40)
    samples = samples.clone()
    samples[:, 20:] = 0
    after = network(samples, conditioning, excitation)
    assert torch.allclose(before[..., :20], after[..., :20], atol=1e-6)
    assert not torch.allclose(before[..., 20:], after[..., 20:], atol=1e-6)


def test_output_sees_exactly_the_receptive_field():
    config = CONFIGS[0]
    torch.manual_seed(0)
    network = WaveNet(config)
    samples, conditioning, _ = inputs(config, 40)
    samples.requires_grad_()
    network(samples, conditioning)[0, :, 30].sum().backward()
    reached = torch.nonzero(samples.grad[0]).flatten()
    assert (reached.min().item(), reached.max().item()) == (30 - config.receptive_field + 1, 30)


def test_conditioning_held_for_a_period_equals_its_repetition():
    config = CONFIGS[0]
    torch.manual_seed(0)
    network = WaveNet(config)
    samples, conditioning, _ = inputs(config, 40)
    slow = conditioning[..., ::8]
    assert torch.allclose(network(samples, slow), network(samples, slow.repeat_interleave(8, dim=2)), atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
def test_exported_arrays_are_the_network(config):
    """The reference reads the arrays; so they carry everything that the module computes with."""
    from rtwave.wavenet.reference import ReferenceWaveNet

    torch.manual_seed(1)
    network = WaveNet(config)
    samples, conditioning, excitation = inputs(config, 30)
    expected = network(samples, conditioning, excitation)[0].T.detach().numpy()
    result = ReferenceWaveNet(network.weights()).teacher_force(
        samples[0].numpy(), conditioning[0].numpy(), None if excitation is None else excitation[0].numpy()
    )
    np.testing.assert_allclose(result, expected, atol=1e-4)
