"""How fast the network learns on this processor: torch and native code, float32 and bfloat16, against the matrix rate.

    python tools/train_speed.py [--output mulaw] [--batch 8] [--length 4096] [--seconds 4] [--without-compile]

Every way is first held against torch's float32 gradients. Shares are of the rate of a large product of the same
precision in torch, measured in the same run; a sample is one that counts, the context that warms up is not one.
"""

import argparse
import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise

import torch

from rtwave.training import stack
from rtwave.training.checkpoint import TrainingOptions
from rtwave.training.loss import negative_log_likelihood
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.network import WaveNet


def machine() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads, native: {', '.join(stack.instruction_sets())}"


def best_times(work: Callable[[Callable[[], None]], object], seconds: float) -> list[float]:
    """Shortest times of the parts of `work`, in seconds: it calls its argument after each. The first run warms up."""
    runs, began = [], 0.0
    while len(runs) < 3 or time.perf_counter() - began < seconds:
        marks = [time.perf_counter()]
        work(lambda marks=marks: marks.append(time.perf_counter()))
        runs.append([after - before for before, after in pairwise(marks)])
        began = began or marks[-1]
    return [min(part) for part in zip(*runs[1:], strict=True)]


def matrix_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """Floating-point operations a second of torch's product of two square matrices."""
    a, b = torch.randn(2, size, size).to(dtype)
    return 2.0 * size**3 / best_times(lambda done: (a @ b, done()), 2.0)[0]


def operations(config: WaveNetConfig) -> float:
    """Of products, a sample, forward and backward: every weight once forward, and twice back where something learns
    from what entered."""
    r, s, h = config.residual_channels, config.skip_channels, config.head_channels
    layers = len(config.dilations)
    inner = layers * (2 * config.kernel_size * r * r + r * r + r * s) - r * r + s * h + h * config.outputs
    outer = config.excitation_channels * r + layers * 2 * r * config.conditioning_channels / config.control_period
    return 2.0 * (3.0 * inner + 2.0 * outer)


class Batch:
    """Random numbers in the shapes of a training batch."""

    def __init__(self, config: WaveNetConfig, batch: int, length: int) -> None:
        period = config.control_period
        self.config, self.counted = config, batch * length
        self.context = -(-config.receptive_field // period) * period
        total = self.context + length
        if config.output == "gaussian":
            self.samples, self.targets = 0.03 * torch.randn(2, batch, total)
        else:
            self.samples, self.targets = torch.randint(0, config.quantization_channels, (2, batch, total))
        channels, partials = config.conditioning_channels, config.excitation_channels
        self.c = torch.randn(batch, total // period, channels) if channels else None
        self.e = torch.randn(batch, total, partials) if partials else None

    def loss(self, outputs: torch.Tensor) -> torch.Tensor:
        return negative_log_likelihood(self.config, outputs.float(), self.targets)[:, self.context :].mean()


class Way:
    """One way to compute a step."""

    def __init__(self, name: str, network: WaveNet, predict: Callable, bfloat16: bool, autocast: bool) -> None:
        self.name, self.network, self.predict, self.bfloat16, self.autocast = name, network, predict, bfloat16, autocast

    def forward(self, batch: Batch) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16) if self.autocast else nullcontext():
            return self.predict(batch.samples, batch.c, batch.e)

    def gradient(self, batch: Batch) -> torch.Tensor:
        self.network.zero_grad(set_to_none=True)
        batch.loss(self.forward(batch)).backward()
        return torch.cat([each.grad.flatten() for each in self.network.parameters()])


def ways(network: WaveNet, compiled: bool) -> list[Way]:
    found = [
        Way("torch eager float32", network, network.predict, False, False),
        Way("torch eager bfloat16", network, network.predict, True, True),
    ]
    if compiled:
        found.append(Way("torch.compile bfloat16", network, torch.compile(network.predict), True, True))
    for bfloat16 in (False, True):
        name = stack.choose_instruction_set(bfloat16)
        predict = stack.compile_stack(network, bfloat16)
        if bfloat16 and name == stack.choose_instruction_set(False):
            continue
        found.append(Way(f"native {'bfloat16' if bfloat16 else 'float32'} ({name})", network, predict, bfloat16, False))
    return found


def optimiser(network: WaveNet) -> Callable[[], object]:
    """What follows the gradients in a step: clipping, Adam, averaging."""
    averaged = [each.detach().clone() for each in network.parameters()]
    adam = torch.optim.Adam(network.parameters(), 0.0, betas=(0.9, 0.99), fused=True)

    def step() -> None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adam.step()
        torch._foreach_lerp_(averaged, [each.detach() for each in network.parameters()], 1e-3)

    return step


def measure(way: Way, batch: Batch, expected: torch.Tensor, rate: float, seconds: float) -> str:
    """A line of the table. Beside native code torch is left one thread, as in training."""
    torch.set_num_threads(1 if way.name.startswith("native") else stack.THREADS)
    gradient = way.gradient(batch)
    error = float((gradient - expected).norm() / expected.norm())
    if error > (0.1 if way.bfloat16 else 1e-3):
        raise SystemExit(f"{way.name}: gradients are off by {error:.1%} of torch's in float32; do not use it")
    optimise = optimiser(way.network)

    def step(done: Callable[[], None]) -> None:
        outputs = way.forward(batch)
        done()
        leaf = outputs.detach().float().requires_grad_()
        (d_outputs,) = torch.autograd.grad(batch.loss(leaf), leaf)
        done()
        way.network.zero_grad(set_to_none=True)
        outputs.backward(d_outputs.to(outputs.dtype))
        done()
        optimise()
        done()

    times = best_times(step, seconds)
    speed = batch.counted / sum(times)
    share = batch.samples.numel() / (times[0] + times[2]) * operations(batch.config) / rate
    split = " ".join(f"{1e3 * each:8.1f}" for each in times)
    return f"{way.name:28s} {error:9.1e} {split} {speed:11,.0f} {share:8.1%}"


def main() -> None:
    defaults = TrainingOptions()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", choices=("gaussian", "mulaw"), default="gaussian")
    parser.add_argument("--batch", type=int, default=defaults.batch)
    parser.add_argument("--length", type=int, default=defaults.length)
    parser.add_argument("--seconds", type=float, default=4.0, help="spent on each")
    parser.add_argument("--without-compile", action="store_true", help="leave out torch.compile, which takes minutes")
    options = parser.parse_args()
    torch.manual_seed(0)
    config = WaveNetConfig(output=options.output, excitation="partials" if options.output == "gaussian" else "none")
    network, batch = WaveNet(config), Batch(config, options.batch, options.length)
    rates = {dtype: matrix_rate(dtype) for dtype in (torch.float32, torch.bfloat16)}
    weights = sum(each.numel() for each in network.parameters())
    print(machine())
    print(
        f"{len(config.dilations)} layers of {config.residual_channels}, skip {config.skip_channels}, head "
        f"{config.head_channels}, {config.output}: {weights:,} weights, {operations(config) / 1e3:,.0f} kFLOP a sample"
    )
    print(f"batch {options.batch} x {options.length} and {batch.context} samples of context")
    print("matrix rate " + ", ".join(f"{str(key)[6:]} {rate / 1e9:,.0f} GFLOP/s" for key, rate in rates.items()))
    print(f"\n{'':28s} {'gradient':>9s} {'ms:':>35s} {'':11s} {'share of':>8s}")
    print(f"{'':28s} {'error':>9s}  forward     loss backward optimise   samples/s   matrix")
    found = ways(network, not options.without_compile)
    expected = found[0].gradient(batch)
    for way in found:
        rate = rates[torch.bfloat16 if way.bfloat16 else torch.float32]
        print(measure(way, batch, expected, rate, options.seconds), flush=True)


if __name__ == "__main__":
    main()
