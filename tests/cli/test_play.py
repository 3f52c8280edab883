"""`rtwave play` without a sound card: the same samples as render, and a clean end whatever ends it."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from rtwave.cli import play
from rtwave.errors import RtwaveError
from rtwave.instrument.keyboard import HELP
from rtwave.instrument.render import render_midi
from rtwave.instrument.scores import read_score
from rtwave.presets import load_preset

from .programs import started

JSON_KEYS = {"seconds", "frames", "callbacks", "underflows", "starved_frames", "record_dropped_frames", "target_frames"}
JSON_KEYS |= {
    "dropped_commands",
    "lowest_fill_frames",
    "chunk_us",
    "callback_us",
    "limited",
    "priority",
    "memory_locked",
}


def read(path):
    return soundfile.read(path, dtype="float32")[0]


def same(played, rendered):
    """Equal to the bit as far as both go, and silent beyond."""
    frames = min(len(played), len(rendered))
    assert np.abs(played).max() > 0.01
    assert np.array_equal(played[:frames], rendered[:frames])
    assert not played[frames:].any()
    assert not rendered[frames:].any()


def test_demo_plays_to_its_end_as_it_renders(rtwave, bell, tmp_path):
    options = ["--device", "null", "--latency-ms", 50, "--seed", 4]
    code, _, err = rtwave("play", "--preset", bell, "--demo", *options, "--record", tmp_path / "take.wav")
    assert code == 0
    assert "null output" in err
    same(read(tmp_path / "take.wav"), render_midi(load_preset(bell).demo, bell, seed=4))


def test_midi_file_and_its_take_and_render_are_one(rtwave, bell, song, tmp_path):
    options = ["--device", "null", "--latency-ms", 50, "--seed", 7, "--voices", 3, "--transpose", -3]
    record = ["--record", tmp_path / "take.wav", "--record-midi", tmp_path / "take.mid"]
    assert rtwave("play", "--preset", bell, "--midi-file", song, *options, *record, "--threads", 2)[0] == 0
    assert rtwave("render", tmp_path / "take.mid", "-o", tmp_path / "again.wav", "--threads", 3)[0] == 0
    played = read(tmp_path / "take.wav")
    same(played, read(tmp_path / "again.wav"))
    same(played, render_midi(song, bell, seed=7, voices=3, transpose=-3))


def test_a_device_that_fails_is_told_in_one_line_and_time_goes_on(rtwave, bell, song, tmp_path, monkeypatch):
    plain = pytest.importorskip("rtwave.engine.plain", exc_type=ImportError)

    def fail(self, chunk):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(plain.PlainDevice, "render", fail)
    options = ["--device", "null", "--latency-ms", 50, "--engine", "torch", "--record", tmp_path / "take.wav"]
    code, _, err = rtwave("play", "--preset", bell, "--midi-file", song, *options, "--seconds", 0.5)
    assert code == 0
    [told] = [line for line in err.splitlines() if "out of memory" in line]
    assert told.startswith("engine torch failed (RuntimeError: out of memory), all is silent from here on; ")
    played = read(tmp_path / "take.wav")
    assert len(played) > 8000
    assert not played.any()


@pytest.mark.parametrize(
    ("suffix", "record_format", "subtype", "steps"),
    [
        (".wav", "float", "FLOAT", None),
        (".wav", "pcm24", "PCM_24", 2**23),
        (".wav", "pcm16", "PCM_16", 2**15),
        (".flac", "pcm24", "PCM_24", 2**23),
        (".flac", "pcm16", "PCM_16", 2**15),
    ],
)
def test_recording_is_in_the_format_asked_for(rtwave, bell, tmp_path, suffix, record_format, subtype, steps):
    path = tmp_path / f"take{suffix}"
    options = ["--device", "null", "--latency-ms", 50, "--record", path, "--record-format", record_format]
    assert rtwave("play", "--preset", bell, "--demo", *options)[0] == 0
    assert soundfile.info(path).subtype == subtype
    rendered = render_midi(load_preset(bell).demo, bell)
    if steps:
        played = read(path)
        frames = min(len(played), len(rendered))
        assert np.abs(played[:frames] - rendered[:frames]).max() <= 1.0 / steps
    else:
        same(read(path), rendered)


@pytest.mark.parametrize(("name", "record_format"), [("take.flac", "float"), ("take.wav", "mp3")])
def test_format_that_cannot_be_is_one_line_and_the_earlier_recording_stays(rtwave, bell, tmp_path, name, record_format):
    (tmp_path / name).write_bytes(b"precious")
    options = ["--device", "null", "--record", tmp_path / name, "--record-format", record_format]
    code, _, err = rtwave("play", "--preset", bell, "--demo", *options)
    assert code == 1
    [line] = err.splitlines()
    assert repr(record_format) in line
    assert (tmp_path / name).read_bytes() == b"precious"


def test_how_it_went_is_json_on_stdout_and_nothing_else_is(rtwave, bell):
    code, out, _ = rtwave("play", "--preset", bell, "--demo", "--device", "null", "--latency-ms", 50, "--json")
    assert code == 0
    figures = json.loads(out)
    assert set(figures) >= JSON_KEYS
    assert figures["seconds"] > 0.6
    assert figures["frames"] >= 0.6 * 16_000
    assert figures["starved_frames"] == figures["record_dropped_frames"] == figures["dropped_commands"] == 0
    assert 0.0 < figures["chunk_us"]["p50"] <= figures["chunk_us"]["p99"] <= figures["chunk_us"]["max"]


def test_recording_that_cannot_be_written_is_one_line_and_the_music_goes_on(rtwave, bell, tmp_path):
    sound = tmp_path / "none" / "take.wav"
    code, _, err = rtwave("play", "--preset", bell, "--demo", "--device", "null", "--record", sound)
    assert code == 0
    assert [line for line in err.splitlines() if str(sound) in line and "the music goes on" in line]
    assert "played " in err


def test_with_nothing_to_listen_to_it_does_not_wait_for_ever(rtwave, bell):
    code, _, err = rtwave("play", "--preset", bell, "--device", "null")
    assert code == 1
    assert "try --demo, --midi-file or --virtual" in err


def test_a_slip_of_the_pen_leaves_earlier_takes_alone(rtwave, bell, tmp_path):
    for name in ("take.wav", "take.mid"):
        (tmp_path / name).write_bytes(b"precious")
    records = ["--record", tmp_path / "take.wav", "--record-midi", tmp_path / "take.mid"]
    assert rtwave("play", "--preset", bell, "--device", "null", "--midi-port", "nosuch", *records)[0] == 1
    records[-1] = tmp_path / "nosuch" / "take.mid"
    assert rtwave("play", "--preset", bell, "--device", "null", "--seconds", 0.1, *records)[0] == 1
    records[-1] = tmp_path / "take.mid"
    for options in (["--demo", "--tail", -1], []):  # no terminal and no MIDI port
        assert rtwave("play", "--preset", bell, "--device", "null", *options, *records)[0] == 1
    for name in ("take.wav", "take.mid"):
        assert (tmp_path / name).read_bytes() == b"precious"


def test_without_midi_port_or_terminal_it_says_so(rtwave, bell):
    code, _, err = rtwave("play", "--preset", bell, "--device", "null", "--seconds", 0.1)
    assert code == 0
    assert "try --demo, --midi-file or --virtual" in err or "listening to" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_signals_end_cleanly_with_whole_recordings(bell, song, tmp_path, number, suffix):
    sound, take = tmp_path / f"take.{suffix}", tmp_path / "take.mid"
    options = ["--device", "null", "--midi-file", song, "--record", sound, "--record-midi", take]
    with started("play", "--preset", bell, *options) as program:
        program.wait_for("Ctrl-C ends")
        time.sleep(0.3)
        assert program.end(number) == 0
        assert "played" in program.lines[-1]
    assert len(read(sound)) > 1600
    assert read_score(take).events


@contextlib.contextmanager
def terminal():
    """A terminal to type in, as two file descriptors: ours and the program's."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


def type_two_keys(program, ours):
    program.wait_for("listening to the computer's keys")
    program.wait_for("Ctrl-C ends")
    os.write(ours, b"zq")
    time.sleep(0.2)
    os.write(ours, b"\x03")  # Ctrl-C, if this were its controlling terminal
    assert program.end(signal.SIGINT) == 0


def notes_of(take):
    return [message.data1 for _, message in read_score(take).events if message.kind == 0x90]


def test_computers_keys_play_in_a_terminal(bell, tmp_path):
    record = ["--record-midi", tmp_path / "take.mid"]
    with (
        terminal() as (ours, theirs),
        started("play", "--preset", bell, "--device", "null", *record, stdin=theirs) as program,
    ):
        type_two_keys(program, ours)
    assert notes_of(tmp_path / "take.mid") == [48, 60]


def test_take_is_kept_when_the_terminal_goes(bell, tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "rtwave", "play", "--preset", bell, "--device", "null"]
    program = subprocess.Popen(
        [*command, "--record-midi", tmp_path / "take.mid"], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    while b"Ctrl-C ends\r\n" not in said.replace(HELP.encode(), b""):
        said += os.read(ours, 1000)
    os.write(ours, b"zq")
    time.sleep(0.3)
    os.close(ours)
    program.send_signal(signal.SIGHUP)
    assert program.wait(20) == 0
    assert notes_of(tmp_path / "take.mid") == [48, 60]


def test_take_is_kept_by_who_cannot_wait_for_the_end(bell, tmp_path):
    with (
        terminal() as (ours, theirs),
        started(
            *["play", "--preset", bell, "--device", "null", "--latency-ms", 1000],
            *["--record-midi", tmp_path / "take.mid"],
            stdin=theirs,
        ) as program,
    ):
        program.wait_for(" Hz; Ctrl-C ends")
        os.write(ours, b"z")
        time.sleep(1.5)
        program.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert program.end(signal.SIGINT) == -signal.SIGINT
    assert notes_of(tmp_path / "take.mid") == [48]


def test_damaged_controls_are_one_line_and_do_not_concern_the_demo(rtwave, bell, tmp_path, monkeypatch):
    file = tmp_path / "controls.toml"
    file.write_text("[controls]\ntimbre = 64\n")
    monkeypatch.setattr("rtwave.cli.play.controls_file", lambda: file)
    start = ["play", "--preset", bell, "--device", "null", "--seconds", 0.1]
    code, _, err = rtwave(*start)
    assert (code, err.count("\n")) == (1, 1)
    assert f"{file}: [controls] timbre is 64, expected a controller from 1 to 119" in err
    assert rtwave(*start, "--demo")[0] == 0


def test_without_rtmidi_play_listens_to_the_computers_keys(bell, tmp_path):
    (tmp_path / "rtmidi.py").write_text("raise ImportError('blocked by a test')")
    blocked = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    record = ["--record-midi", tmp_path / "take.mid"]
    with (
        terminal() as (ours, theirs),
        started("play", "--preset", bell, "--device", "null", *record, stdin=theirs, env=blocked) as program,
    ):
        program.wait_for("python-rtmidi is not installed")
        type_two_keys(program, ours)
    assert notes_of(tmp_path / "take.mid") == [48, 60]


@pytest.mark.parametrize(("cores", "options", "threads"), [(1, [], 1), (8, [], 2), (1, ["--threads", 3], 3)])
def test_two_cores_share_the_voices_where_there_are_two(rtwave, bell, monkeypatch, cores, options, threads):
    asked = []

    def performance(settings, threads, device):
        asked.append(threads)
        raise RtwaveError("enough")

    monkeypatch.setattr(play, "cores", lambda: cores)
    monkeypatch.setattr(play, "Performance", performance)
    assert rtwave("play", "--preset", bell, "--demo", "--device", "null", *options)[0] == 1
    assert asked == [threads]
