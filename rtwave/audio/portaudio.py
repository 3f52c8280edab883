"""PortAudio by sounddevice: every output but JACK's."""

import atexit
import ctypes
import ctypes.util
import sys
from types import ModuleType
from typing import Any

from .. import _outlet
from .._outlet import Outlet
from ..errors import RtwaveError
from ..quiet import quiet_stderr
from . import jack

MISSING = "PortAudio is missing (Debian, Ubuntu: apt-get install libportaudio2)"

_REFUSED_BY_JACK = b"rtwave".ljust(64, b"-")  # a name too long by one

open_outputs: set[object] = set()
"""What PortAudio still holds: while there is anything, it is not started anew to look for new devices."""


def _stay_out_of_jack() -> None:
    """Keep PortAudio from becoming a client of a JACK server, whose death it does not survive."""
    path = ctypes.util.find_library("portaudio")
    set_name = path and getattr(ctypes.CDLL(path), "PaJack_SetClientName", None)
    if set_name:
        set_name(_REFUSED_BY_JACK)


def library() -> ModuleType:
    """The sounddevice module; RtwaveError where the library is missing."""
    if "sounddevice" in sys.modules:
        return sys.modules["sounddevice"]
    _stay_out_of_jack()
    try:
        with quiet_stderr():
            import sounddevice
    except OSError:
        raise RtwaveError(f"{MISSING}; --device null plays without sound") from None
    atexit.unregister(sounddevice._exit_handler)
    atexit.register(lambda: open_outputs or sounddevice._exit_handler())  # one that does not close would hold it up
    return sounddevice


def outputs() -> list[dict[str, Any]]:
    """What PortAudio tells of each output that is there now, with `host_api` its name and `default` a bool."""
    looked_before = "sounddevice" in sys.modules
    sounddevice = library()
    if looked_before and not open_outputs:
        with quiet_stderr():
            sounddevice._terminate()
            sounddevice._initialize()
    host_apis = sounddevice.query_hostapis()
    defaults = {api["default_output_device"] for api in host_apis}
    told = [
        {**device, "host_api": host_apis[device["hostapi"]]["name"], "default": device["index"] in defaults}
        for device in sounddevice.query_devices()
    ]
    return [device for device in told if device["max_output_channels"] > 0 and device["host_api"] != jack.HOST_API]


class PortAudioOutput:
    """An output stream of PortAudio's device `index`, which runs from the start on.

    `block_size` in frames. Raises OSError with the reason in words. One thread at a time.
    """

    def __init__(self, index: int, outlet: Outlet, sample_rate: int, block_size: int) -> None:
        sounddevice = library()
        self.block_frames = block_size
        try:
            with quiet_stderr():
                self._stream = sounddevice._StreamBase(
                    "output",
                    device=index,
                    samplerate=sample_rate,
                    blocksize=block_size,
                    channels=outlet.channels,
                    dtype="float32",
                    latency="low",
                    callback=sounddevice._ffi.cast("PaStreamCallback*", _outlet.PORTAUDIO),
                    userdata=sounddevice._ffi.cast("void*", outlet.address),
                    wrap_callback=None,
                )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise OSError(str(error)) from None
        open_outputs.add(self._stream)
        try:
            self._stream.start()
        except sounddevice.PortAudioError as error:
            self.close()
            raise OSError(str(error)) from None

    @property
    def latency_s(self) -> float:
        """From the callback to the sound, as PortAudio knows it."""
        return self._stream.latency

    @property
    def ended(self) -> bool:
        """Whether PortAudio has given it up."""
        return not self._stream.active

    def close(self) -> None:
        """Let go of the device; may wait for ever for one that is gone."""
        self._stream.close()
        open_outputs.discard(self._stream)
