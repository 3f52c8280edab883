"""A network's weights in one vector: what is done to all of them, an optimiser, an average, a sum, is done at once."""

import torch
from torch import Tensor, nn

ALIGNMENT = 16
"""Floats: each tensor begins on a cache line."""


class FlatNetwork:
    """Takes a network's parameters into `weights` (N,), of which they become views; `gradient` (N + extra,) likewise.

    The last `extra` numbers of `gradient` are the caller's, to be summed over processes with the rest.
    """

    def __init__(self, network: nn.Module, extra: int = 0) -> None:
        parameters = list(network.parameters())
        sizes = [-(-parameter.numel() // ALIGNMENT) * ALIGNMENT for parameter in parameters]
        device = parameters[0].device
        self.network = network
        self.weights = nn.Parameter(torch.zeros(sum(sizes), device=device))
        self.gradient = torch.zeros(sum(sizes) + extra, device=device)
        self.weights.grad = self.gradient[: sum(sizes)]
        self._places = []
        start = 0
        for parameter, size in zip(parameters, sizes, strict=True):
            self._places.append((start, parameter.shape))
            self._view(self.weights.data, -1).copy_(parameter.data)
            parameter.data = self._view(self.weights.data, -1)
            parameter.grad = self._view(self.gradient, -1)
            start += size

    def _view(self, vector: Tensor, index: int) -> Tensor:
        start, shape = self._places[index]
        return vector[start : start + shape.numel()].view(shape)

    def split(self, vector: Tensor) -> list[Tensor]:
        """Views of a vector (N,), one for each parameter."""
        return [self._view(vector, index) for index in range(len(self._places))]

    def join(self, tensors: list[Tensor]) -> Tensor:
        """The vector (N,) whose views hold these tensors."""
        vector = torch.zeros_like(self.weights.data)
        for view, tensor in zip(self.split(vector), tensors, strict=True):
            view.copy_(tensor)
        return vector
