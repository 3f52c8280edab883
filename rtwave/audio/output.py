"""An open output: a device, or the clock where there is none, that asks a native stream for sound."""

import threading
import weakref

from .._outlet import Outlet
from .._stream import NativeStream
from ..errors import RtwaveError
from . import devices
from .devices import OutputDevice
from .jack import JackOutput
from .portaudio import PortAudioOutput

_CLOSE_LIMIT_S = 2.0


def open_output(device: OutputDevice, sample_rate: int, channels: int, block_size: int) -> "DeviceOutput | NullOutput":
    """`device`, open and running, but silent until `admit`.

    `sample_rate` in Hz; `channels` that the stream writes; `block_size` in frames: asked of the device (JACK keeps its
    own). RtwaveError for a device that is missing, busy or refuses the rate.
    """
    if device.index is None:
        return NullOutput(device, block_size)
    try:
        return DeviceOutput(device, sample_rate, channels, block_size)
    except OSError as error:
        there = "; ".join(f"{each.index} {each.description}" for each in devices.list_devices())
        raise RtwaveError(
            f"{device.description} does not open at {sample_rate} Hz: {error}; free it or choose one of: {there}"
        ) from None


class DeviceOutput:
    """A device that runs from the start on; raises OSError where it does not. One thread at a time.

    One that is dropped closes by itself.
    """

    def __init__(self, device: OutputDevice, sample_rate: int, channels: int, block_size: int) -> None:
        self.device = device
        self._outlet = Outlet(channels)
        if device.is_jack:
            self._library = JackOutput(device.name, self._outlet, sample_rate)
        else:
            self._library = PortAudioOutput(device.index, self._outlet, sample_rate, block_size)
        self.block_frames: int = self._library.block_frames
        self.latency_s: float = self._library.latency_s
        # Started now, for when Python exits no thread can be.
        self._closing = threading.Event()
        held = (self._closing, self._library, self._outlet)
        self._closer = threading.Thread(target=_close_when_told, args=held, name="rtwave closer", daemon=True)
        self._closer.start()
        weakref.finalize(self, self._closing.set).atexit = False

    def admit(self, native: NativeStream) -> None:
        """Let it ask `native` for sound from now on."""
        self._outlet.admit(native)

    def shut(self) -> None:
        """Give it silence; on return it does not touch the stream any more."""
        self._outlet.shut()

    @property
    def ended(self) -> bool:
        """Whether it says itself that it will not ask again."""
        return self._library.ended

    def close(self, wait: bool = True) -> None:
        """Shut it and let go of it, without waiting for one that does not answer; more than once does no harm."""
        self.shut()
        self._closing.set()
        if wait:
            self._closer.join(_CLOSE_LIMIT_S)


def _close_when_told(closing: threading.Event, library: JackOutput | PortAudioOutput, outlet: Outlet) -> None:
    """The closer's body: it knows nothing of the DeviceOutput, or none would ever be dropped."""
    closing.wait()
    outlet.shut()
    library.close()


class NullOutput:
    """Keeps time and makes no sound."""

    latency_s = 0.0
    ended = False

    def __init__(self, device: OutputDevice, block_size: int) -> None:
        self.device = device
        self.block_frames = block_size
        self._thread: threading.Thread | None = None

    def admit(self, native: NativeStream) -> None:
        """Ask `native` for sound from now on, by the clock."""
        self._native = native
        self._thread = threading.Thread(
            target=native.clock, args=(self.block_frames,), name="rtwave clock", daemon=True
        )
        self._thread.start()

    def shut(self) -> None:
        """End that; more than once does no harm."""
        if self._thread:
            self._native.end_clock()
            self._thread.join()
            self._thread = None

    def close(self, wait: bool = True) -> None:
        """The same as `shut`."""
        self.shut()
