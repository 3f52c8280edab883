"""Scores into the engine's queue, ahead of their time: each event at its exact model frame."""

from collections import deque
from collections.abc import Iterator

from ..engine.commands import AllNotesOff, AllSoundOff, Command
from ..engine.engine import Engine
from ..errors import RtwaveError
from .messages import Message
from .performer import Performer
from .scores import Score, Take

COMMANDS_AHEAD = 1024
"""Commands in the engine's queue before the next chord waits; it holds four times as many."""

LONGEST_TAIL_S = 3600


class Sequencer:
    """Plays one score from the engine's frame 0; live and offline alike, so both give the same samples.

    Where the score ends every key is let go, and `tail_s` later every sound is cut. One thread.
    """

    def __init__(
        self, engine: Engine, performer: Performer, score: Score, tail_s: float, take: Take | None = None
    ) -> None:
        if not 0.0 <= tail_s <= LONGEST_TAIL_S:
            raise RtwaveError(f"tail is {tail_s:g}, expected 0 to {LONGEST_TAIL_S} s")
        self._engine = engine
        self._performer = performer
        self._take = take
        self.end_frame = round(score.duration_s * engine.model_rate)
        self._events = self._schedule(score, tail_s)
        self._next: tuple[int, Message | None, list[Command]] | None = next(self._events)
        self._ahead: deque[int] = deque()

    def feed(self) -> int:
        """Fill the queue as far as it may be; returns the model frames that can be rendered before the next call."""
        now = self._engine.frame
        while self._ahead and self._ahead[0] < now:
            self._ahead.popleft()
        while self._next:
            frame, message, commands = self._next
            if len(self._ahead) >= COMMANDS_AHEAD and frame > self._ahead[-1]:  # a chord is never torn apart
                break
            if commands:
                self._submit(commands, frame)
                self._ahead.extend([frame] * len(commands))
            if message and self._take:
                self._take.add(message, frame)
            self._next = next(self._events, None)
        return self._next[0] - now if self._next else self._engine.model_rate

    def _submit(self, commands: list[Command], frame: int) -> None:
        try:
            self._engine.submit(commands, at=frame)
        except RtwaveError:
            moment_s = frame / self._engine.model_rate
            raise RtwaveError(
                f"the MIDI file has thousands of events at one moment, {moment_s:.2f} s after its start; "
                "take out those that are not music"
            ) from None

    @property
    def finished(self) -> bool:
        """Whether the score is over and every note has rung out."""
        return not self._next and self._engine.frame > self.end_frame and not self._engine.active_voices

    def _schedule(self, score: Score, tail_s: float) -> Iterator[tuple[int, Message | None, list[Command]]]:
        rate = self._engine.model_rate
        for seconds, message in score.events:
            yield round(seconds * rate), message, self._performer.perform(message)
        yield self.end_frame, None, [AllNotesOff()]
        yield self.end_frame + round(tail_s * rate), None, [AllSoundOff()]
