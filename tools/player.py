"""`rtwave play` as a program under test, on a JACK server: started, listened to, and asked for its counters."""

import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.cli.programs import Program, started
from tests.jack import Server

sys.setswitchinterval(1e-4)  # the listener's callback is Python, too: whatever else runs here must not make it late

HOGGED = Path(__file__).with_name("hogged.py")

MIDI_PORT = "listener"
"""The client of tests/jack.py, which sends the notes."""


@contextlib.contextmanager
def playing(jackd: Server, *options: object, hogged: bool = False) -> Iterator[Program]:
    """`rtwave play` once it listens to that client; `hogged`: two threads keep its interpreter busy."""
    always = ["--device", "jack", "--midi-port", MIDI_PORT, "--json"]
    program = (HOGGED,) if hogged else ("-m", "rtwave")
    with started("play", *always, *options, program=program, env=jackd.environment) as running:
        running.wait_for("Ctrl-C ends")
        yield running


def end(program: Program) -> dict:
    """Ends it as a player does; gives its counters."""
    code = program.end(signal.SIGINT)
    if code:
        raise SystemExit("\n".join([*program.lines, f"rtwave play ended with status {code}"]))
    return json.loads(program.output())
