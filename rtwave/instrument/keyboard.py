"""The computer's keys as a piano: two octaves in a terminal, which tells of keys going down but never up."""

import contextlib
import math
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable

from .messages import NOTE_OFF, NOTE_ON, Message, panic

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = None

LOWER_ROW, UPPER_ROW = "zsxdcvgbhnjm,l.", "q2w3er5t6y7ui9o0p"
HOLD_S = 0.6
AUTO_REPEAT_S = 0.06
VELOCITY, VELOCITY_STEP = 90, 12
PANIC_KEYS = "\x7f\x08"
"""Backspace, as terminals send it."""

HELP = (
    "keys: Z S X D C … lower octave, Q 2 W 3 E … upper octave, - and = shift octaves, [ and ] softer and louder, "
    "Backspace silences, Ctrl-C ends"
)

_ESCAPE_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.)")
"""What a terminal sends for arrows and function keys (ECMA-48): it has letters in it that nobody typed."""


class Keys:
    """Key presses to messages of a MIDI channel. A note holds for HOLD_S, or while the terminal repeats its key.

    Pure: the caller says what time it is, in seconds. One thread.
    """

    def __init__(self, channel: int = 0) -> None:
        self._channel = channel
        self._octave = 4  # MIDI note 48, the C below middle C, on the key Z
        self._velocity = VELOCITY
        self._held: dict[str, tuple[int, float]] = {}  # key: note, time of its last press

    def press(self, key: str, now_s: float) -> list[Message]:
        """A key's character has come."""
        key = key.lower()
        if key in "-=":
            self._octave = min(max(self._octave + (1 if key == "=" else -1), 0), 7)
            return []
        if key in "[]":
            self._velocity = min(max(self._velocity + (VELOCITY_STEP if key == "]" else -VELOCITY_STEP), 1), 127)
            return []
        if key in PANIC_KEYS:
            self._held.clear()
            return panic(self._channel)
        row = next((row for row in (LOWER_ROW, UPPER_ROW) if key in row), None)
        if row is None:
            return []
        repeated = key in self._held and now_s - self._held[key][1] < AUTO_REPEAT_S
        note = self._held[key][0] if repeated else 12 * (self._octave + (row is UPPER_ROW)) + row.index(key)
        released = [] if repeated else self._release(key)
        self._held[key] = (note, now_s)
        return released if repeated else [*released, Message(NOTE_ON, self._channel, note, self._velocity)]

    def expire(self, now_s: float) -> list[Message]:
        """Let go the keys whose hold is over."""
        over = [key for key, (_, pressed_s) in self._held.items() if now_s - pressed_s >= HOLD_S]
        return [message for key in over for message in self._release(key)]

    def _release(self, key: str) -> list[Message]:
        if key not in self._held:
            return []
        return [Message(NOTE_OFF, self._channel, self._held.pop(key)[0], 64)]


class Keyboard:
    """Reads the terminal from a thread of its own; `close` gives the terminal back.

    There `hear` is called with every message, of MIDI channel `channel`.
    """

    def __init__(self, hear: Callable[[Message], None], channel: int = 0) -> None:
        self._hear = hear
        self._keys = Keys(channel)
        self._terminal = sys.stdin.fileno()
        self._modes = termios.tcgetattr(self._terminal)
        tty.setcbreak(self._terminal)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name="rtwave-keys", daemon=True)
        self._thread.start()

    @staticmethod
    def available() -> bool:
        """Whether stdin is a terminal that can be read key by key."""
        return termios is not None and sys.stdin is not None and sys.stdin.isatty()

    def close(self) -> None:
        """Stop reading and set the terminal as it was."""
        self._closing.set()
        self._thread.join()
        with contextlib.suppress(termios.error):  # the terminal may have gone
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._modes)

    def _read(self) -> None:
        while not self._closing.is_set():
            typed = b""
            if select.select([self._terminal], [], [], 0.02)[0]:
                with contextlib.suppress(OSError):
                    typed = os.read(self._terminal, 64)
                if not typed:  # end of file: the terminal has gone
                    break
            self._type(_ESCAPE_SEQUENCE.sub("", typed.decode(errors="ignore")), time.monotonic())
        self._type("", math.inf)  # what is held is let go

    def _type(self, typed: str, now_s: float) -> None:
        messages = [message for key in typed for message in self._keys.press(key, now_s)]
        for message in messages + self._keys.expire(now_s):
            self._hear(message)
