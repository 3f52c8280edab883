"""PyTorch, eager: four calls a layer, each into memory that the next one reads."""

import numpy as np
import torch

from rtwave.wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN

from .course import Course
from .peer import Peer


class TorchPeer(Peer):
    """One thread, no gradients."""

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        torch.set_num_threads(1)

    @property
    def versions(self) -> str:
        """PyTorch's."""
        return f"torch {torch.__version__}"

    @torch.inference_mode()
    def run(self, steps: int) -> None:
        """So many samples, each fed back."""
        super().run(steps)

    @torch.inference_mode()
    def teacher_force(self) -> np.ndarray:
        """Outputs (T, outputs) of the first steps, the course's samples put in place of those drawn."""
        return super().teacher_force()


class Eager(TorchPeer):
    """Every tensor preallocated, views and bound methods looked up beforehand."""

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        fold, r = self.fold, course.weights.config.residual_channels
        gate, residual = torch.from_numpy(fold.gate), torch.from_numpy(fold.residual)
        layers, _, columns = gate.shape
        inputs = torch.empty(layers, columns - 1)
        self.past, self.present = inputs[:, :-r], inputs[:, -r:]
        self.ring = torch.from_numpy(fold.past)
        self.slots = [(slots.flatten(), slots[:, 0].contiguous()) for slots in torch.from_numpy(fold.slots)]
        self.z, self.bias = torch.empty(layers, 2 * r), gate[..., -1].contiguous()
        gated = torch.empty(layers, r)
        self.all_gated = gated.flatten()
        self.layers = list(
            zip(
                gate[..., :-1].contiguous(),
                inputs,
                [z.addmv_ for z in self.z],
                self.z,
                self.z[:, :r],
                self.z[:, r:],
                gated,
                self.present,
                [*residual, None],
                [*self.present[1:], None],
                strict=True,
            )
        )
        head = (fold.skip, fold.hidden, fold.hidden_bias, fold.output, fold.output_bias)
        self.head = [torch.from_numpy(part) for part in head]
        self.skipped, self.heads = torch.empty(len(fold.skip)), torch.empty(len(fold.hidden))
        self.entry, self.noise = torch.from_numpy(fold.entry), torch.from_numpy(course.noise).unbind()
        self.drive = None if fold.drive is None else torch.from_numpy(fold.drive).unbind()
        self.drawn, self.out = torch.from_numpy(self.sample), torch.from_numpy(self.outputs)
        self.noisy = torch.empty_like(self.out)
        self.t = 0

    def step(self) -> None:
        """One sample."""
        addcmul, addmv, tanh_ = torch.addcmul, torch.addmv, torch.tanh_
        slots, oldest = self.slots[self.t % len(self.slots)]
        self.past.copy_(self.ring.index_select(0, slots).view_as(self.past))
        self.z.copy_(self.bias)
        self._enter(self.present[:1])
        for gate, inputs, add_product, z, f, g, y, h, residual, following in self.layers:
            add_product(gate, inputs)
            tanh_(z)
            addcmul(f, f, g, out=y)
            if residual is not None:
                addmv(h, residual, y, out=following)
        self.ring.index_copy_(0, oldest, self.present)
        skip, hidden, hidden_bias, output, output_bias = self.head
        torch.mv(skip, self.all_gated, out=self.skipped).relu_()
        addmv(hidden_bias, hidden, self.skipped, out=self.heads).relu_()
        addmv(output_bias, output, self.heads, out=self.out)
        self._draw(self.noise[self.t % len(self.noise)])
        self.t += 1

    def _enter(self, h: torch.Tensor) -> None:
        if self.gaussian:
            torch.mul(self.entry, self.drawn, out=h[0])
        else:
            torch.index_select(self.entry, 0, self.drawn, out=h)
        if self.drive is not None:
            h.add_(self.drive[self.t % len(self.drive)])

    def _draw(self, noise: torch.Tensor) -> None:
        if self.gaussian:
            mean, log_scale = self.out.split(1)
            scale = log_scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MAX).exp_()
            torch.addcmul(mean, scale, noise, out=self.drawn)
        else:
            torch.argmax(torch.add(self.out, noise, out=self.noisy), dim=0, keepdim=True, out=self.drawn)
