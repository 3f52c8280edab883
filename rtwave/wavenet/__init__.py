"""What the network is: configuration, codec, conditioning, weights, torch module and NumPy reference.

Each is a file of its own, imported when first used: `network` alone needs torch.
"""

import importlib

_FILES = ("codec", "config", "features", "instrument", "network", "precision", "reference", "weights")


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FILES})
