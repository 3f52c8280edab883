"""Where sound can go: PortAudio's outputs, and a clocked silence where there is none."""

import ctypes
import ctypes.util
import os
import sys
from types import ModuleType

import msgspec

from ..errors import RtwaveError
from ..quiet import quiet_stderr

_JACK = "JACK Audio Connection Kit"
_MISSING = "PortAudio is missing (Debian, Ubuntu: apt-get install libportaudio2)"


class OutputDevice(msgspec.Struct, frozen=True):
    """An output; `index` is PortAudio's number, None for the null output, whose rate (None) is the engine's own.

    `sample_rate` in Hz: the device's default; `channels` the most it takes; `default` whether PortAudio or its
    host API prefers it; `note` why it was chosen, where that needs saying.
    """

    name: str
    host_api: str
    index: int | None
    sample_rate: int | None
    channels: int
    default: bool = False
    note: str = ""

    @property
    def is_jack(self) -> bool:
        """Whether it stands behind a JACK server, which alone sets rate and block size."""
        return self.host_api == _JACK

    @property
    def description(self) -> str:
        """How a status line names it."""
        if self.index is None:
            return f"null output ({self.note})" if self.note else "null output"
        return f"{self.host_api}: {self.name}"


def _name_jack_client() -> None:
    """Let JACK show our ports as `rtwave:...`: PortAudio takes the name only before it starts."""
    path = ctypes.util.find_library("portaudio")
    set_name = path and getattr(ctypes.CDLL(path), "PaJack_SetClientName", None)
    if set_name:
        set_name(b"rtwave")


open_streams: set[object] = set()
"""Streams that PortAudio still holds: while there are any, it is not started anew to look for new devices."""


def portaudio() -> ModuleType:
    """The sounddevice module; RtwaveError where the library is missing."""
    os.environ.setdefault("JACK_NO_START_SERVER", "1")  # looking for devices must not start one
    if "sounddevice" not in sys.modules:
        _name_jack_client()
    try:
        with quiet_stderr():
            import sounddevice
    except OSError:
        raise RtwaveError(f"{_MISSING}; --device null plays without sound") from None
    return sounddevice


def list_devices() -> list[OutputDevice]:
    """Every output that is there now, in PortAudio's order; RtwaveError where PortAudio is missing."""
    looked_before = "sounddevice" in sys.modules
    sounddevice = portaudio()
    if looked_before and not open_streams:
        with quiet_stderr():
            sounddevice._terminate()
            sounddevice._initialize()
    host_apis = sounddevice.query_hostapis()
    defaults = {api["default_output_device"] for api in host_apis}
    return [
        OutputDevice(
            name=device["name"],
            host_api=host_apis[device["hostapi"]]["name"],
            index=device["index"],
            sample_rate=round(device["default_samplerate"]),
            channels=device["max_output_channels"],
            default=device["index"] in defaults,
        )
        for device in sounddevice.query_devices()
        if device["max_output_channels"] > 0
    ]


def null_device(note: str = "") -> OutputDevice:
    """The output that keeps time and makes no sound."""
    return OutputDevice(name="null", host_api="", index=None, sample_rate=None, channels=2, note=note)


def _default(devices: list[OutputDevice]) -> OutputDevice:
    # A JACK server holds the sound card: beside it, the card's own driver would find it busy.
    jack = [device for device in devices if device.default and device.is_jack]
    return next(iter(jack + [device for device in devices if device.default] + devices))


def choose_device(device: str | int | None = None) -> OutputDevice:
    """The output to play on: by PortAudio's index, by a part of "host API: name", or None for the default.

    "null" is the output without sound; None falls back to it, with a note, where nothing else is there.
    Raises RtwaveError listing what there is when the one asked for is missing.
    """
    if device == "null":
        return null_device()
    try:
        devices = list_devices()
    except RtwaveError:
        if device is None:
            return null_device(_MISSING)
        raise
    if device is None:
        return _default(devices) if devices else null_device("no sound card")
    wanted = str(device).strip().lower()
    if wanted.isdecimal():
        found = [each for each in devices if each.index == int(wanted)]
    else:
        found = [each for each in devices if wanted in each.description.lower()]
    if not wanted or not found:
        there = "; ".join(f"{each.index} {each.description}" for each in devices) or "no sound card"
        raise RtwaveError(f"no output device {device!r}; there are: {there}; or null, which plays without sound")
    return next((each for each in found if each.name.lower() == wanted), None) or _default(found)
