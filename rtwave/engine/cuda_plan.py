"""The CUDA kernel for one network and one GPU: which block has which layers, what fits where, and the packed weights.

A pipeline is a row of blocks: some with layers, the last one with the head. Each keeps as many of its weights as it has
room for, in registers and shared memory; the others it reads from global memory (the L2 cache) each frame, while it
would wait anyway. Eight voices, or a few times as many, go through together as a tile.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..errors import RtwaveError
from ..wavenet.config import WaveNetConfig
from ..wavenet.weights import Weights
from .cuda_cost import Estimate, estimate
from .cuda_layout import FRAGMENT, PRECISIONS, Layout, Shape, power_of_two, whole

OLDEST = (8, 0)
"""Compute capability of the first GPUs that multiply bfloat16."""

CLUSTERS_FROM = (9, 0)

WARPS = 8
MAX_PER_STAGE = 8
MAX_CHANNELS = 512
"""Residual ones: of more, a thread's sums do not fit its registers."""

HIDDEN_REGISTERS, LAYER_REGISTERS, SUM_REGISTERS = 128, 160, 96
"""Of a thread's 255, what may be held: of the hidden layer; of present taps with the sums of their layers; of these."""

CLUSTER_DEPTH, GRID_DEPTH = 2, 4
"""Messages that a block has room for, if there are so many tiles: in its shared memory, in global memory."""

ORDERS = (
    ("residual", "present", "skip", "past", "output", "hidden"),
    ("residual", "present", "past", "skip", "output", "hidden"),
)
"""In which matrices are given shared memory."""


@dataclass(frozen=True)
class DeviceProperties:
    """What the plan must know of a GPU. `max_cluster`: most blocks in a cluster, 1 where there are none."""

    name: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    shared_bytes_per_block: int
    max_cluster: int


@dataclass(frozen=True)
class LaunchPlan:
    """The kernel's macros, and how it is launched.

    `cluster`: blocks in a cluster, or 1: a cooperative grid. `layers`: numbers of the layers of each block of a
    pipeline; the head's block, the last, has none. `voices`: of a tile. `streamed_bytes`: weights that the busiest
    block reads from global memory each frame.
    """

    layout: Layout
    defines: dict[str, str]
    blocks: int
    threads: int
    cluster: int
    shared_bytes: int
    state_bytes: int
    weight_bytes: int
    layers: tuple[tuple[int, ...], ...]
    voices: int
    streamed_bytes: int
    estimate: Estimate


def plan(config: WaveNetConfig, precision: str, slots: int, properties: DeviceProperties) -> LaunchPlan:
    """The fastest way that a GPU can play up to `slots` voices of a network at once; RtwaveError where it cannot."""
    if precision not in PRECISIONS:
        raise RtwaveError(f"precision is {precision!r}, the CUDA engine has {', '.join(PRECISIONS)}")
    capability = properties.compute_capability
    if capability < OLDEST:
        came = "{}.{}".format(*capability)
        raise RtwaveError(f"{properties.name} has compute capability {came}, the CUDA engine needs 8.0 or newer")
    if config.residual_channels > MAX_CHANNELS:
        came = config.residual_channels
        raise RtwaveError(f"residual_channels is {came}, the CUDA engine takes at most {MAX_CHANNELS}; use a CPU")
    layouts = list(_layouts(Shape(config, precision), slots, properties))
    if not layouts:
        memory = f"{properties.multiprocessors} blocks of {properties.shared_bytes_per_block >> 10} KiB"
        raise RtwaveError(f"the network does not fit {properties.name} ({memory}); play it on a CPU")
    return launch(min(layouts, key=lambda layout: estimate(layout).frame))


def launch(layout: Layout) -> LaunchPlan:
    """The plan that goes with a layout."""
    numbers = range(len(layout.shape.config.dilations))
    return LaunchPlan(
        layout=layout,
        defines=layout.macros(),
        blocks=layout.pipes * (layout.stages + 1),
        threads=32 * layout.warps,
        cluster=layout.stages + 1 if layout.clustered else 1,
        shared_bytes=layout.shared()["S_ALL"],
        state_bytes=layout.state()["G_ALL"],
        weight_bytes=layout.weights()["W_ALL"],
        layers=(*(tuple(numbers[at : at + layout.per_stage]) for at in numbers[:: layout.per_stage]), ()),
        voices=layout.voices,
        streamed_bytes=_streamed_bytes(layout),
        estimate=estimate(layout),
    )


def settle(layout: Layout, limit: int, order: tuple[str, ...] = ORDERS[0]) -> Layout | None:
    """The layout with its matrices in the fastest places that have room: registers, then shared memory in this order,
    of which a block has `limit` bytes. None where not even what must be there has room."""
    shape = layout.shape
    steps, tiles = shape.residual // FRAGMENT, -(-shape.residual // 8 // layout.warps)
    sums = layout.per_stage * tiles * layout.columns * 4
    working = (-(-shape.skip // FRAGMENT // layout.warps) + 2) * layout.columns * 4
    present = layout.per_stage * tiles * steps * 4
    hidden = -(-shape.head // FRAGMENT // layout.warps) * (shape.skip // FRAGMENT) * 4
    if sums > SUM_REGISTERS:
        return None
    halves = shape.precision != "float32"
    places = dict.fromkeys(ORDERS[0], "global")
    places["present"] = "registers" if halves and present + sums + working <= LAYER_REGISTERS else "global"
    places["hidden"] = "registers" if halves and hidden <= HIDDEN_REGISTERS else "global"
    layout = replace(layout, places=places)
    if layout.shared()["S_ALL"] > limit:
        return None
    for name in order:
        fuller = replace(layout, places=layout.places | {name: "shared"})
        if layout.places[name] == "global" and fuller.shared()["S_ALL"] <= limit:
            layout = fuller
    return layout


def _layouts(shape: Shape, slots: int, gpu: DeviceProperties) -> Iterator[Layout]:
    """Every way worth a thought to lay a network out on a GPU."""
    layers = len(shape.config.dilations)
    tiles = max(shape.residual // 8, shape.skip // FRAGMENT, shape.head // FRAGMENT)
    for per_stage, order in itertools.product(range(1, min(MAX_PER_STAGE, layers) + 1), ORDERS):
        length = -(-layers // per_stage) + 1
        if per_stage > 1 and -(-layers // (per_stage - 1)) + 1 == length:
            continue  # as many blocks, less evenly
        for clustered, columns in ((True, 1), (False, 1), (False, 2), (False, 4)):
            groups = -(-slots // (8 * columns))
            if clustered and (gpu.compute_capability < CLUSTERS_FROM or length > gpu.max_cluster):
                continue
            # clusters lie within a processing cluster of the chip, of at least 16 multiprocessors
            room = gpu.multiprocessors // 16 * (16 // length) if clustered else gpu.multiprocessors // length
            pipes = min(room, groups)
            if pipes < 1 or (columns > 1 and groups < pipes):
                continue
            tiles_each = power_of_two(-(-groups // pipes))
            layout = Layout(
                shape=shape,
                per_stage=per_stage,
                warps=max(2, min(WARPS, tiles)),
                columns=columns,
                clustered=clustered,
                depth=min(CLUSTER_DEPTH if clustered else GRID_DEPTH, tiles_each),
                slots=slots,
                pipes=pipes,
                tiles=tiles_each,
                places={},
            )
            if settled := settle(layout, gpu.shared_bytes_per_block, order):
                yield settled


def _streamed_bytes(layout: Layout) -> int:
    """Weights that the busiest block reads from global memory each frame."""
    shape = layout.shape
    layers, head = (
        sum(size for name, size in sizes.items() if layout.places[name] == "global")
        for sizes in (shape.layer_matrices(), shape.head_matrices())
    )
    return max(layout.per_stage * layers, head)


# --- weights ------------------------------------------------------------------------------------------------------


def pack(weights: Weights, launch_plan: LaunchPlan) -> np.ndarray:
    """The weights as the kernel reads them, uint8 (weight_bytes,): matrices in the order of their fragments."""
    layout = launch_plan.layout
    offsets, tensors, shape = layout.weights(), weights.tensors, layout.shape
    packed = np.zeros(launch_plan.weight_bytes, np.uint8)

    def put(offset: int, array: np.ndarray) -> None:
        data = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        packed[offset : offset + len(data)] = data

    for number in range(len(shape.config.dilations)):
        stage, place = divmod(number, layout.per_stage)
        for name, array in _pack_layer(tensors, f"layers.{number}.", shape).items():
            put(stage * offsets["W_STAGE"] + offsets[f"W_{name}"] + place * array.nbytes, array)
    for name, array in _pack_head(tensors, shape).items():
        put(offsets["W_HEAD"] + offsets[f"W_{name}"], array)
    r = shape.residual
    inputs = tensors["input.weight"].reshape(-1, shape.config.residual_channels)
    put(offsets["W_INPUT"], _padded(inputs, len(inputs), r))
    put(offsets["W_INPUT_BIAS"], _vector(tensors.get("input.bias", np.zeros(0, np.float32)), r))
    if shape.excitation:
        put(offsets["W_EXCITATION"], fragments(_paired(tensors["excitation.weight"]), shape.precision))
    return packed


def _pack_layer(tensors: dict[str, np.ndarray], prefix: str, shape: Shape) -> dict[str, np.ndarray]:
    """Parts of a layer by name; the last layer has no residual ones."""
    r, precision = shape.residual, shape.precision
    gate = tensors[prefix + "gate.weight"]
    gates = [_gates(_padded(gate[:, :, tap], len(gate), r), r) for tap in range(gate.shape[2])]
    past = np.stack([fragments(rows, precision) for rows in gates[:-1]], axis=1)  # (tiles, taps, …)
    biases = _gates(tensors[prefix + "gate.bias"][:, None], r)
    interleave = biases.reshape(-1, 2, 8).transpose(0, 2, 1).reshape(2 * r)  # filter and gate side by side
    parts = {
        "PRESENT": fragments(gates[-1], precision),
        "PAST": past,
        "SKIP": fragments(_paired(tensors[prefix + "skip.weight"]), precision),
        "GATE_BIAS": interleave,
    }
    if prefix + "conditioning.weight" in tensors:
        columns = _gates(tensors[prefix + "conditioning.weight"], r)
        parts["CONDITIONING"] = columns.reshape(-1, 2, 8, columns.shape[1]).transpose(3, 0, 2, 1)
    if prefix + "residual.weight" in tensors:
        parts["RESIDUAL"] = fragments(_paired(tensors[prefix + "residual.weight"]), precision)
        parts["RESIDUAL_BIAS"] = _vector(tensors[prefix + "residual.bias"], r)
    return parts


def _pack_head(tensors: dict[str, np.ndarray], shape: Shape) -> dict[str, np.ndarray]:
    output = tensors["head.output.weight"]
    rows = _padded(output, 2, shape.head).T if shape.gaussian else fragments(_paired(output), shape.precision)
    return {
        "HIDDEN": fragments(_paired(tensors["head.hidden.weight"]), shape.precision),
        "OUTPUT": rows,
        "HIDDEN_BIAS": _vector(tensors["head.hidden.bias"], shape.head),
        "OUTPUT_BIAS": _vector(tensors["head.output.bias"], shape.outputs),
    }


def _padded(matrix: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return np.pad(matrix, ((0, rows - matrix.shape[0]), (0, columns - matrix.shape[1])))


def _vector(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values, (0, length - len(values)))


def _gates(matrix: np.ndarray, padded: int) -> np.ndarray:
    """Filters' rows, then gates', as tiles of eight filters and their eight gates: (2 padded, columns)."""
    half = len(matrix) // 2
    halves = np.stack([_padded(part, padded, matrix.shape[1]) for part in (matrix[:half], matrix[half:])])
    return halves.reshape(2, -1, 8, matrix.shape[1]).transpose(1, 0, 2, 3).reshape(2 * padded, -1)


def _paired(matrix: np.ndarray) -> np.ndarray:
    """Rows and columns in whole fragments, rows so that the two of a lane, eight apart in a tile, follow each other."""
    matrix = _padded(matrix, *map(whole, matrix.shape))
    return matrix.reshape(-1, 8, 2, matrix.shape[1]).transpose(0, 2, 1, 3).reshape(matrix.shape)


def fragments(matrix: np.ndarray, precision: str) -> np.ndarray:
    """A matrix of whole fragments as the kernel reads it: (tiles, columns / 16, …).

    In 16 bits a lane has eight numbers, of the rows g and g + 8 and the columns 4 q to 4 q + 3, in the order of an
    m16n8k16 product's registers; in float32 four columns at a time stand row below row.
    """
    tiles = matrix.reshape(matrix.shape[0] // FRAGMENT, FRAGMENT, matrix.shape[1] // FRAGMENT, FRAGMENT)
    if precision == "float32":
        columns = tiles.reshape(*tiles.shape[:3], 4, 4)  # tile, row, step, columns in fours
        return np.ascontiguousarray(columns.transpose(0, 2, 3, 1, 4))
    # tile, half, g, step, q, pair, columns of the pair → tile, step, g, q, pair, half, columns of the pair
    lanes = tiles.reshape(len(tiles), 2, 8, -1, 4, 2, 2).transpose(0, 3, 2, 4, 5, 1, 6)
    return _halves(np.ascontiguousarray(lanes), precision)


def _halves(numbers: np.ndarray, precision: str) -> np.ndarray:
    """float32 as 16-bit numbers, rounded to the nearest: float16, or uint16 with bfloat16's bits."""
    if precision == "float16":
        return np.clip(numbers, -65504.0, 65504.0).astype(np.float16)
    bits = numbers.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
