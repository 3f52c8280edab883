"""What is minimised: the negative log likelihood of the next sample, for both outputs, and its common measure."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..wavenet.codec import class_values
from ..wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN, WaveNetConfig


def negative_log_likelihood(config: WaveNetConfig, outputs: Tensor, targets: Tensor) -> Tensor:
    """Nats per sample, shape of targets (B, T); outputs (B, T, O). ClariNet (arXiv 1807.07281) equation 2."""
    if config.output == "mulaw":
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    mean, log_scale = outputs[..., 0], outputs[..., 1].clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)
    error = (targets - mean) * torch.exp(-log_scale)
    return 0.5 * math.log(2.0 * math.pi) + log_scale + 0.5 * error.square()


def bits_per_sample(config: WaveNetConfig, nats: np.ndarray, targets: np.ndarray, gain: np.ndarray) -> float:
    """Mean bits per 16-bit sample of the recorded sound: the unit in which all networks compare.

    The likelihood of a step of 2⁻¹⁵ in the recording is that of the step divided by `gain` in what the network models.
    """
    bits = nats / math.log(2.0) + 15.0 + np.log2(gain)
    if config.output == "mulaw":
        values = class_values(config.quantization_channels)
        edges = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2.0, values[-1:]])
        bits += np.log2(np.diff(edges))[targets]
    return float(bits.mean())
