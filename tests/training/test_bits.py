import numpy as np
import pytest

from rtwave.training.bits import bits_per_sample, nats_per_sample
from rtwave.wavenet.codec import encode
from rtwave.wavenet.config import WaveNetConfig

GAUSSIAN, MULAW = WaveNetConfig(), WaveNetConfig(output="mulaw")


@pytest.mark.parametrize("config", [GAUSSIAN, MULAW], ids=lambda config: config.output)
def test_what_is_measured_is_what_is_learned(config):
    torch = pytest.importorskip("torch")
    from rtwave.training.loss import negative_log_likelihood

    generator = np.random.default_rng(0)
    outputs = generator.normal(0.0, 8.0, (500, config.outputs)).astype(np.float32)
    targets = generator.uniform(-1.0, 1.0, 500).astype(np.float32)
    if config.output == "mulaw":
        targets = encode(targets)
    expected = negative_log_likelihood(config, torch.from_numpy(outputs)[None], torch.from_numpy(targets)[None])[0]
    np.testing.assert_allclose(nats_per_sample(config, outputs, targets), expected.numpy(), rtol=1e-4)


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
