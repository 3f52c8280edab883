"""The queue between two threads: every record whole, in order and without a race."""

from pathlib import Path

from ..sanitizer import run_under_thread_sanitizer


def run_stress(folder, *flags):
    return run_under_thread_sanitizer(folder, [Path(__file__).with_name("queue_stress.c")], *flags)


def test_thread_sanitizer_finds_no_race_in_the_queue(tmp_path):
    result = run_stress(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_thread_sanitizer_finds_a_planted_race(tmp_path):
    result = run_stress(tmp_path, "-DPLANTED_RACE")
    assert result.returncode != 0
    assert "data race" in result.stderr
