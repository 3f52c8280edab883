"""Control maps: which MIDI controller moves which control."""

from collections.abc import Mapping
from numbers import Integral

from ..errors import RtwaveError
from .controls import CONTROLS

MAPPABLE = tuple(name for name in CONTROLS if name not in ("bend", "damper"))
"""Controls that a controller may move; the other two are the pitch wheel's and the sustain pedal's."""

RESERVED = frozenset({0, 6, 32, 38, 64, 66, 67, *range(96, 102), *range(120, 128)})
"""Controllers that mean something else: banks, data entry, pedals, parameter numbers, channel modes."""


def check_control_map(controllers: Mapping[str, int]) -> dict[str, int]:
    """A map of control names to controllers, or RtwaveError that names what cannot be."""
    for name, controller in controllers.items():
        if name not in MAPPABLE:
            raise RtwaveError(f"{name!r} is no control, expected one of {', '.join(MAPPABLE)}")
        whole = isinstance(controller, Integral) and not isinstance(controller, bool)
        if not whole or not 0 <= controller <= 119 or controller in RESERVED:
            reserved = "banks, pedals and parameters have 0, 6, 32, 38, 64, 66, 67, 96 to 101"
            raise RtwaveError(f"{name} is {controller!r}, expected a controller from 1 to 119 ({reserved})")
    return {name: int(controller) for name, controller in controllers.items()}


def merge_control_maps(*maps: Mapping[str, int]) -> dict[str, int]:
    """The map of all `maps`: a later one has its controllers for itself."""
    merged: dict[str, int] = {}
    for layer in maps:
        free = {name: controller for name, controller in merged.items() if controller not in layer.values()}
        merged = free | dict(layer)
    return merged


def default_control_map() -> dict[str, int]:
    """What the table of controls says."""
    return {name: control.controller for name, control in CONTROLS.items() if control.controller is not None}
