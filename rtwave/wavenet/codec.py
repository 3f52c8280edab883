"""Audio to data and back: mu-law companding into classes, and pre-emphasis.

The continuous curve is G.711's, F(x) = sgn(x) ln(1 + mu |x|) / ln(1 + mu) with mu = Q − 1, as in arXiv 1609.03499
section 2.2. Classes are midpoints of Q equal steps of the companded scale, so that −1, 0 and +1 are exact.
"""

from itertools import accumulate

import numpy as np


def compress(samples: np.ndarray, quantization_channels: int = 256) -> np.ndarray:
    """Compand samples in −1..1 to −1..1 (any float dtype; values outside are clipped)."""
    mu = quantization_channels - 1
    samples = np.clip(samples, -1.0, 1.0)
    return np.sign(samples) * np.log1p(mu * np.abs(samples)) / np.log1p(mu)


def expand(companded: np.ndarray, quantization_channels: int = 256) -> np.ndarray:
    """The inverse of `compress`."""
    mu = quantization_channels - 1
    return np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(mu)) / mu


def class_values(quantization_channels: int = 256) -> np.ndarray:
    """The sample value of every class, float64 (Q,), rising from −1 to 1; class Q // 2 is exactly 0."""
    zero = quantization_channels // 2
    below = np.arange(zero) / zero - 1.0
    above = np.arange(1, quantization_channels - zero) / (quantization_channels - zero - 1)
    return expand(np.concatenate([below, [0.0], above]), quantization_channels)


def encode(samples: np.ndarray, quantization_channels: int = 256) -> np.ndarray:
    """Classes int64 in 0..Q−1 of float samples; the nearest class on the companded scale."""
    zero = quantization_channels // 2
    companded = compress(np.asarray(samples, np.float64), quantization_channels)
    steps = np.where(companded < 0, zero, quantization_channels - zero - 1)
    return (np.rint(companded * steps) + zero).astype(np.int64)


def decode(classes: np.ndarray, quantization_channels: int = 256) -> np.ndarray:
    """Sample values float32 of classes; the inverse of `encode` to within half a step."""
    return class_values(quantization_channels)[classes].astype(np.float32)


def emphasize(samples: np.ndarray, pre_emphasis: float) -> np.ndarray:
    """y[t] = x[t] − a x[t−1] along the last axis, x[−1] = 0: what the network models."""
    result = samples.copy()
    result[..., 1:] -= np.asarray(pre_emphasis, samples.dtype) * samples[..., :-1]
    return result


def deemphasize(samples: np.ndarray, pre_emphasis: float) -> np.ndarray:
    """x[t] = y[t] + a x[t−1] of one signal (T,): the inverse of `emphasize`."""
    if not len(samples):
        return samples.copy()
    restored = accumulate(samples.tolist(), lambda previous, sample: sample + pre_emphasis * previous)
    return np.fromiter(restored, samples.dtype, len(samples))
