"""Live playing: every message reaches the rack at its moment, and the take gives back the very samples."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from rtwave.audio.stream import Stream
from rtwave.engine.commands import NoteOff
from rtwave.engine.rack import MAX_ENGINES
from rtwave.errors import RtwaveError
from rtwave.instrument.live import Live
from rtwave.instrument.messages import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, PROGRAM_CHANGE, Message, Parser
from rtwave.instrument.performance import Performance
from rtwave.instrument.render import render_midi
from rtwave.instrument.scores import read_score
from rtwave.instrument.settings import Settings, VoiceLimit
from rtwave.instrument.take import Take
from tests.audio.source import DEEP_MS

from .sitting import Sitting


def play_at_random(sitting, seed, blocks, programs=0, program_blocks=10):
    """Random messages between blocks of random sizes; another of so many programs every `program_blocks`."""
    random = np.random.default_rng(seed)
    parser = Parser()
    for block in range(blocks):
        status = random.choice([0x90, 0x90, 0x80, 0xB0, 0xE0, 0xD0]) | random.integers(16)
        for message in parser.feed([int(status), *random.integers(0, 128, 12).tolist()]):
            if message.kind != CONTROL_CHANGE or message.data1 not in (120, 121):
                sitting.live.hear(message)
        if programs and block % program_blocks == program_blocks - 1:
            sitting.hear(PROGRAM_CHANGE, (block // program_blocks) % programs)
        sitting.render(int(random.integers(1, 700)))


def test_random_messages_played_live_render_the_same_from_the_take(bell, tmp_path):
    sitting = Sitting(Settings(preset=str(bell), seed=9, tune_hz=442.5, velocity_curve=0.7))
    play_at_random(sitting, 3, 60)
    assert sitting.same_from_take(tmp_path / "take.mid")


@pytest.mark.parametrize("constant_s", [0.0, 0.01])
@pytest.mark.parametrize("sample_rate", [16_000, 44_100, 48_000])
def test_changes_of_preset_and_limits_render_the_same_from_the_take(bell, drum, tmp_path, sample_rate, constant_s):
    sitting = Sitting(Settings(preset=str(bell), seed=2, sample_rate=sample_rate), [bell, drum], constant_s)
    play_at_random(sitting, 5, 25, programs=2)
    sitting.performance.rack.native.limit(2)
    play_at_random(sitting, 6, 15, programs=2)
    assert sitting.same_from_take(tmp_path / "take.mid")
    events = [event for _, event in read_score(tmp_path / "take.mid").events]
    assert [event.preset for event in events if isinstance(event, Settings)] == [str(drum), str(bell)]
    assert any(isinstance(event, VoiceLimit) for event in events)


@pytest.mark.parametrize("sample_rate", [16_000, 96_000])
def test_more_presets_in_quick_succession_than_sound_at_once_render_the_same(bell, drum, tmp_path, sample_rate):
    sitting = Sitting(Settings(preset=str(bell), sample_rate=sample_rate), [bell, drum], 0.002)
    play_at_random(sitting, 1, 40, programs=2, program_blocks=3)
    assert sitting.same_from_take(tmp_path / "take.mid")
    events = [event for _, event in read_score(tmp_path / "take.mid").events]
    assert sum(isinstance(event, Settings) for event in events) > 2 * MAX_ENGINES


def test_a_take_with_changes_of_preset_renders_otherwise_where_asked(bell, drum, tmp_path):
    sitting = Sitting(Settings(preset=str(bell)), [bell, drum])
    play_at_random(sitting, 5, 25, programs=2)
    assert sitting.same_from_take(tmp_path / "take.mid")
    assert not sitting.same_from_take(tmp_path / "take.mid", temperature=1.2)
    assert not sitting.same_from_take(tmp_path / "take.mid", preset=bell)


def test_old_notes_ring_on_while_another_preset_plays(bell, drum):
    sitting = Sitting(Settings(preset=str(bell)), [bell, drum])
    sitting.hear(NOTE_ON, 60, 100)
    sitting.render(2_000)
    sitting.hear(PROGRAM_CHANGE, 1)
    sitting.hear(NOTE_ON, 64, 100)
    sitting.render(2_000)
    assert [engine.active_voices for engine in sitting.performance.rack.engines] == [1, 1]
    assert sitting.told == [f"program 1: {drum.name}"]
    sitting.hear(NOTE_OFF, 60, 0, NOTE_OFF, 64, 0)
    for _ in range(60):
        sitting.render(2_000)
    assert len(sitting.performance.rack.engines) == 1
    assert sitting.performance.preset.name == drum.name


def test_events_sound_at_their_arrival_plus_a_constant(bell, tmp_path):
    performance = Performance(Settings(preset=str(bell)))
    take = Take(performance.settings)
    live = Live(performance, take, lambda time_ns: time_ns * 1e-9 + 0.0125)
    for time_ns in (0, 1_000_000, 30_000_000):
        live.hear(Message(NOTE_ON, 0, 60, 64), time_ns)
    performance.rack.render(16_000)
    live.settle()
    take.save(tmp_path / "take.mid", 1.0)
    assert [seconds for seconds, _ in read_score(tmp_path / "take.mid").events] == [0.0125, 0.0135, 0.0425]


def test_what_comes_too_late_sounds_at_once_and_the_take_knows(bell, tmp_path):
    performance = Performance(Settings(preset=str(bell)))
    take = Take(performance.settings)
    live = Live(performance, take, lambda _: 0.25)
    performance.rack.render(8_000)
    live.hear(Message(NOTE_ON, 0, 60, 64))
    performance.rack.render(8_000)
    live.settle()
    take.save(tmp_path / "take.mid", 1.0)
    assert [seconds for seconds, _ in read_score(tmp_path / "take.mid").events] == [0.5]


class FullRack:
    """A rack whose queue is full until somebody renders."""

    seconds, engines, engine = 0.0, (), SimpleNamespace(model_rate=16_000)

    def __init__(self):
        self.room = threading.Event()
        self.submitted = []

    def submit(self, commands, at_s, tag):
        if not self.room.is_set():
            raise RtwaveError("command queue is full")
        self.submitted += commands


def test_note_off_waits_for_room_in_a_full_queue(bell):
    performance = Performance(Settings(preset=str(bell)))
    performance.rack = rack = FullRack()
    live = Live(performance)
    threading.Timer(0.02, rack.room.set).start()
    for message in Parser().feed(bytes.fromhex("90 3c 40 80 3c 00")):
        live.hear(message)
    assert rack.submitted[-1] == NoteOff(60)


def test_what_was_heard_on_a_running_stream_renders_the_same_from_the_take(bell, drum, tmp_path):
    settings = Settings(preset=str(bell), seed=4, sample_rate=48_000)
    sitting = Sitting(settings, [bell, drum], constant_s=0.02)
    rack = sitting.performance.rack
    random = np.random.default_rng(8)
    with Stream(rack, "null", latency_ms=DEEP_MS, record=tmp_path / "heard.wav") as stream:
        for event in range(60):
            key = int(random.integers(40, 90))
            sitting.hear(NOTE_ON, key, 90, *((PROGRAM_CHANGE, event // 20 % 2) if event % 20 == 0 else ()))
            time.sleep(0.01)
            sitting.hear(NOTE_OFF, key, 0, CONTROL_CHANGE, 1, key)
            sitting.live.settle()
        time.sleep(0.1)
        sitting.live.settle()
        assert stream.counters()["starved_frames"] == 0
    heard, _ = soundfile.read(tmp_path / "heard.wav", dtype="float32")
    sitting.take.save(tmp_path / "take.mid", rack.seconds)
    rendered = render_midi(tmp_path / "take.mid")
    sure = len(heard) - 2_400  # the stream fades out as it stops
    assert np.abs(heard).max() > 0.01
    assert np.array_equal(heard[:sure], rendered[:sure])
