"""One sitting: a running stream, what feeds its engines, the status line, and a clean end whatever ends it."""

import contextlib
import itertools
import math
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..audio.stream import Stream
from ..engine.commands import AllSoundOff
from ..errors import RtwaveError
from ..instrument.clock import ClockFollower
from ..instrument.clocked import ClockedSequencer
from ..instrument.keyboard import HELP, Keyboard
from ..instrument.live import Live
from ..instrument.messages import ALL_SOUND_OFF, CONTROL_CHANGE, Message
from ..instrument.midi import MidiInputs
from ..instrument.performance import Performance
from ..instrument.programs import Programs
from ..instrument.scores import Score
from ..instrument.take import Take
from .status import StatusLine, Warnings, describe

INTERVAL_S = 0.05
STATUS_EVERY = 4
"""Rounds of INTERVAL_S between two status lines."""

SAVE_EVERY = 200
"""Rounds between two savings of the take, so that whatever kills the program leaves most of it."""

ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")

FADE_OUT_S, FADE_OUT_LIMIT_S = 0.15, 2.0
"""Played on at the end, for what still fades and what rings and sound card still hold."""

SWITCH_INTERVAL_S = 0.0001
"""A fiftieth of Python's own: how long a busy Python thread may keep a note waiting."""


class Inputs(NamedTuple):
    """Which MIDI ports to listen to: parts of their names (None: every one), and whether to open one for others."""

    wanted: list[str] | None
    virtual: bool


class Session:
    """Plays a performance on a stream until it is over, `seconds` have passed or a signal comes.

    A context: on the way out the stream stops, the take, where `record_midi` asks for one, is written, and with `json`
    the figures of the sitting are printed.
    """

    def __init__(
        self,
        performance: Performance,
        stream: Stream,
        record_midi: Path | None,
        seconds: float | None,
        json: bool = False,
    ) -> None:
        self._performance = performance
        self._rack = performance.rack
        self._stream = stream
        self._record_midi = record_midi
        self._take = Take(performance.settings) if record_midi else None
        self._last_s = math.inf if seconds is None else seconds
        self._score_end_s = math.inf
        self._json = json
        self._status = StatusLine()
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._started = False
        self._peak = 0.0

    def __enter__(self) -> "Session":
        signals = [getattr(signal, name) for name in ENDING_SIGNALS if hasattr(signal, name)]
        self._handlers = {number: signal.signal(number, self._stop) for number in signals}
        self._switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.stop()
        sys.setswitchinterval(self._switch_interval_s)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if not self._started:
            return
        self._note_what_was_told()
        counters = self._stream.counters()
        self._status.note(
            f"played {self._rack.seconds:.1f} s: "
            f"{counters['underflows']} underflows, {counters['starved_frames']} starved frames"
        )
        if self._json:
            print(msgspec.json.encode(self._figures(counters)).decode())
        if self._take:
            self._save_take()

    def _figures(self, counters: dict) -> dict:
        """How the whole sitting went, without what counts from one reading to the next."""
        passing = ("load", "limit", "cpu_share", "now_ns", "last_callback_ns", "producer_tid")
        kept = {name: value for name, value in counters.items() if name not in passing}
        seconds = self._rack.seconds
        whole = {"seconds": seconds, "peak": max(self._peak, counters["peak"])}
        return kept | whole | {"cpu_share": counters["busy_ns"] / 1e9 / max(seconds, 1e-9)}

    def _save_take(self) -> None:
        # a score's take ends with the score, so that its last notes are let go where they were
        self._take.save(self._record_midi, min(self._rack.seconds, self._score_end_s))

    def _save_take_so_far(self) -> None:
        if not self._take:
            return
        try:
            self._save_take()
        except RtwaveError as error:  # there may be room again before the end
            self._told.put(f"rtwave: {error}; it is tried again")

    def play_score(self, score: Score, tail_s: float) -> None:
        """Play a score until it has rung out."""
        sequencer = self._performance.sequencer(score, tail_s, self._take)
        self._score_end_s = sequencer.end_s
        sequencer.feed()
        self._start()
        for _ in self._rounds():
            sequencer.feed()
            if sequencer.finished:
                break
        else:
            self._rack.submit([AllSoundOff()])  # interrupted, it would end in a click
        self._play_out()

    def play_live(self, inputs: Inputs, score: Score | None = None) -> None:
        """Play what comes from MIDI ports and the computer's keys, and a score that follows the ports' MIDI clock."""
        performance = self._performance
        programs = Programs(performance.load, lambda: performance.preset.folder, self._told.put)
        clocked = ClockedSequencer(score, ClockFollower()) if score else None
        live = Live(performance, self._take, self._stream.event_second, programs, clocked)
        with contextlib.ExitStack() as sources:
            self._open_sources(live, inputs, sources)
            self._start()
            for _ in self._rounds():
                live.settle()
        live.hear(Message(CONTROL_CHANGE, performance.settings.channel or 0, ALL_SOUND_OFF))
        self._play_out()
        live.settle()

    def _open_sources(self, live: Live, inputs: Inputs, sources: contextlib.ExitStack) -> None:
        ports = sources.enter_context(contextlib.closing(self._listen(live.hear, inputs)))
        if Keyboard.available():
            sources.enter_context(contextlib.closing(Keyboard(live.hear, self._performance.settings.channel or 0)))
            if not ports.names:
                self._status.note(f"{ports.problem or 'no MIDI port'}: listening to the computer's keys")
            self._status.note(HELP)
        elif not ports.names:
            words = (
                f"{ports.problem or 'no MIDI port'}, and no terminal to type in: try --demo, --midi-file or --virtual"
            )
            if self._last_s == math.inf:
                raise RtwaveError(words)
            self._status.note(words)

    def _listen(self, hear: object, inputs: Inputs) -> MidiInputs:
        ports = MidiInputs(hear, inputs.wanted, inputs.virtual, self._told.put)
        if ports.names:
            self._status.note(f"listening to {', '.join(ports.names)}")
        return ports

    def _play_out(self) -> None:
        """Wait until what still fades has been heard: by the sound card's clock, for it may be slow to ask."""
        last_s = self._rack.seconds + FADE_OUT_S + self._stream.latency_ms / 1000.0
        give_up_s = time.monotonic() + FADE_OUT_LIMIT_S
        while self._rack.seconds < last_s and time.monotonic() < give_up_s:
            time.sleep(INTERVAL_S / 10)

    def _start(self) -> None:
        self._stream.start()
        self._started = True
        for note in self._performance.notes + self._stream.notes:
            self._status.note(note)
        preset = self._performance.preset
        self._status.note(f"{preset.name} on {self._stream.description} at {self._stream.sample_rate} Hz; Ctrl-C ends")

    def _rounds(self) -> Iterator[None]:
        """One turn every INTERVAL_S until it is time to stop."""
        warnings = Warnings()
        for turn in itertools.count():
            self._stream.tend()
            self._note_what_was_told()
            if turn % SAVE_EVERY == SAVE_EVERY - 1:
                self._save_take_so_far()
            if turn % STATUS_EVERY == STATUS_EVERY - 1:
                counters = self._stream.counters()
                self._peak = max(self._peak, counters["peak"])
                for words in warnings.of(counters, self._stream.problem):
                    self._status.note(words)
                self._status.show(describe(counters, self._rack.active_voices))
            if self._stopping.wait(INTERVAL_S) or self._rack.seconds >= self._last_s:
                self._save_take_so_far()  # a second Ctrl-C ends all at once
                return
            yield

    def _note_what_was_told(self) -> None:
        """What threads that may not print have said, and the stream, line by line."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._status.note(self._told.get_nowait())
        for words in self._rack.take_problems() + self._stream.notice():
            self._status.note(words)

    def _stop(self, number: int, frame: object) -> None:
        self._stopping.set()
        signal.signal(number, signal.SIG_DFL)  # a second one ends a program that hangs
