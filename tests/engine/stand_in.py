"""A device in NumPy: it keeps what it is told, and answers each voice's samples by a rule."""

from types import SimpleNamespace

import numpy as np

from rtwave.errors import RtwaveError


class StandIn:
    """Draws a quiet sample that follows from the note and its age alone, as a network's would; keeps every chunk.

    What is kept lies in `chunks`, copied, with `first`: the frame of its first sample, where some note has sounded
    since the start (nothing is asked of a device while none does).
    """

    def __init__(self):
        self.chunks, self.now = [], 0
        self._notes = {}  # of each slot: ordinal and age of the next sample

    def render(self, chunk):
        fields = {
            name: np.copy(value) if isinstance(value, np.ndarray) else value for name, value in chunk._asdict().items()
        }
        self.chunks.append(SimpleNamespace(**fields, first=self.now))
        self.now += chunk.frames
        for telling in chunk.tellings:
            self._notes[telling["slot"]] = telling["ordinal"], telling["age"] - telling["frame"]
        for slot in chunk.slots:
            ordinal, age = self._notes[slot]
            chunk.drawn[slot, : chunk.frames] = drawn(ordinal, age + np.arange(chunk.frames))
            self._notes[slot] = ordinal, age + chunk.frames

    @property
    def tellings(self):
        """(the chunk's first frame + the telling's, telling) of all that was told, in order."""
        return [(chunk.first + each["frame"], each) for chunk in self.chunks for each in chunk.tellings]


def drawn(ordinal, ages):
    return (0.1 * np.sin(0.05 * (1.0 + ordinal) * (1 + ages))).astype(np.float32)


class Failing(StandIn):
    """One that fails in its `last` chunk, having filled it with noise; `how` raises."""

    def __init__(self, last, how=None):
        super().__init__()
        self.last, self.how = last, how

    def render(self, chunk):
        super().render(chunk)
        if len(self.chunks) == self.last:
            chunk.drawn[:] = 1.0
            raise self.how or RtwaveError("the GPU fell off the bus")
