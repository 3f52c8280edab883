"""The gate between device and stream, called as PortAudio and JACK call it."""

import ctypes
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from rtwave import _outlet
from rtwave._outlet import Outlet
from rtwave._stream import NativeStream
from tests.audio.source import RATE, Source, tone, wait_until
from tests.sanitizer import EXTENSIONS, run_under_thread_sanitizer

FRAMES = 64
POINTER = ctypes.c_void_p
PORTAUDIO = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, POINTER, ctypes.c_ulong, POINTER, ctypes.c_ulong, POINTER)(
    _outlet.PORTAUDIO
)
JACK_PROCESS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, POINTER)(_outlet.JACK_PROCESS)
JACK_LATE = ctypes.CFUNCTYPE(ctypes.c_int, POINTER)(_outlet.JACK_LATE)
JACK_DOWN = ctypes.CFUNCTYPE(None, POINTER)(_outlet.JACK_DOWN)
GET_BUFFER = ctypes.CFUNCTYPE(POINTER, POINTER, ctypes.c_uint32)

LATE_US = 700
"""How long after the start of its period the fake JACK calls."""


@ctypes.CFUNCTYPE(ctypes.c_uint64)
def fake_time():
    return time.monotonic_ns() // 1000


@ctypes.CFUNCTYPE(ctypes.c_int, POINTER, POINTER, *[ctypes.POINTER(ctypes.c_uint64)] * 2, POINTER)
def fake_cycle_times(_client, _frame, start_us, next_us, _period_us):
    start_us[0] = fake_time() - LATE_US
    next_us[0] = start_us[0] + round(1e6 * FRAMES / RATE)
    return 0


@pytest.fixture
def native():
    """A stream of two channels whose ring is full of tone."""
    stream = NativeStream(Source(), sample_rate=RATE, channels=2, target_frames=1024)
    producer = threading.Thread(target=stream.produce)
    producer.start()
    wait_until(lambda: stream.source.frames >= 1024)
    yield stream
    stream.stop()
    producer.join()


def call_portaudio(outlet, frames=FRAMES, status=0):
    output = np.full((frames, outlet.channels), np.nan, np.float32)
    assert PORTAUDIO(None, output.ctypes.data, frames, None, status, outlet.address) == 0
    return output


def call_jack(outlet, frames=FRAMES):
    buffers = np.full((outlet.channels, frames), np.nan, np.float32)
    get_buffer = GET_BUFFER(lambda port, _frames: buffers[port - 1].ctypes.data)
    called = (ctypes.cast(function, POINTER).value for function in (get_buffer, fake_cycle_times, fake_time))
    outlet.set_jack(0, *called, range(1, outlet.channels + 1))
    assert JACK_PROCESS(frames, outlet.address) == 0
    return buffers


def test_device_gets_silence_until_it_is_admitted_and_after_it_is_shut(native):
    outlet = Outlet(2)
    assert not call_portaudio(outlet).any()
    outlet.admit(native)
    heard = call_portaudio(outlet)
    outlet.shut()
    assert not call_portaudio(outlet).any()
    assert np.array_equal(heard, np.repeat(tone(FRAMES)[:, None], 2, axis=1))
    assert native.counters()["callbacks"] == 1


def test_jack_gets_every_channel_in_a_buffer_of_its_own(native):
    outlet = Outlet(2)
    assert not call_jack(outlet).any()
    outlet.admit(native)
    assert np.array_equal(call_jack(outlet), np.stack([tone(FRAMES)] * 2))


def test_jack_tells_when_a_frame_leaves_however_late_it_calls(native):
    outlet = Outlet(2)
    outlet.admit(native)
    now_ns = time.monotonic_ns()
    call_jack(outlet)
    assert native.frame_at(now_ns) == pytest.approx(LATE_US * 1e-6 * RATE, abs=0.002 * RATE)
    assert native.frame_at(now_ns + 10**7) - native.frame_at(now_ns) == pytest.approx(0.01 * RATE, rel=0.01)


def test_period_beyond_the_largest_ends_in_silence(native):
    outlet = Outlet(2)
    outlet.admit(native)
    assert not call_jack(outlet, 9_000)[:, 8_192:].any()


def test_late_period_of_jack_counts_once(native):
    outlet = Outlet(2)
    outlet.admit(native)
    JACK_LATE(outlet.address)
    call_jack(outlet)
    call_jack(outlet)
    assert native.counters()["underflows"] == 1
    call_portaudio(outlet, status=4)
    assert native.counters()["underflows"] == 2


def test_server_that_ends_is_noted():
    outlet = Outlet(1)
    assert not outlet.down
    JACK_DOWN(outlet.address)
    assert outlet.down


def test_shut_returns_only_once_the_device_has_left(native):
    """A callback of a device runs on while its outlet is shut: it must have ended when `shut` returns."""
    outlet = Outlet(2)
    going = threading.Event()

    def device():
        while not going.is_set():
            call_portaudio(outlet, 8)

    thread = threading.Thread(target=device)
    thread.start()
    try:
        for _ in range(50):
            outlet.admit(native)
            time.sleep(0.001)
            outlet.shut()
            callbacks = native.counters()["callbacks"]
            time.sleep(0.001)
            assert native.counters()["callbacks"] == callbacks
    finally:
        going.set()
        thread.join()


@pytest.mark.parametrize("channels", [0, 65])
def test_impossible_channels_are_refused(channels):
    with pytest.raises(ValueError, match="expected 1 to 64"):
        Outlet(channels)


def run_stress(folder, *flags):
    sources = [Path(__file__).with_name("outlet_stress.c"), EXTENSIONS / "outlet.c"]
    return run_under_thread_sanitizer(folder, sources, *flags)


def test_thread_sanitizer_finds_no_race_at_the_gate(tmp_path):
    result = run_stress(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_thread_sanitizer_finds_a_planted_race(tmp_path):
    result = run_stress(tmp_path, "-DPLANTED_RACE")
    assert result.returncode != 0
    assert "data race" in result.stderr
