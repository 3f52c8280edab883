import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from rtwave.audio import devices
from rtwave.audio.devices import OutputDevice
from rtwave.audio.stream import Stream
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError
from tests.audio.source import RATE, ToneEngine, tone, wait_until
from tests.small_preset import small_weights


def sent_frames(stream):
    return stream.counters()["frames"]


def test_null_output_keeps_real_time():
    stream = Stream(ToneEngine(), "null")
    assert stream.description == "null output"
    begin_s = time.monotonic()
    with stream:
        wait_until(lambda: sent_frames(stream) > RATE // 2)
        frames, elapsed_s = sent_frames(stream), time.monotonic() - begin_s
    assert frames <= elapsed_s * RATE + stream.block_size


def test_null_output_plays_what_the_engine_renders(tmp_path):
    engine = Engine(small_weights(), seed=3, sample_rate=48_000)
    engine.note_on(60, 100, at=0)
    with Stream(engine, "null", record=tmp_path / "take.wav") as stream:
        wait_until(lambda: sent_frames(stream) > 24_000)
    again = Engine(small_weights(), seed=3, sample_rate=48_000)
    again.note_on(60, 100, at=0)
    recorded, _ = soundfile.read(tmp_path / "take.wav", dtype="float32")
    assert stream.counters()["starved_frames"] == 0
    whole = len(recorded) - 32  # stop fades out
    assert whole > 24_000
    assert np.array_equal(recorded[:whole], again.render(whole))


def test_live_commands_reach_the_engine():
    engine = Engine(small_weights(), seed=3)
    with Stream(engine, "null"):
        engine.note_on(60, 100, tag=5)
        echoes = []
        wait_until(lambda: echoes.extend(engine.applied()) or echoes)
    assert echoes[0][0] == 5


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_recording_is_whole_after_stop(tmp_path, suffix):
    path = tmp_path / f"take{suffix}"
    with Stream(ToneEngine(), "null", record=path) as stream:
        wait_until(lambda: sent_frames(stream) > RATE // 4)
    samples, rate = soundfile.read(path, dtype="float32")
    whole = len(samples) - 32
    assert (rate, len(samples)) == (RATE, sent_frames(stream))
    assert np.abs(samples[:whole] - tone(whole)).max() <= (0.0 if suffix == ".wav" else 2.0**-24)
    assert stream.problem is None


def test_unwritable_recording_does_not_stop_the_music(tmp_path):
    with Stream(ToneEngine(), "null", record=tmp_path / "missing" / "take.wav") as stream:
        wait_until(lambda: sent_frames(stream) > 1000)
        assert stream.problem.endswith("nothing is recorded, the music goes on")


def test_latency_sets_the_ring_fill_but_never_below_two_blocks():
    def target(**options):
        return Stream(ToneEngine(), "null", **options).counters()["target_frames"]

    assert target(latency_ms=50.0) == 800
    assert target(latency_ms=0.0, block_size=64) == 128
    assert target(block_size=256) == 512


def test_counters_tell_step_times_and_shares():
    engine = ToneEngine()
    with Stream(engine, "null") as stream:
        engine.native.wait_for(RATE // 4)
        counters = stream.counters()
    assert counters["peak"] == pytest.approx(0.5, abs=0.01)
    assert counters["cpu_share"] > 0.0
    assert 0.0 < counters["step_us"]["p50"] <= counters["step_us"]["p99"] <= counters["step_us"]["max"]
    assert counters["callbacks"] * 128 >= counters["frames"]
    assert counters["dropped_commands"] == counters["record_dropped_frames"] == 0


def test_stop_ends_every_thread_and_can_be_called_twice():
    before = threading.active_count()
    stream = Stream(ToneEngine(), "null")
    stream.start()
    assert threading.active_count() == before + 2
    stream.stop()
    stream.stop()
    assert threading.active_count() == before


def test_stream_that_never_started_can_be_stopped(tmp_path):
    Stream(ToneEngine(), "null", record=tmp_path / "take.wav").stop()
    assert soundfile.info(tmp_path / "take.wav").frames == 0


class DeadOutput:
    """A PortAudio stream that opens and starts, and never asks for sound."""

    latency = 0.01

    def __init__(self, *_, **__):
        self.closed = False

    def start(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def dead_output(monkeypatch):
    """Streams on DEAD get this output instead of PortAudio's."""
    output = DeadOutput()
    portaudio = SimpleNamespace(
        _StreamBase=lambda *_, **__: output, _ffi=SimpleNamespace(cast=lambda *_: None), PortAudioError=OSError
    )
    monkeypatch.setattr(devices, "portaudio", lambda: portaudio)
    return output


DEAD = OutputDevice("dead", "ALSA", 0, RATE, 2)


def test_device_that_never_asks_for_sound_is_told(dead_output):
    with Stream(ToneEngine(), DEAD) as stream:
        assert stream.alive
        wait_until(lambda: not stream.alive)
        assert stream.problem.startswith("ALSA: dead asks for no sound: ")
    assert dead_output.closed


def test_stream_that_is_dropped_lets_go_of_its_device(dead_output):
    stream = Stream(ToneEngine(), DEAD)
    assert dead_output in devices.open_streams
    del stream
    wait_until(lambda: dead_output not in devices.open_streams)
    assert dead_output.closed


def test_recorder_that_fails_lets_go_of_the_device(dead_output, monkeypatch, tmp_path):
    monkeypatch.setattr("rtwave.audio.stream.Recorder", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Stream(ToneEngine(), DEAD, record=tmp_path / "take.wav")
    assert dead_output.closed


@pytest.mark.parametrize("options", [{"block_size": 1}, {"block_size": 10_000}, {"latency_ms": -1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(RtwaveError, match="expected"):
        Stream(ToneEngine(), "null", **options)
