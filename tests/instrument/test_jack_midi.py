"""The queue from JACK's thread to the one that reads: every byte in order and without a race."""

import sys
from pathlib import Path

import pytest

from ..sanitizer import run_under_thread_sanitizer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="built on Linux only")


def run_stress(folder, *flags):
    return run_under_thread_sanitizer(folder, [Path(__file__).with_name("jack_midi_stress.c")], *flags)


def test_thread_sanitizer_finds_no_race_between_jack_and_reader(tmp_path):
    result = run_stress(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_thread_sanitizer_finds_a_planted_race(tmp_path):
    result = run_stress(tmp_path, "-DPLANTED_RACE")
    assert result.returncode != 0
    assert "data race" in result.stderr
