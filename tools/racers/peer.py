"""What all peers have in common: how they are checked and driven, and all that can be worked out before the first step.

A peer is spared whatever does not change from sample to sample, or can be known beforehand: conditioning, excitation,
random numbers. rtwave is not.
"""

from abc import ABC, abstractmethod

import numpy as np

from .course import Course


class Fold:
    """The network of arXiv 1609.03499 with fewer operations and the same outputs; all float32.

    - sigmoid(x) = (1 + tanh(x / 2)) / 2, so one tanh serves filter and gate, and the halves go into the weights:
      with [f, g] = tanh(gate @ inputs), y = f + f g is twice the gated output.
    - Constants go into the gate's bias: conditioning, and the residual biases of all layers before, by which the
      stream h that a layer keeps is therefore short. `past` is what silence looks like in it.
    - The skip products of all layers are one product of all their y, side by side.

    gate (L, 2R, kR + 1), for a layer's taps, oldest first, and 1; residual (L − 1, R, R); skip (S, LR);
    hidden (H, S), hidden_bias; output (O, H), output_bias; entry (Q, R) or (R,); drive (PERIOD, R) or None: what is
    added to each step's entry. All rings lie in one array, past (rows, R); at step t a layer finds its past taps at
    slots[t % len(slots)] (L, k − 1), oldest first, and puts h[t] where the oldest was.
    """

    def __init__(self, course: Course) -> None:
        config = course.weights.config
        tensors = {name: tensor.astype(np.float64) for name, tensor in course.weights.tensors.items()}
        r, layers = config.residual_channels, range(len(config.dilations))
        halves = np.repeat([1.0, 0.5], r)[:, None]
        gates, residuals, silence, missing = [], [], [], np.zeros(r)
        for layer in layers:
            prefix = f"layers.{layer}."
            taps = tensors[prefix + "gate.weight"]
            bias = tensors[prefix + "gate.bias"] + taps.sum(axis=2) @ missing
            if config.conditioning_channels:
                bias = bias + tensors[prefix + "conditioning.weight"] @ course.conditioning
            gates.append(halves * np.hstack([*np.moveaxis(taps, 2, 0), bias[:, None]]))
            silence.append(np.tile(-missing, ((config.kernel_size - 1) * config.dilations[layer], 1)))
            if prefix + "residual.weight" in tensors:
                residuals.append(0.5 * tensors[prefix + "residual.weight"])
                missing = missing + tensors[prefix + "residual.bias"]
        self.gate = np.float32(gates)
        self.residual = np.float32(residuals).reshape(-1, r, r)
        self.skip = np.float32(np.hstack([0.5 * tensors[f"layers.{layer}.skip.weight"] for layer in layers]))
        self.hidden, self.hidden_bias = (np.float32(tensors[f"head.hidden.{name}"]) for name in ("weight", "bias"))
        self.output, self.output_bias = (np.float32(tensors[f"head.output.{name}"]) for name in ("weight", "bias"))
        self.entry = np.float32(tensors["input.weight"])
        driven = course.excitation.T @ tensors["excitation.weight"].T if config.excitation_channels else 0.0
        driven = driven + tensors.get("input.bias", 0.0)
        self.drive = np.float32(np.broadcast_to(driven, (len(course.noise), r))) if np.any(driven) else None
        self.past = np.float32(np.vstack(silence))
        self.slots = _slots(config.dilations, config.kernel_size - 1)


def _slots(dilations: tuple[int, ...], taps: int) -> np.ndarray:
    lengths = taps * np.array(dilations)
    begins = np.cumsum(lengths) - lengths
    ages = np.arange(taps, 0, -1) * np.array(dilations)[:, None]
    steps = np.arange(np.lcm.reduce(lengths))[:, None, None]
    return begins[:, None] + (steps - ages) % lengths[:, None]


class Peer(ABC):
    """One stream of the network in another library: `step` turns `sample` into `outputs` and draws the next `sample`.

    sample (1,) int64 class or float32 and outputs (O,) float32 are NumPy arrays whose memory the library works in.
    """

    def __init__(self, course: Course) -> None:
        self.course, self.fold = course, Fold(course)
        self.gaussian = course.weights.config.output == "gaussian"
        self.sample = np.zeros(1, np.float32 if self.gaussian else np.int64)
        self.outputs = np.zeros(course.weights.config.outputs, np.float32)

    @property
    @abstractmethod
    def versions(self) -> str:
        """The libraries that compute, and their versions."""

    @abstractmethod
    def step(self) -> None:
        """One sample."""

    def run(self, steps: int) -> None:
        """So many samples, each fed back."""
        step = self.step
        for _ in range(steps):
            step()

    def teacher_force(self) -> np.ndarray:
        """Outputs (T, outputs) of the first steps, the course's samples put in place of those drawn."""
        outputs, drawn = [], []
        for sample in self.course.samples:
            self.sample[0] = sample
            self.step()
            outputs.append(self.outputs.copy())
            drawn.append(self.sample[0])
        outputs = np.array(outputs)
        if not np.allclose(drawn, self.course.draw(outputs), atol=1e-5):
            raise ValueError("its samples are not what its outputs and the random numbers make")
        return outputs
