"""One step of learning: a batch through the network and back, clipped gradients, Adam, averaged weights.

What surrounds the network is a handful of operations on one vector, and nothing in it waits for a GPU.
"""

import contextlib
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import RtwaveError
from ..wavenet.config import WaveNetConfig
from ..wavenet.network import WaveNet
from .checkpoint import TrainingOptions
from .distributed import Group
from .flat import FlatNetwork
from .loss import BitCounter, negative_log_likelihood
from .rounding import Rounding
from .segments import Batch
from .stack import compile_stack

WARM_UP_SHARE = 0.03
FINAL_SHARE = 0.01
LOOK_EVERY_ON_GPU = 20
"""Steps between looks at the loss; each look waits until the GPU has done what it was given."""


class Figures(NamedTuple):
    """What one step showed: mean nats and bits per sample, the gradient's norm, processes that were told to stop."""

    nats: float
    bits: float
    norm: float
    stopping: float


class NotFiniteError(RtwaveError):
    """The loss or its gradient is NaN or infinite."""


def learning_rate(options: TrainingOptions, step: int) -> float:
    """The rate at a step: one-cycle rises for 3 % of the run and falls as a cosine; cosine falls from the start."""
    rise = max(1, int(WARM_UP_SHARE * options.steps)) if options.schedule == "one-cycle" else 0
    if step < rise:
        return options.learning_rate * (step + 1) / rise
    share = (step - rise) / max(1, options.steps - rise)
    return options.learning_rate * (
        FINAL_SHARE + (1.0 - FINAL_SHARE) * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))
    )


def noise_share(options: TrainingOptions, step: int) -> float:
    """Share of the input noise at a step: from 1 along a line to `noise_end` at the last."""
    return 1.0 + (options.noise_end - 1.0) * min(1.0, step / max(1, options.steps - 1))


class Learner:
    """A network, its averaged twin, its optimiser."""

    def __init__(self, config: WaveNetConfig, options: TrainingOptions, group: Group) -> None:
        self.config, self.options, self.group, self.device = config, options, group, group.device
        torch.manual_seed(options.seed)
        self.network = WaveNet(config).to(self.device)
        self.averaged = WaveNet(config).to(self.device).requires_grad_(False)
        self.averaged.load_state_dict(self.network.state_dict())
        self._flat = FlatNetwork(self.network, extra=len(Figures._fields))
        self._flat_averaged = FlatNetwork(self.averaged)
        self._rounding = Rounding(self.network, self._flat)
        self.predict_averaged = self.averaged.predict
        self.optimizer = torch.optim.Adam([self._flat.weights], options.learning_rate, betas=(0.9, 0.99), fused=True)
        self.bfloat16 = options.precision == "bfloat16" or (options.precision == "auto" and _bfloat16_pays())
        self.engine, self.predict = self._choose_engine()
        self.look_every = LOOK_EVERY_ON_GPU if self.device.type == "cuda" else 1
        self._count_bits = BitCounter(config, self.device)
        self._unseen: list[tuple[int, Tensor]] = []

    def _choose_engine(self) -> tuple[str, Callable]:
        """("native" or "torch", what computes the outputs); RtwaveError where native is asked for and cannot be."""
        options, on_gpu = self.options, self.device.type == "cuda"
        if on_gpu:
            torch.set_float32_matmul_precision("high")  # TF32 where bfloat16 is not asked for
        if options.engine != "torch":
            native = None if on_gpu else compile_stack(self.network, self.bfloat16)
            if native is not None:
                self.predict_averaged = compile_stack(self.averaged, bfloat16=False)
                torch.set_num_threads(1)  # what is left to torch is small, and its threads would wait for native ones
                return "native", native
            if options.engine == "native":
                raise RtwaveError(
                    "training: engine is 'native', expected a processor without a GPU and a build that has it; "
                    "leave --engine out"
                )
        if options.compile or (on_gpu and options.engine == "auto"):
            return "torch", torch.compile(self.network.predict)
        return "torch", self.network.predict

    def learn(self, batch: Batch, step: int, stopping: bool = False) -> list[Figures]:
        """One step of the optimiser; returns the figures of the steps that were looked at, as often as not none.

        Raises NotFiniteError, on a CPU before the weights are touched, on a GPU some steps later, where a step whose
        gradient is not finite counts as one without gradient.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.options, step)
        self._flat.gradient.zero_()
        with self._rounding.held() if self.options.rounded else contextlib.nullcontext():
            loss, sums = self.count(self.predict, batch, self.bfloat16)
            loss.backward()
        gradient, tail = self._flat.weights.grad, self._flat.gradient[self._flat.weights.numel() :]
        tail[:3] = sums
        tail[3] = float(stopping)
        self.group.average(self._flat.gradient)
        share = tail[2].clamp(min=1e-6)
        norm = torch.linalg.vector_norm(gradient) / share
        self._unseen.append((step, torch.stack([tail[0] / share, tail[1] / share, norm, tail[3]])))
        seen = self.look() if (step + 1) % self.look_every == 0 else []
        gradient.mul_(torch.clamp(self.options.clip_norm / (norm + 1e-6), max=1.0) / share)
        if self.look_every > 1:
            gradient.nan_to_num_(0.0, 0.0, 0.0)
        self.optimizer.step()
        keep = min(self.options.ema, (1.0 + step) / (10.0 + step))
        self._flat_averaged.weights.data.lerp_(self._flat.weights.data, 1.0 - keep)
        return seen

    def look(self) -> list[Figures]:
        """The figures of all steps since the last look; waits for the device."""
        steps, tensors = [step for step, _ in self._unseen], [figures for _, figures in self._unseen]
        self._unseen = []
        found = [Figures(*values) for values in torch.stack(tensors).tolist()] if tensors else []
        for step, figures in zip(steps, found, strict=True):
            if not (math.isfinite(figures.nats) and math.isfinite(figures.norm)):
                what = "loss" if not math.isfinite(figures.nats) else "gradient"
                value = figures.norm if what == "gradient" else figures.nats
                raise NotFiniteError(f"training: {what} is {value} at step {step}")
        return found

    def count(self, predict: Callable, batch: Batch, bfloat16: bool) -> tuple[Tensor, Tensor]:
        """(loss, sums): nats to differentiate; nats, bits and weights, (3,) on the device, all of them weighted sums
        over the batch's samples divided by their number.
        """
        inputs, features, targets, gain, weights = (
            self._there(array) for array in (batch.inputs, batch.conditioning, batch.targets, batch.gain, batch.weights)
        )
        partials = None if batch.excitation is None else self._there(batch.excitation)
        features = features if self.config.conditioning_channels else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16 and self.engine == "torch"):
            outputs = predict(inputs, features, partials)
        counted = (slice(None), slice(batch.context, None))
        targets, weights = targets[counted], weights[counted]
        nats = negative_log_likelihood(self.config, outputs[counted].float(), targets)
        loss = (nats * weights).mean()
        with torch.no_grad():
            bits = (self._count_bits(nats.detach(), targets, gain[counted]) * weights).mean()
            return loss, torch.stack([loss.detach(), bits, weights.mean()])

    def _there(self, array) -> Tensor:
        """An array on the device; towards a GPU the copy goes on while Python does."""
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

    def finite(self) -> bool:
        """Whether every weight, and all that the optimiser remembers, can be gone on from."""
        remembered = [value for state in self.optimizer.state.values() for value in state.values()]
        return all(
            bool(torch.isfinite(tensor).all())
            for tensor in (self._flat.weights.data, self._flat_averaged.weights.data, *remembered)
        )

    def state(self) -> dict:
        """All that the next step depends on, on the CPU."""
        memory = self.optimizer.state.get(self._flat.weights, {})
        return {
            "network": _on_cpu(self.network.state_dict()),
            "averaged": _on_cpu(self.averaged.state_dict()),
            "optimizer": {
                name: _on_cpu(dict(enumerate(self._flat.split(memory[name])))) if memory[name].ndim else memory[name]
                for name in memory
            },
        }

    def load(self, state: dict) -> None:
        """Go on from what `state` gave, or an earlier version's checkpoint."""
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        memory = _earlier(state["optimizer"])
        self.optimizer.state.clear()
        if memory:
            self.optimizer.state[self._flat.weights] = {
                "step": torch.as_tensor(memory["step"], dtype=torch.float32).clone().to(self.device),
                **{name: self._flat.join(list(memory[name].values())) for name in ("exp_avg", "exp_avg_sq")},
            }


def _earlier(optimizer: dict) -> dict:
    """The optimiser's memory, also out of checkpoints that hold torch's own record of it, parameter by parameter."""
    if "param_groups" not in optimizer:
        return optimizer
    states = optimizer["state"]
    if not states:
        return {}
    return {
        "step": states[0]["step"],
        **{name: {index: states[index][name] for index in sorted(states)} for name in ("exp_avg", "exp_avg_sq")},
    }


def _on_cpu(tensors: dict) -> dict:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _bfloat16_pays() -> bool:
    """Whether this machine multiplies bfloat16 in hardware."""
    return torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
