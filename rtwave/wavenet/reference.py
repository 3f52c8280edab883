"""One step of the network in plain NumPy: the oracle that every engine is tested against."""

import numpy as np

from .precision import GATED_STEP, activation_steps, held_tensors, quantize
from .weights import Weights


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # the same function, without overflow


class ReferenceWaveNet:
    """A running copy of a network, float64: layer by layer as arXiv 1609.03499 has it.

    Starts with zeros in the past of every layer, as zero padding does. `precision` is what the big matrices are held
    in; an int8 product in float64 is its integer sum times its scales, to 1e-15.
    """

    def __init__(self, weights: Weights, precision: str = "float32") -> None:
        self.config = weights.config
        self.tensors = held_tensors(weights, precision)
        layers = len(self.config.dilations)
        self.steps = activation_steps(weights).astype(np.float64) if precision == "int8" else [None] * (layers + 2)
        """Of h entering each layer, of relu(skip), of relu(hidden)."""
        self.gated_step = GATED_STEP if precision == "int8" else None
        past = self.config.kernel_size - 1
        self.past = [np.zeros((past * dilation, self.config.residual_channels)) for dilation in self.config.dilations]
        """Per layer, its inputs at the last (kernel_size − 1) · dilation samples, oldest first."""

    def step(self, sample: float, c: np.ndarray, e: np.ndarray | None = None) -> np.ndarray:
        """Outputs (outputs,) that predict the next sample from `sample` (a class for mu-law) and all before it.

        c (C,) and e (2K,) belong to the sample predicted; e None where the network has no excitation.
        """
        tensors = self.tensors
        if self.config.output == "gaussian":
            h = tensors["input.weight"] * sample + tensors["input.bias"]
        else:
            h = tensors["input.weight"][int(sample)]
        if self.config.excitation_channels:
            h = h + tensors["excitation.weight"] @ e
        skip = np.zeros(self.config.skip_channels)
        for layer in range(len(self.config.dilations)):
            y = self._held(self._gate(layer, h, c), self.gated_step)
            skip += tensors[f"layers.{layer}.skip.weight"] @ y
            if f"layers.{layer}.residual.weight" in tensors:
                h = h + tensors[f"layers.{layer}.residual.weight"] @ y + tensors[f"layers.{layer}.residual.bias"]
        skip = self._held(np.maximum(skip, 0.0), self.steps[-2])
        hidden = np.maximum(tensors["head.hidden.weight"] @ skip + tensors["head.hidden.bias"], 0.0)
        if self.config.output == "mulaw":  # a Gaussian's last two rows stay float32
            hidden = self._held(hidden, self.steps[-1])
        return tensors["head.output.weight"] @ hidden + tensors["head.output.bias"]

    def _gate(self, layer: int, h: np.ndarray, c: np.ndarray) -> np.ndarray:
        """y (R,) of a layer whose input is h; h joins the layer's past."""
        prefix, dilation = f"layers.{layer}.", self.config.dilations[layer]
        inputs = np.vstack([self.past[layer], self._held(h, self.steps[layer])])
        taps = inputs[::dilation]  # h[t − (k − 1) d], …, h[t − d], h[t]
        self.past[layer] = inputs[1:]
        z = self.tensors[prefix + "gate.bias"] + np.einsum("ijk,kj->i", self.tensors[prefix + "gate.weight"], taps)
        if self.config.conditioning_channels:
            z = z + self.tensors[prefix + "conditioning.weight"] @ c
        r = self.config.residual_channels
        return np.tanh(z[:r]) * _sigmoid(z[r:])

    def _held(self, x: np.ndarray, step: float | None) -> np.ndarray:
        """What a matrix is multiplied by: x, or the whole numbers of `step` nearest to it."""
        return x if step is None else step * quantize(x, step)

    def teacher_force(
        self, samples: np.ndarray, conditioning: np.ndarray, excitation: np.ndarray | None = None
    ) -> np.ndarray:
        """Outputs (T, outputs) float64 of given samples (T,); conditioning (C, T), excitation (2K, T) or None."""
        columns = excitation.T if excitation is not None else [None] * len(samples)
        return np.array([self.step(s, c, e) for s, c, e in zip(samples, conditioning.T, columns, strict=True)])
