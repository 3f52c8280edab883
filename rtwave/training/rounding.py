"""Learning with weights as int8 holds them: what it rounds away, the others learn to make good.

The gradient is taken where the rounded weights stand and goes to those behind them, as if nothing had been rounded: the
straight-through estimator (arXiv 1308.3432), as in arXiv 1712.05877.
"""

import contextlib
from collections.abc import Iterator

import torch

from ..wavenet.network import WaveNet
from ..wavenet.precision import WEIGHT_MAX, is_reduced
from .flat import FlatNetwork


class Rounding:
    """Of a network whose parameters are views of `flat`."""

    def __init__(self, network: WaveNet, flat: FlatNetwork) -> None:
        self._flat = flat
        self._matrices = [
            parameter for name, parameter in network.named_tensors() if is_reduced(name, network.config.output)
        ]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While it lasts, each row of the big matrices, and of each tap, is whole numbers of its own step."""
        kept = self._flat.weights.data.clone()
        for matrix in self._matrices:
            step = matrix.data.abs().amax(dim=1, keepdim=True).clamp(min=1e-30) / WEIGHT_MAX
            matrix.data.copy_(torch.round(matrix.data / step) * step)
        try:
            yield
        finally:
            self._flat.weights.data.copy_(kept)
