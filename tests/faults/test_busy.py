"""No real-time priority, a core that is taken: the music goes on."""

import contextlib
import os
import subprocess
import sys

import pytest

from ..cli.programs import started
from .conftest import TUNE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drops a right, pins a core and looks into /proc")

WITHOUT_PRIORITY = """
import os, resource, sys
for limit in (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE):
    resource.setrlimit(limit, (0, 0))
drop = ["setpriv", "--inh-caps", "-sys_nice", "--bounding-set", "-sys_nice"] if os.geteuid() == 0 else ["env"]
os.execvp(drop[0], [*drop, sys.executable, "-m", "rtwave", *sys.argv[1:]])
"""


@pytest.fixture
def options(bell, tune, tmp_path):
    """Of a performance that is recorded."""
    options = ["play", "--preset", bell, "--midi-file", tune, "--device", "null", "--record", tmp_path / "take.wav"]
    return [*options, "--latency-ms", 100]


@contextlib.contextmanager
def busy_core():
    """A program that never rests on the core that this one may use first."""
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield core
    finally:
        process.kill()
        process.wait()


def test_refused_priority_is_told_once_and_the_music_goes_on(options, same_beginning, tmp_path):
    with started(*options, program=("-c", WITHOUT_PRIORITY)) as program:
        assert program.end() == 0
    assert len([line for line in program.lines if "no real-time priority" in line]) == 1
    assert "0 starved frames" in program.lines[-1]
    assert same_beginning(tmp_path / "take.wav") > TUNE_S


def test_a_busy_core_is_not_heard(options, same_beginning, tmp_path):
    with busy_core() as core:
        pinned = f"import os, sys; os.sched_setaffinity(0, [{core}]); from rtwave.cli.main import run; sys.exit(run())"
        with started(*options, program=("-c", pinned)) as program:
            assert program.end() == 0
    assert "0 starved frames" in program.lines[-1]
    assert same_beginning(tmp_path / "take.wav") > TUNE_S
