"""Bits per 16-bit sample of the recorded sound: the measure in which outputs, networks and precisions compare."""

import math

import numpy as np

from ..wavenet.codec import class_values
from ..wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN, WaveNetConfig


def nats_per_sample(config: WaveNetConfig, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What loss.negative_log_likelihood gives, without torch: float64 (T,) of outputs (T, O) and targets (T,)."""
    outputs = outputs.astype(np.float64)
    if config.output == "mulaw":
        logits = outputs - outputs.max(axis=1, keepdims=True)
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(targets)), targets]
    mean, log_scale = outputs[:, 0], outputs[:, 1].clip(LOG_SCALE_MIN, LOG_SCALE_MAX)
    return 0.5 * math.log(2.0 * math.pi) + log_scale + 0.5 * ((targets - mean) * np.exp(-log_scale)) ** 2


def bits_per_sample(
    config: WaveNetConfig, nats: np.ndarray, targets: np.ndarray, gain: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Mean bits per 16-bit sample of the recorded sound: the unit in which all networks compare.

    The likelihood of a step of 2⁻¹⁵ in the recording is that of the step divided by `gain` in what the network models.
    `weights` say how much each sample counts: all alike without.
    """
    bits = nats / math.log(2.0) + 15.0 + np.log2(gain)
    if config.output == "mulaw":
        bits += np.log2(class_widths(config.quantization_channels))[targets]
    return float(np.average(bits, weights=weights))


def class_widths(quantization_channels: int) -> np.ndarray:
    """Width of every mu-law class on the scale of samples, float64 (Q,)."""
    values = class_values(quantization_channels)
    return np.diff(np.concatenate([values[:1], (values[1:] + values[:-1]) / 2.0, values[-1:]]))
