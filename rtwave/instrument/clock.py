"""MIDI clock: where the music is and how fast it goes, as another machine says by 24 ticks to the quarter note."""

import math

from .messages import CLOCK, CONTINUE, SONG_POSITION, START, STOP, Message

TICKS_PER_BEAT = 24
TICKS_PER_SONG_POSITION = 6
SHORTEST_TICK_S, LONGEST_TICK_S = 0.002, 0.3
"""Of 1250 and of 8 beats a minute; what lies beyond is no tempo."""

BANDWIDTH = 0.2
"""Of the loop, in radians a tick: jitter is smoothed over some five ticks, and a change of tempo followed as fast."""

GAP_TICKS = 4
"""A tick later than this came after a pause."""


class ClockFollower:
    """Follows clock, start, continue, stop and song position; beats are quarter notes from the song's start.

    A delay-locked loop over the ticks' times (Adriaensen, "Using a DLL to filter time", 2005) takes their jitter away.
    Seconds are whatever the caller counts in. Pure; one thread.
    """

    def __init__(self) -> None:
        self.running = False
        self._position = 0  # in ticks: of the last tick, or of the next one while waiting for it
        self._waiting = True
        self._tick_s: float | None = None  # when the last tick was, smoothed
        self._period_s: float | None = None
        self._heard_s = 0.0
        self._strays = 0
        self._settling = 0

    @property
    def bpm(self) -> float | None:
        """The tempo in beats a minute, None before two ticks have come."""
        return None if self._period_s is None else 60.0 / (TICKS_PER_BEAT * self._period_s)

    def hear(self, message: Message, at_s: float) -> None:
        """Take in a message that came, or counts, at `at_s`; all but the clock's own are ignored."""
        if message.kind == CLOCK:
            self._follow(at_s)
            if self.running:
                self._position += not self._waiting
                self._waiting = False
        elif message.kind == START:
            self._position, self._waiting, self.running = 0, True, True
        elif message.kind == CONTINUE:
            self._wait()
            self.running = True
        elif message.kind == STOP:
            self._wait()
            self.running = False
        elif message.kind == SONG_POSITION:
            self._position, self._waiting = TICKS_PER_SONG_POSITION * (message.data1 | message.data2 << 7), True

    def position_beats(self, at_s: float) -> float:
        """Where the music is at `at_s`: it goes on up to the next tick and there waits for it."""
        passed = 0.0
        if not self._waiting and self._period_s is not None:
            passed = min(max((at_s - self._tick_s) / self._period_s, 0.0), 1.0)
        return (self._position + passed) / TICKS_PER_BEAT

    def second_of(self, beat: float) -> float | None:
        """When the music is, or was, at `beat`; None while it stands and for what lies at the next tick or beyond it.

        So what is played at each tick is what comes before the next one, and a stop leaves nothing to be taken back.
        """
        ahead = beat * TICKS_PER_BEAT - self._position
        if not self.running or self._waiting or ahead >= 1.0:
            return None
        if self._period_s is None:
            return self._tick_s if ahead <= 0.0 else None
        return self._tick_s + ahead * self._period_s

    def _wait(self) -> None:
        # what comes before the next tick has been played
        self._position += not self._waiting
        self._waiting = True

    def _follow(self, at_s: float) -> None:
        interval_s, self._heard_s = at_s - self._heard_s, at_s
        if self._tick_s is None or self._period_s is None:
            self._start_at(at_s, interval_s if self._tick_s is not None else math.inf)
            return
        expected_s = self._tick_s + self._period_s
        error_s = at_s - expected_s
        if abs(error_s) <= self._period_s / 2:
            self._settling += 1
            bandwidth = max(BANDWIDTH, 0.7 / self._settling)
            self._tick_s = expected_s + math.sqrt(2) * bandwidth * error_s
            period_s = self._period_s + bandwidth**2 * error_s
            self._period_s = min(max(period_s, SHORTEST_TICK_S), LONGEST_TICK_S)
            self._strays = 0
        elif self._strays or abs(error_s) > GAP_TICKS * self._period_s:
            self._start_at(at_s, interval_s if self._strays else math.inf)
        else:  # a tick alone may be late: two of them are a new tempo
            self._strays = 1
            self._tick_s = expected_s

    def _start_at(self, at_s: float, interval_s: float) -> None:
        self._tick_s = at_s
        if SHORTEST_TICK_S <= interval_s <= LONGEST_TICK_S:
            self._period_s = interval_s
        self._strays = self._settling = 0
