"""What a network hears that has heard nothing: where every note starts."""

import numpy as np

from ..wavenet.weights import Weights


def silent_inputs(weights: Weights) -> np.ndarray:
    """The input of each layer, float32 (layers, R), after silence for ever, with zero conditioning and excitation.

    Silence is sample 0, or the class in the middle. Each layer hears one constant vector at all its taps, so one step
    in float64 finds what priming through the whole receptive field comes to.
    """
    config, tensors = weights.config, weights.tensors
    r = config.residual_channels
    if config.output == "gaussian":
        h = tensors["input.bias"].astype(np.float64)
    else:
        h = tensors["input.weight"][config.quantization_channels // 2].astype(np.float64)
    inputs = []
    for layer in range(len(config.dilations)):
        prefix = f"layers.{layer}."
        inputs.append(h)
        z = tensors[prefix + "gate.weight"].astype(np.float64).sum(axis=2) @ h + tensors[prefix + "gate.bias"]
        y = np.tanh(z[:r]) * (0.5 + 0.5 * np.tanh(0.5 * z[r:]))
        if prefix + "residual.weight" in tensors:
            h = h + tensors[prefix + "residual.weight"].astype(np.float64) @ y + tensors[prefix + "residual.bias"]
    return np.array(inputs, np.float32)
