"""How a player wants the instrument to answer: what holds for every preset."""

from numbers import Real

import msgspec

from ..engine.control_map import check_control_map
from ..engine.controls import CONTROLS
from ..errors import RtwaveError
from ..presets import Playing


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """A player's own settings; a bad one raises RtwaveError.

    `channel` 0..15 or None for all; `transpose` −127..127 semitones; `tune_hz` of A4, 400..480; `velocity_curve`
    0.1..10, the exponent on velocity, or None for the preset's; `bend_range` 0..48 semitones to either side; `mpe`:
    every note comes on a channel of its own; `controls`: names of controls to the MIDI controllers that move them,
    which goes before the preset's own map.
    """

    channel: int | None = None
    transpose: int = 0
    tune_hz: float = 440.0
    velocity_curve: float | None = None
    bend_range: float = 2.0
    mpe: bool = False
    controls: dict[str, int] = {}

    def __post_init__(self) -> None:
        if self.channel is not None and not 0 <= self.channel <= 15:
            raise RtwaveError(f"MIDI channel is {self.channel + 1}, expected 1 to 16")
        if self.mpe and self.channel is not None:
            raise RtwaveError(f"MIDI channel is {self.channel + 1} with MPE, which needs them all; leave one out")
        if not -127 <= self.transpose <= 127:
            raise RtwaveError(f"transpose is {self.transpose}, expected -127 to 127 semitones")
        tune = CONTROLS["tune"]
        if not isinstance(self.tune_hz, Real) or not tune.low <= self.tune_hz <= tune.high:
            raise RtwaveError(f"tune is {self.tune_hz!r}, expected {tune.low:g} to {tune.high:g} Hz for A4")
        if not isinstance(self.bend_range, Real) or not 0.0 <= self.bend_range <= 48.0:
            raise RtwaveError(f"bend range is {self.bend_range!r}, expected 0 to 48 semitones")
        if self.velocity_curve is not None:
            Playing(velocity_curve=self.velocity_curve)  # has the check
        check_control_map(self.controls)
