"""rtwave with two threads beside it that never rest, in the same interpreter: `python tools/hogged.py play --demo`."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rtwave.cli.main import run


def count() -> None:
    """Hold the interpreter for as long as it lets a thread: one bytecode after another."""
    number = 0
    while True:
        number += 1


def sort() -> None:
    """Hold it for longer: one call that is not interrupted."""
    while True:
        sorted(range(60_000), key=lambda number: -number)


if __name__ == "__main__":
    for body in (count, sort):
        threading.Thread(target=body, daemon=True).start()
    sys.exit(run(sys.argv[1:]))
