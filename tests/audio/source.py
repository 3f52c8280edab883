"""Sources of samples that tests can hold up: what an engine is to a stream, written in Python."""

import ctypes
import threading
import time

import numpy as np

RATE = 16_000


def tone(frames, start=0):
    """100 Hz at half of full scale, float32, from sample `start`."""
    return (0.5 * np.sin(2 * np.pi * 100.0 * (start + np.arange(frames)) / RATE)).astype(np.float32)


TONE_SLOPE = 0.5 * 2 * np.pi * 100.0 / RATE


class Source:
    """Renders `tone` as the native stream asks for it; `hold` makes it late until `release`."""

    def __init__(self):
        self.frames = 0
        self._free = threading.Event()
        self._free.set()
        signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_float), ctypes.c_int)
        self._function = signature(self._render)
        self.render_address = ctypes.cast(self._function, ctypes.c_void_p).value
        self.state_address = 0

    def _render(self, _state, output, frames):
        self._free.wait()
        np.ctypeslib.as_array(output, (frames,))[:] = tone(frames, self.frames)
        self.frames += frames

    def hold(self):
        self._free.clear()

    def release(self):
        self._free.set()

    def wait_for(self, frames):
        """Return once `frames` in all have been rendered."""
        wait_until(lambda: self.frames >= frames)


class ToneEngine:
    """As much of an Engine as a Stream needs."""

    model_rate = sample_rate = RATE

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
