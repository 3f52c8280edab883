"""PyTorch, compiled: torch.compile, and the same compiler ahead of time (AOTInductor)."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from rtwave.wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN

from .course import Course
from .peer import Fold
from .torch_eager import TorchPeer

CHECKS = {"size_asserts": False, "alignment_asserts": False}


class Step(torch.nn.Module):
    """The step as one graph, past taps of all layers first; its state is changed in place, t counts in a tensor."""

    def __init__(self, fold: Fold, noise: np.ndarray) -> None:
        super().__init__()
        self.r, self.gaussian = fold.past.shape[1], fold.entry.ndim == 1
        taps = fold.gate.shape[2] - self.r - 1
        parts = {"past_gate": fold.gate[..., :taps], "gate": fold.gate[..., taps:-1], "gate_bias": fold.gate[..., -1]}
        names = ("residual", "skip", "hidden", "hidden_bias", "output", "output_bias", "entry", "drive", "slots")
        parts |= {name: getattr(fold, name) for name in names} | {"noise": noise}
        for name, part in parts.items():
            self.register_buffer(name, None if part is None else torch.from_numpy(part.copy()))

    def forward(self, sample: torch.Tensor, outputs: torch.Tensor, t: torch.Tensor, ring: torch.Tensor) -> None:
        """One sample."""
        around = t % len(self.noise)
        slots = self.slots.index_select(0, t % len(self.slots))[0]
        past = (self.past_gate * ring[slots].flatten(1)[:, None]).sum(-1) + self.gate_bias
        h = self.entry * sample if self.gaussian else self.entry.index_select(0, sample)[0]
        if self.drive is not None:
            h = h + self.drive.index_select(0, around)[0]
        stream, gated = [], []
        for layer, gate in enumerate(self.gate):
            stream.append(h)
            f, g = torch.tanh(gate @ h + past[layer]).chunk(2)
            gated.append(f + f * g)
            if layer < len(self.residual):
                h = h + self.residual[layer] @ gated[-1]
        ring[slots[:, 0]] = torch.stack(stream)
        skipped = torch.relu(self.skip @ torch.cat(gated))
        heads = torch.relu(self.hidden @ skipped + self.hidden_bias)
        out = self.output @ heads + self.output_bias
        noise = self.noise.index_select(0, around)[0]
        if self.gaussian:
            sample.copy_(out[:1] + torch.exp(out[1:].clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)) * noise)
        else:
            sample.copy_((out + noise).argmax(0, keepdim=True))
        outputs.copy_(out)
        t.add_(1)


class Compiled(TorchPeer):
    """torch.compile, one call a sample: the whole graph, fixed shapes, the wrapper in C++."""

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        ring, t = torch.from_numpy(self.fold.past), torch.zeros(1, dtype=torch.int64)
        self.state = [torch.from_numpy(self.sample), torch.from_numpy(self.outputs), t, ring]
        self.compiled = self._compile(Step(self.fold, course.noise))

    def _compile(self, step: Step) -> Callable:
        """What is called with `state` for each sample."""
        options = CHECKS | {"cpp_wrapper": True}
        compiled = torch.compile(step.forward, fullgraph=True, dynamic=False, options=options)
        return lambda state: compiled(*state)

    def step(self) -> None:
        """One sample."""
        self.compiled(self.state)


class AheadOfTime(Compiled):
    """torch.export and AOTInductor: the same graph and compiler, with no Python between call and kernel."""

    def _compile(self, step: Step) -> Callable:
        exported = torch.export.export(step, tuple(part.clone() for part in self.state))
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of PyTorch's about itself
            package = str(Path(folder) / "step.pt2")
            torch._inductor.aoti_compile_and_package(exported, package_path=package, inductor_configs=CHECKS)
            return torch._inductor.aoti_load_package(package, run_single_threaded=True).loader.run
