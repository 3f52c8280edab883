"""The network as a torch module: trained here, run by the engine."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import WaveNetConfig
from .instrument import Instrument
from .weights import Weights

INPUT_SCALE = 32.0
"""Initial gain of the scalar input: levelled, pre-emphasised recordings stand near 1/32, the excitation near 1."""


def _shift(signal: Tensor, delay: int) -> Tensor:
    """(B, T, R) delayed along time, zeros before the beginning."""
    return functional.pad(signal[:, :-delay], (0, 0, delay, 0)) if delay < signal.shape[1] else signal * 0


class Layer(nn.Module):
    """One gated, dilated layer: h → (h', y), arXiv 1609.03499 equation 5."""

    def __init__(self, config: WaveNetConfig, dilation: int, last: bool) -> None:
        super().__init__()
        r, c = config.residual_channels, config.conditioning_channels
        self.dilation = dilation
        self.gate = nn.Conv1d(r, 2 * r, config.kernel_size)
        self.conditioning = nn.Linear(c, 2 * r, bias=False) if c else None
        self.residual = None if last else nn.Linear(r, r)
        self.skip = nn.Linear(r, config.skip_channels, bias=False)

    def forward(self, h: Tensor, c: Tensor | None) -> tuple[Tensor | None, Tensor]:
        """h (B, T, R); c (B, P, C) with P periods that divide T evenly. Returns the next h and y (B, T, R)."""
        kernel = self.gate.weight.shape[2]
        taps = torch.cat([_shift(h, self.dilation * (kernel - 1 - j)) for j in range(kernel - 1)] + [h], dim=2)
        weight = self.gate.weight.transpose(1, 2).flatten(1)
        z = functional.linear(taps, weight, self.gate.bias)
        if c is not None:
            batch, periods, _ = c.shape
            z = (z.view(batch, periods, -1, z.shape[2]) + self.conditioning(c)[:, :, None]).view(z.shape)
        filtered, gate = z.chunk(2, dim=2)
        y = torch.tanh(filtered) * torch.sigmoid(gate)
        return (None if self.residual is None else h + self.residual(y)), y


class WaveNet(nn.Module):
    """The network of arXiv 1609.03499 over whole segments, causal and zero-padded."""

    def __init__(self, config: WaveNetConfig) -> None:
        super().__init__()
        self.config = config
        r = config.residual_channels
        self.input = nn.Linear(1, r) if config.output == "gaussian" else nn.Embedding(config.quantization_channels, r)
        self.excitation = nn.Linear(config.excitation_channels, r, bias=False) if config.excitation_channels else None
        last = len(config.dilations) - 1
        self.layers = nn.ModuleList(Layer(config, d, index == last) for index, d in enumerate(config.dilations))
        self.hidden = nn.Linear(config.skip_channels, config.head_channels)
        self.output = nn.Linear(config.head_channels, config.outputs)
        if config.output == "gaussian":
            with torch.no_grad():
                self.input.weight.mul_(INPUT_SCALE)
                self.output.weight.mul_(0.1)
                self.output.bias.copy_(torch.tensor([0.0, -3.0]))

    def forward(self, samples: Tensor, conditioning: Tensor, excitation: Tensor | None = None) -> Tensor:
        """Outputs (B, outputs, T): column t predicts sample t+1 from samples[..t].

        samples (B, T) float32 or classes int64; conditioning (B, C, T), or (B, C, T / n) held for n samples each;
        excitation (B, 2K, T) or None. Their column t belongs to the sample predicted.
        """
        c = conditioning.transpose(1, 2) if self.config.conditioning_channels else None
        e = None if excitation is None else excitation.transpose(1, 2)
        return self.predict(samples, c, e).transpose(1, 2)

    def predict(self, samples: Tensor, c: Tensor | None, e: Tensor | None) -> Tensor:
        """`forward` with channels last: c (B, P, C), e (B, T, 2K), result (B, T, outputs)."""
        h = self.input(samples[..., None] if self.config.output == "gaussian" else samples)
        if self.excitation is not None:
            h = h + self.excitation(e)
        gates = []
        for layer in self.layers:
            h, y = layer(h, c)
            gates.append(y)
        weight = torch.cat([layer.skip.weight for layer in self.layers], dim=1)
        skip = functional.linear(torch.cat(gates, dim=2), weight)
        return self.output(functional.relu(self.hidden(functional.relu(skip))))

    def named_tensors(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter, under its name in a weights file."""
        for name, parameter in self.named_parameters():
            yield (name if name.startswith(("layers.", "input.", "excitation.")) else f"head.{name}"), parameter

    @torch.no_grad()
    def take(self, weights: Weights) -> None:
        """Take over the tensors of weights that have the same config."""
        for name, parameter in self.named_tensors():
            parameter.copy_(torch.from_numpy(weights.tensors[name]).view(parameter.shape))

    def weights(self, instrument: Instrument | None = None) -> Weights:
        """The canonical float32 arrays of this network."""
        tensors: dict[str, np.ndarray] = {}
        for name, parameter in self.named_tensors():
            array = parameter.detach().to("cpu", torch.float32).numpy().copy()
            tensors[name] = array[:, 0] if name == "input.weight" and self.config.output == "gaussian" else array
        return Weights(self.config, tensors, instrument)
