"""What a frame costs on a GPU, estimated, to compare ways to lay a network out: clocks of one multiprocessor.

A tile of voices goes round a pipeline once a frame. Of a layer only the present tap, the gate and the residual sum lie
on that way; past taps and skips are the block's work before and after, and only the last block's skips are waited for.
"""

from dataclasses import dataclass
from math import ceil

from .cuda_layout import FRAGMENT, Layout

READ = 33
"""From shared memory to a register; half of what tanh and sigmoid take, too."""

PRODUCT = 33
"""One m16n8k16 product, from operands to sums."""

ISSUE = 7
"""Between two of them on a quarter of the multiprocessor: two thirds of the tensor cores' peak."""

BARRIER = 50
"""A write to shared memory and __syncthreads behind it."""

GATE = 90
"""tanh times sigmoid: two exponentials, a reciprocal."""

HOP = {True: 450, False: 2500}
"""From one block to the next: in a cluster; through global memory, with fence and flag."""

BYTES = {"registers": float("inf"), "shared": 128.0, "global": 48.0}
"""Of weights, read in a clock."""

LATENCY = {"registers": 0, "shared": READ, "global": 300}

DRAW = {True: 250, False: 700}
"""From outputs to a sample: of a Gaussian, of classes."""

BETWEEN = 3500
"""A block's other work each frame: rings, biases, excitation, tellings, mostly waits for global memory."""

CHAINS = 4
"""Sums that a tile of eight voices is split into, so that products do not wait for each other."""


@dataclass(frozen=True)
class Estimate:
    """Clocks: `around`, of a frame of one tile from sample to sample; `busiest`, of the block that has most to do with
    a tile; `frame`, of one sample of every slot."""

    around: int
    busiest: int
    frame: int


def estimate(layout: Layout) -> Estimate:
    """What a frame takes with this layout, all slots playing."""
    shape, taps = layout.shape, layout.shape.taps
    r = shape.residual
    layer = _product(layout, "present", 2 * r, r) + GATE + _product(layout, "residual", r, r) + 2 * BARRIER
    skip = _product(layout, "skip", shape.skip, r)
    rest = layout.per_stage * (_product(layout, "past", 2 * r, taps * r) + skip)
    head = _product(layout, "hidden", shape.head, shape.skip) + 3 * BARRIER + DRAW[shape.gaussian] * layout.columns
    if not shape.gaussian:
        head += _product(layout, "output", shape.outputs, shape.head)
    layers = len(shape.config.dilations)
    last = layers - (layout.stages - 1) * layout.per_stage
    hops = (layout.stages + 1) * (HOP[layout.clustered] + BARRIER)
    around = layers * layer + last * skip + head + hops
    between = BETWEEN * (1 + layout.columns) / 2
    busiest = between + max(layout.per_stage * layer + rest, head)
    tiles = ceil(layout.slots / (layout.voices * layout.pipes))
    return Estimate(round(around), round(busiest), round(max(around, tiles * busiest)))


def _product(layout: Layout, name: str, rows: int, columns: int) -> float:
    """A matrix (rows, columns) times a tile's vectors, shared by a block's warps."""
    place, steps, tiles = layout.places[name], columns // FRAGMENT, rows // FRAGMENT
    if layout.shape.precision == "float32":
        arithmetic = rows * columns * layout.voices / 128  # one multiply-add a lane and clock
    else:
        share = -(-tiles // layout.warps)  # a quarter of the warps each to a quarter of the multiprocessor
        busy = share * -(-layout.warps // 4) * steps * layout.columns * ISSUE
        arithmetic = max(busy, -(-steps // CHAINS) * PRODUCT)
    size = rows * columns * layout.shape.bytes_each
    return READ + LATENCY[place] + max(arithmetic, size / BYTES[place])
