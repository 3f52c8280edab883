"""Where everything of the CUDA kernel lies: sizes in whole fragments, offsets in weights, shared memory and state.

The kernel computes no offset of its own: all of this goes to it as macros (extensions/cuda/shape.h lists them).
"""

from dataclasses import dataclass

from ..wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN, WaveNetConfig

PRECISIONS = ("float32", "bfloat16", "float16")
"""In the order of their numbers in the kernel."""

FRAGMENT = 16
"""Rows, and columns, of a fragment of a matrix."""

PLACES = ("global", "shared", "registers")
"""Where a matrix can be, in the order of their numbers in the kernel."""

LINE = 256
"""Bytes: boundary of what begins in global memory."""

TRACK_BYTES, NOTE_BYTES, VOICE_BYTES = 24, 24, 32
"""Of the kernel's track_t, note_t and voice_t."""


def whole(channels: int) -> int:
    """Channels in whole fragments."""
    return -(-channels // FRAGMENT) * FRAGMENT


def power_of_two(number: int) -> int:
    """The least power of two that is not less."""
    return 1 << max(number - 1, 0).bit_length()


@dataclass(frozen=True)
class Shape:
    """A network's sizes as the kernel has them: channels in whole fragments, and what its matrices take."""

    config: WaveNetConfig
    precision: str

    @property
    def residual(self) -> int:
        """R in whole fragments; so the next three."""
        return whole(self.config.residual_channels)

    @property
    def skip(self) -> int:
        return whole(self.config.skip_channels)

    @property
    def head(self) -> int:
        return whole(self.config.head_channels)

    @property
    def outputs(self) -> int:
        return whole(self.config.outputs)

    @property
    def excitation(self) -> int:
        """2K in whole fragments, 0 without excitation."""
        return whole(self.config.excitation_channels)

    @property
    def taps(self) -> int:
        """Past ones."""
        return self.config.kernel_size - 1

    @property
    def gaussian(self) -> bool:
        return self.config.output == "gaussian"

    @property
    def bytes_each(self) -> int:
        """Of a weight, and of a number that it meets."""
        return 4 if self.precision == "float32" else 2

    def row_bytes(self, channels: int) -> int:
        """Of one voice's vector in shared memory, so that what a warp reads of eight of them meets in no bank."""
        return 4 * channels + 16 if self.precision == "float32" else 32 * (channels // FRAGMENT | 1)

    def layer_matrices(self) -> dict[str, int]:
        """Bytes of a layer's matrices."""
        r, each = self.residual, self.bytes_each
        return {
            "residual": r * r * each,
            "present": 2 * r * r * each,
            "past": self.taps * 2 * r * r * each,
            "skip": self.skip * r * each,
        }

    def head_matrices(self) -> dict[str, int]:
        """Bytes of the head's; a Gaussian's last two rows stay float32."""
        output = 2 * 4 * self.head if self.gaussian else self.outputs * self.head * self.bytes_each
        return {"output": output, "hidden": self.head * self.skip * self.bytes_each}


class _Memory:
    """Places in a memory, one behind the other, each a macro."""

    def __init__(self, prefix: str, start: int = 0) -> None:
        self.prefix, self.used, self.macros = prefix, start, {}

    def take(self, name: str, size: int, boundary: int = 16) -> int:
        start = -(-self.used // boundary) * boundary
        self.macros[f"{self.prefix}_{name}".upper()] = start
        self.used = start + size
        return start


@dataclass(frozen=True)
class Layout:
    """One way to lay a network out.

    `places`: of each matrix, one of PLACES; `pipes`: pipelines side by side; `columns`: eights of voices in a tile;
    `tiles`: of a pipeline, a power of two; `depth`: messages that a block has room for.
    """

    shape: Shape
    per_stage: int
    warps: int
    columns: int
    clustered: bool
    depth: int
    slots: int
    pipes: int
    tiles: int
    places: dict[str, str]

    @property
    def stages(self) -> int:
        """Blocks with layers."""
        return -(-len(self.shape.config.dilations) // self.per_stage)

    @property
    def voices(self) -> int:
        return 8 * self.columns

    def ring_rows(self) -> list[int]:
        """Ring rows of each layer are powers of two, so that any count of samples finds its row."""
        return [power_of_two(self.shape.taps * dilation) for dilation in self.shape.config.dilations]

    def weights(self) -> dict[str, int]:
        """Offsets in the weights: of a stage's parts from where it begins, W_STAGE apart; of the head's from W_HEAD."""
        shape, per_stage = self.shape, self.per_stage
        stage, head = _Memory("W"), _Memory("W")
        for name, size in shape.layer_matrices().items():
            stage.take(name, per_stage * size, LINE)
        stage.take("residual_bias", per_stage * shape.residual * 4, LINE)
        stage.take("gate_bias", per_stage * 2 * shape.residual * 4, LINE)
        stage.take("conditioning", per_stage * shape.config.conditioning_channels * 2 * shape.residual * 4, LINE)
        for name, size in shape.head_matrices().items():
            head.take(name, size, LINE)
        head.take("hidden_bias", shape.head * 4, LINE)
        head.take("output_bias", shape.outputs * 4, LINE)
        stage_bytes = -(-stage.used // LINE) * LINE
        whole_net = _Memory("W", self.stages * stage_bytes)
        whole_net.take("head", head.used, LINE)
        inputs = 1 if shape.gaussian else shape.config.quantization_channels
        whole_net.take("input", inputs * shape.residual * 4, LINE)
        whole_net.take("input_bias", shape.residual * 4, LINE)
        whole_net.take("excitation", shape.residual * shape.excitation * shape.bytes_each, LINE)
        return stage.macros | head.macros | whole_net.macros | {"W_STAGE": stage_bytes, "W_ALL": whole_net.used}

    def inbox(self) -> dict[str, int]:
        """Offsets in what other blocks write to."""
        inbox = _Memory("B")
        inbox.take("stream", self.depth * self.shape.residual * self.voices * 4)
        inbox.take("skips", self.depth * self.shape.skip * self.voices * 4)
        inbox.take("samples", self.tiles * self.voices * 4)
        return inbox.macros | {"B_ALL": -(-inbox.used // LINE) * LINE}

    def shared(self) -> dict[str, int]:
        """Offsets in shared memory; S_ALL is what a block of either kind needs."""
        shape, voices = self.shape, self.voices
        common = _Memory("S")
        common.take("barriers", 8 * (4 * self.depth + self.tiles) if self.clustered else 0)
        common.take("slots", self.tiles * voices * 4)
        common.take("voices", voices * VOICE_BYTES)
        common.take("inbox", self.inbox()["B_ALL"] if self.clustered else 0)
        common.take("told", (1 + voices) * 4)
        common.take("conditioning", voices * shape.config.conditioning_channels * 4)
        start = common.take("rows", 0)
        layers, head = _Memory("S", start), _Memory("S", start)
        row = voices * shape.row_bytes(shape.residual)
        for name, count in (("input_rows", 1), ("gated_rows", 1), ("past_rows", shape.taps)):
            layers.take(name, self.per_stage * count * row)
        layers.take("excitation", voices * shape.row_bytes(shape.excitation))
        head.take("skip_rows", voices * shape.row_bytes(shape.skip))
        head.take("hidden_rows", voices * self.hidden_row)
        rows_end = max(layers.used, head.used)
        layers.used = head.used = rows_end
        layers.take("residual_bias", self.per_stage * shape.residual * 4)
        head.take("logits", voices * (shape.outputs + 4) * 4)
        head.take("hidden_bias", shape.head * 4)
        head.take("output_bias", shape.outputs * 4)
        for memory, sizes, count in (
            (layers, shape.layer_matrices(), self.per_stage),
            (head, shape.head_matrices(), 1),
        ):
            for name, size in sizes.items():
                memory.take(name, count * size if self.places[name] == "shared" else 0)
        everything = {"S_ROWS_BYTES": rows_end - start, "S_ALL": max(layers.used, head.used)}
        return common.macros | layers.macros | head.macros | everything

    @property
    def hidden_row(self) -> int:
        """Bytes: of a Gaussian's hidden layer, which meets float32."""
        return 4 * self.shape.head + 16 if self.shape.gaussian else self.shape.row_bytes(self.shape.head)

    def state(self) -> dict[str, int | list[int]]:
        """Offsets in the state."""
        shape, slots, layers = self.shape, self.slots, len(self.shape.config.dilations)
        state, blocks = _Memory("G"), self.pipes * (self.stages + 1)
        state.take("ended", 4, LINE)
        state.take("counters", 0 if self.clustered else blocks * (4 * self.depth + self.tiles) * 4, LINE)
        state.take("inboxes", 0 if self.clustered else blocks * self.inbox()["B_ALL"], LINE)
        state.take("samples", slots * 4, LINE)
        state.take("notes", slots * NOTE_BYTES, LINE)
        state.take("tracks", (self.stages + 1) * slots * TRACK_BYTES, LINE)
        state.take("phasors", slots * 2 * shape.config.excitation_channels * 4, LINE)
        state.take("biases", slots * layers * 2 * shape.residual * 4, LINE)
        rings = [
            state.take("ring", slots * rows * shape.residual * shape.bytes_each, LINE) for rows in self.ring_rows()
        ]
        return {name: at for name, at in state.macros.items() if name != "G_RING"} | {
            "G_RINGS": rings,
            "G_ALL": -(-state.used // LINE) * LINE,
        }

    def macros(self) -> dict[str, str]:
        """All that the kernel is compiled with."""
        shape, config = self.shape, self.shape.config
        matrices = {**shape.layer_matrices(), **shape.head_matrices()}
        numbers = {
            "LAYERS": len(config.dilations),
            "STAGES": self.stages,
            "PER_STAGE": self.per_stage,
            "CHANNELS": config.residual_channels,
            "RESIDUAL": shape.residual,
            "SKIP": shape.skip,
            "HEAD": shape.head,
            "OUTPUTS_PADDED": shape.outputs,
            "EXCITATION": shape.excitation,
            "OUTPUTS": config.outputs,
            "CONDITIONING": config.conditioning_channels,
            "PARTIALS": config.excitation_channels // 2,
            "TAPS": shape.taps,
            "GAUSSIAN": int(shape.gaussian),
            "SILENT_CLASS": config.quantization_channels // 2,
            "PRECISION": PRECISIONS.index(shape.precision),
            "WARPS": self.warps,
            "COLUMNS": self.columns,
            "SLOTS": self.slots,
            "PIPES": self.pipes,
            "CLUSTERED": int(self.clustered),
            "TILES": self.tiles,
            "DEPTH": self.depth,
            "DILATIONS": config.dilations,
            "RING_ROWS": self.ring_rows(),
            "RESIDUAL_ROW": shape.row_bytes(shape.residual),
            "EXCITATION_ROW": shape.row_bytes(shape.excitation),
            "SKIP_ROW": shape.row_bytes(shape.skip),
            "HIDDEN_ROW": self.hidden_row,
            "LOG_SCALE_MIN": f"{LOG_SCALE_MIN:.1f}f",
            "LOG_SCALE_MAX": f"{LOG_SCALE_MAX:.1f}f",
            **{f"{name}_in".upper(): PLACES.index(place) for name, place in self.places.items()},
            **{
                f"{name}_bytes".upper(): size * (1 if name in shape.head_matrices() else self.per_stage)
                for name, size in matrices.items()
            },
            **self.weights(),
            **self.inbox(),
            **self.shared(),
            **self.state(),
        }
        return {name: _c(value) for name, value in numbers.items()}


def _c(value: object) -> str:
    """A number as C reads it, or a table of them."""
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(_c, value)) + "}"
    return f"{value}LL" if isinstance(value, int) and value > 0x7FFFFFFF else str(value)
