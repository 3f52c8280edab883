"""The disk fills up, or nothing can be written: one line, the music goes on, and what was recorded is kept."""

import contextlib

import pytest

from ..cli.programs import started
from .conftest import TUNE_S

DISK = "64k"
"""A second of sound."""
QUIET = ["--device", "null", "--latency-ms", 100]


def play(bell, tune, record):
    """Play the tune to its end, or fail; gives all that was said."""
    with started("play", "--preset", bell, "--midi-file", tune, *QUIET, "--record", record) as program:
        assert program.end() == 0
    assert float(program.lines[-1].removeprefix("played ").split(" s:")[0]) > TUNE_S
    return program.lines


@pytest.mark.parametrize("name", ["take.wav", "take.flac"])
def test_full_disk_is_one_line_and_what_was_recorded_stays(bell, tune, same_beginning, small_disk, name):
    lines = play(bell, tune, small_disk / name)
    (told,) = [line for line in lines if name in line]
    assert "the music goes on" in told
    assert "are kept" in told
    if name == "take.wav":  # FLAC keeps 24 bits
        assert 0.5 < same_beginning(small_disk / name) < 2.0


@pytest.mark.parametrize("place", ["nowhere/take.wav", "folder.wav", "/proc/take.wav"])
def test_a_path_that_cannot_be_written_is_one_line(bell, tune, tmp_path, place):
    (tmp_path / "folder.wav").mkdir()
    lines = play(bell, tune, tmp_path / place)
    (told,) = [line for line in lines if place in line]
    assert "nothing is recorded, the music goes on" in told


def test_a_recording_whose_folder_goes_away_does_not_stop_the_music(bell, tune, tmp_path):
    (tmp_path / "takes").mkdir()
    take = tmp_path / "takes" / "take.wav"
    with started("play", "--preset", bell, "--midi-file", tune, *QUIET, "--record", take) as program:
        program.wait_for("Ctrl-C ends")
        with contextlib.suppress(FileNotFoundError):
            take.unlink()
        take.parent.rmdir()
        assert program.end() == 0
    assert "0 starved frames" in program.lines[-1]


def test_a_take_that_finds_no_room_is_one_line_and_leaves_all_else_whole(
    bell, tune, same_beginning, small_disk, tmp_path
):
    take = small_disk / "take.mid"
    take.write_bytes(b"precious")
    with contextlib.suppress(OSError), open(small_disk / "ballast", "wb", buffering=0) as ballast:
        while ballast.write(bytes(512)):
            pass
    records = ["--record", tmp_path / "take.wav", "--record-midi", take]
    with started("play", "--preset", bell, "--midi-file", tune, *QUIET, *records) as program:
        assert program.end() == 1
    (told,) = [line for line in program.lines if str(take) in line]
    assert "the take cannot be written (No space left on device)" in told
    assert same_beginning(tmp_path / "take.wav") > TUNE_S
    assert take.read_bytes() == b"precious"
