import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from rtwave.audio import devices, portaudio
from rtwave.audio.devices import OutputDevice
from rtwave.audio.latency import LatencyController
from rtwave.audio.stream import Stream
from rtwave.engine.commands import NoteOn
from rtwave.engine.engine import Engine
from rtwave.engine.rack import Rack
from rtwave.errors import RtwaveError
from tests.audio.source import DEEP_MS, RATE, ToneEngine, tone, wait_until
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
    with Stream(engine, "null", latency_ms=DEEP_MS, record=tmp_path / "take.wav") as stream:
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


def test_rack_is_played_as_it_is(tmp_path):
    rack = Rack(Engine(small_weights(), seed=3), sample_rate=48_000)
    rack.submit([NoteOn(60, 100)], at_s=0.01, tag=5)
    with Stream(rack, "null", record=tmp_path / "take.wav", record_format="pcm16") as stream:
        assert (stream.rack, stream.sample_rate) == (rack, 48_000)
        wait_until(lambda: sent_frames(stream) > 4_800)
    assert rack.applied() == [(5, pytest.approx(0.01, abs=1e-4))]
    assert soundfile.info(tmp_path / "take.wav").subtype == "PCM_16"


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_recording_is_whole_after_stop(tmp_path, suffix):
    path = tmp_path / f"take{suffix}"
    with Stream(ToneEngine(), "null", latency_ms=100.0, record=path) as stream:
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


def test_counters_tell_chunk_times_and_shares():
    engine = ToneEngine()
    with Stream(engine, "null") as stream:
        engine.native.wait_for(RATE // 4)
        counters = stream.counters()
    assert counters["peak"] == pytest.approx(0.5, abs=0.01)
    assert counters["cpu_share"] > 0.0
    assert 0.0 < counters["chunk_us"]["p50"] <= counters["chunk_us"]["p99"] <= counters["chunk_us"]["max"]
    assert counters["callbacks"] * 128 >= counters["frames"]
    assert counters["dropped_commands"] == counters["record_dropped_frames"] == 0


def test_stop_ends_every_thread_and_can_be_called_twice():
    before = threading.active_count()
    stream = Stream(ToneEngine(), "null")
    stream.start()
    assert threading.active_count() == before + 2  # producer and clock
    stream.stop()
    stream.stop()
    assert threading.active_count() == before


def test_stream_that_never_started_can_be_stopped_and_leaves_an_earlier_recording_alone(tmp_path):
    (tmp_path / "take.wav").write_bytes(b"precious")
    Stream(ToneEngine(), "null", record=tmp_path / "take.wav").stop()
    assert (tmp_path / "take.wav").read_bytes() == b"precious"


class PlannedOutput:
    """A PortAudio stream that opens and starts, and asks for sound only when told."""

    latency, active = 0.01, True

    def __init__(self, *_, **__):
        self.closed = False

    def start(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def planned_output(monkeypatch):
    """Streams on CARD get this output instead of PortAudio's."""
    output = PlannedOutput()
    library = SimpleNamespace(
        _StreamBase=lambda *_, **__: output, _ffi=SimpleNamespace(cast=lambda *_: None), PortAudioError=OSError
    )
    monkeypatch.setattr(portaudio, "library", lambda: library)
    monkeypatch.setattr(devices, "list_devices", list)
    return output


CARD = OutputDevice("card", "ALSA", 0, RATE, 2)


def test_device_that_never_asks_for_sound_is_replaced_by_the_clock(planned_output):
    with Stream(ToneEngine(), CARD) as stream:
        assert stream.alive
        wait_until(lambda: not stream.alive)
        assert stream.notice() == ["ALSA: card is gone: time and recording go on, waiting for it or another"]
        assert stream.notice() == []
        wait_until(lambda: sent_frames(stream) > RATE // 4)
    assert planned_output.closed


def test_device_that_gives_up_is_replaced_at_once(planned_output):
    with Stream(ToneEngine(), CARD) as stream:
        planned_output.active = False
        began_s = time.monotonic()
        wait_until(lambda: not stream.alive)
    assert time.monotonic() - began_s < 0.9


def test_playing_resumes_on_the_device_that_returns(planned_output, monkeypatch):
    with Stream(ToneEngine(), CARD) as stream:
        planned_output.active = False
        wait_until(lambda: not stream.alive)
        planned_output.active = True
        monkeypatch.setattr(devices, "list_devices", lambda: [CARD])
        wait_until(lambda: stream.alive)
        assert stream.notice()[-1] == "ALSA: card is there again: playing on"


def test_playing_resumes_on_another_device_when_the_own_one_stays_away(planned_output, monkeypatch):
    monkeypatch.setattr("rtwave.audio.keeper._OTHERS_S", 0.0)
    with Stream(ToneEngine(), CARD) as stream:
        planned_output.active = False
        wait_until(lambda: not stream.alive)
        planned_output.active = True
        monkeypatch.setattr(devices, "list_devices", lambda: [OutputDevice("speaker", "ALSA", 1, RATE, 2)])
        wait_until(lambda: stream.alive)
        assert stream.notice()[-1] == "ALSA: speaker takes its place: playing on"
        assert stream.description == "ALSA: speaker"


def test_stream_that_is_dropped_lets_go_of_its_device(planned_output):
    stream = Stream(ToneEngine(), CARD)
    assert planned_output in portaudio.open_outputs
    del stream
    wait_until(lambda: planned_output not in portaudio.open_outputs)
    assert planned_output.closed


def test_event_sounds_a_constant_after_its_arrival():
    with Stream(ToneEngine(), "null", latency_ms=20.0) as stream:
        wait_until(lambda: sent_frames(stream) > 2_000)
        now_ns = time.monotonic_ns()
        seconds = [stream.event_second(now_ns + delay_ns) for delay_ns in range(0, 8_000_000, 1_000_000)]
    steps = np.diff(seconds)
    assert steps == pytest.approx(0.001, abs=0.0002)


def test_event_that_arrives_out_of_order_sounds_in_order():
    with Stream(ToneEngine(), "null") as stream:
        wait_until(lambda: sent_frames(stream) > 2_000)
        now_ns = time.monotonic_ns()
        assert stream.event_second(now_ns - 10**9) >= stream.event_second(now_ns - 2 * 10**9)
        later = stream.event_second(now_ns)
        assert stream.event_second(now_ns - 10**9) == later


def test_event_while_the_device_stands_still_sounds_soon_after_it_goes_on(planned_output):
    with Stream(ToneEngine(), CARD, latency_ms=8.0) as stream:
        rendered_s = stream.counters()["target_frames"] / RATE
        assert stream.event_second(time.monotonic_ns() + 10**10) <= rendered_s + 0.030


def test_latency_shrinks_while_the_ring_stays_full(monkeypatch):
    monkeypatch.setattr("rtwave.audio.latency._WINDOW_S", 1)
    with Stream(ToneEngine(), "null", block_size=16) as stream:
        before_ms = stream.latency_ms
        stream._latency = LatencyController(RATE, 16)

        def shrunk():
            time.sleep(0.02)
            stream.tend()
            return stream.latency_ms < before_ms

        wait_until(shrunk)


def test_latency_that_was_asked_for_stays():
    with Stream(ToneEngine(), "null", latency_ms=50.0) as stream:
        for _ in range(3):
            stream.tend()
        assert stream.latency_ms == 50.0


def test_refused_priority_is_told_with_rtkits_reason(monkeypatch):
    native = SimpleNamespace(counters=lambda: {"priority": 1, "producer_tid": 5, "memory_locked": 0})
    monkeypatch.setattr("rtwave.audio.rtkit.make_realtime", lambda thread: f"no rtkit for {thread}")
    stream = Stream(ToneEngine(), "null")
    stream._native, kept = native, stream._native
    priority, memory = stream._take_priority()
    stream._native = kept
    assert priority.startswith("no real-time priority (SCHED_FIFO; no rtkit for 5), only a raised one")
    assert "locked in memory" in memory


@pytest.mark.parametrize("locked", [True, False])
def test_an_engine_that_is_not_locked_in_memory_is_told(monkeypatch, locked):
    monkeypatch.setattr("rtwave.audio.rtkit.make_realtime", lambda thread: None)
    monkeypatch.setattr(ToneEngine, "memory_locked", locked)
    with Stream(ToneEngine(), "null") as stream:
        assert any("locked in memory" in note for note in stream.notes) != locked


@pytest.mark.parametrize("options", [{"block_size": 1}, {"block_size": 10_000}, {"latency_ms": -1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(RtwaveError, match="expected"):
        Stream(ToneEngine(), "null", **options)
