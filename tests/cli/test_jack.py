"""On a real JACK server: MIDI goes in, audio comes out, and it is what render makes of the same events."""

import contextlib
import itertools
import os
import pty
import signal

import numpy as np
import pytest
import soundfile

from rtwave.engine.controls import CONTROLS
from rtwave.instrument.controllers import read_controls
from rtwave.instrument.render import render_midi

from ..jack import Client, first_sound, server
from .programs import started

LIFT = [b"\xf7"] + [bytes([0xB0 | channel, 64, 0]) for channel in range(16)]
LIFT += [bytes([0x80 | channel, key, 0]) for channel in range(16) for key in range(128)]
"""What a player does who goes home: every pedal and every key comes up."""


def play(jackd, bell, folder, events, seconds):
    """Play `events`, (frame, message) from when all is connected; gives what was heard, recorded and rendered."""
    options = ["--device", "jack", "--midi-port", "listener", "--latency-ms", 60, "--seed", 11, "--temperature", 0.7]
    record = ["--record", folder / "take.wav", "--record-midi", folder / "take.mid"]
    with (
        Client(jackd) as client,
        started("play", "--preset", bell, *options, *record, env=jackd.environment) as program,
    ):
        program.wait_for("Ctrl-C ends")
        client.hear("rtwave:out_0")
        start = client.frame + jackd.rate // 5
        client.send([(start + frame, message) for frame, message in events])
        client.wait_for_frames(start + round(seconds * jackd.rate))
        assert program.end(signal.SIGINT) == 0
        assert "0 starved frames" in program.lines[-1], program.lines
        heard = client.recording()
    recorded, sample_rate = soundfile.read(folder / "take.wav", dtype="float32")
    assert sample_rate == jackd.rate
    return heard, recorded, render_midi(folder / "take.mid", sample_rate=jackd.rate)


def phrase(rate):
    """Chords under a pedal, bent and swelling, over a second."""
    messages = [b"\xb0\x40\x7f", b"\x90\x30\x64", b"\x90\x3c\x50", b"\xe0\x00\x50", b"\x90\x43\x70", b"\xb0\x0b\x50"]
    messages += [b"\x80\x30\x40", b"\xb0\x01\x60", b"\x90\x54\x7f", b"\x90\x3c\x00", b"\xb0\x40\x00", b"\x80\x43\x00"]
    return [(int(index * 0.09 * rate) + 37 * index, message) for index, message in enumerate(messages)]


@pytest.mark.parametrize("rate", [16_000, 48_000, 44_100])
def test_what_is_heard_is_what_is_rendered_to_the_bit(bell, tmp_path, rate):
    with server(rate=rate, period=128) as jackd:
        heard, recorded, rendered = play(jackd, bell, tmp_path, phrase(rate), 1.5)
    assert np.abs(recorded).max() > 0.01
    assert np.array_equal(recorded, rendered[: len(recorded)])
    heard, recorded = heard[first_sound(heard) :], recorded[first_sound(recorded) :]
    frames = min(len(heard), len(recorded))
    assert frames > rate
    assert np.array_equal(heard[:frames], recorded[:frames])


def test_random_bytes_neither_crash_nor_hang_a_note(bell, tmp_path):
    random = np.random.default_rng(5)
    noise = [(40 * index, random.bytes(int(random.integers(1, 12)))) for index in range(600)]
    lift = [(600 * 40 + 4 * index, message) for index, message in enumerate(LIFT)]
    with server(rate=48_000, period=128) as jackd:
        heard, recorded, rendered = play(jackd, bell, tmp_path, noise + lift, 2.0)
    assert np.abs(heard).max() > 0.01
    assert not heard[-4800:].any()
    assert np.array_equal(recorded, rendered[: len(recorded)])


def test_virtual_port_is_there_for_others(bell):
    with server() as jackd, Client(jackd) as client:
        options = ["--preset", bell, "--virtual", "--latency-ms", 60]
        with started("play", *options, env=jackd.environment) as program:
            program.wait_for("listening to the virtual port")
            program.wait_for("Ctrl-C ends")
            client.hear("rtwave:out_0")
            client.play_into("rtwave-midi:in")
            start = client.frame + jackd.rate // 5
            client.send([(start, b"\x90\x3c\x64")])
            client.wait_for_frames(start + jackd.rate // 2)
            assert program.end(signal.SIGTERM) == 0
        assert np.abs(client.recording()).max() > 0.01


def test_wrong_midi_port_lists_those_there(bell):
    with server() as jackd, Client(jackd):
        with started("play", "--preset", bell, "--midi-port", "nosuch", env=jackd.environment) as program:
            assert program.end() == 1
        assert len(program.lines) == 1
        assert "no MIDI port 'nosuch'; there are: listener:keys" in program.lines[0]


def test_controllers_are_learned_from_the_player_and_then_played_with(bell, tmp_path):
    file = tmp_path / "rtwave" / "controls.toml"
    file.parent.mkdir()
    file.write_text("[controls]\nvibrato = 21\nknob1 = 22\n")
    ours, theirs = pty.openpty()
    with server() as jackd, Client(jackd) as client:
        env = jackd.environment | {"XDG_CONFIG_HOME": str(tmp_path)}
        with started("play", "--preset", bell, "--learn", "--seconds", 0.2, env=env, stdin=theirs) as program:
            program.wait_for("temperature (CC 1): move a controller")
            client.send([(client.frame, bytes([0xB0, 21, value])) for value in (0, 40, 80)])
            program.wait_for("temperature is CC 21")
            program.wait_for("gain_db (no controller): ")
            os.write(ours, b"\n" * len(CONTROLS))
            program.wait_for("vibrato (no controller): ")
            program.wait_for(f"kept in {file}")
            assert program.end() == 0
    os.close(ours)
    os.close(theirs)
    assert read_controls(file) == {"temperature": 21, "knob1": 22}


def test_busy_device_is_one_clear_line(bell):
    jack = pytest.importorskip("jack")
    with server() as jackd:
        hog = jack.Client("hog", servername=jackd.name, no_start_server=True)
        with contextlib.suppress(jack.JackError):
            for number in itertools.count():
                hog.outports.register(f"port {number}")
        with started("play", "--preset", bell, "--demo", env=jackd.environment) as program:
            assert program.end() == 1
        hog.close()
    assert len(program.lines) == 1
    assert "does not open at 48000 Hz" in program.lines[0]
