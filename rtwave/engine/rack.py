"""Engines side by side, so that one can take over from another while that rings out."""

import math
import threading
from collections import Counter
from collections.abc import Sequence
from numbers import Real

import numpy as np

from .. import _engine
from ..errors import RtwaveError
from .commands import Command, Limit, NoteOn
from .engine import Engine

MAX_ENGINES = 4
"""That sound at once: when one more begins, the oldest of them fades out."""

SWITCH_AHEAD_S = 0.05
"""What is begun so far ahead of the rendering begins at its very frame."""

_SILENCE_S = 0.1  # an engine that was not heard for so long has nothing left of its last note


class _Member:
    """An engine in the rack. `frame`: of the rack, where it joins; `last_note`: where it was last given a note-on."""

    def __init__(self, engine: Engine, number: int, frame: int, sample_rate: int, tag: int) -> None:
        self.engine, self.number, self.frame, self.tag = engine, number, frame, tag
        self.first = engine.frame  # what it rendered elsewhere does not count
        self.sample_rate = sample_rate
        self.joined = self.leaving = False
        self.last_note = 0

    def model_frame(self, at_s: float | None) -> int | None:
        if at_s is None:
            return None
        return self.first + max(0, round((at_s - self.frame / self.sample_rate) * self.engine.model_rate))

    def seconds(self, model_frame: int) -> float:
        return self.frame / self.sample_rate + (model_frame - self.first) / self.engine.model_rate


class Rack:
    """Plays `engine`, and those that take over from it, at `sample_rate` Hz (None: the engine's).

    Its clock is seconds of sound since its frame 0; a command for second t is applied by each engine at the model frame
    nearest to t. Engines of any rates; a lone engine passes bit for bit, the sum of several is clipped to −1..1.
    Commands, switches and questions may come from any thread; one thread renders: `render`, or a NativeStream of
    `native`. While an engine is here, nobody else may render it.
    """

    def __init__(self, engine: Engine, sample_rate: int | None = None) -> None:
        self.sample_rate = engine.sample_rate if sample_rate is None else sample_rate
        if not isinstance(self.sample_rate, int) or not 1_000 <= self.sample_rate <= 768_000:
            raise RtwaveError(f"sample_rate is {self.sample_rate!r}, expected a whole number from 1000 to 768000")
        self.native = _engine.NativeRack(self.sample_rate)
        self._lock = threading.Lock()
        self._members: dict[int, _Member] = {}  # by place, in the order of joining
        self._joins = 0
        self._applied: list[tuple[int, float]] = []
        self._limits: list[tuple[int, int, float]] = []
        self._gone: Counter[str] = Counter()  # what engines counted that have left
        self._join(engine, 0, 0)

    def _join(self, engine: Engine, frame: int, tag: int) -> None:
        member = _Member(engine, self._joins, frame, self.sample_rate, tag)
        try:
            place = self.native.join(engine.native, engine.voices, frame)
        except MemoryError:
            raise RtwaveError("the system has no room for one more engine; play on with those there are") from None
        if place < 0:
            raise RtwaveError(f"{len(self._members)} engines wait or fade out; render on before switching again")
        self._members[place] = member
        self._joins += 1

    def submit(self, commands: Sequence[Command], at_s: float | None = None, tag: int = 0) -> None:
        """Queue commands, applied in order at second `at_s` (None, or one that is past: as soon as can be).

        Notes are struck by the engine that is current at that second; everything else reaches all engines. `tag`
        1..2**31 − 1 is given back by `applied`, once a command. Raises RtwaveError when a queue is full.
        """
        _check_second(at_s)
        with self._lock:
            self._settle()
            frame = self.frame if at_s is None else round(at_s * self.sample_rate)
            current = self._current(frame)
            others = [command for command in commands if not isinstance(command, NoteOn)]
            if len(others) < len(commands):
                current.last_note = max(current.last_note, frame)
            current.engine.submit(commands, current.model_frame(at_s), tag)
            for member in self._members.values():
                if member is not current and others:
                    member.engine.submit(others, member.model_frame(at_s))
            self._retire()

    def limit(self, number: int, voices: int, at_s: float | None = None) -> None:
        """Let no more than `voices` of engine `number` sound from second `at_s` on: what `limits` told, once more.

        Of an engine that has left, nothing is left to limit.
        """
        _check_second(at_s)
        with self._lock:
            for member in self._members.values():
                if member.number == number:
                    member.engine.submit([Limit(voices)], member.model_frame(at_s))

    def switch(self, engine: Engine, at_s: float | None = None, commands: Sequence[Command] = (), tag: int = 0) -> None:
        """Let `engine` begin at second `at_s` (None: 50 ms from now, or one that is past: as soon as can be).

        It takes the notes struck from then on; `commands` are applied at its first frame. The others ring out and leave
        by themselves. `tag` is given back by `applied` with the second at which it began. Raises RtwaveError for an
        engine that is here, or when too many switches wait.
        """
        _check_second(at_s)
        with self._lock:
            self._settle()
            if any(member.engine is engine for member in self._members.values()):
                raise RtwaveError("this engine is in the rack already; switch to a new one")
            wanted = self.frame + SWITCH_AHEAD_S * self.sample_rate if at_s is None else at_s * self.sample_rate
            frame = max(round(wanted), self._newest.frame)
            self._retire()
            if commands:
                engine.submit(commands, engine.frame)
            self._join(engine, frame, tag)
            # counted by all that ever were here, silent or not: what sounds never hangs on when this was called
            for place, member in self._members.items():
                if member.number == self._joins - 1 - MAX_ENGINES and not member.leaving:
                    self._leave(place, frame)

    def applied(self) -> list[tuple[int, float]]:
        """(tag, second) of every tagged command and switch applied since the last call: where it truly was."""
        with self._lock:
            self._settle()
            self._retire()
            applied, self._applied = self._applied, []
        return sorted(applied, key=lambda each: each[1])

    def limits(self) -> list[tuple[int, int, float]]:
        """(engine number, voices, second) of each limit that overload has set or lifted since the last call.

        Engines are numbered from 0 in the order of joining.
        """
        with self._lock:
            self._settle()
            limits, self._limits = self._limits, []
        return sorted(limits, key=lambda each: each[2])

    def render(self, frames: int) -> np.ndarray:
        """The next samples, mono float32 (frames,) within −1..1; raises RtwaveError as Engine.render does."""
        if not isinstance(frames, int) or frames < 0:
            raise RtwaveError(f"frames is {frames!r}, expected a whole number from 0 on")
        samples = self.native.render(frames)
        for problem in self.take_problems():
            raise RtwaveError(problem)
        return samples

    def take_problems(self) -> list[str]:
        """What Engine.take_problem says of the engines that are here. Any thread."""
        with self._lock:
            problems = [member.engine.take_problem() for member in self._members.values()]
        return [problem for problem in problems if problem]

    def counters(self) -> dict[str, int]:
        """Those of all engines that are and were here, summed."""
        with self._lock:
            self._settle()
            totals = Counter(self._gone)
            for member in self._members.values():
                totals.update(member.engine.counters())
        return dict(totals)

    @property
    def frame(self) -> int:
        """The frame to be rendered next, at `sample_rate`."""
        return self.native.frame

    @property
    def seconds(self) -> float:
        """The second to be rendered next."""
        return self.frame / self.sample_rate

    @property
    def engine(self) -> Engine:
        """The newest: the one that takes notes, from its first frame on."""
        with self._lock:
            return self._newest.engine

    @property
    def engines(self) -> list[Engine]:
        """All that sound or are about to, in the order of joining."""
        with self._lock:
            self._settle()
            return [member.engine for member in self._members.values()]

    @property
    def active_voices(self) -> int:
        """Notes that sound in all engines."""
        return sum(engine.active_voices for engine in self.engines)

    @property
    def memory_locked(self) -> bool:
        """Whether all that is touched in rendering is kept out of swap."""
        return self.native.memory_locked and all(engine.memory_locked for engine in self.engines)

    # What follows is called with the lock held.

    @property
    def _newest(self) -> _Member:
        return next(reversed(self._members.values()))

    def _current(self, frame: int) -> _Member:
        """The engine that takes the notes of a frame."""
        staying = [member for member in self._members.values() if not member.leaving]
        return next((member for member in reversed(staying) if member.frame <= frame), staying[0])

    def _settle(self) -> None:
        """Take in what the renderer has told: who joined and left where, and what was applied."""
        notices = self.native.take_notices()
        for place, frame, left in notices:
            member = self._members[place]
            if left:
                self._collect(member)
                self._gone.update(member.engine.counters())
                del self._members[place]
            else:
                member.joined, member.frame = True, frame
                if member.tag:
                    self._applied.append((member.tag, frame / self.sample_rate))
        for member in self._members.values():
            if member.joined:  # else its frame is not known for sure
                self._collect(member)

    def _collect(self, member: _Member) -> None:
        for tag, model_frame in member.engine.applied():
            second = member.seconds(model_frame)
            if tag & _engine.LIMIT_TAG:
                self._limits.append((member.number, tag ^ _engine.LIMIT_TAG, second))
            else:
                self._applied.append((tag, second))

    def _retire(self) -> None:
        """Let go of the older engines that have fallen silent and have no note to come."""
        joined = [(place, member) for place, member in self._members.items() if member.joined and not member.leaving]
        for place, member in joined[:-1]:
            silent = self.frame - max(self.native.heard(place), member.last_note) > _SILENCE_S * self.sample_rate
            if silent and member.engine.active_voices == 0:
                self._leave(place, self.frame)

    def _leave(self, place: int, frame: int) -> None:
        self._members[place].leaving = True
        self.native.leave(place, frame)


def _check_second(at_s: object) -> None:
    if at_s is None:
        return
    if not isinstance(at_s, Real) or isinstance(at_s, bool) or not (math.isfinite(at_s) and 0.0 <= at_s <= 1e9):
        raise RtwaveError(f"at_s is {at_s!r}, expected seconds from 0 to a thousand million, or None for now")
