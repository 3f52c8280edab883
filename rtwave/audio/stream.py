"""A live stream: a rack's samples to an output, a recorder beside it, and the figures that tell how it goes."""

import atexit
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from .._stream import NativeStream
from ..engine.engine import Engine
from ..engine.rack import Rack
from ..errors import RtwaveError
from . import devices, rtkit
from .devices import OutputDevice
from .keeper import OutputKeeper
from .latency import SAFE_MS, LatencyController
from .recorder import Recorder, choose_format

_EVENT_MARGIN_S = 0.0015  # from an event's arrival until its commands are with the rack
_RECORD_S = 8.0  # room for what the disk has not taken yet
_FADE_LIMIT_S = 0.25
_PRIORITY_LIMIT_S = 1.0
_REALTIME = 2  # PRIORITY_REALTIME of extensions/realtime.h


class Stream:
    """Plays a rack, or an engine alone, on an output until `stop`; also a context manager.

    `device`: what choose_device takes, or its answer; the output runs at the rack's `sample_rate`. `block_size` in
    frames: asked of the device (JACK keeps its own). `latency_ms`: ring fill to keep, at least two blocks; None: found
    while playing, as long as `tend` is called. `channels`: each carries the same samples. `record`: a .wav or .flac to
    write, in `record_format` (recorder.RECORD_FORMATS). Raises RtwaveError for a device that is missing, busy or
    refuses the rate. One that vanishes later is replaced by silence until it or another is there: `notice` tells. While
    it plays, nobody else may render the rack; commands may come from any thread.
    """

    def __init__(
        self,
        rack: Rack | Engine,
        device: OutputDevice | str | int | None = None,
        block_size: int = 128,
        latency_ms: float | None = None,
        channels: int = 2,
        record: str | Path | None = None,
        record_format: str | None = None,
    ) -> None:
        if not 8 <= block_size <= 8192:
            raise RtwaveError(f"block size is {block_size}, expected 8 to 8192 frames")
        if latency_ms is not None and not 0.0 <= latency_ms <= 1000.0:
            raise RtwaveError(f"latency is {latency_ms}, expected 0 to 1000 ms")
        if record:
            choose_format(Path(record), record_format)
        self.rack = Rack(rack) if isinstance(rack, Engine) else rack
        self.sample_rate: int = self.rack.sample_rate
        self.block_size = block_size
        chosen = device if isinstance(device, OutputDevice) else devices.choose_device(device)
        self.channels = max(1, min(channels, chosen.channels))
        wanted_frames = round((SAFE_MS if latency_ms is None else latency_ms) / 1000.0 * self.sample_rate)
        self._native = NativeStream(
            self.rack.native,
            sample_rate=self.sample_rate,
            channels=self.channels,
            target_frames=wanted_frames,
            record_frames=round(_RECORD_S * self.sample_rate) if record else 0,
        )
        self._keeper = OutputKeeper(self._native, chosen, self.sample_rate, self.channels, block_size)
        self._block_frames = self._keeper.output.block_frames
        self._native.set_target(max(2 * self._block_frames, wanted_frames))
        self._latency = LatencyController(self.sample_rate, self._block_frames) if latency_ms is None else None
        self._record, self._record_format = record, record_format
        self.recorder: Recorder | None = None
        self.notes: list[str] = []
        self._producer: threading.Thread | None = None
        self._writer: threading.Thread | None = None
        self._ended = threading.Event()
        self._busy_ns = self._read_ns = 0
        self._tended_s = self._last_event_s = 0.0
        self._note_target()

    def start(self) -> None:
        """Begin to play and to record; returns at once."""
        if self._record:  # not before, for it empties a file that is there
            self.recorder = Recorder(self._record, self.sample_rate, record_format=self._record_format)
        self._producer = threading.Thread(target=self._native.produce, name="rtwave producer", daemon=True)
        if self.recorder:
            self._writer = threading.Thread(target=self._write_recording, name="rtwave recorder", daemon=True)
            self._writer.start()
        self._producer.start()
        atexit.register(self.stop)
        self.notes = self._take_priority()
        self._read_ns = self._native.counters()["now_ns"]
        self._tended_s = time.monotonic()
        self._keeper.start()

    def _take_priority(self) -> list[str]:
        """What the system refuses the producer, one line each; playing goes on without it."""
        deadline_s = time.monotonic() + _PRIORITY_LIMIT_S
        while (counters := self._native.counters())["priority"] < 0 and time.monotonic() < deadline_s:
            time.sleep(0.001)
        lines = []
        if counters["priority"] < _REALTIME and (refusal := rtkit.make_realtime(counters["producer_tid"])):
            grant = _grant("rtprio 70")
            if counters["priority"] == 1:
                lines.append(f"no real-time priority (SCHED_FIFO; {refusal}), only a raised one{grant}")
            else:
                lines.append(f"no real-time priority ({refusal}): a busy computer may make the sound break up{grant}")
        if not (counters["memory_locked"] and self.rack.memory_locked):
            swapping = "what makes the sound cannot all be locked in memory: swapping may make it break up"
            lines.append(swapping + _grant("memlock unlimited"))
        return lines

    def stop(self) -> None:
        """Fade out, close the output and finish the recording; more than once does no harm.

        Takes at most a few seconds, even when the audio server has died and answers no more.
        """
        if self._ended.is_set():
            return
        if self._producer:
            self._native.fade_out()
            deadline_s = time.monotonic() + _FADE_LIMIT_S
            while not self._native.silent and time.monotonic() < deadline_s:
                time.sleep(0.002)
        self._keeper.stop()
        self._native.stop()
        if self._producer:
            self._producer.join()
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

    def tend(self) -> None:
        """Fit the latency to what the computer and the device need; to be called every 20 to 100 ms by one thread."""
        block_frames, lowest = self._keeper.output.block_frames, self._native.take_lowest_fill()
        if self._latency and block_frames != self._block_frames:
            self._latency.change_block(block_frames)
        elif self._latency and lowest >= 0 and not self._keeper.away:
            now_s = time.monotonic()
            self._latency.hear(lowest, now_s - self._tended_s)
            self._tended_s = now_s
        if self._latency:
            self._native.set_target(self._latency.target_frames)
        self._block_frames = block_frames
        self._note_target()

    def _note_target(self) -> None:
        target_s = self._native.counters()["target_frames"] / self.sample_rate
        self._event_delay_s = target_s + self._block_frames / self.sample_rate + _EVENT_MARGIN_S

    def event_second(self, time_ns: int) -> float:
        """The second of the rack at which an event that arrived at `time_ns` of the monotonic clock is to sound.

        That is what leaves for the device then, and a constant on top: the ring, the block that is under way, and the
        time that it takes to pass the event on. Never falls from one call to the next; any thread.
        """
        second = self._native.frame_at(time_ns) / self.sample_rate + self._event_delay_s
        self._last_event_s = max(self._last_event_s, second)
        return self._last_event_s

    def notice(self) -> list[str]:
        """What has happened since the last call that the player should know, one line each."""
        lines = []
        while self._keeper.lines:
            lines.append(self._keeper.lines.popleft())
        return lines

    @property
    def device(self) -> OutputDevice:
        """Where it plays, or what it waits for."""
        return self._keeper.device

    @property
    def description(self) -> str:
        """Where the sound goes, in one line."""
        return self.device.description

    @property
    def latency_ms(self) -> float:
        """From a command to its sound, as far as it is known: the ring, and what the device says of itself."""
        ring_s = self._native.counters()["target_frames"] / self.sample_rate
        return 1000.0 * (ring_s + self._keeper.output.latency_s)

    @property
    def alive(self) -> bool:
        """False while the device is away and nothing can be heard."""
        return not self._keeper.away

    @property
    def problem(self) -> str | None:
        """What is wrong with the recording, in one line, or None."""
        if self.recorder and self.recorder.problem:
            return self.recorder.problem
        counters = self._native.counters()
        if counters["record_dropped_frames"]:
            missing_s = counters["record_dropped_frames"] / self.sample_rate
            return f"{self.recorder.path}: the disk is too slow, {missing_s:.2f} s are missing; the music goes on"
        return None

    def counters(self) -> dict[str, Any]:
        """How it goes, counted since the start. Any thread, but one reader: some figures start anew at each reading.

        What NativeStream.counters has, and dropped_commands; in place of its histograms chunk_us and callback_us, the
        times of a rendered chunk and of a callback in microseconds as p50, p99 and max, to a quarter octave. Since the
        last reading: cpu_share, the part of real time the producer spent rendering; peak, linear.
        """
        counters = self._native.counters()
        elapsed_ns = counters["now_ns"] - self._read_ns
        spent_ns = counters["busy_ns"] - self._busy_ns
        self._busy_ns, self._read_ns = counters["busy_ns"], counters["now_ns"]
        chunks, callback_times = counters.pop("chunks"), counters.pop("callback_times")
        return counters | {
            "dropped_commands": self.rack.counters()["dropped_commands"],
            "chunk_us": _percentiles_us(chunks),
            "callback_us": _percentiles_us(callback_times),
            "cpu_share": spent_ns / max(elapsed_ns, 1),
            "peak": self._native.take_peak(),
        }


def _grant(limit: str) -> str:
    """How to be granted it, where that is known."""
    return f"; add '@audio - {limit}' to /etc/security/limits.d/audio.conf" if sys.platform == "linux" else ""


def _percentiles_us(times: np.ndarray) -> dict[str, float]:
    """p50, p99 and max in microseconds of a histogram with four buckets to the octave, from 1 ns."""
    total = np.cumsum(times)
    if not total[-1]:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    ranks = {"p50": 0.5 * total[-1], "p99": 0.99 * total[-1], "max": total[-1]}
    return {name: float(2.0 ** ((np.searchsorted(total, rank) + 1) / 4.0) / 1000.0) for name, rank in ranks.items()}
