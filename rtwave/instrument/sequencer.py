"""Scores into the rack, ahead of their time: each event at its exact moment."""

import math
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..engine.commands import AllSoundOff, Command
from ..engine.rack import MAX_ENGINES
from ..errors import RtwaveError
from .messages import Message
from .scores import Score
from .settings import Settings, VoiceLimit
from .take import Event, Take, on_tick

if TYPE_CHECKING:
    from .performance import Performance

COMMANDS_AHEAD = 1024
"""Commands in an engine's queue before the next chord waits; it holds four times as many."""

SWITCH_AHEAD_S = 0.2
"""Another preset is loaded so far ahead of its time, several rounds of a program that feeds now and then."""

DEFAULT_TAIL_S = 10.0
"""Seconds that a score's last notes may ring out."""

LONGEST_TAIL_S = 3600

_CROWDED_AHEAD_S = 0.01  # where older engines must leave first

_LIMIT_AHEAD_S = 0.001  # a limit comes before all else at its frame, and so enters the queue before the rest does


class Sequencer:
    """Plays one score from second 0; live and offline alike, so both give the same samples.

    Where the score ends every key is let go, and `tail_s` later every sound is cut. One thread.
    """

    def __init__(self, performance: "Performance", score: Score, tail_s: float, take: Take | None = None) -> None:
        if not 0.0 <= tail_s <= LONGEST_TAIL_S:
            raise RtwaveError(f"tail is {tail_s:g}, expected 0 to {LONGEST_TAIL_S} s")
        self._performance = performance
        self._rack = performance.rack
        self._take = take
        self.end_s = on_tick(score.duration_s)
        self._steps = self._schedule(score, tail_s)
        self._next: tuple[float, Event | None, list[Command]] | None = next(self._steps)
        self._ahead: deque[float] = deque()

    def feed(self, switch_ahead_s: float = SWITCH_AHEAD_S) -> float:
        """Fill the queue as far as it may be; returns the second up to which one may render before the next call.

        `switch_ahead_s`: how far ahead of its time a change of preset is made; more than the time between two calls.
        """
        self._performance.settle(self._take)
        now_s = self._rack.seconds
        while self._ahead and self._ahead[0] < now_s:
            self._ahead.popleft()
        while self._next and not self._waits(now_s, switch_ahead_s):
            self._play(*self._next)
            self._next = next(self._steps, None)
        return self._next[0] if self._next else math.inf

    @property
    def finished(self) -> bool:
        """Whether the score is over and every note has rung out."""
        return not self._next and self._rack.seconds > self.end_s and not self._rack.active_voices

    def _waits(self, now_s: float, switch_ahead_s: float) -> bool:
        seconds, event, _ = self._next
        if isinstance(event, Settings):
            crowded = len(self._rack.engines) > MAX_ENGINES
            return seconds > now_s + (_CROWDED_AHEAD_S if crowded else switch_ahead_s)
        return len(self._ahead) >= COMMANDS_AHEAD and seconds > self._ahead[-1]  # a chord is never torn apart

    def _play(self, seconds: float, event: Event | None, commands: list[Command]) -> None:
        match event:
            case Settings():
                program = self._performance.load(event)
                self._performance.switch(program, seconds)
                event = program.settings
            case VoiceLimit():
                self._rack.limit(event.engine, event.voices, seconds)
                return
        if commands:
            self._submit(commands, seconds)
            self._ahead.extend([seconds] * len(commands))
        if event is not None and self._take:
            self._take.add(event, seconds)

    def _submit(self, commands: list[Command], seconds: float) -> None:
        try:
            self._rack.submit(commands, at_s=seconds)
        except RtwaveError:
            raise RtwaveError(
                f"the MIDI file has thousands of events at one moment, {seconds:.2f} s after its start; "
                "take out those that are not music"
            ) from None

    def _schedule(self, score: Score, tail_s: float) -> Iterator[tuple[float, Event | None, list[Command]]]:
        performer = self._performance.performer
        for seconds, event in _in_order(score.events):
            yield on_tick(seconds), event, performer.perform(event) if isinstance(event, Message) else []
        yield self.end_s, None, performer.let_go()
        yield on_tick(score.duration_s + tail_s), None, [AllSoundOff()]


def _in_order(events: list[tuple[float, Event]]) -> list[tuple[float, Event]]:
    """Events in the order in which they must be queued: limits ahead of the rest, but behind the start of their engine.

    Limits that cannot be, of an engine that never was, are left out.
    """
    starts = [(0.0, -1.0)]
    starts += [(seconds, float(index)) for index, (seconds, event) in enumerate(events) if isinstance(event, Settings)]
    keyed = []
    for index, (seconds, event) in enumerate(events):
        key = (seconds, float(index))
        if isinstance(event, VoiceLimit):
            if event.engine >= len(starts) or not 1 <= event.voices <= 256:
                continue
            start_s, start = starts[event.engine]
            key = max((seconds - _LIMIT_AHEAD_S, float(index)), (start_s, start + 0.5))
        keyed.append((key, (seconds, event)))
    return [event for _, event in sorted(keyed, key=lambda each: each[0])]
