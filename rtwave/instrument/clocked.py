"""A score played to the MIDI clock of another machine."""

from bisect import bisect_left
from typing import Protocol

from . import messages as midi
from .messages import Message
from .scores import Score


class Follower(Protocol):
    """What is known of a MIDI clock: rtwave.instrument.clock has it."""

    def hear(self, message: Message, at_s: float) -> None:
        """A clock message that counts from second `at_s`."""

    def second_of(self, beat: float) -> float | None:
        """When a beat falls; None while the clock stands, or farther ahead than it tells."""


class ClockedSequencer:
    """Plays a score by its beats, at the tempo of a clock: started, stopped, continued and placed as that says.

    Pure: `hear` gives what is due. Stopping lets go of every key and pedal. One thread.
    """

    def __init__(self, score: Score, follower: Follower) -> None:
        self._follower = follower
        heard = [
            (beat, event)
            for (_, event), beat in zip(score.events, score.beats, strict=True)
            if isinstance(event, Message) and event.kind != midi.PROGRAM_CHANGE
        ]
        self._messages = [message for _, message in heard]
        self._beats = [beat for beat, _ in heard]
        self._next = len(heard)
        self._held: dict[tuple[int, int], None] = {}
        self._pedals: dict[tuple[int, int], None] = {}

    def hear(self, message: Message, at_s: float) -> list[tuple[float, Message]]:
        """Take a clock message that counts from second `at_s`; returns what is to be played: (second, message)."""
        self._follower.hear(message, at_s)
        due = []
        match message.kind:
            case midi.START:
                due = self._let_go(at_s)
                self._next = 0
            case midi.SONG_POSITION:
                due = self._let_go(at_s)
                self._next = bisect_left(self._beats, (message.data1 | message.data2 << 7) / 4.0)
            case midi.STOP:
                return self._let_go(at_s)
        while self._next < len(self._beats):
            seconds = self._follower.second_of(self._beats[self._next])
            if seconds is None:
                break
            due.append((max(seconds, at_s), self._note(self._messages[self._next])))
            self._next += 1
        return due

    def _note(self, message: Message) -> Message:
        """Remember what a stop must let go."""
        kind, channel, data1, data2 = message
        if kind == midi.NOTE_ON and data2 > 0:
            self._held[channel, data1] = None
        elif kind in (midi.NOTE_ON, midi.NOTE_OFF):
            self._held.pop((channel, data1), None)
        elif kind == midi.CONTROL_CHANGE and data1 in (midi.SUSTAIN, midi.SOSTENUTO):
            self._pedals[channel, data1] = None
        return message

    def _let_go(self, at_s: float) -> list[tuple[float, Message]]:
        pedals = [Message(midi.CONTROL_CHANGE, channel, pedal, 0) for channel, pedal in self._pedals]
        keys = [Message(midi.NOTE_OFF, channel, key, 0) for channel, key in self._held]
        self._held.clear()
        self._pedals.clear()
        return [(at_s, message) for message in (*pedals, *keys)]
