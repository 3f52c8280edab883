"""What a player sets up and what other machines send, on a real JACK server: --learn, --midi-clock, --mpe."""

import tomllib

import mido
import numpy as np
import pytest

from rtwave.cli.learn import TAUGHT
from rtwave.instrument.messages import ALL_SOUND_OFF
from rtwave.instrument.render import render_midi
from rtwave.instrument.scores import read_score

from ..jack import Client, server
from .programs import started
from .sitting import TAKE, end, loudest, noted, play, recorded_whole, sitting

FIRST_LEARNED = 14


def turn(controller):
    """A knob is turned from one end to the other."""
    return [(0.001 * value, bytes([0xB0, controller, value])) for value in range(0, 128, 4)]


@pytest.fixture
def controls_file(tmp_path, monkeypatch):
    """Where --learn keeps what it learns, here alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "rtwave" / "controls.toml"


def test_controllers_are_learned_kept_in_a_file_and_obeyed(bell, tmp_path, controls_file):
    learned = {name: FIRST_LEARNED + index for index, name in enumerate(TAUGHT)}
    with server() as jackd, Client(jackd) as client:
        options = [
            "play",
            "--preset",
            bell,
            "--device",
            "jack",
            "--midi-port",
            "listener",
            "--latency-ms",
            60,
            "--learn",
        ]
        with started(*options, env=jackd.environment) as program:
            for name, controller in learned.items():
                program.wait_for(f"{name} (")
                play(client, turn(controller), tail_s=0.0)
                program.wait_for(f"{name} is CC {controller}")
            program.wait_for(f"kept in {controls_file}")
            program.wait_for("Ctrl-C ends")
            end(program)
        assert tomllib.loads(controls_file.read_text()) == {"controls": learned}
        # and the next time too
        with sitting(jackd, bell, tmp_path) as program:
            down = [(0.004 * step, bytes([0xB0, learned["volume"], 127 - step])) for step in range(128)]
            play(client, [(0.0, b"\x90\x3c\x64"), *((0.3 + at_s, data) for at_s, data in down)])
            end(program)
        recorded = recorded_whole(tmp_path, jackd.rate)
    assert read_score(tmp_path / TAKE).settings.controls == learned
    silenced = noted(tmp_path)[-1][0] + 0.1
    assert loudest(recorded, jackd.rate, 0.0, silenced) > 0.01
    assert loudest(recorded, jackd.rate, silenced, silenced + 0.1) < 1e-4


def test_a_damaged_file_of_controls_is_one_line(bell, controls_file):
    controls_file.parent.mkdir(parents=True)
    controls_file.write_text("[controls]\ngain_db = 64\n")
    with started("play", "--preset", bell, "--device", "null", "--seconds", 1) as program:
        assert program.end() == 1
    [line] = program.lines
    assert f"{controls_file}: [controls] gain_db is 64, expected a controller" in line


CLOCK, START, CONTINUE, STOP = b"\xf8", b"\xfa", b"\xfb", b"\xfc"
TICK_S = 60.0 / (150.0 * 24.0)
"""A beat of 0.4 s."""


def ticks(count):
    return [(index * TICK_S, CLOCK) for index in range(count)]


def shifted(events, by_s):
    return [(at_s + by_s, data) for at_s, data in events]


def test_a_midi_file_follows_the_clock_start_stop_and_continue_of_another_machine(bell, tmp_path):
    steps = mido.MidiTrack()
    for step in range(32):  # half a beat each
        steps.append(mido.Message("note_on", note=40 + step, velocity=100))
        steps.append(mido.Message("note_off", note=40 + step, time=240))
    mido.MidiFile(type=0, tracks=[steps]).save(tmp_path / "song.mid")
    options = ["--midi-file", tmp_path / "song.mid", "--midi-clock"]
    with server() as jackd, Client(jackd) as client, sitting(jackd, bell, tmp_path, *options) as program:
        client.hear("rtwave:out_0")
        play(client, ticks(24))
        assert not client.recording().any()  # not started yet
        tune = [*ticks(12), (12.5 * TICK_S, START), *shifted(ticks(3 * 24), 13 * TICK_S)]
        play(client, [*tune, (tune[-1][0] + 0.5 * TICK_S, STOP)], tail_s=1.0)
        rest = [(0.0, CONTINUE), *shifted(ticks(24), TICK_S)]
        play(client, [*rest, (rest[-1][0] + 0.5 * TICK_S, STOP)], tail_s=1.0)
        assert client.recording().any()
        end(program)
    recorded_whole(tmp_path, jackd.rate)
    struck = [(at_s, data[1]) for at_s, data in noted(tmp_path) if data[0] == 0x90]
    assert [key for _, key in struck] == list(range(40, 48))
    times = np.array([at_s for at_s, _ in struck])
    assert np.abs(np.diff(times[:6]) - 0.2).max() < 0.004
    assert np.abs(np.diff(times[6:]) - 0.2).max() < 0.004
    assert times[6] - times[5] > 1.0
    down = {data[1]: data[0] == 0x90 for _, data in noted(tmp_path) if data[0] in (0x80, 0x90)}
    assert not any(down.values())


def test_fingers_bend_their_own_notes_and_the_take_is_what_was_heard(bell, tmp_path):
    fingers = [b"\xe1\x00\x48", b"\x91\x3c\x64", b"\xe2\x00\x38", b"\x92\x3c\x64", b"\xd1\x50", b"\xb2\x4a\x60"]
    fingers += [b"\xe1\x00\x50", b"\xe2\x20\x30", b"\xd2\x70", b"\x81\x3c\x40", b"\xe2\x00\x40", b"\x82\x3c\x40"]
    with server() as jackd, Client(jackd) as client, sitting(jackd, bell, tmp_path, "--mpe") as program:
        play(client, [(0.1 * index, data) for index, data in enumerate(fingers)])
        end(program)
    recorded_whole(tmp_path, jackd.rate)
    assert read_score(tmp_path / TAKE).settings.mpe is True
    *heard, (_, last) = noted(tmp_path)
    assert [data[: len(sent)] for (_, data), sent in zip(heard, fingers, strict=True)] == fingers
    assert last[1] == ALL_SOUND_OFF
    played = render_midi(tmp_path / TAKE)
    for channel in (1, 2):
        without = without_bends(tmp_path, channel)
        assert not np.array_equal(without[: len(played)], played[: len(without)])


def without_bends(folder, channel):
    """The take's samples, had that finger not moved sideways."""
    take = mido.MidiFile(folder / TAKE)
    for track in take.tracks:
        for message in track:
            if message.type == "pitchwheel" and message.channel == channel:
                message.pitch = 0
    take.save(folder / "still.mid")
    return render_midi(folder / "still.mid")
