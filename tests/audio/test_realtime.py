"""Producer, helpers and callback neither allocate, lock nor call the system: a preloaded checker watches them play."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    compiler = shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the checker needs gcc and glibc")
    library = tmp_path_factory.mktemp("check") / "realtime_check.so"
    subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", str(HERE / "realtime_check.c"), "-o", str(library), "-ldl"], check=True
    )

    def run(fault):
        return subprocess.run(
            [sys.executable, "-m", "tests.audio.watched", str(fault)],
            cwd=HERE.parents[1],
            env={**os.environ, "LD_PRELOAD": str(library)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_producer_its_helpers_and_callback_are_real_time_safe(run):
    result = run(0)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("fault", "name"),
    [*enumerate(["malloc", "free", "pthread_mutex_lock", "write", "malloc", "open", "mmap", "nanosleep", "printf"], 1)],
)
def test_checker_finds_a_planted_fault(run, fault, name):
    result = run(fault)
    assert result.returncode == -signal.SIGABRT
    assert f"not real-time safe: {name}" in result.stderr
