"""A live stream: the engine's samples to an output, a recorder beside it, and the figures that tell how it goes."""

import atexit
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._stream import NativeStream
from ..errors import RtwaveError
from ..quiet import quiet_stderr
from . import devices
from .devices import OutputDevice
from .recorder import Recorder

if TYPE_CHECKING:
    from ..engine.engine import Engine

LATENCY_MS = 8.0
"""Ring fill that is kept by default: what a busy computer without a real-time kernel can hold."""

_RECORD_S = 8.0  # room for what the disk has not taken yet
_FADE_LIMIT_S = 0.25
_STOP_LIMIT_S = 2.0
_SILENCE_LIMIT_S = 1.0  # a device that asks for nothing for so long is gone

_abandoned: list[object] = []  # what a server that never answered may still touch


class Stream:
    """Plays `engine` on an output until `stop`; also a context manager.

    `device`: what choose_device takes, or its answer; the output runs at `engine.sample_rate`. `block_size` in frames:
    asked of the device (JACK keeps its own). `latency_ms`: ring fill to keep, at least two blocks; it is the delay
    from a command to its sound. `channels`: each carries the same samples. `record`: a .wav or .flac to write.
    Raises RtwaveError for a device that is missing, busy or refuses the rate. While it plays, nobody else may render
    `engine`; commands may come from any thread.
    """

    def __init__(
        self,
        engine: "Engine",
        device: OutputDevice | str | int | None = None,
        block_size: int = 128,
        latency_ms: float | None = None,
        channels: int = 2,
        record: str | Path | None = None,
    ) -> None:
        if not 8 <= block_size <= 8192:
            raise RtwaveError(f"block size is {block_size}, expected 8 to 8192 frames")
        if latency_ms is not None and not 0.0 <= latency_ms <= 1000.0:
            raise RtwaveError(f"latency is {latency_ms}, expected 0 to 1000 ms")
        self.engine = engine
        self.device = device if isinstance(device, OutputDevice) else devices.choose_device(device)
        self.sample_rate: int = engine.sample_rate
        self.block_size = block_size
        self.channels = max(1, min(channels, self.device.channels))
        wanted_s = (LATENCY_MS if latency_ms is None else latency_ms) / 1000.0
        self._native = NativeStream(
            engine.native,
            model_rate=engine.model_rate,
            device_rate=self.sample_rate,
            channels=self.channels,
            target_frames=max(2 * block_size, round(wanted_s * self.sample_rate)),
            record_frames=round(_RECORD_S * self.sample_rate) if record else 0,
        )
        self._cut_off = False
        self._closing = threading.Event()
        self._output = None if self.device.index is None else self._open_output()
        self.recorder: Recorder | None = None
        if record:  # last, for it empties a file that is there
            try:
                self.recorder = Recorder(record, self.sample_rate)
            except BaseException:
                if self._output is not None:
                    self._close_output()
                raise
        self._threads: list[threading.Thread] = []
        self._writer: threading.Thread | None = None
        self._ended = threading.Event()
        self._busy_ns = self._read_ns = self._started_ns = 0

    def _open_output(self) -> Any:
        sounddevice = devices.portaudio()
        try:
            with quiet_stderr():
                output = sounddevice._StreamBase(
                    "output",
                    device=self.device.index,
                    samplerate=self.sample_rate,
                    blocksize=0 if self.device.is_jack else self.block_size,
                    channels=self.channels,
                    dtype="float32",
                    latency="low",
                    callback=sounddevice._ffi.cast("PaStreamCallback*", self._native.callback_address),
                    userdata=sounddevice._ffi.cast("void*", self._native.address),
                    wrap_callback=None,
                )
        except (sounddevice.PortAudioError, ValueError) as error:
            there = "; ".join(f"{each.index} {each.description}" for each in devices.list_devices())
            raise RtwaveError(
                f"{self.description} does not open at {self.sample_rate} Hz: {error}; free it or choose one of: {there}"
            ) from None
        devices.open_streams.add(output)
        # Started now, for when Python exits no thread can be.
        self._closer = threading.Thread(
            target=_close_when_told, args=(self._closing, output), name="rtwave closer", daemon=True
        )
        self._closer.start()
        weakref.finalize(self, self._closing.set).atexit = False  # a stream that is dropped lets go of its device
        return output

    def _close_output(self) -> None:
        self._closing.set()
        self._closer.join(_STOP_LIMIT_S)
        if self._closer.is_alive():
            # PortAudio waits for a server that is gone: leave it what it holds, and do not let it hold up the exit.
            _abandoned.append(self)
            atexit.unregister(devices.portaudio()._exit_handler)
            self._cut_off = True

    def start(self) -> None:
        """Begin to play; returns at once."""
        bodies = {"producer": self._native.produce}
        if self._output is None:
            bodies["clock"] = lambda: self._native.clock(self.block_size)
        self._threads = [
            threading.Thread(target=body, name=f"rtwave {name}", daemon=True) for name, body in bodies.items()
        ]
        if self.recorder:
            self._writer = threading.Thread(target=self._write_recording, name="rtwave recorder", daemon=True)
            self._writer.start()
        for thread in self._threads:
            thread.start()
        atexit.register(self.stop)
        self._read_ns = self._native.counters()["now_ns"]
        if self._output is not None:
            try:
                self._output.start()
            except devices.portaudio().PortAudioError as error:
                self.stop()
                raise RtwaveError(f"{self.description} does not start: {error}; free it or choose another") from None
        self._started_ns = self._native.counters()["now_ns"]

    def stop(self) -> None:
        """Fade out, close the output and finish the recording; more than once does no harm.

        Takes at most a few seconds, even when the audio server has died and answers no more.
        """
        if self._ended.is_set():
            return
        if self._threads:
            self._native.fade_out()
            deadline_s = time.monotonic() + _FADE_LIMIT_S
            while not self._native.silent and time.monotonic() < deadline_s:
                time.sleep(0.002)
        if self._output is not None:
            self._close_output()
        self._native.stop()
        for thread in self._threads:
            thread.join()
        self._ended.set()
        if self._writer:
            self._writer.join()
        if self.recorder:
            self.recorder.close()
        atexit.unregister(self.stop)

    def _write_recording(self) -> None:
        while True:
            ended = self._ended.wait(0.1)
            while len(samples := self._native.take_recording(4096)):
                self.recorder.write(samples)
            if ended:
                return

    def __enter__(self) -> "Stream":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def description(self) -> str:
        """Where the sound goes, in one line."""
        return self.device.description

    @property
    def latency_ms(self) -> float:
        """From a command to its sound, as far as it is known: the ring, and what the device says of itself."""
        counters = self._native.counters()
        output_s = 0.0 if self._output is None or self._ended.is_set() else self._output.latency
        return 1000.0 * (counters["target_frames"] / self.sample_rate + output_s)

    @property
    def alive(self) -> bool:
        """False once the output has asked for nothing for a second: unplugged, or its server ended."""
        counters = self._native.counters()
        silent_s = (counters["now_ns"] - max(counters["last_callback_ns"], self._started_ns)) / 1e9
        playing = self._started_ns and not self._ended.is_set()
        return not (self._cut_off or (playing and silent_s > _SILENCE_LIMIT_S))

    @property
    def problem(self) -> str | None:
        """What the player should know now, in one line, or None."""
        if self.recorder and self.recorder.problem:
            return self.recorder.problem
        if not self.alive:
            return f"{self.description} asks for no sound: unplugged, or its server ended; play again to reconnect"
        counters = self._native.counters()
        if counters["record_dropped_frames"]:
            missing_s = counters["record_dropped_frames"] / self.sample_rate
            return f"{self.recorder.path}: the disk is too slow, {missing_s:.2f} s are missing; the music goes on"
        return None

    @property
    def notes(self) -> list[str]:
        """What the system refused when the stream started, one line each; playing goes on without it."""
        counters = self._native.counters()
        lines = []
        if counters["priority"] == 1:
            lines.append(f"no real-time priority (SCHED_FIFO), only a raised one{_grant('rtprio 70')}")
        elif counters["priority"] == 0:
            lines.append(f"no real-time priority: a busy computer may make the sound break up{_grant('rtprio 70')}")
        if not counters["memory_locked"]:
            swapping = "the stream's rings cannot all be locked in memory: swapping may make the sound break up"
            lines.append(swapping + _grant("memlock unlimited"))
        return lines

    def counters(self) -> dict[str, Any]:
        """How it goes, counted since the start. Any thread, but one reader: some figures start anew at each reading.

        callbacks; frames sent; underflows (late callbacks, as the host tells); starved_frames; lowest_fill_frames and
        target_frames of the ring; record_dropped_frames; dropped_commands; step_us, the render time of one model
        frame in microseconds as p50, p99 and max, to a quarter octave. Since the last reading: cpu_share, the part of
        real time the producer spent rendering; peak, linear.
        """
        counters = self._native.counters()
        elapsed_ns = counters["now_ns"] - self._read_ns
        spent_ns = counters["busy_ns"] - self._busy_ns
        self._busy_ns, self._read_ns = counters["busy_ns"], counters["now_ns"]
        kept = ("callbacks", "frames", "underflows", "starved_frames", "lowest_fill_frames", "target_frames")
        return {name: counters[name] for name in kept} | {
            "record_dropped_frames": counters["record_dropped_frames"],
            "dropped_commands": self.engine.counters()["dropped_commands"],
            "step_us": _step_percentiles(counters["steps"]),
            "cpu_share": spent_ns / max(elapsed_ns, 1),
            "peak": self._native.take_peak(),
        }


def _close_when_told(closing: threading.Event, output: Any) -> None:
    """The closer's body: it knows nothing of the Stream, or no Stream would ever be dropped."""
    closing.wait()
    output.close()
    devices.open_streams.discard(output)


def _grant(limit: str) -> str:
    """How to be granted it, where that is known."""
    return f"; add '@audio - {limit}' to /etc/security/limits.d/audio.conf" if sys.platform == "linux" else ""


def _step_percentiles(steps: np.ndarray) -> dict[str, float]:
    """p50, p99 and max in microseconds of a histogram with four buckets to the octave, from 1 ns."""
    total = np.cumsum(steps)
    if not total[-1]:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    ranks = {"p50": 0.5 * total[-1], "p99": 0.99 * total[-1], "max": total[-1]}
    return {name: float(2.0 ** ((np.searchsorted(total, rank) + 1) / 4.0) / 1000.0) for name, rank in ranks.items()}
