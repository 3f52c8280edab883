"""rtwave, a playable WaveNet: one sample per step, from a key press to the sound card.

Names are imported when first used, so that a program pays only for what it touches.
"""

import importlib

from .errors import RtwaveError

__version__ = "0.1.0"

_HOMES = {
    "Engine": ".engine.engine",
    "Preset": ".presets",
    "WaveNetConfig": ".wavenet.config",
    "Weights": ".wavenet.weights",
    "load_preset": ".presets",
    "render_midi": ".instrument.render",
}

__all__ = ["RtwaveError", "__version__", *_HOMES]


_ROOMS = ("audio", "engine", "instrument", "presets", "training", "wavenet")


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_ROOMS})
