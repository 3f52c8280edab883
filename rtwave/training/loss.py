"""What is minimised, the negative log likelihood of the next sample, for both outputs; and what makes bits of it."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN, WaveNetConfig
from .bits import class_widths


def negative_log_likelihood(config: WaveNetConfig, outputs: Tensor, targets: Tensor) -> Tensor:
    """Nats per sample, shape of targets (B, T); outputs (B, T, O). ClariNet (arXiv 1807.07281) equation 2."""
    if config.output == "mulaw":
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    mean, log_scale = outputs[..., 0], outputs[..., 1].clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)
    error = (targets - mean) * torch.exp(-log_scale)
    return 0.5 * math.log(2.0 * math.pi) + log_scale + 0.5 * error.square()


class BitCounter:
    """bits.bits_per_sample on tensors, where they are: nothing waits for the device."""

    def __init__(self, config: WaveNetConfig, device: torch.device) -> None:
        self._widths = None
        if config.output == "mulaw":
            self._widths = torch.from_numpy(np.log2(class_widths(config.quantization_channels))).float().to(device)

    def __call__(self, nats: Tensor, targets: Tensor, gain: Tensor) -> Tensor:
        """Bits per 16-bit sample, shape of all three (B, T), of samples that cost so many nats."""
        bits = nats / math.log(2.0) + 15.0 + gain.log2()
        return bits if self._widths is None else bits + self._widths[targets]
