"""Whether held notes keep their level, and where a recorded one is let go: two answers, for two kinds of recordings.

`note_end`, of a recording as it came: all that follows the note is left out, silence or noise, but the first 8 dB of
its release. `fall_start`, of what that left, or of any that ends while it is let go: where the fall at its end begins.
Only the second may be asked again of its own answer: the first goes by the middle of what it makes shorter.
"""

from collections.abc import Sequence

import numpy as np

STEADY_DB_PER_S = 2.4
"""12 dB in five seconds."""
SETTLED_S, SHORTEST_S = 1.0, 2.0
STEADY_PART, ENDED_DB = 0.75, 8.0
LET_GO_DB, LET_GO_S = 6.0, 0.5


def is_sustained(levels: Sequence[np.ndarray], period_s: float) -> bool:
    """Whether most notes fall by less than 2.4 dB/s from their first second to three quarters of their recording.

    levels dB, one (periods,) a note; notes of less than 2 s say nothing.
    """
    falls = []
    for level in levels:
        first, last = int(SETTLED_S / period_s), int(STEADY_PART * len(level))
        if len(level) * period_s >= SHORTEST_S:
            width = max(1, int(0.1 / period_s))
            drop = level[first - width // 2 :][:width].mean() - level[last - width :][:width].mean()
            falls.append(drop / ((last - first) * period_s))
    return bool(falls) and float(np.median(falls)) < STEADY_DB_PER_S


def note_end(level: np.ndarray) -> int:
    """Periods until a sustained note is over: after that it stays 8 dB below the level of its middle half."""
    middle = float(np.median(level[len(level) // 4 : max(1, int(STEADY_PART * len(level)))]))
    return int(np.flatnonzero(level >= middle - ENDED_DB)[-1]) + 1


def fall_start(level: np.ndarray, period_s: float) -> int:
    """Periods until the level falls, by 6 dB in half a second and on to the end; all of them where it does not."""
    before, last = max(round(LET_GO_S / period_s), 1), len(level) - 1
    while last > before and level[last] < level[last - before : last].max() - LET_GO_DB:
        last -= 1
    return last + 1 if last > before else len(level)
