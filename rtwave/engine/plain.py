"""The plain device: the network as a few torch calls a sample, to check faster devices by, on any processor.

Voices are the batch, and every voice's rings are rows of one tensor. On a GPU a step is captured once as a CUDA graph
and replayed. It is Python, and takes the interpreter's lock for every sample.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import sigmoid

from .._engine import LONGEST_CHUNK, STARTS_SILENT, STARTS_ZERO, Chunk
from ..errors import RtwaveError
from ..wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN
from ..wavenet.weights import Weights
from .randomness import normals, uniforms
from .silence import silent_inputs

LANES = 16
"""The engine sums the shares of classes lane by lane, so many classes apart."""

NEGLIGIBLE = -30.0
"""Below the likeliest class, in nats: what is further down counts for nothing."""

_WARM_UP_STEPS = 3  # as torch asks for, before a capture


def _one_thread(render: Callable) -> Callable:
    """Products as small as these wait for a second thread longer than they take."""

    def alone(*arguments: object) -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            render(*arguments)
        finally:
            torch.set_num_threads(threads)

    return alone


class PlainDevice:
    """A device (extensions/device.h) of `slots` voices on torch's device `where`, "cpu" or "cuda". One thread renders.

    `precision`: what the big matrices and what they are multiplied by are rounded to; sums are float32.
    """

    @torch.inference_mode()
    def __init__(self, weights: Weights, slots: int, precision: str, where: str) -> None:
        self._config, self._where, self._slots = weights.config, torch.device(where), slots
        self._silence_heard = 0 if weights.config.output == "gaussian" else weights.config.quantization_channels // 2
        self._kind = torch.float32 if precision == "float32" else getattr(torch, precision)
        self._load(weights)
        self._make_state()
        self._ages, self._ordinals = np.zeros(slots, np.int64), np.zeros(slots, np.uint64)
        """Of each voice: its age at the next chunk's first frame, and its random stream."""
        self._batches: dict[int, _Batch] = {}
        if self._where.type == "cuda":
            for size in [2**power for power in range(slots.bit_length() + 1)]:
                self._batches[size] = batch = _Batch(size, slots, self._config.outputs, self._where)
                self._capture(batch)

    def _load(self, weights: Weights) -> None:
        tensors, config = weights.tensors, self._config
        layers, taps = range(len(config.dilations)), config.kernel_size
        get = lambda name: torch.tensor(tensors[name], device=self._where)  # noqa: E731
        stack = lambda name: torch.stack([get(f"layers.{layer}.{name}") for layer in layers])  # noqa: E731
        gates = self._held(stack("gate.weight"))  # (layers, 2R, R, taps)
        self._past_weights = gates[..., : taps - 1].permute(0, 3, 2, 1).flatten(1, 2).contiguous()
        self._gate_weights = gates[..., taps - 1].transpose(1, 2).contiguous()
        self._gate_biases = stack("gate.bias")
        self._residual_weights = [self._held(get(f"layers.{layer}.residual.weight")).T for layer in layers[:-1]]
        self._residual_biases = [get(f"layers.{layer}.residual.bias") for layer in layers[:-1]]
        self._skip_weights = self._held(stack("skip.weight")).transpose(1, 2).flatten(0, 1)  # (layers R, S)
        self._hidden_weight, self._hidden_bias = self._held(get("head.hidden.weight")).T, get("head.hidden.bias")
        self._output_weight, self._output_bias = get("head.output.weight").T, get("head.output.bias")
        self._input_weight = get("input.weight")
        if config.output == "gaussian":
            self._input_bias = get("input.bias")
        else:
            self._output_weight = self._held(self._output_weight)
        if config.conditioning_channels:
            self._conditioning_weights = stack("conditioning.weight").flatten(0, 1).T.contiguous()  # (C, layers 2R)
        if config.excitation_channels:
            self._excitation_weight = get("excitation.weight").T
        self._silence = torch.tensor(silent_inputs(weights), device=self._where).repeat_interleave(taps - 1, 0)
        self._order = torch.tensor(
            [i for lane in range(LANES) for i in range(lane, config.outputs, LANES)], device=self._where
        )
        """Of the classes, as their shares are summed."""

    def _make_state(self) -> None:
        """Rows of what moves, one a slot; and one more, for graphs that step more voices than there are."""
        config, rows = self._config, self._slots + 1
        past, dilations = config.kernel_size - 1, torch.tensor(config.dilations)
        lengths = past * dilations
        zeros = lambda *shape, kind=torch.float32: torch.zeros(rows, *shape, dtype=kind, device=self._where)  # noqa: E731
        tap = torch.arange(past)
        self._shifts = (tap * dilations[:, None]).flatten().to(self._where)
        """Of each layer's past taps, oldest first: where it reads, from the oldest row on."""
        self._lags = ((past - tap) * dilations[:, None]).flatten().to(self._where)
        self._lengths = lengths.to(self._where)
        self._starts = (lengths.cumsum(0) - lengths).to(self._where)
        self._tap_lengths, self._tap_starts = (each.repeat_interleave(past) for each in (self._lengths, self._starts))
        self._rings = zeros(int(lengths.sum()), config.residual_channels)
        self._clocks = zeros(kind=torch.int64)  # samples heard since the start
        self._silent = zeros(1, 1)  # 1: what is older than the note was silence; 0: zeros
        self._heard = zeros(kind=torch.float32 if config.output == "gaussian" else torch.int64)
        self._biases = zeros(len(config.dilations), 2 * config.residual_channels)
        self._phasors = zeros(config.excitation_channels // 2, kind=torch.complex64)  # cosine + i sine
        self._rotation = zeros(config.excitation_channels // 2, kind=torch.complex64)
        self._temperatures = zeros()

    def _held(self, x: torch.Tensor) -> torch.Tensor:
        return x if self._kind is torch.float32 else x.to(self._kind).float()

    # A chunk.

    @torch.inference_mode()
    @_one_thread
    def render(self, chunk: Chunk) -> None:
        """Fill `drawn`, and `outputs` where asked for, of the chunk's active voices; extensions/device.h."""
        tellings = chunk.tellings
        self._ages[tellings["slot"]] = tellings["age"] - tellings["frame"]
        self._ordinals[tellings["slot"]] = tellings["ordinal"]
        batch, count = self._batch(len(chunk.slots)), len(chunk.slots)
        active = torch.from_numpy(chunk.slots.astype(np.int64)).to(self._where)
        batch.active[:count] = active
        batch.active[count:] = self._slots
        batch.noise[: chunk.frames, :count] = self._noise(chunk).to(self._where)
        batch.frame.zero_()
        told = _Told(chunk, self._where)
        outputs = []
        for frame in range(chunk.frames):
            self._tell(told, *told.places(frame))
            if chunk.forced is not None:
                heard = torch.from_numpy(chunk.forced[chunk.slots, frame]).to(self._where)
                self._heard[active] = heard.to(self._heard.dtype)
            if batch.graph:
                batch.graph.replay()
            else:
                self._step(batch)
            if chunk.outputs is not None:
                outputs.append(batch.outputs[:count].clone())
        chunk.drawn[chunk.slots, : chunk.frames] = batch.drawn[: chunk.frames, :count].T.cpu().numpy()
        if outputs:
            chunk.outputs[chunk.slots, : chunk.frames] = torch.stack(outputs, 1).cpu().numpy()
        self._ages[chunk.slots] += chunk.frames

    def _batch(self, voices: int) -> "_Batch":
        if self._where.type == "cuda":
            return self._batches[1 << (voices - 1).bit_length()]
        if voices not in self._batches:
            self._batches[voices] = _Batch(voices, self._slots, self._config.outputs, self._where)
        return self._batches[voices]

    def _noise(self, chunk: Chunk) -> torch.Tensor:
        """The random number (frames, active) of each sample."""
        ages = (self._ages[chunk.slots] + np.arange(chunk.frames)[:, None]).astype(np.uint64)
        variates = normals if self._config.output == "gaussian" else uniforms
        return torch.from_numpy(variates(chunk.seed, ages, self._ordinals[chunk.slots]))

    def _tell(self, told: "_Told", first: int, end: int) -> None:
        """Let voices hear the tellings first … end − 1 from this sample on."""
        if first == end:
            return
        slots, layers = told.slots[first:end], len(self._config.dilations)
        biases = self._gate_biases
        if self._config.conditioning_channels:
            biases = biases + (told.conditioning[first:end] @ self._conditioning_weights).unflatten(1, (layers, -1))
        self._biases[slots] = biases.expand(end - first, -1, -1)
        self._phasors[slots], self._rotation[slots] = told.phasors[first:end], told.rotation[first:end]
        self._temperatures[slots] = told.temperatures[first:end]
        for start, silent in ((STARTS_SILENT, 1.0), (STARTS_ZERO, 0.0)):
            starting = np.flatnonzero(told.starts[first:end] == start)
            if len(starting):
                started = slots[torch.from_numpy(starting).to(self._where)]
                self._clocks[started], self._silent[started] = 0, silent
                self._heard[started] = self._silence_heard

    # A sample.

    def _step(self, batch: "_Batch") -> None:
        """One sample of the batch's voices. A capture forbids to wait for the GPU in it, or to copy numbers there."""
        active = batch.active
        h = self._enter(active)
        z = self._look_back(active)
        inputs, gated = [], []
        for layer in range(len(self._config.dilations)):
            inputs.append(h)
            f, g = torch.addmm(z[layer], self._held(h), self._gate_weights[layer]).chunk(2, 1)
            gated.append(self._held(torch.tanh(f) * sigmoid(g)))
            if layer < len(self._residual_weights):
                h = h + self._residual_biases[layer] + gated[-1] @ self._residual_weights[layer]
        self._remember(active, torch.stack(inputs, 1))
        skip = self._held(torch.relu(torch.cat(gated, 1) @ self._skip_weights))
        hidden = torch.relu(torch.addmm(self._hidden_bias, skip, self._hidden_weight))
        if self._config.output == "mulaw":  # a Gaussian's last two rows stay float32
            hidden = self._held(hidden)
        batch.outputs.copy_(torch.addmm(self._output_bias, hidden, self._output_weight))
        noise = batch.noise.index_select(0, batch.frame)[0]
        drawn = (self._draw_sample if self._config.output == "gaussian" else self._draw_class)(batch, noise)
        batch.drawn.index_copy_(0, batch.frame, drawn[None])
        batch.frame += 1

    def _enter(self, active: torch.Tensor) -> torch.Tensor:
        """h (voices, R) of the first layer, from what was heard last and the excitation, which turns on."""
        heard = self._heard[active]
        if self._config.output == "gaussian":
            h = heard[:, None] * self._input_weight + self._input_bias
        else:
            h = self._input_weight[heard]
        if self._config.excitation_channels:
            phasors = self._phasors[active]
            h = h + torch.cat([phasors.imag, phasors.real], 1) @ self._excitation_weight
            self._phasors[active] = phasors * self._rotation[active]
        return h

    def _look_back(self, active: torch.Tensor) -> torch.Tensor:
        """What past taps, conditioning and biases give each gate: (layers, voices, 2R)."""
        taps = self._config.kernel_size - 1
        clocks = self._clocks[active][:, None]
        past = self._rings[active[:, None], self._tap_starts + (clocks + self._shifts) % self._tap_lengths]
        before = self._silence * self._silent[active]
        past = self._held(torch.where((clocks >= self._lags)[..., None], past, before))
        past = past.unflatten(1, (-1, taps)).flatten(2).transpose(0, 1)  # (layers, voices, taps R)
        return torch.baddbmm(self._biases[active].transpose(0, 1), past, self._past_weights)

    def _remember(self, active: torch.Tensor, inputs: torch.Tensor) -> None:
        """Each layer's input takes the place of its oldest: inputs (voices, layers, R)."""
        clocks = self._clocks[active]
        self._rings[active[:, None], self._starts + clocks[:, None] % self._lengths] = inputs
        self._clocks[active] = clocks + 1

    def _draw_sample(self, batch: "_Batch", noise: torch.Tensor) -> torch.Tensor:
        """s[t] ~ N(mean, (T scale)²); the mean at T = 0."""
        mean, log_scale = batch.outputs.unbind(1)
        temperature = self._temperatures[batch.active]
        wide = mean + temperature * torch.exp(log_scale.clamp(LOG_SCALE_MIN, LOG_SCALE_MAX)) * noise
        drawn = torch.where(temperature > 0.0, wide, mean)
        self._heard[batch.active] = drawn
        return drawn

    def _draw_class(self, batch: "_Batch", noise: torch.Tensor) -> torch.Tensor:
        """A class of softmax(logits / T), the likeliest at T = 0; NaN where a logit is not finite."""
        logits, temperature = batch.outputs, self._temperatures[batch.active]
        top, likeliest = logits.max(1)
        below = (logits - top[:, None]) / (temperature + (temperature <= 0.0))[:, None]
        shares = (torch.exp(below) * (below >= NEGLIGIBLE))[:, self._order]
        sums = shares.cumsum(1)
        passed = (sums > noise[:, None] * sums[:, -1:]).float().argmax(1)  # the first of those that pass
        drawn = torch.where(temperature > 0.0, self._order[passed], likeliest)
        finite = logits.isfinite().all(1)
        self._heard[batch.active] = torch.where(finite, drawn, self._heard[batch.active])
        return drawn.float().masked_fill(~finite, torch.nan)

    def _capture(self, batch: "_Batch") -> None:
        """Record one step of the batch as a CUDA graph; until told otherwise it is of the row that is nobody's."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP_STEPS):
                self._step(batch)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step(batch)
        batch.graph = graph


class _Batch:
    """What a step of `size` voices reads and writes, each in its place for as long as there is a graph of it."""

    def __init__(self, size: int, spare: int, outputs: int, where: torch.device) -> None:
        self.active = torch.full((size,), spare, dtype=torch.int64, device=where)
        self.frame = torch.zeros(1, dtype=torch.int64, device=where)
        self.noise = torch.full((LONGEST_CHUNK, size), 0.5, device=where)
        self.drawn = torch.zeros((LONGEST_CHUNK, size), device=where)
        self.outputs = torch.zeros((size, outputs), device=where)
        self.graph: torch.cuda.CUDAGraph | None = None


class _Told:
    """A chunk's tellings as tensors, in the order of their frames."""

    def __init__(self, chunk: Chunk, where: torch.device) -> None:
        frames = chunk.tellings["frame"]
        order = np.argsort(frames, kind="stable")
        put = lambda array: torch.from_numpy(np.ascontiguousarray(array[order])).to(where)  # noqa: E731
        self._frames = frames[order]
        self.starts = chunk.tellings["starts"][order]
        self.slots = put(chunk.tellings["slot"].astype(np.int64))
        self.temperatures, self.conditioning = put(chunk.tellings["temperature"]), put(chunk.conditioning)
        self.phasors, self.rotation = put(_complex(chunk.phasors)), put(_complex(chunk.rotation))

    def places(self, frame: int) -> tuple[int, int]:
        """Where the tellings of a frame start and end."""
        return tuple(np.searchsorted(self._frames, [frame, frame + 1]))


def _complex(turns: np.ndarray) -> np.ndarray:
    """Sines, then cosines (told, 2K), as cosine + i sine (told, K)."""
    sines, cosines = np.split(turns, 2, axis=1)
    return (cosines + 1j * sines).astype(np.complex64)


def open_plain(name: str, weights: Weights, slots: int, precision: str) -> PlainDevice:
    """The plain device of that name. Raises RtwaveError."""
    where = "cuda" if name == "cuda-graph" else "cpu"
    if where == "cuda" and not torch.cuda.is_available():
        raise RtwaveError(f"engine {name} needs a GPU that torch can use, and finds none; try --engine torch")
    return PlainDevice(weights, slots, precision, where)
