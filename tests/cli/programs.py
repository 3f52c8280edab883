"""Running `rtwave` as a program of its own, as a player does."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

LIMIT_S = 60.0


class Program:
    """A running command line whose stderr is gathered line by line."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def said(self, words: str) -> list[str]:
        """The lines so far that contain `words`."""
        return [line for line in list(self.lines) if words in line]

    def wait_for(self, words: str, times: int = 1) -> str:
        """The line that contains `words` for the so-manieth time, once it has been said."""
        deadline_s = time.monotonic() + LIMIT_S
        while len(self.said(words)) < times:
            assert time.monotonic() < deadline_s, f"never said {words!r}: {self.lines}"
            assert self._reader.is_alive() or len(self.said(words)) >= times, self.lines
            time.sleep(0.01)
        return self.said(words)[times - 1]

    def output(self) -> str:
        """All of stdout, once the program has ended."""
        return self.process.stdout.read()

    def end(self, number: int | None = None) -> int:
        """Send a signal, if any, and return the exit code."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(LIMIT_S)
        self._reader.join()
        return code


@contextlib.contextmanager
def started(
    *arguments: object,
    program: tuple[object, ...] = ("-m", "rtwave"),
    env: dict[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
) -> Iterator[Program]:
    """`rtwave`, or another `program` of Python's, with these arguments; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, *map(str, [*program, *arguments])],
        env=env or dict(os.environ),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Program(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
