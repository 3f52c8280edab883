"""Takes: what was played, on a grid of time so fine that a render of it gives the same samples."""

import contextlib
import os
import struct
import threading
from itertools import accumulate, takewhile
from operator import itemgetter
from pathlib import Path

from ..errors import RtwaveError
from .messages import Message
from .settings import Settings, VoiceLimit, write_text

TICKS_PER_S = 192_000
"""Finer than any usual sample. Events are moved to this grid before they are played, so a take loses nothing."""

_TICKS_PER_BEAT, _TEMPO_US = 24_000, 125_000
_LONGEST_GAP = 2**28 - 1  # ticks between two events that a MIDI file can count
_SETTLED_S = 2.0  # after so long every event has been told when it was applied
_TEXT, _END_OF_TRACK, _SET_TEMPO = 0x01, 0x2F, 0x51

Event = Message | Settings | VoiceLimit


def on_tick(seconds: float) -> float:
    """The nearest moment that a take can note, just as a reader of the take finds it."""
    return round(seconds * TICKS_PER_S) / TICKS_PER_S


class Take:
    """What was played, event by event, in seconds since the performance began.

    `settings` are those of the beginning; Settings among the events are another preset. What has its final place is
    kept as the bytes of the file, so that saving is quick however long the take. Any thread notes; one thread saves.
    """

    def __init__(self, settings: Settings) -> None:
        self._lock = threading.Lock()
        self._track = bytearray(
            _timed(0, _meta(_SET_TEMPO, _TEMPO_US.to_bytes(3, "big"))) + _timed(0, _meta(_TEXT, write_text(settings)))
        )
        self._tick = 0
        self._saved = 0
        self._events: list[list] = []  # [seconds, tolerance in seconds, event]
        self._limits: list[tuple[float, VoiceLimit]] = []

    def add(self, event: Message | Settings, at_s: float, tolerance_s: float = 0.0) -> int:
        """Note an event that shall be applied at `at_s`, not before the one noted before it; returns its tag, from 1.

        Where `applied` then says more than `tolerance_s` later (half a frame of who applies it), that holds.
        """
        with self._lock:
            self._events.append([at_s, tolerance_s, event])
            return self._saved + len(self._events)

    @property
    def next_tag(self) -> int:
        """The tag that `add` will return next."""
        with self._lock:
            return self._saved + len(self._events) + 1

    def applied(self, tag: int, seconds: float) -> None:
        """Note when the event of that tag was applied."""
        with self._lock:
            index = tag - 1 - self._saved
            if index >= 0:
                at_s, tolerance_s, _ = self._events[index]
                if seconds - at_s > tolerance_s:
                    self._events[index][0] = seconds

    def limited(self, engine: int, voices: int, seconds: float) -> None:
        """Note that the machine could not bear more than `voices` of an engine."""
        with self._lock:
            self._limits.append((seconds, VoiceLimit(engine, voices)))

    def save(self, path: str | Path, end_s: float) -> None:
        """Write a MIDI file that ends at `end_s`, without what was noted for later; raises RtwaveError.

        The file takes its place whole; each saving must end later than the one before it.
        """
        with self._lock:
            final = list(takewhile(lambda event: event[0] <= end_s - _SETTLED_S, self._events))
            final_limits = list(takewhile(lambda limit: limit[0] <= end_s - _SETTLED_S, self._limits))
            del self._events[: len(final)], self._limits[: len(final_limits)]
            self._saved += len(final)
            rest = [event for event in self._events if event[0] <= end_s]
            limits = [limit for limit in self._limits if limit[0] <= end_s]
        track, self._tick = _encode(self._tick, final, final_limits)
        self._track += track
        track, tick = _encode(self._tick, rest, limits)
        track += _timed(max(0, round(end_s * TICKS_PER_S) - tick), _meta(_END_OF_TRACK, b""))
        _write(Path(path), self._track, track)


def check_take_path(path: str | Path) -> None:
    """Raise RtwaveError unless a take can be written to `path`; nothing there is touched."""
    path = Path(path).absolute()
    if path.suffix.lower() not in (".mid", ".midi"):
        raise RtwaveError(f"{path}: unknown kind of take, expected a name that ends in .mid")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise RtwaveError(f"{path}: the take cannot be written there; name another file")


def _encode(tick: int, events: list[list], limits: list[tuple[float, VoiceLimit]]) -> tuple[bytearray, int]:
    """The bytes of events that follow the one at `tick`, and the tick of the last."""
    track = bytearray()
    # none before the one that was heard before it, whatever the times say
    times = accumulate((seconds for seconds, _, _ in events), max)
    heard = [(seconds, event) for seconds, (_, _, event) in zip(times, events, strict=True)]
    for seconds, event in sorted([*limits, *heard], key=itemgetter(0)):
        now = max(tick, round(seconds * TICKS_PER_S))
        track += _timed(now - tick, event.to_bytes() if isinstance(event, Message) else _meta(_TEXT, write_text(event)))
        tick = now
    return track, tick


def _timed(ticks: int, event: bytes) -> bytes:
    """An event so many ticks after the one before it, with empty texts between where MIDI cannot count so far."""
    texts, ticks = divmod(ticks, _LONGEST_GAP)
    return texts * (_length(_LONGEST_GAP) + _meta(_TEXT, b"")) + _length(ticks) + event


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _length(len(data)) + data


def _length(number: int) -> bytes:
    """A number of up to 28 bits as MIDI files write it: seven bits a byte, all but the last with the high bit set."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def _write(path: Path, *track: bytes) -> None:
    header = struct.pack(">4sIHHH4sI", b"MThd", 6, 0, 1, _TICKS_PER_BEAT, b"MTrk", sum(map(len, track)))
    temporary = path.with_suffix(".partial")
    try:
        with open(temporary, "wb") as file:
            file.writelines((header, *track))
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RtwaveError(f"{path}: the take cannot be written ({error.strerror}); name another file") from None
