"""`rtwave play` without a sound card: the same samples as render, and a clean end whatever ends it."""

import contextlib
import os
import pty
import signal
import sys
import time

import numpy as np
import pytest
import soundfile

from rtwave.instrument.render import render_midi
from rtwave.instrument.scores import read_score
from rtwave.presets import load_preset

from .programs import started


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


def test_recording_that_cannot_be_written_is_one_line_and_the_music_goes_on(rtwave, bell, tmp_path):
    sound = tmp_path / "none" / "take.wav"
    code, _, err = rtwave("play", "--preset", bell, "--demo", "--device", "null", "--record", sound)
    assert code == 0
    assert [line for line in err.splitlines() if str(sound) in line and "the music goes on" in line]
    assert "played " in err


def test_with_nothing_to_listen_to_it_does_not_wait_for_ever(rtwave, bell):
    code, _, err = rtwave("play", "--preset", bell, "--device", "null")
    assert code == 1
    assert "try --demo or --virtual" in err


def test_a_slip_of_the_pen_leaves_earlier_takes_alone(rtwave, bell, tmp_path):
    for name in ("take.wav", "take.mid"):
        (tmp_path / name).write_bytes(b"precious")
    records = ["--record", tmp_path / "take.wav", "--record-midi", tmp_path / "take.mid"]
    assert rtwave("play", "--preset", bell, "--device", "null", "--midi-port", "nosuch", *records)[0] == 1
    records[-1] = tmp_path / "nosuch" / "take.mid"
    assert rtwave("play", "--preset", bell, "--device", "null", "--seconds", 0.1, *records)[0] == 1
    for name in ("take.wav", "take.mid"):
        assert (tmp_path / name).read_bytes() == b"precious"


def test_without_midi_port_or_terminal_it_says_so(rtwave, bell):
    code, _, err = rtwave("play", "--preset", bell, "--device", "null", "--seconds", 0.1)
    assert code == 0
    assert "try --demo or --virtual" in err or "listening to" in err


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
