"""The line that is shown while playing: rewritten in place on a terminal, silent elsewhere."""

import contextlib
import math
import sys


def describe(counters: dict, voices: int) -> str:
    """Level, voices and their limit, lowest ring fill, drop-outs and CPU share of a stream's counters, in one line."""
    peak = counters["peak"]
    level = f"{20.0 * math.log10(peak):4.0f} dB" if peak > 1e-5 else "  silent"
    limit = f" of {counters['limit']}" if counters["limit"] else ""
    return (
        f"{level}  voices {voices:2}{limit}  ring {counters['lowest_fill_frames']:4}  "
        f"underflows {counters['underflows']}  starved {counters['starved_frames']}  "
        f"CPU {100.0 * counters['cpu_share']:3.0f} %"
    )


class Warnings:
    """What a player must be told of a stream's counters: each once, until it changes. One thread."""

    def __init__(self) -> None:
        self._problem: str | None = None
        self._starved = False
        self._limit = 0

    def of(self, counters: dict, problem: str | None) -> list[str]:
        """The lines to say now; `problem` is the recording's."""
        lines = []
        if problem != self._problem and problem:
            lines.append(f"rtwave: {problem}")
        if counters["starved_frames"] and not self._starved:
            lines.append(
                "the sound broke up: this computer is too busy for what is played; "
                "try more --threads, fewer --voices or more --latency-ms"
            )
        if counters["limit"] and not self._limit:
            voices = counters["limit"]
            lines.append(f"this computer keeps up with {voices} voices now: the quietest gave way; try more --threads")
        elif self._limit and not counters["limit"]:
            lines.append("all voices play again")
        self._problem, self._starved = problem, self._starved or counters["starved_frames"] > 0
        self._limit = counters["limit"]
        return lines


class StatusLine:
    """One line on stderr, and notes, which are lines of their own and stay. One thread.

    A terminal that has gone, or a pipe that nobody reads any more, is no reason to stop playing.
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = 0

    def show(self, text: str) -> None:
        """Rewrite the line."""
        if self._live:
            self._write("\r" + text.ljust(self._shown))
            self._shown = len(text)

    def note(self, text: str) -> None:
        """Say something that stays."""
        self.clear()
        self._write(text + "\n")

    def clear(self) -> None:
        """Wipe the line."""
        if self._shown:
            self._write("\r" + " " * self._shown + "\r")
            self._shown = 0

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
