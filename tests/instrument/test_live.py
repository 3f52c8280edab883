"""Live playing: every message reaches the engine, and the take knows its frame."""

import threading

import numpy as np
import pytest

from rtwave.engine.commands import NoteOff
from rtwave.errors import RtwaveError
from rtwave.instrument.live import Live
from rtwave.instrument.messages import Parser
from rtwave.instrument.performance import Performance
from rtwave.instrument.performer import Performer
from rtwave.instrument.render import render_midi
from rtwave.instrument.scores import Settings, Take


def test_random_bytes_played_live_render_the_same_from_the_take(bell, tmp_path):
    random = np.random.default_rng(3)
    performance = Performance(Settings(preset=str(bell), seed=9))
    engine = performance.engine
    take = Take(engine.model_rate, performance.settings)
    live = Live(engine, performance.performer, take)
    parser = Parser()
    blocks = []
    for _ in range(60):
        status = random.choice([0x90, 0x80, 0xB0, 0xE0]) | random.integers(16)
        for message in parser.feed([int(status), *random.integers(0, 256, 24).tolist()]):
            live.hear(message)
        blocks.append(engine.render(int(random.integers(1, 500))))
        live.settle()
    played = np.concatenate(blocks)
    take.save(tmp_path / "take.mid", engine.frame)
    rendered = render_midi(tmp_path / "take.mid")
    assert np.abs(played).max() > 0.01
    assert np.array_equal(played, rendered[: len(played)])


class FullEngine:
    """An engine whose queue is full until somebody renders."""

    def __init__(self):
        self.room = threading.Event()
        self.submitted = []

    def submit(self, commands, tag=0):
        if not self.room.is_set():
            raise RtwaveError("command queue is full")
        self.submitted += commands


@pytest.mark.parametrize("room_after_s", [0.02])
def test_note_off_waits_for_room_in_a_full_queue(room_after_s):
    engine = FullEngine()
    live = Live(engine, Performer(temperature=0.3, temperature_range=(0.0, 1.0)))
    threading.Timer(room_after_s, engine.room.set).start()
    for message in Parser().feed(bytes.fromhex("90 3c 40 80 3c 00")):
        live.hear(message)
    assert engine.submitted[-1] == NoteOff(60)
