"""A player at a JACK server, who is recorded and whose take is kept; and what must hold of both, whatever happened."""

import contextlib
import signal
from pathlib import Path

import numpy as np
import soundfile

from rtwave.instrument.messages import Message
from rtwave.instrument.render import render_midi
from rtwave.instrument.scores import read_score

from ..jack import Client, Server
from .programs import Program, started

CHORD_KEYS = [48, 60, 67]
CHORD = [(0.1 * index, bytes([0x90, key, 100])) for index, key in enumerate(CHORD_KEYS)]
"""Keys that are held: (seconds, message)."""

RECORDING, TAKE = "recording.wav", "take.mid"


@contextlib.contextmanager
def sitting(jackd: Server, preset: Path, folder: Path, *options: object):
    """`rtwave play` that listens to the server's `listener`, recorded in `folder`, once it plays."""
    records = ["--record", folder / RECORDING, "--record-midi", folder / TAKE]
    place = ["--device", "jack", "--midi-port", "listener", "--latency-ms", 60]
    with started("play", "--preset", preset, *place, *records, *options, env=jackd.environment) as program:
        program.wait_for("Ctrl-C ends")
        yield program


def play(client: Client, events: list[tuple[float, bytes]], tail_s: float = 0.3) -> None:
    """Send messages at these seconds from now, and return `tail_s` after the last."""
    start = client.frame + client.rate // 10
    client.send([(start + round(at_s * client.rate), message) for at_s, message in events])
    client.wait_for_frames(start + round((events[-1][0] + tail_s) * client.rate))


def end(program: Program) -> None:
    """Ctrl-C, and no break in the sound until then."""
    assert program.end(signal.SIGINT) == 0
    assert "0 starved frames" in program.lines[-1], program.lines


def recorded_whole(folder: Path, rate: int) -> np.ndarray:
    """What was recorded, having checked that it sounds and is what the take renders to, to the bit."""
    recorded, sample_rate = soundfile.read(folder / RECORDING, dtype="float32")
    assert sample_rate == rate
    assert np.abs(recorded).max() > 0.01
    rendered = render_midi(folder / TAKE)
    frames = min(len(recorded), len(rendered)) - 64  # the stream's own fade
    assert np.array_equal(recorded[:frames], rendered[:frames])
    assert not recorded[len(rendered) :].any()
    return recorded


def noted(folder: Path) -> list[tuple[float, bytes]]:
    """The take's messages and their seconds, as they were sent."""
    events = [(at_s, event) for at_s, event in read_score(folder / TAKE).events if isinstance(event, Message)]
    return [(at_s, bytes([event.kind | event.channel, event.data1, event.data2])) for at_s, event in events]


def loudest(recorded: np.ndarray, rate: int, from_s: float, to_s: float) -> float:
    """The highest sample between two seconds."""
    return float(np.abs(recorded[round(from_s * rate) : round(to_s * rate)]).max())
