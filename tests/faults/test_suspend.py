"""The machine sleeps for three seconds and wakes up: the music goes on where it was, and the recording is whole."""

import signal
import sys
import time

import numpy as np
import pytest
import soundfile

from rtwave.instrument.render import render_midi

from ..cli.programs import started
from ..jack import Client, server
from .conftest import TUNE_S

SLEEP_S = 3.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")


def sleep(program):
    """Stop every thread of it, as a system that is suspended does, and let them go on."""
    program.process.send_signal(signal.SIGSTOP)
    time.sleep(SLEEP_S)
    program.process.send_signal(signal.SIGCONT)


def test_a_tune_goes_on_after_a_sleep(bell, tune, same_beginning, tmp_path):
    options = ["--device", "null", "--latency-ms", 100, "--record", tmp_path / "take.wav"]
    with started("play", "--preset", bell, "--midi-file", tune, *options) as program:
        program.wait_for("Ctrl-C ends")
        time.sleep(1.0)
        sleep(program)
        assert program.end() == 0
    assert same_beginning(tmp_path / "take.wav") > TUNE_S


def test_live_playing_goes_on_after_a_sleep(bell, tmp_path):
    options = ["--device", "jack", "--midi-port", "listener", "--latency-ms", 30]
    record = ["--record", tmp_path / "take.wav", "--record-midi", tmp_path / "take.mid"]
    with (
        server() as jackd,
        Client(jackd) as client,
        started("play", "--preset", bell, *options, *record, env=jackd.environment) as program,
    ):
        program.wait_for("Ctrl-C ends")
        client.hear("rtwave:out_0")
        client.send([(client.frame + 4800 * number, bytes([0x90, 40 + number, 100])) for number in range(5)])
        time.sleep(0.5)
        sleep(program)
        woken = client.frame + 4800
        client.send([(woken, b"\x90\x60\x64"), (woken + 9600, b"\x80\x60\x00")])
        client.wait_for_frames(woken + 48_000)
        assert program.end(signal.SIGINT) == 0
        heard = client.recording()
    assert "0 starved frames" in program.lines[-1]
    assert np.abs(heard[woken : woken + 24_000]).max() > 0.01
    recorded = soundfile.read(tmp_path / "take.wav", dtype="float32")[0]
    assert len(recorded) > 48_000
    assert np.array_equal(recorded, render_midi(tmp_path / "take.mid", sample_rate=48_000)[: len(recorded)])
