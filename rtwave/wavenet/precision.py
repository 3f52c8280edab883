"""What a precision makes of a network: how its big matrices are rounded, and what they are multiplied by.

bfloat16 rounds the weights, in pairs. int8 holds each row of weights (and of each tap) as whole numbers of its own
step, and the vector it meets as whole numbers of 14 bits, of one step for all: with 8 the piano loses 0.23 bits per
sample, with 8-bit weights nothing. Everything else stays float32.
"""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import RtwaveError

if TYPE_CHECKING:
    from .weights import Weights

PRECISIONS = ("float32", "bfloat16", "int8")

TOLERATED_BITS = 0.01
"""Bits per sample that a faster precision may cost."""

WEIGHT_MAX = 127
ACTIVATION_MIN, ACTIVATION_MAX = -8192, 8191

HEADROOM = 2.0
"""Largest activation that int8 can hold, over the largest that the corpus shows: a player leaves the corpus."""

GATED_STEP = 1.0 / ACTIVATION_MAX
"""Step of tanh times sigmoid, which never exceeds 1."""

MIN_RANGE, MAX_RANGE = 1e-6, 1e30
"""Bounds of a range: that of an activation which is never anything but 0, and what float32 can still double."""

BLOCK = 64
"""Rows that `activation_ranges` multiplies at a time."""


def check_precision(precision: str) -> str:
    """Return `precision` if it is one, else raise RtwaveError."""
    if precision not in PRECISIONS:
        raise RtwaveError(f"precision is {precision!r}, expected one of {', '.join(PRECISIONS)}")
    return precision


def best_precision(bits: dict[str, float], by_speed: list[str]) -> str:
    """The first of `by_speed` that costs at most TOLERATED_BITS more than float32; float32 where that is not known."""
    if "float32" not in bits:
        return "float32"
    good = (name for name in by_speed if name in bits and bits[name] <= bits["float32"] + TOLERATED_BITS)
    return next(good, "float32")


def round_to_bfloat16(weight: np.ndarray) -> np.ndarray:
    """A matrix (rows, columns) or taps (rows, columns, k), float32, at the values that bfloat16 holds it at.

    Two columns share 32 bits, and the second is read as it stands, with the first one's bits as its lower half: the
    nearest of the values that this leaves. So a weight is off by at most 2⁻⁸ of its size, as in plain rounding.
    """
    bits = np.ascontiguousarray(weight, np.float32).view(np.uint32).astype(np.int64)
    held = np.zeros_like(bits)
    held[:, 0::2] = _nearest(bits[:, 0::2], 0)
    held[:, 1::2] = _nearest(bits[:, 1::2], held[:, 0 : bits.shape[1] // 2 * 2 : 2] >> 16)
    return held.astype(np.uint32).view(np.float32)


def _nearest(bits: np.ndarray, below: np.ndarray | int) -> np.ndarray:
    """Bits of the float32 nearest to each of `bits` among those whose lower half is `below`."""
    sign, size = bits & 0x80000000, (bits & 0x7FFFFFFF) + 0x8000 - below
    return sign | (np.clip(size, 0, 0x7F7F0000) & 0xFFFF0000) | below


def quantize_rows(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A matrix (rows, columns), or taps (rows, columns, k), float32 as whole numbers int8 and a scale float32 a row.

    Scales are (rows, 1) or (rows, 1, k); a row of zeros has scale 0.
    """
    scale = np.abs(weight).max(axis=1, keepdims=True) / np.float32(WEIGHT_MAX)
    whole = np.rint(weight / np.where(scale > 0.0, scale, np.float32(1.0)))
    return np.clip(whole, -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8), scale


def quantize(activations: np.ndarray, step: float) -> np.ndarray:
    """Activations as whole numbers of `step`, int64; beyond 14 bits they saturate."""
    return np.clip(np.rint(activations / step), ACTIVATION_MIN, ACTIVATION_MAX).astype(np.int64)


def held_tensors(weights: "Weights", precision: str) -> dict[str, np.ndarray]:
    """Every tensor of a network, float64, with the values that `precision` holds it at."""
    hold = {"float32": np.asarray, "bfloat16": round_to_bfloat16, "int8": _int8_values}[check_precision(precision)]
    return {
        name: (hold(tensor) if is_reduced(name, weights.config.output) else tensor).astype(np.float64)
        for name, tensor in weights.tensors.items()
    }


def _int8_values(weight: np.ndarray) -> np.ndarray:
    whole, scale = quantize_rows(weight)
    return whole * scale.astype(np.float64)


def is_reduced(name: str, output: str) -> bool:
    """Whether a tensor is one of the big matrices; a Gaussian's two last rows are not."""
    if name == "head.output.weight":
        return output == "mulaw"
    return name == "head.hidden.weight" or name.endswith((".gate.weight", ".residual.weight", ".skip.weight"))


def activation_steps(weights: "Weights") -> np.ndarray:
    """Steps float32 (layers + 2,) of int8: of h entering each layer, of relu(skip), of relu(hidden).

    RtwaveError where the weights hold no ranges.
    """
    if weights.ranges is None:
        raise RtwaveError(f"{weights.where}: ranges is missing, int8 needs the network's; export the preset again")
    return (HEADROOM * weights.ranges / ACTIVATION_MAX).astype(np.float32)


def activation_ranges(
    weights: "Weights", samples: np.ndarray, conditioning: np.ndarray, excitation: np.ndarray | None = None
) -> np.ndarray:
    """Largest size of each activation over a sequence, float32 (layers + 2,), in the order of `activation_steps`.

    samples (T,), conditioning (C, T), excitation (2K, T) or None, as the reference takes them.
    """
    config, tensors = weights.config, weights.tensors
    if config.output == "gaussian":
        h = np.float32(samples)[:, None] * tensors["input.weight"] + tensors["input.bias"]
    else:
        h = tensors["input.weight"][np.asarray(samples, np.int64)]
    if config.excitation_channels and excitation is not None:
        h = h + _product(np.float32(excitation).T, tensors["excitation.weight"])
    seen, skip = [], np.float32(0.0)
    for layer in range(len(config.dilations)):
        seen.append(h)
        y = _gate(weights, layer, h, conditioning)
        skip = skip + _product(y, tensors[f"layers.{layer}.skip.weight"])
        if f"layers.{layer}.residual.weight" in tensors:
            h = h + _product(y, tensors[f"layers.{layer}.residual.weight"]) + tensors[f"layers.{layer}.residual.bias"]
    skip = np.maximum(skip, 0.0)
    hidden = np.maximum(_product(skip, tensors["head.hidden.weight"]) + tensors["head.hidden.bias"], 0.0)
    largest = [np.abs(activation).max(initial=MIN_RANGE) for activation in (*seen, skip, hidden)]
    return np.array(largest, np.float32)


def _product(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x (T, columns) times the transpose of weight (rows, columns), in blocks so small that BLAS takes one thread.

    Several would wait for each other at every product: on a busy machine that takes ten times as long.
    """
    whole = len(x) // BLOCK * BLOCK
    blocks = np.ascontiguousarray(x[:whole]).reshape(-1, BLOCK, x.shape[1]) @ np.ascontiguousarray(weight.T)
    return np.concatenate([blocks.reshape(whole, len(weight)), x[whole:] @ weight.T])


def _gate(weights: "Weights", layer: int, h: np.ndarray, conditioning: np.ndarray) -> np.ndarray:
    """y (T, R) of a layer whose input is h (T, R)."""
    config, tensors, prefix = weights.config, weights.tensors, f"layers.{layer}."
    z = np.tile(tensors[prefix + "gate.bias"], (len(h), 1))
    if config.conditioning_channels:
        z += _product(np.float32(conditioning).T, tensors[prefix + "conditioning.weight"])
    for tap in range(config.kernel_size):
        delay = (config.kernel_size - 1 - tap) * config.dilations[layer]
        z[delay:] += _product(h[: max(len(h) - delay, 0)], tensors[prefix + "gate.weight"][..., tap])
    f, g = np.split(z, 2, axis=1)
    return np.tanh(f) * (0.5 + 0.5 * np.tanh(0.5 * g))
