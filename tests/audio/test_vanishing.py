"""A real server that dies, sleeps or returns under a stream; and a player that sleeps itself."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from tests.audio.player import apply, make_engine
from tests.audio.test_jack import playing
from tests.jack import Client, first_sound, server

EVENTS = [(0, "note_on", (60, 100)), (4_000, "note_on", (67, 40))]
GONE = "JACK Audio Connection Kit: system is gone: time and recording go on, waiting for it or another"
BACK = "JACK Audio Connection Kit: system is there again: playing on"


def hears_something(jackd, limit_s=20.0):
    """Seconds until a listener on the server hears the player."""
    began_s = time.monotonic()
    with Client(jackd) as client:
        client.hear("rtwave:out_0")
        while not client.recording().any():
            assert time.monotonic() - began_s < limit_s, "all was silent"
            time.sleep(0.01)
    return time.monotonic() - began_s


def assert_recorded_whole(path, report, start, rate):
    """The file holds what the engine renders, without a gap, up to the fade at the end."""
    recorded, _ = soundfile.read(path, dtype="float32")
    assert len(recorded) == report["frames"]
    engine = make_engine(rate)
    apply(engine, EVENTS, start)
    rendered = engine.render(len(recorded))
    recorded = recorded[first_sound(recorded) :]
    rendered = rendered[first_sound(rendered) :]
    whole = min(len(recorded), len(rendered)) - 32
    assert whole > rate
    assert np.array_equal(recorded[:whole], rendered[:whole])


def test_playing_resumes_each_time_the_server_returns_and_the_recording_has_no_gap(tmp_path):
    path = tmp_path / "take.wav"
    with server(16_000, 128) as jackd, playing(jackd, events=EVENTS, record=str(path)) as player:
        start = player.go()
        for _ in range(3):
            hears_something(jackd)
            jackd.kill()
            time.sleep(1.0)
            jackd.start()
            assert hears_something(jackd) < 10.0
        report = player.stop()
    assert report["notices"] == [GONE, BACK] * 3
    assert report["alive"]
    assert report["starved_frames"] == 0
    assert_recorded_whole(path, report, start, 16_000)


def test_server_that_stays_away_leaves_time_and_recording_running(tmp_path):
    path = tmp_path / "take.wav"
    with server(16_000, 128) as jackd, playing(jackd, events=EVENTS, record=str(path)) as player:
        start = player.go()
        jackd.kill()
        time.sleep(2.5)
        report = player.stop()
    assert report["notices"] == [GONE]
    assert not report["alive"]
    assert report["frames"] > 2.0 * 16_000
    assert_recorded_whole(path, report, start, 16_000)


def test_server_that_returns_at_another_rate_is_told_once_and_waited_for():
    with server(16_000, 128) as jackd, playing(jackd, events=EVENTS) as player:
        player.go()
        jackd.kill()
        jackd.rate = 48_000
        jackd.start()
        time.sleep(2.5)
        jackd.kill()
        jackd.rate = 16_000
        jackd.start()
        assert hears_something(jackd) < 10.0
        report = player.stop()
    gone, refused, back = report["notices"]
    assert (gone, back) == (GONE, BACK)
    assert "does not open at 16000 Hz: the JACK server runs at 48000 Hz" in refused


@pytest.mark.parametrize("who", ["player", "server"])
def test_three_seconds_of_sleep_are_survived(who, tmp_path):
    path = tmp_path / "take.wav"
    with server(16_000, 128) as jackd, playing(jackd, events=EVENTS, record=str(path)) as player:
        start = player.go()
        hears_something(jackd)
        sleeper = player.process if who == "player" else jackd.process
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(3.0)
        sleeper.send_signal(signal.SIGCONT)
        time.sleep(2.0)  # until what was cut off in between is settled
        assert hears_something(jackd) < 10.0
        time.sleep(1.5)
        report = player.stop()
    assert report["alive"]
    assert_recorded_whole(path, report, start, 16_000)


def test_server_that_sleeps_does_not_hold_up_the_end():
    with server(16_000, 128) as jackd, playing(jackd, events=EVENTS) as player:
        player.go()
        jackd.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(2.0)
            report = player.stop(limit_s=15.0)
        finally:
            jackd.process.send_signal(signal.SIGCONT)
    assert report["notices"] == [GONE]


def test_exit_is_clean_after_the_server_has_died():
    code = (
        "import sys\n"
        "from rtwave.audio.stream import Stream\n"
        "from tests.audio.player import make_engine\n"
        "stream = Stream(make_engine(16_000))\n"
        "stream.start()\n"
        "print('playing', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with server(16_000, 128) as jackd:
        arguments = [sys.executable, "-W", "error", "-c", code]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(arguments, env=jackd.environment, text=True, **pipes) as process:
            assert process.stdout.readline() == "playing\n"
            jackd.kill()
            _, errors = process.communicate("\n", timeout=20)
    assert (process.returncode, errors) == (0, "")
