import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtwave.training.loss import negative_log_likelihood  # noqa: E402
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
