"""One sitting: a running stream, what feeds its engine, the status line, and a clean end whatever ends it."""

import contextlib
import itertools
import math
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..audio.stream import Stream
from ..errors import RtwaveError
from ..instrument.keyboard import HELP, Keyboard
from ..instrument.live import Live
from ..instrument.messages import ALL_SOUND_OFF, CONTROL_CHANGE, Message
from ..instrument.midi import MidiInput, Port, list_ports
from ..instrument.performance import Performance
from ..instrument.scores import Score, Take
from .status import StatusLine, describe

INTERVAL_S = 0.05
STATUS_EVERY = 4
"""Rounds of INTERVAL_S between two status lines."""

SAVE_EVERY = 200
"""Rounds between two savings of the take, so that whatever kills the program leaves most of it."""

ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")

FADE_OUT_S, FADE_OUT_LIMIT_S = 0.15, 2.0
"""Played on at the end, for what still fades and what rings and sound card still hold."""


class Session:
    """Plays a performance on a stream until it is over, `seconds` have passed or a signal comes.

    A context: on the way out the stream stops and the take, where `record_midi` asks for one, is written.
    """

    def __init__(
        self, performance: Performance, stream: Stream, record_midi: Path | None, seconds: float | None
    ) -> None:
        self._performance = performance
        self._engine = performance.engine
        self._stream = stream
        self._record_midi = record_midi
        self._take = Take(self._engine.model_rate, performance.settings) if record_midi else None
        self._last_frame = math.inf if seconds is None else seconds * self._engine.model_rate
        self._score_end: float = math.inf
        self._status = StatusLine()
        self._stopping = threading.Event()
        self._started = False

    def __enter__(self) -> "Session":
        signals = [getattr(signal, name) for name in ENDING_SIGNALS if hasattr(signal, name)]
        self._handlers = {number: signal.signal(number, self._stop) for number in signals}
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if not self._started:
            return
        counters = self._stream.counters()
        seconds = self._engine.frame / self._engine.model_rate
        self._status.note(
            f"played {seconds:.1f} s: {counters['underflows']} underflows, {counters['starved_frames']} starved frames"
        )
        if self._take:
            self._save_take()

    def _save_take(self) -> None:
        # a score's take ends with the score, so that its last notes are let go where they were
        self._take.save(self._record_midi, min(self._engine.frame, self._score_end))

    def play_score(self, score: Score, tail_s: float) -> None:
        """Play a score until it has rung out."""
        sequencer = self._performance.sequencer(score, tail_s, self._take)
        self._score_end = sequencer.end_frame
        sequencer.feed()
        self._start()
        for _ in self._rounds():
            sequencer.feed()
            if sequencer.finished:
                break
        else:
            self._engine.all_sound_off()  # interrupted, it would end in a click
        self._play_out()

    def play_live(self, port: Port | None, virtual: bool) -> None:
        """Play what comes from a MIDI port, or from the computer's keys where there is none."""
        live = Live(self._engine, self._performance.performer, self._take)
        source = self._open_source(live, port, virtual)
        with contextlib.closing(source) if source else contextlib.nullcontext():
            self._start()
            for _ in self._rounds():
                live.settle()
        live.hear(Message(CONTROL_CHANGE, self._performance.settings.channel or 0, ALL_SOUND_OFF))
        self._play_out()
        live.settle()

    def _play_out(self) -> None:
        """Wait until what still fades has been heard: by the sound card's clock, for it may be slow to ask."""
        last_frame = self._engine.frame + FADE_OUT_S * self._engine.model_rate
        give_up_s = time.monotonic() + FADE_OUT_LIMIT_S
        while self._engine.frame < last_frame and time.monotonic() < give_up_s:
            time.sleep(INTERVAL_S / 10)

    def _open_source(self, live: Live, port: Port | None, virtual: bool) -> MidiInput | Keyboard | None:
        if virtual or port:
            source = MidiInput(port, live.hear)
            self._status.note(f"listening to {source.name}")
            return source
        missing = list_ports()[1] or "no MIDI port"
        if not Keyboard.available():
            words = f"{missing}, and no terminal to type in: try --demo or --virtual"
            if self._last_frame == math.inf:
                raise RtwaveError(words)
            self._status.note(words)
            return None
        self._status.note(f"{missing}: listening to the computer's keys")
        self._status.note(HELP)
        return Keyboard(live.hear)

    def _start(self) -> None:
        self._stream.start()
        self._started = True
        for note in self._stream.notes:
            self._status.note(note)
        preset = self._performance.preset
        self._status.note(f"{preset.name} on {self._stream.description} at {self._stream.sample_rate} Hz; Ctrl-C ends")

    def _rounds(self) -> Iterator[None]:
        """One turn every INTERVAL_S until it is time to stop."""
        problem, starving = None, False
        for turn in itertools.count():
            if not self._stream.alive:
                raise RtwaveError(self._stream.problem)
            if self._stream.problem != problem:
                problem = self._stream.problem
                if problem:
                    self._status.note(f"rtwave: {problem}")
            if self._take and turn % SAVE_EVERY == SAVE_EVERY - 1:
                self._save_take()
            if turn % STATUS_EVERY == STATUS_EVERY - 1:
                counters = self._stream.counters()
                starving = self._note_starvation(counters["starved_frames"], starving)
                self._status.show(describe(counters, self._engine.active_voices))
            if self._stopping.wait(INTERVAL_S) or self._engine.frame >= self._last_frame:
                return
            yield

    def _note_starvation(self, starved_frames: int, told: bool) -> bool:
        """Say once that the sound broke up; returns whether it has been said."""
        if starved_frames and not told:
            self._status.note(
                "the sound broke up: this computer is too busy for what is played; "
                "try --threads 2, --voices N or --latency-ms"
            )
        return told or starved_frames > 0

    def _stop(self, number: int, frame: object) -> None:
        self._stopping.set()
        signal.signal(number, signal.SIG_DFL)  # a second one ends a program that hangs
