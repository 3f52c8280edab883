import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtwave.training.loss import bits_per_sample, negative_log_likelihood  # noqa: E402
from rtwave.wavenet.codec import encode  # noqa: E402
from rtwave.wavenet.config import WaveNetConfig  # noqa: E402

GAUSSIAN, MULAW = WaveNetConfig(), WaveNetConfig(output="mulaw")


def test_gaussian_likelihood_is_the_density_of_the_normal_distribution():
    normal = torch.distributions.Normal(0.1, np.exp(-2.0))
    targets = torch.tensor([[0.1, 0.3, -0.2]])
    outputs = torch.tensor([0.1, -2.0]).expand(1, 3, 2)
    torch.testing.assert_close(negative_log_likelihood(GAUSSIAN, outputs, targets), -normal.log_prob(targets))


def test_log_scale_is_clamped():
    outputs = torch.tensor([[[0.0, -50.0], [0.0, -9.5], [0.0, 9.0], [0.0, 1.0]]])
    nats = negative_log_likelihood(GAUSSIAN, outputs, torch.zeros(1, 4))[0]
    assert nats[0] == nats[1]
    assert nats[2] == nats[3]


def test_mulaw_likelihood_is_cross_entropy():
    logits = torch.randn(2, 3, 256, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, 3], [4, 5, 255]])
    expected = -torch.log_softmax(logits, 2).gather(2, targets[..., None])[..., 0]
    torch.testing.assert_close(negative_log_likelihood(MULAW, logits, targets), expected)


def test_both_outputs_measure_the_same_noise_in_the_same_unit():
    """White noise of scale 0.1 has log2(0.1 · 2^15 · sqrt(2πe)) bits a 16-bit sample, whichever output models it."""
    noise = np.random.default_rng(0).normal(0, 0.1, 20_000)
    entropy = np.log2(0.1 * 2**15 * np.sqrt(2 * np.pi * np.e))
    nats = 0.5 * np.log(2 * np.pi) + np.log(0.1) + 0.5 * (noise / 0.1) ** 2
    gain = np.ones(len(noise))
    assert bits_per_sample(GAUSSIAN, nats, noise, gain) == pytest.approx(entropy, abs=0.02)
    classes = encode(noise)
    share = np.bincount(classes, minlength=256) / len(classes)
    assert bits_per_sample(MULAW, -np.log(share[classes]), classes, gain) == pytest.approx(entropy, abs=0.05)


def test_levelling_does_not_change_the_measure():
    noise = np.random.default_rng(0).normal(0, 0.01, 20_000)
    nats = 0.5 * np.log(2 * np.pi) + np.log(0.1) + 0.5 * (noise / 0.01) ** 2
    entropy = np.log2(0.01 * 2**15 * np.sqrt(2 * np.pi * np.e))
    assert bits_per_sample(GAUSSIAN, nats, 10 * noise, np.full(len(noise), 0.1)) == pytest.approx(entropy, abs=0.02)
