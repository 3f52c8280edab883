"""The shape of a WaveNet: one frozen, validated record that every room of the house reads."""

import reprlib
from typing import Literal

import msgspec

from ..errors import RtwaveError

FEATURE_SIZES = {
    "pitch": 8,
    "velocity": 1,
    "loudness": 1,
    "gate": 1,
    "age": 4,
    "release_age": 4,
    "knob1": 1,
    "knob2": 1,
    "knob3": 1,
    "knob4": 1,
    "timbre": 16,
    "pitch_fine": 24,
    "age_fine": 8,
}
"""Conditioning features a network can use, with the number of channels each takes."""

MAX_LAYERS = 256

LOG_SCALE_MIN, LOG_SCALE_MAX = -9.5, 1.0
"""Bounds of the Gaussian output's log scale (nats): below lies numerical noise, above nothing that sounds."""


class _Told(type(msgspec.Struct)):
    """Makes an unknown field the same kind of error as a bad value."""

    def __call__(cls, *args: object, **fields: object) -> object:
        unknown = fields.keys() - set(cls.__struct_fields__)
        if unknown:
            raise RtwaveError(f"config: unknown field {min(unknown)!r}, expected {', '.join(cls.__struct_fields__)}")
        return super().__call__(*args, **fields)


class WaveNetConfig(msgspec.Struct, metaclass=_Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that fixes a network's arithmetic; see arXiv 1609.03499 for the names.

    `sample_rate` in Hz; `dilations` in samples, one a layer; `control_period` in samples; `conditioning` names
    from FEATURE_SIZES, in the order in which their channels stand. With `excitation` "weighted" each partial is
    as strong as the instrument's, with "partials" all are alike (features.weighted_excitation). With `leveling`
    "loudness" the network models the sound at a steady level and the voice multiplies its loudness back in
    (features.level). A bad value raises RtwaveError naming the field.
    """

    sample_rate: int = 16_000
    output: Literal["gaussian", "mulaw"] = "gaussian"
    quantization_channels: int = 256
    pre_emphasis: float = 0.0
    leveling: Literal["loudness", "none"] = "none"
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128) * 2
    kernel_size: int = 2
    residual_channels: int = 32
    skip_channels: int = 64
    head_channels: int = 128
    excitation: Literal["weighted", "partials", "none"] = "none"
    partials: int = 40
    control_period: int = 32
    conditioning: tuple[str, ...] = ("pitch", "velocity", "loudness", "gate", "age", "release_age")

    def __post_init__(self) -> None:
        def require(good: bool, field: str, expected: str) -> None:
            if not good:
                raise RtwaveError(f"config: {field} is {reprlib.repr(getattr(self, field))}, expected {expected}")

        def whole(value: object, low: int, high: int) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

        for field in ("dilations", "conditioning"):
            value = getattr(self, field)
            require(isinstance(value, tuple | list), field, "a tuple")
            msgspec.structs.force_setattr(self, field, tuple(value))
        require(whole(self.sample_rate, 1_000, 384_000), "sample_rate", "1000 to 384000 Hz")
        require(self.output in ("gaussian", "mulaw"), "output", "'gaussian' or 'mulaw'")
        require(whole(self.quantization_channels, 3, 65_536), "quantization_channels", "3 to 65536")
        require(
            isinstance(self.pre_emphasis, int | float) and 0.0 <= self.pre_emphasis < 1.0,
            "pre_emphasis",
            "0 to less than 1",
        )
        require(self.leveling in ("loudness", "none"), "leveling", "'loudness' or 'none'")
        require(
            0 < len(self.dilations) <= MAX_LAYERS and all(whole(d, 1, 65_536) for d in self.dilations),
            "dilations",
            f"1 to {MAX_LAYERS} whole numbers, each 1 to 65536",
        )
        require(self.kernel_size in (2, 3), "kernel_size", "2 or 3")
        for field in ("residual_channels", "skip_channels", "head_channels"):
            require(whole(getattr(self, field), 1, 4096), field, "1 to 4096")
        require(self.excitation in ("weighted", "partials", "none"), "excitation", "'weighted', 'partials' or 'none'")
        require(whole(self.partials, 1, 256), "partials", "1 to 256")
        require(whole(self.control_period, 1, 4096), "control_period", "1 to 4096 samples")
        require(
            all(isinstance(name, str) and name in FEATURE_SIZES for name in self.conditioning)
            and len(set(self.conditioning)) == len(self.conditioning),
            "conditioning",
            f"distinct names out of {', '.join(FEATURE_SIZES)}",
        )

    @property
    def receptive_field(self) -> int:
        """Input samples that reach one output."""
        return (self.kernel_size - 1) * sum(self.dilations) + 1

    @property
    def conditioning_channels(self) -> int:
        """Channels of the conditioning vector c."""
        return sum(FEATURE_SIZES[name] for name in self.conditioning)

    @property
    def excitation_channels(self) -> int:
        """Channels of the excitation e: sine and cosine of each partial, or none."""
        return 0 if self.excitation == "none" else 2 * self.partials

    @property
    def outputs(self) -> int:
        """Rows of the last layer: mean and log scale, or one logit a class."""
        return 2 if self.output == "gaussian" else self.quantization_channels

    def to_json(self) -> str:
        """The record as one JSON object."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "WaveNetConfig":
        """Read a record; an unknown, missing or ill-typed field raises RtwaveError naming it."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise RtwaveError(f"config: {error}") from None
