"""What is minimised: the negative log likelihood of the next sample, for both outputs."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ..wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN, WaveNetConfig


def negative_log_likelihood(config: WaveNetConfig, outputs: Tensor, targets: Tensor) -> Tensor:
    """Nats per sample, shape of targets (B, T); outputs (B, T, O). ClariNet (arXiv 1807.07281) equation 2."""
    if config.output == "mulaw":
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    mean, log_scale = outputs[..., 0], outputs[..., 1].clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)
    error = (targets - mean) * torch.exp(-log_scale)
    return 0.5 * math.log(2.0 * math.pi) + log_scale + 0.5 * error.square()
