"""The control panel: where every control stands, and which MIDI controllers move it."""

from collections.abc import Mapping

from ..engine.commands import Control
from ..engine.control_map import default_control_map, merge_control_maps
from ..engine.controls import CONTROLS
from ..presets import Playing
from .style import Style

CENTRE = 64
"""The middle of a controller's travel, exact for controls that have one."""


class Panel:
    """Every control's value. Pure; one thread.

    A control's own controller, on which MIDI files count, moves it at once. One of a player's or a preset's map takes
    it over: it moves it only from where it has reached or passed the control's present value, so that nothing jumps.
    """

    def __init__(self, playing: Playing, controllers: Mapping[str, int], style: Style) -> None:
        self._style = style
        self._map: dict[str, int] = {}
        self._turned: dict[str, int] = {}  # last value of each control's controller
        self._values = {name: control.default for name, control in CONTROLS.items()} | {"tune": style.tune_hz}
        self.change_preset(playing, controllers)

    def change_preset(self, playing: Playing, controllers: Mapping[str, int]) -> None:
        """Take a preset's own values and control map; what presets have no say in stays.

        So do temperature and timbre where a controller of their own, as the mod wheel is, has moved them.
        """
        previous, self._playing = self._map, playing
        self._map = merge_control_maps(default_control_map(), controllers, self._style.controls)
        self._turned = {name: value for name, value in self._turned.items() if previous[name] == self._map.get(name)}
        self._values |= {name: getattr(playing, name) for name in CONTROLS if hasattr(playing, name)}
        for name in ("temperature", "timbre"):
            if self._direct(name) and name in self._turned:
                self._values[name] = self._swept(name, self._turned[name])

    def set(self, name: str, value: float) -> list[Control]:
        """Put a control to a value, clipped to its range."""
        control = CONTROLS[name]
        self._values[name] = min(max(value, control.low), control.high)
        return [Control(name, self._values[name])]

    def turn(self, controller: int, value: int) -> list[Control]:
        """A MIDI controller has come to `value` 0..127."""
        moved = []
        for name in self.moved_by(controller):
            if self._direct(name) or self._reaches(name, value):
                moved += self.set(name, self._swept(name, value))
            self._turned[name] = value
        return moved

    def reset(self, *names: str) -> list[Control]:
        """Put controls where they stood at the start, as if no controller had moved them."""
        for name in names:
            self._turned.pop(name, None)
        start = self._start() | {"tune": self._style.tune_hz}
        return [command for name in names for command in self.set(name, start[name])]

    def moved_by(self, controller: int) -> list[str]:
        """The controls that a MIDI controller moves."""
        return [name for name, mapped in self._map.items() if mapped == controller]

    def state(self) -> list[Control]:
        """What a fresh engine of this preset must be told to stand where this panel does."""
        start = self._start()
        return [Control(name, value) for name, value in self._values.items() if value != start[name]]

    def _start(self) -> dict[str, float]:
        return {name: getattr(self._playing, name, control.default) for name, control in CONTROLS.items()}

    def _direct(self, name: str) -> bool:
        return self._map.get(name) == CONTROLS[name].controller

    def _reaches(self, name: str, value: int) -> bool:
        """Whether a controller on its way to `value` comes within a step of where its control stands."""
        before = self._turned.get(name, value)
        low = self._swept(name, max(min(before, value) - 1, 0))
        high = self._swept(name, min(max(before, value) + 1, 127))
        stands = min(max(self._values[name], self._swept(name, 0)), self._swept(name, 127))
        return low <= stands <= high

    def _swept(self, name: str, value: int) -> float:
        """The value of a control when its controller is at `value` 0..127; it never falls as that rises."""
        control = CONTROLS[name]
        low, high = (control.low, control.high) if name != "temperature" else self._playing.temperature_range
        if name in ("volume", "expression"):
            return gain(value)
        if name in ("timbre", "tune", "release"):
            return _centred(value, low, control.default, high, by_ratio=name == "release")
        return low + (high - low) * value / 127.0


def gain(value: int) -> float:
    """Amplitude of a volume or expression controller: 40 log10(value / 127) dB, as General MIDI recommends."""
    return (value / 127.0) ** 2


def centred_share(value: int) -> float:
    """−1..1 for a controller 0..127: exactly 0 in the middle, exactly 1 at either end."""
    return (value - CENTRE) / (CENTRE if value < CENTRE else 127 - CENTRE)


def _centred(value: int, low: float, middle: float, high: float, by_ratio: bool) -> float:
    share, end = centred_share(value), low if value < CENTRE else high
    if by_ratio:
        return middle * (end / middle) ** abs(share)
    return middle + (end - middle) * abs(share)
