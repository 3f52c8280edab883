"""The line that is shown while playing: rewritten in place on a terminal, silent elsewhere."""

import math
import sys


def describe(counters: dict, voices: int) -> str:
    """Level, voices, lowest ring fill, drop-outs and CPU share of a stream's counters, in one line."""
    peak = counters["peak"]
    level = f"{20.0 * math.log10(peak):4.0f} dB" if peak > 1e-5 else "  silent"
    return (
        f"{level}  voices {voices:2}  ring {counters['lowest_fill_frames']:4}  "
        f"underflows {counters['underflows']}  starved {counters['starved_frames']}  "
        f"CPU {100.0 * counters['cpu_share']:3.0f} %"
    )


class StatusLine:
    """One line on stderr. Notes are lines of their own and stay; one thread."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = 0

    def show(self, text: str) -> None:
        """Rewrite the line."""
        if self._live:
            sys.stderr.write("\r" + text.ljust(self._shown))
            sys.stderr.flush()
            self._shown = len(text)

    def note(self, text: str) -> None:
        """Say something that stays."""
        self.clear()
        print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Wipe the line."""
        if self._shown:
            sys.stderr.write("\r" + " " * self._shown + "\r")
            sys.stderr.flush()
            self._shown = 0
