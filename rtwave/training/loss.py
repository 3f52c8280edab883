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


def bits_per_sample(config: WaveNetConfig, nats: np.ndarray, targets: np.ndarray) -> float:
    """Mean bits per 16-bit sample: the unit in which both outputs compare (likelihood of a step of 2⁻¹⁵)."""
    bits = nats / math.log(2.0)
    if config.output == "gaussian":
        return float(bits.mean() + 15.0)
    values = class_values(config.quantization_channels)
    edges = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2.0, values[-1:]])
    return float((bits + np.log2(np.diff(edges) * 2.0**15)[targets]).mean())
