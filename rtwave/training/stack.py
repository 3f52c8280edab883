"""The network's forward and backward pass in native code: what torch computes, several times as fast on a processor."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..wavenet.network import WaveNet

try:
    from .. import _stack
except ImportError:  # built without the learning kernels
    _stack = None

THREADS = torch.get_num_threads()
"""Asked before anyone leaves torch fewer: its own threads wait in circles, and take the cores from those here."""

Predict = Callable[[Tensor, Tensor | None, Tensor | None], Tensor]


def instruction_sets() -> list[str]:
    """What this machine can train with, slowest first; avx512_amx computes in bfloat16, all others in float32."""
    return _stack.instruction_sets()


def choose_instruction_set(bfloat16: bool) -> str:
    """The best that this machine has, at most what RTWAVE_INSTRUCTION_SET allows; tiles where bfloat16 may be."""
    from ..engine.engine import choose_instruction_set as of_engine

    allowed = of_engine()
    names = [name for name in instruction_sets() if bfloat16 or name != "avx512_amx"]
    return [name for name in names if name == "portable" or allowed.startswith(name)][-1]


def compile_stack(network: WaveNet, bfloat16: bool, threads: int | None = None) -> Predict | None:
    """`network.predict` in native code, differentiable to all parameters; None where there is none for this network.

    With `bfloat16`, products are of bfloat16 numbers, summed in float32, on processors with matrix tiles (AMX); others
    compute in float32. The result is the same whatever the number of `threads` (None: as many as torch
    had at the start).
    One caller at a time. torch itself is best left one thread: there is little for it to do.
    """
    parameters = list(network.parameters())
    if _stack is None or any(each.device.type != "cpu" or each.dtype != torch.float32 for each in parameters):
        return None
    native = Native(network, choose_instruction_set(bfloat16), threads or THREADS)
    return native.predict


class Native:
    """A network's native twin; it reads the network's parameters anew each time."""

    def __init__(self, network: WaveNet, instruction_set: str, threads: int) -> None:
        self.stack = _stack.Stack(network.config, instruction_set, threads)
        self.parameters = list(network.parameters())
        self.config, self.outputs = network.config, network.config.outputs
        self.latest = 0

    def predict(self, samples: Tensor, c: Tensor | None, e: Tensor | None) -> Tensor:
        """As WaveNet.predict, float32 (B, T, outputs)."""
        self._check(samples, c, e)
        return _Stack.apply(self, samples, c, e, *self.parameters)

    def forward(self, batch: list[np.ndarray | None], parameters: tuple[Tensor, ...]) -> Tensor:
        outputs = torch.empty(*batch[0].shape, self.outputs)
        self.stack.forward(*batch, [_flat(each) for each in parameters], outputs.numpy())
        self.latest += 1
        return outputs

    def _check(self, samples: Tensor, c: Tensor | None, e: Tensor | None) -> None:
        """Native code reads memory as it is told to."""
        config, (batch, length) = self.config, samples.shape
        if (
            config.output == "mulaw"
            and not 0 <= int(samples.min()) <= int(samples.max()) < config.quantization_channels
        ):
            raise IndexError(f"classes from {samples.min()} to {samples.max()}, the network has {self.outputs}")
        for name, given, rows, channels in (
            ("conditioning", c, None, config.conditioning_channels),
            ("excitation", e, length, config.excitation_channels),
        ):
            if given is None and channels == 0:
                continue
            shape = None if given is None else tuple(given.shape)
            expected = (batch, rows or (shape and shape[1]) or 1, channels)
            if shape != expected or length % expected[1]:
                raise ValueError(f"{name} is {shape} for {tuple(samples.shape)} samples, expected {expected}")


class _Stack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, native, samples, c, e, *parameters):
        ctx.native, ctx.batch = native, [None if each is None else _array(each) for each in (samples, c, e)]
        ctx.save_for_backward(*parameters)
        outputs = native.forward(ctx.batch, parameters)
        ctx.number = native.latest
        return outputs

    @staticmethod
    def backward(ctx, d_outputs):
        native, parameters = ctx.native, ctx.saved_tensors
        if ctx.number != native.latest:  # another batch went forward meanwhile
            native.forward(ctx.batch, parameters)
            ctx.number = native.latest
        gradients = [torch.empty_like(each) for each in parameters]
        native.stack.backward(*ctx.batch, _array(d_outputs), [_flat(each) for each in gradients])
        return None, None, None, None, *gradients


def _array(tensor: Tensor) -> np.ndarray:
    wanted = tensor.detach() if tensor.dtype == torch.int64 else tensor.detach().float()
    return wanted.contiguous().numpy()


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().view(-1).numpy()
