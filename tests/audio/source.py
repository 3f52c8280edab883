"""Sources of samples that tests can hold up: what an engine is to a stream, written in Python."""

import ctypes
import math
import threading
import time

import numpy as np

RATE = 16_000
DEEP_MS = 200.0
"""A ring in which a moment without the processor leaves no gap, for tests of what is heard and not of when."""


def tone(frames, start=0):
    """100 Hz at half of full scale, float32, from sample `start`."""
    return (0.5 * np.sin(2 * np.pi * 100.0 * (start + np.arange(frames)) / RATE)).astype(np.float32)


TONE_SLOPE = 0.5 * 2 * np.pi * 100.0 / RATE


class Source:
    """Renders `tone` as the native stream asks for it; `hold` makes it late until `release`, but for `advance`."""

    def __init__(self):
        self.frames = 0
        self._limit = math.inf
        self._asked = 0  # frames that the stream waits for
        self._change = threading.Condition()
        signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_float), ctypes.c_int)
        self._function = signature(self._render)
        self.render_address = ctypes.cast(self._function, ctypes.c_void_p).value
        self.state_address = 0

    def _render(self, _state, output, frames):
        with self._change:
            self._asked = frames
            self._change.wait_for(lambda: not self._must_wait())
            self._asked = 0
        np.ctypeslib.as_array(output, (frames,))[:] = tone(frames, self.frames)
        self.frames += frames

    def _must_wait(self):
        return self._asked and self.frames + self._asked > self._limit

    def _allow(self, limit):
        with self._change:
            self._limit = limit
            self._change.notify_all()

    def hold(self):
        self._allow(self.frames)

    def release(self):
        self._allow(math.inf)

    def advance(self, frames):
        """While held, render so many more, in the stream's own chunks; returns once they are in the ring.

        The ring must have room for more, or the stream would not ask.
        """
        self._allow(self._limit + frames)
        wait_until(self._must_wait)

    def wait_for(self, frames):
        """Return once `frames` in all have been rendered."""
        wait_until(lambda: self.frames >= frames)


class ToneEngine:
    """As much of an Engine as a Stream needs."""

    model_rate = sample_rate = RATE
    memory_locked = True

    def __init__(self):
        self.native = Source()

    def counters(self):
        return {"dropped_commands": 0}


def wait_until(condition, limit_s=30.0):
    """Poll until `condition()`; an AssertionError after `limit_s`."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited too long"
        time.sleep(0.001)
