"""Keeps a stream driven: by its device, by a silent clock while that is away, and by a device again."""

import threading
import time
from collections import deque

from .._stream import NativeStream
from ..errors import RtwaveError
from . import devices
from .devices import OutputDevice
from .output import DeviceOutput, NullOutput, open_output

_LOOK_S = 0.1
_SILENT_LOOKS = 10  # without a callback: gone. Counted, not timed, for we may have been suspended ourselves
_SEARCH_S = 0.5
_OTHERS_S = 3.0  # the device itself is waited for so long before another will do
_STOP_LIMIT_S = 3.0


class OutputKeeper:
    """The output of a stream, from `start` until `stop`.

    `channels`, `sample_rate` (Hz) and `block_size` (frames) as for open_output, whose errors it raises. `lines` holds
    what the player should be told, oldest first.
    """

    def __init__(
        self, native: NativeStream, device: OutputDevice, sample_rate: int, channels: int, block_size: int
    ) -> None:
        self._native = native
        self._form = (sample_rate, channels, block_size)
        self.output: DeviceOutput | NullOutput = open_output(device, *self._form)
        self.device = device
        self.away = False
        self.lines: deque[str] = deque()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Let the output ask for sound, and watch it."""
        self.output.admit(self._native)
        if self.device.index is not None:
            self._thread = threading.Thread(target=self._watch, name="rtwave keeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Close the output; takes at most a few seconds, whatever the audio server does."""
        self._stopping.set()
        if self._thread:
            self._thread.join(_STOP_LIMIT_S)
        self.output.close()

    def _watch(self) -> None:
        callbacks, silent_looks = -1, 0
        while not self._stopping.wait(_SEARCH_S if self.away else _LOOK_S):
            if self.away:
                self._search()
                callbacks, silent_looks = -1, 0
                continue
            last, callbacks = callbacks, self._native.counters()["callbacks"]
            silent_looks = silent_looks + 1 if callbacks == last else 0
            if self.output.ended or silent_looks >= _SILENT_LOOKS:
                self._leave()

    def _leave(self) -> None:
        """Go on by the clock, in silence."""
        gone = self.output
        gone.close(wait=False)
        self._replace(NullOutput(devices.null_device(), gone.block_frames))
        self.away, self._left_s, self._refused = True, time.monotonic(), ""
        self.lines.append(f"{self.device.description} is gone: time and recording go on, waiting for it or another")

    def _search(self) -> None:
        """Go back to the device, or after a while to the default one, if it is there now."""
        there = devices.list_jack_devices() if self.device.is_jack else _list_quietly()
        found = [each for each in there if (each.host_api, each.name) == (self.device.host_api, self.device.name)]
        if not found and time.monotonic() - self._left_s > _OTHERS_S:
            found = [device for device in [devices.choose_device()] if device.index is not None]
        for device in found:
            try:
                output = open_output(device, *self._form)
            except RtwaveError as error:
                if str(error) != self._refused:
                    self._refused = str(error)
                    self.lines.append(f"{error}; it is tried again")
                continue
            if self._stopping.is_set():
                output.close()
                return
            self._replace(output)
            same = (device.host_api, device.name) == (self.device.host_api, self.device.name)
            self.device, self.away = device, False
            self.lines.append(f"{device.description} {'is there again' if same else 'takes its place'}: playing on")
            return

    def _replace(self, output: DeviceOutput | NullOutput) -> None:
        self.output.shut()
        self.output = output
        output.admit(self._native)


def _list_quietly() -> list[OutputDevice]:
    try:
        return devices.list_devices()
    except RtwaveError:
        return []
