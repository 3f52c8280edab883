"""Weights files: canonical float32 tensors under plain names in safetensors, the config as JSON in the metadata."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import RtwaveError
from .config import WaveNetConfig
from .instrument import Instrument
from .precision import MAX_RANGE, MIN_RANGE

FORMAT = "rtwave-weights-1"
HALVES = ("partial_db",)
"""Tables that are kept as float16: a sixteenth of a dB is enough, and they would be larger than their network."""


def tensor_shapes(config: WaveNetConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a network. Convolutions follow torch: weight[..., −1] meets h[t]."""
    r, s, h = config.residual_channels, config.skip_channels, config.head_channels
    c, e, o = config.conditioning_channels, config.excitation_channels, config.outputs
    shapes: dict[str, tuple[int, ...]] = (
        {"input.weight": (r,), "input.bias": (r,)}
        if config.output == "gaussian"
        else {"input.weight": (config.quantization_channels, r)}
    )
    if e:
        shapes["excitation.weight"] = (r, e)
    last = len(config.dilations) - 1
    for layer in range(last + 1):
        prefix = f"layers.{layer}."
        shapes[prefix + "gate.weight"] = (2 * r, r, config.kernel_size)
        shapes[prefix + "gate.bias"] = (2 * r,)
        if c:
            shapes[prefix + "conditioning.weight"] = (2 * r, c)
        if layer < last:
            shapes[prefix + "residual.weight"] = (r, r)
            shapes[prefix + "residual.bias"] = (r,)
        shapes[prefix + "skip.weight"] = (s, r)
    shapes |= {
        "head.hidden.weight": (h, s),
        "head.hidden.bias": (h,),
        "head.output.weight": (o, h),
        "head.output.bias": (o,),
    }
    return shapes


@dataclass
class Weights:
    """A network ready to run: its config, its tensors (float32, C order) by name, and its instrument's tables.

    `ranges` float32 (layers + 2,), of which int8 is made, is the largest size of each activation on real data, in the
    order of precision.activation_steps; None where nobody measured it.
    """

    config: WaveNetConfig
    tensors: dict[str, np.ndarray]
    instrument: Instrument | None = None
    ranges: np.ndarray | None = None
    where: str = field(default="weights", repr=False)

    def __post_init__(self) -> None:
        if self.instrument is None:
            self.instrument = Instrument.neutral(self.config.partials, self.config.excitation == "weighted")
        self._check()

    def _check(self) -> None:
        self.check_shapes()
        self.tensors = dict(self.tensors)  # the caller's stays as it is
        for name, tensor in self.tensors.items():
            if not np.isfinite(tensor).all():
                raise RtwaveError(f"{self.where}: {name} holds NaN or infinity, expected finite values")
            self.tensors[name] = np.ascontiguousarray(tensor, np.float32)
        self.instrument.check(self.config.partials, self.where, self.config.excitation == "weighted")

    def check_shapes(self) -> None:
        """RtwaveError naming the first tensor or table that is missing or has a shape or dtype other than the config's.

        Native code, which trusts them, has this asked again: what was right when it was made may have been changed.
        """
        expected = tensor_shapes(self.config)
        for name in expected.keys() - self.tensors.keys():
            raise RtwaveError(f"{self.where}: {name} is missing, expected shape {expected[name]}")
        for name in self.tensors.keys() - expected.keys():
            raise RtwaveError(f"{self.where}: {name} is unknown, expected only the config's tensors")
        for name, shape in expected.items():
            tensor = self.tensors[name]
            if tensor.shape != shape:
                raise RtwaveError(f"{self.where}: {name} has shape {tensor.shape}, expected {shape}")
            if tensor.dtype not in (np.float32, np.float16):
                raise RtwaveError(f"{self.where}: {name} is {tensor.dtype}, expected float32 or float16")
        if self.ranges is not None:
            self._check_ranges()
        self.instrument.check_shapes(self.config.partials, self.where, self.config.excitation == "weighted")

    def _check_ranges(self) -> None:
        shape = (len(self.config.dilations) + 2,)
        if not isinstance(self.ranges, np.ndarray):
            came = type(self.ranges).__name__
            raise RtwaveError(f"{self.where}: ranges is {came}, expected an array float32 {shape}")
        if self.ranges.shape != shape or self.ranges.dtype != np.float32:
            came = f"{self.ranges.dtype} {self.ranges.shape}"
            raise RtwaveError(f"{self.where}: ranges is {came}, expected float32 {shape}")
        good = (self.ranges >= np.float32(MIN_RANGE)) & (self.ranges <= np.float32(MAX_RANGE))
        if not good.all():
            came = self.ranges[~good][0]
            raise RtwaveError(f"{self.where}: ranges holds {came:g}, expected {MIN_RANGE:g} to {MAX_RANGE:g}")

    @property
    def parameters(self) -> int:
        """Number of weights in the network."""
        return sum(tensor.size for tensor in self.tensors.values())

    def same_network(self, other: "Weights") -> bool:
        """Whether both compute the same, whatever their instruments."""
        return (
            self.config == other.config
            and all(np.array_equal(tensor, other.tensors[name]) for name, tensor in self.tensors.items())
            and np.array_equal(self.ranges, other.ranges)
        )

    @classmethod
    def random(cls, config: WaveNetConfig, seed: int = 0, scale: float = 1.0) -> "Weights":
        """A random network whose activations stay in range, for tests and benchmarks."""
        generator = np.random.default_rng(seed)
        tensors = {}
        for name, shape in tensor_shapes(config).items():
            fan_in = 1 if len(shape) == 1 or name == "input.weight" else int(np.prod(shape[1:]))
            tensors[name] = (generator.standard_normal(shape) * scale / np.sqrt(fan_in)).astype(np.float32)
        return cls(config, tensors)

    @classmethod
    def load(cls, path: str | Path) -> "Weights":
        """Read and check a weights file; anything amiss raises RtwaveError naming file and tensor."""
        path = Path(path)
        if not path.is_file():
            raise RtwaveError(f"{path}: no such weights file; name a .safetensors file that exists")
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, TypeError) as error:
            raise RtwaveError(f"{path}: not a whole safetensors file ({error}); fetch or export it again") from None
        if metadata.get("format") != FORMAT or "config" not in metadata:
            raise RtwaveError(f"{path}: format is {metadata.get('format')!r}, expected {FORMAT!r}; export it again")
        try:
            config = WaveNetConfig.from_json(metadata["config"])
        except RtwaveError as error:
            raise RtwaveError(f"{path}: {error}") from None
        prefix = "instrument."
        tables = {name.removeprefix(prefix): tensors.pop(name) for name in list(tensors) if name.startswith(prefix)}
        tables |= {name: tables[name].astype(np.float32) for name in HALVES if name in tables}
        try:
            instrument = Instrument(**tables) if tables else None
        except TypeError as error:
            detail = str(error).removeprefix("Instrument.__init__() ")
            raise RtwaveError(f"{path}: instrument tables: {detail}; export it again") from None
        ranges = tensors.pop("ranges", None)
        return cls(config, tensors, instrument, ranges, where=path.name)

    def save(self, path: str | Path) -> None:
        """Write the file whole or, with RtwaveError, not at all (a temporary beside it, then renamed)."""
        path = Path(path)
        tables = {
            f"instrument.{name}": table.astype(np.float16) if name in HALVES else table
            for name, table in self.instrument.arrays().items()
            if table.size and (name != "modes_hz" or table.any())
        }
        measured = {} if self.ranges is None else {"ranges": self.ranges}
        arrays = {name: np.ascontiguousarray(array) for name, array in (self.tensors | tables | measured).items()}
        temporary = path.with_suffix(".partial")
        try:
            save_file(arrays, temporary, metadata={"format": FORMAT, "config": self.config.to_json()})
            temporary.chmod(0o644)  # safetensors keeps files to their owner; presets are for sharing
            temporary.replace(path)
        except (OSError, SafetensorError) as error:
            temporary.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or error
            raise RtwaveError(f"{path}: weights cannot be written ({reason}); name another file") from None
