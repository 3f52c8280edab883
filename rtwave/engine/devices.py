"""Where voices are rendered: by the processor's own kernels, or on a device that is opened by its name."""

import importlib.util

from ..errors import RtwaveError
from ..wavenet.weights import Weights

DEVICES = ("cpu", "cuda", "cuda-graph", "torch")
"""The processor; a GPU's own kernel; the plain device on a GPU, and on the processor (slow: to compare with)."""

DEVICE_PRECISIONS = ("float32", "bfloat16", "float16")
MAX_DEVICE_VOICES = 4096


def check_device(name: str) -> str:
    """Return `name` if it is one of DEVICES, else raise RtwaveError."""
    if name not in DEVICES:
        raise RtwaveError(f"engine is {name!r}, expected one of {', '.join(DEVICES)}")
    return name


def choose_device_precision(name: str, device: str) -> str:
    """The precision that a device runs: `name`, or for "auto" float16 on cuda and float32 elsewhere.

    Raises RtwaveError listing those that devices have.
    """
    if name == "auto":
        return "float16" if device == "cuda" else "float32"
    if name == "int8":
        raise RtwaveError(f"precision is int8, which is the CPU's own; engine {device} has {_listed()}")
    if name not in DEVICE_PRECISIONS:
        raise RtwaveError(f"precision is {name!r}, engine {device} has {_listed()}")
    return name


def _listed() -> str:
    return ", ".join(("auto", *DEVICE_PRECISIONS))


def open_device(name: str, weights: Weights, slots: int, precision: str) -> object:
    """What renders `slots` voices: it has an `address`, that of a native device_t, or a method `render(chunk)`.

    `problem` of it, where it has one, says in a line why it failed. Raises RtwaveError when it cannot be had.
    """
    if name == "cuda":
        from .cuda import open_gpu

        return open_gpu(weights, slots, precision)
    if importlib.util.find_spec("torch") is None:
        raise RtwaveError(f"engine {name} needs torch, which is not installed; pip install 'rtwave[train]'")
    from .plain import open_plain

    return open_plain(name, weights, slots, precision)
