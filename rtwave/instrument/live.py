"""Live playing: each event sounds at its arrival plus a constant, and the take knows the moment."""

import threading
import time
from collections.abc import Callable

from ..engine.commands import Command
from ..errors import RtwaveError
from .clocked import ClockedSequencer
from .messages import PROGRAM_CHANGE, SYSEX, Message
from .performance import Performance
from .programs import Program, Programs
from .take import Take, on_tick

FULL_QUEUE_PATIENCE_S = 1.0

LATE_S = 0.002
"""What comes too late moves so far ahead of the rendering, where several engines must agree on its moment."""

SWITCH_AHEAD_S = 0.005
"""A change of preset is at least so far ahead of the rendering."""

ROUNDING_S = 1e-9


class Live:
    """Plays what is heard from any number of threads.

    `take`, where given, notes every message; `settle` must be called now and then so that it learns what came late.
    `event_second` gives the second at which an event that arrived at a time of time.monotonic_ns() shall sound (None:
    the next to be rendered). `programs` answers program changes, `clocked` MIDI clocks; without them nothing does.
    """

    def __init__(
        self,
        performance: Performance,
        take: Take | None = None,
        event_second: Callable[[int], float] | None = None,
        programs: Programs | None = None,
        clocked: ClockedSequencer | None = None,
    ) -> None:
        self._performance = performance
        self._rack = performance.rack
        self._take = take
        self._event_second = event_second or (lambda _: self._rack.seconds)
        self._programs = programs
        self._clocked = clocked
        self._lock = threading.Lock()
        self._last_s = 0.0

    def hear(self, message: Message, time_ns: int | None = None) -> None:
        """Perform a message that arrived at `time_ns` of time.monotonic_ns() (None: now). Any thread."""
        with self._lock:
            at_s = self._moment(time_ns, LATE_S if len(self._rack.engines) > 1 else 0.0)
            if message.kind < SYSEX:
                self._play(message, at_s)
                program = self._performance.performer.take_program()
            else:
                program = None
                for due_s, each in self._clocked.hear(message, at_s) if self._clocked else []:
                    self._play(each, due_s)
        if program is not None and self._programs:
            self._programs.choose(program, self.switch)

    def switch(self, number: int, program: Program) -> None:
        """Play a program from now on, under its number; what sounds rings out. Any thread; raises RtwaveError."""
        channel = self._performance.settings.channel or 0
        with self._lock:
            at_s = self._follow(self._moment(None, SWITCH_AHEAD_S))
            tag = self._take.next_tag if self._take else 0
            self._performance.switch(program, at_s, tag)
            if self._take:
                self._take.add(program.settings, at_s, self._tolerance_s(self._rack.sample_rate, at_s))
                self._take.add(Message(PROGRAM_CHANGE, channel, number & 0x7F), at_s)

    def settle(self) -> None:
        """Tell the take what was applied later than asked for, and let go of what has rung out. One thread."""
        self._performance.settle(self._take)

    def _moment(self, time_ns: int | None, ahead_s: float) -> float:
        """The second at which an event shall sound, so far ahead of the rendering at least."""
        at_s = self._event_second(time.monotonic_ns() if time_ns is None else time_ns)
        return max(at_s, self._rack.seconds + ahead_s)

    def _follow(self, at_s: float) -> float:
        """A moment that a take can note, not before the last."""
        self._last_s = max(self._last_s, on_tick(at_s))
        return self._last_s

    def _play(self, message: Message, at_s: float) -> None:
        at_s = self._follow(at_s)
        commands = self._performance.performer.perform(message)
        if message.kind == PROGRAM_CHANGE:
            return  # a take notes the switch
        tag = 0
        if self._take:
            tag = self._take.add(message, at_s, self._tolerance_s(self._rack.engine.model_rate, at_s))
        if commands:
            self._submit(commands, at_s, tag)

    def _tolerance_s(self, rate: int, at_s: float) -> float:
        """How much after `at_s` an event may be applied and yet be in time: half a frame, the smallest step."""
        # what falls between two frames is late only if it may be
        in_time = at_s >= self._rack.seconds + 0.5 * LATE_S
        return 0.5 / rate + (ROUNDING_S if in_time else -ROUNDING_S)

    def _submit(self, commands: list[Command], at_s: float, tag: int) -> None:
        # a lost note-off would hang its note, so a flood waits for room in the queue
        give_up = time.monotonic() + FULL_QUEUE_PATIENCE_S
        while True:
            try:
                return self._rack.submit(commands, at_s, tag)
            except RtwaveError:
                if time.monotonic() > give_up:
                    return None
            time.sleep(0.001)
