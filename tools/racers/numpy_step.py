"""NumPy: preallocated arrays, one BLAS call for past and present tap and bias, one for all skip products."""

from math import exp

import numpy as np

from rtwave.wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN

from .course import Course
from .peer import Peer


class NumpyStep(Peer):
    """Every operation writes where the next one reads; methods and views are looked up beforehand."""

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        fold, config = self.fold, course.weights.config
        layers, r = len(config.dilations), config.residual_channels
        inputs = np.ones((layers, fold.gate.shape[2]), np.float32)
        self.past, self.present = inputs[:, : -r - 1].reshape(layers, -1, r), inputs[:, -r - 1 : -1]
        self.ring = fold.past
        self.slots = [(slots, np.ascontiguousarray(slots[:, 0])) for slots in fold.slots]
        gated = np.empty((layers, r), np.float32)
        self.all_gated = gated.reshape(-1)
        self.z, self.grown = np.empty(2 * r, np.float32), np.empty(r, np.float32)
        self.ones = np.ones(r, np.float32)
        gate, residual, skip, hidden, output = (
            [np.asfortranarray(matrix).dot for matrix in matrices]
            for matrices in (fold.gate, fold.residual, [fold.skip], [fold.hidden], [fold.output])
        )
        self.layers = list(
            zip(gate, inputs, gated, [*residual, None], self.present, [*self.present[1:], None], strict=True)
        )
        self.skip, self.hidden, self.output = skip[0], hidden[0], output[0]
        self.skipped, self.heads = np.empty(len(fold.skip), np.float32), np.empty(len(fold.hidden), np.float32)
        self.noisy = np.empty_like(self.outputs)
        self.t = 0

    @property
    def versions(self) -> str:
        """NumPy's and its BLAS's."""
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"numpy {np.__version__}, {blas['name']} {blas['version']}"

    def step(self) -> None:
        """One sample."""
        add, multiply, tanh, maximum = np.add, np.multiply, np.tanh, np.maximum
        fold, z, grown, ones = self.fold, self.z, self.grown, self.ones
        f, g = z[: len(grown)], z[len(grown) :]
        slots, oldest = self.slots[self.t % len(self.slots)]
        self.past[...] = self.ring[slots]
        self._enter(self.present[0])
        for gate, inputs, y, residual, h, following in self.layers:
            gate(inputs, z)
            tanh(z, z)
            add(g, ones, g)
            multiply(f, g, y)
            if residual:
                residual(y, grown)
                add(h, grown, following)
        self.ring[oldest] = self.present
        skipped, heads, outputs = self.skipped, self.heads, self.outputs
        maximum(self.skip(self.all_gated, skipped), 0.0, out=skipped)
        add(self.hidden(skipped, heads), fold.hidden_bias, heads)
        maximum(heads, 0.0, out=heads)
        add(self.output(heads, outputs), fold.output_bias, outputs)
        self._draw()
        self.t += 1

    def _enter(self, h: np.ndarray) -> None:
        fold, t = self.fold, self.t % len(self.course.noise)
        if self.gaussian:
            np.multiply(fold.entry, self.sample, h)
        else:
            h[...] = fold.entry[self.sample[0]]
        if fold.drive is not None:
            np.add(h, fold.drive[t], h)

    def _draw(self) -> None:
        noise = self.course.noise[self.t % len(self.course.noise)]
        if self.gaussian:
            mean, log_scale = self.outputs.tolist()
            self.sample[0] = mean + exp(min(max(log_scale, LOG_SCALE_MIN), LOG_SCALE_MAX)) * float(noise[0])
        else:
            self.sample[0] = np.add(self.outputs, noise, self.noisy).argmax()
