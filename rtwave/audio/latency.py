"""How full the ring should be: the smallest fill that the last seconds would not have emptied."""

from collections import deque

SAFE_MS = 8.0
"""Ring fill to begin with: what a busy computer without a real-time kernel can hold."""

_LARGEST_MS = 40.0  # beyond it, less must be played
_WINDOW_S = 5
_SHRINK = 0.9  # at most so far down at a time
_RESERVE = 2.0  # times the deepest dip that is remembered


class LatencyController:
    """Finds the ring's target fill from the lowest fills that callbacks met, both in frames. No clock, no stream.

    Besides the block that the next callback takes, the ring keeps twice the deepest dip below the target of the last
    seconds, and at least one block. It grows at once, and shrinks by a tenth each second.
    """

    def __init__(self, sample_rate: int, block_frames: int) -> None:
        self._largest = round(_LARGEST_MS / 1000.0 * sample_rate)
        self.target_frames = round(SAFE_MS / 1000.0 * sample_rate)
        self._dips: deque[float] = deque(maxlen=_WINDOW_S)
        self.change_block(block_frames)

    def change_block(self, block_frames: int) -> None:
        """Begin again on a device with another block size, from the safe fill or the present one if that is larger."""
        self._block = block_frames
        self._dips.clear()
        self._deepest, self._second_s = 0.0, 0.0
        self._before = self.target_frames = max(self.target_frames, 2 * block_frames)

    def hear(self, lowest_frames: int, elapsed_s: float) -> int:
        """The target from now on. `lowest_frames`: lowest fill since the last call, `elapsed_s` ago."""
        full_frames = min(self.target_frames, self._before)  # after growing, the ring has yet to fill
        self._before = self.target_frames
        dip = max(full_frames - lowest_frames, 0)
        self._deepest = max(self._deepest, dip)
        self._second_s += elapsed_s
        if self._needed(self._deepest) > self.target_frames:
            self.target_frames = self._needed(self._deepest)
            self._dips.append(self._deepest)
            self._deepest, self._second_s = 0.0, 0.0
        elif self._second_s >= 1.0:
            self._dips.append(self._deepest)
            self._deepest, self._second_s = 0.0, 0.0
            if len(self._dips) == _WINDOW_S:
                self.target_frames = max(self._needed(max(self._dips)), round(_SHRINK * self.target_frames))
        return self.target_frames

    def _needed(self, dip: float) -> int:
        reserve = max(_RESERVE * dip, self._block)
        return max(min(round(self._block + reserve), self._largest), 2 * self._block)
