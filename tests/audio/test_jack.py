"""The whole way to a real server: engine, ring, callback, PortAudio, JACK, and a client that listens."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.player import apply, make_engine
from tests.audio.source import DEEP_MS
from tests.jack import Client, first_sound, server

ROOT = Path(__file__).parents[2]
EVENTS = [
    (0, "note_on", (60, 100)),
    (1_234, "note_on", (67, 40)),
    (5_000, "control", ("bend", 1.5)),
    (9_001, "note_off", (60,)),
    (9_001, "note_on", (72, 127)),
    (16_000, "all_notes_off", ()),
]
SECONDS = 2.0


class Player:
    """tests/audio/player.py in its process."""

    def __init__(self, jackd, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.audio.player", json.dumps(options)],
            cwd=ROOT,
            env=jackd.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.line() == "playing"

    def line(self):
        line = self.process.stdout.readline().strip()
        return line or pytest.fail(self.process.stderr.read())

    def go(self):
        """Start the music; the engine's frame from which events count."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return int(self.line())

    def stop(self, limit_s=30.0):
        """End it; its report. What it wrote to stderr stays in `errors`."""
        output, self.errors = self.process.communicate("stop\n", timeout=limit_s)
        assert self.process.returncode == 0, self.errors
        return json.loads(output)


@contextlib.contextmanager
def playing(jackd, **options):
    player = Player(jackd, sample_rate=jackd.rate, **options)
    try:
        yield player
    finally:
        player.process.kill()
        player.process.communicate()


def take(jackd, seconds=SECONDS, events=EVENTS, **options):
    """Play events on the server: what a listener recorded from the first sound on, what `render` gives, the report."""
    with playing(jackd, events=events, **options) as player, Client(jackd) as client:
        client.hear("rtwave:out_0")
        start = player.go()
        client.wait_for_frames(client.frame + int((seconds + 0.5) * jackd.rate))
        heard, missed = client.recording(), client.missed_frames
        report = player.stop()
    assert missed == 0, "the listener itself was too late; nothing can be said"
    engine = make_engine(jackd.rate)
    apply(engine, events, start)
    lead = start * jackd.rate // engine.model_rate
    rendered = engine.render(lead + int(seconds * jackd.rate))
    heard, rendered = heard[first_sound(heard) :], rendered[first_sound(rendered) :]
    return heard[: len(rendered)], rendered[: len(heard)], report


@pytest.mark.parametrize(("rate", "period"), [(16_000, 128), (48_000, 128), (44_100, 256)])
def test_jack_hears_what_render_gives_bit_for_bit(rate, period):
    with server(rate, period) as jackd:
        heard, rendered, report = take(jackd, latency_ms=DEEP_MS)
    assert report["starved_frames"] == 0
    assert len(rendered) > rate
    assert np.array_equal(heard, rendered)
    assert report["description"] == "JACK Audio Connection Kit: system"
    assert report["problem"] is None


def test_busy_interpreter_starves_no_frame():
    with server(48_000, 128) as jackd:
        heard, rendered, report = take(jackd, seconds=5.0, busy=True)
    assert report["starved_frames"] == 0
    assert np.array_equal(heard, rendered)


@pytest.mark.parametrize(("suffix", "error"), [(".wav", 0.0), (".flac", 2.0**-24)])
def test_recorded_file_holds_what_jack_heard(tmp_path, suffix, error):
    path = tmp_path / f"take{suffix}"
    with server(48_000, 128) as jackd:
        heard, _, report = take(jackd, record=str(path))
    recorded, rate = soundfile.read(path, dtype="float32")
    assert rate == 48_000
    assert len(recorded) == report["frames"]
    recorded = recorded[first_sound(recorded) :]
    assert np.abs(recorded[: len(heard)] - heard).max() <= error


def test_killed_player_leaves_a_whole_file(tmp_path):
    path = tmp_path / "take.wav"
    with (
        server(16_000, 128) as jackd,
        playing(jackd, events=EVENTS, record=str(path)) as player,
        Client(jackd) as client,
    ):
        player.go()
        client.wait_for_frames(client.frame + 2 * jackd.rate)
        player.process.kill()
        player.process.wait()
    recorded, _ = soundfile.read(path, dtype="float32")
    assert len(recorded) > jackd.rate
    assert recorded.any()


def test_unwritable_recording_is_one_line_and_the_music_goes_on(tmp_path):
    path = str(tmp_path / "missing" / "take.wav")
    with server(48_000, 128) as jackd:
        heard, rendered, report = take(jackd, seconds=1.0, latency_ms=DEEP_MS, record=path)
    assert report["problem"].endswith("No such file or directory; nothing is recorded, the music goes on")
    assert np.array_equal(heard, rendered)


def test_server_that_dies_does_not_hold_up_the_end(tmp_path):
    path = tmp_path / "take.wav"
    with server(48_000, 128) as jackd, playing(jackd, events=EVENTS, record=str(path)) as player:
        player.go()
        jackd.kill()
        player.process.stdin.write("\n")
        report = player.stop()
    assert report["callbacks"] > 0
    assert len(soundfile.read(path)[0]) == report["frames"]


def test_wrong_rate_is_an_error_that_names_the_device_and_keeps_an_older_take(tmp_path):
    path = tmp_path / "take.wav"
    path.write_bytes(b"an older take")
    with server(48_000, 128) as jackd:
        result = subprocess.run(
            [sys.executable, "-m", "tests.audio.player", json.dumps({"sample_rate": 44_100, "record": str(path)})],
            cwd=ROOT,
            env=jackd.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert "RtwaveError: JACK Audio Connection Kit: system does not open at 44100 Hz: " in result.stderr
    assert "choose one of: 0 JACK Audio Connection Kit: system" in result.stderr
    assert path.read_bytes() == b"an older take"


def test_player_that_forgets_to_stop_ends_with_a_whole_recording(tmp_path):
    path = tmp_path / "take.wav"
    code = (
        "import sys, time\n"
        "from rtwave.audio.stream import Stream\n"
        "from tests.audio.player import make_engine\n"
        "Stream(make_engine(48_000), record=sys.argv[1]).start()\n"
        "time.sleep(0.5)\n"
    )
    with server(48_000, 128) as jackd:
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, str(path)],
            cwd=ROOT,
            env=jackd.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (result.returncode, result.stderr) == (0, "")
    assert soundfile.info(path).frames > 0
