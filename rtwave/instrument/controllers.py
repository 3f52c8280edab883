"""Which MIDI controllers a player's own knobs are: learned by turning them, kept in a file that people can read."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import platformdirs

from ..engine.control_map import MAPPABLE, RESERVED, check_control_map, default_control_map
from ..engine.controls import CONTROLS
from ..errors import RtwaveError
from . import messages as midi
from .messages import Message

CONTROLS_FILE = "controls.toml"
MOVED = 8
"""Steps that a controller must travel to be taken for one that is turned, and not for one that trembles."""

_HEADER = """\
# Which MIDI controller (its number, 1 to 119) moves which control of rtwave, whatever the preset says.
# `rtwave play --learn` writes this file; what stands behind a # here is as the preset or rtwave has it.

[controls]
"""


def controls_file() -> Path:
    """Where a player's own control map lives on this platform."""
    return Path(platformdirs.user_config_dir("rtwave", appauthor=False)) / CONTROLS_FILE


class Learner:
    """Asks for one control after the other which controller is to move it. Pure; one thread.

    `names` are those of controls. A controller that means something else, or has been learned just now, is not heard.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._waiting = list(names)
        self._heard: dict[int, set[int]] = {}  # values of each controller since the present control was asked for
        self.learned: dict[str, int] = {}

    @property
    def current(self) -> str | None:
        """The control whose controller is to be turned now, None when all have been asked for."""
        return self._waiting[0] if self._waiting else None

    def hear(self, message: Message) -> str | None:
        """The name of the control that has been learned by this message, or None."""
        if message.kind != midi.CONTROL_CHANGE or not self._waiting:
            return None
        if message.data1 in RESERVED or message.data1 in self.learned.values():
            return None
        if message.data1 in range(32, 64) and message.data1 - 32 in self._heard:  # only its finer half
            return None
        values = self._heard.setdefault(message.data1, set())
        values.add(message.data2)
        if max(values) - min(values) < MOVED:
            return None
        name = self._waiting[0]
        self.learned[name] = message.data1
        self.skip()
        return name

    def skip(self) -> None:
        """Leave the present control as it is."""
        del self._waiting[:1]
        self._heard.clear()


def read_controls(path: str | Path) -> dict[str, int]:
    """The control map in a file, empty where there is no file; a damaged one raises RtwaveError with one line."""
    try:
        read = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RtwaveError(f"{path}: cannot be read ({error.strerror}); expected a file of controls") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RtwaveError(f"{path}: not a TOML file: {error}; mend it, or delete it to learn anew") from None
    controls = read.pop("controls", {})
    if read or not isinstance(controls, dict):
        raise RtwaveError(f"{path}: {next(iter(read), 'controls')!r} is out of place, expected one table, [controls]")
    try:
        return check_control_map(controls)
    except RtwaveError as error:
        raise RtwaveError(f"{path}: [controls] {error}") from None


def write_controls(path: str | Path, controls: Mapping[str, int]) -> None:
    """Write a control map with every control's range beside it, whole or, with RtwaveError, not at all."""
    path, controls = Path(path), check_control_map(controls)
    text = _HEADER + "".join(_line(name, controls) for name in MAPPABLE)
    temporary = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise RtwaveError(f"{path}: the controls cannot be written ({error.strerror})") from None


def _line(name: str, controls: Mapping[str, int]) -> str:
    control = CONTROLS[name]
    number = controls.get(name, default_control_map().get(name, "?"))
    assignment = f"{'' if name in controls else '# '}{name} = {number}"
    return f"{assignment:28}# {control.low:g} to {control.high:g} {control.unit}".rstrip() + "\n"
