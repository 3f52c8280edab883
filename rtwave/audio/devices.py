"""Where sound can go: PortAudio's outputs, a JACK server's, and a clocked silence where there is none."""

import msgspec

from ..errors import RtwaveError
from . import jack, portaudio


class OutputDevice(msgspec.Struct, frozen=True):
    """An output; `index` is its number (PortAudio's, then JACK's), None for the null output, at the engine's own rate.

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
        return self.host_api == jack.HOST_API

    @property
    def description(self) -> str:
        """How a status line names it."""
        if self.index is None:
            return f"null output ({self.note})" if self.note else "null output"
        return f"{self.host_api}: {self.name}"


def list_devices() -> list[OutputDevice]:
    """Every output that is there now, PortAudio's first; RtwaveError where PortAudio is missing and JACK too."""
    cards: list[OutputDevice] = []
    problem: RtwaveError | None = None
    try:
        cards = [
            OutputDevice(
                name=device["name"],
                host_api=device["host_api"],
                index=device["index"],
                sample_rate=round(device["default_samplerate"]),
                channels=device["max_output_channels"],
                default=device["default"],
            )
            for device in portaudio.outputs()
        ]
    except RtwaveError as error:
        problem = error
    devices = cards + list_jack_devices(1 + max((card.index for card in cards), default=-1))
    if problem and not devices:
        raise problem
    return devices


def list_jack_devices(first_index: int = 0) -> list[OutputDevice]:
    """What a JACK server that is there now sends sound to, numbered from `first_index`."""
    return [
        OutputDevice(name, jack.HOST_API, first_index + number, sample_rate, channels, default=number == 0)
        for number, (name, channels, sample_rate) in enumerate(jack.outputs())
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
            return null_device(portaudio.MISSING)
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
