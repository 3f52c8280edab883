"""The hand-over of jobs between threads: each share done once, and seen whole by whoever comes after."""

from pathlib import Path

from ..sanitizer import run_under_thread_sanitizer


def run_stress(folder, *flags):
    sources = [Path(__file__).with_name("workers_stress.c"), Path(__file__).parents[2] / "extensions" / "workers.c"]
    return run_under_thread_sanitizer(folder, sources, *flags)


def test_every_share_of_every_job_is_done_once_and_without_a_race(tmp_path):
    result = run_stress(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert int(result.stdout) > 0


def test_thread_sanitizer_finds_a_planted_race(tmp_path):
    result = run_stress(tmp_path, "-DPLANTED_RACE")
    assert result.returncode != 0
    assert "data race" in result.stderr
