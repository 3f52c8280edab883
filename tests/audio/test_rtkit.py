import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtwave.audio import rtkit

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RealtimeKit is Linux's")


@pytest.fixture
def busctl(tmp_path, monkeypatch):
    """A busctl that does what the script given to it says; its arguments are in `arguments`."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(rtkit, "guard_overrun", lambda *_: True)  # of the tests' own process: none

    def behave(script):
        path = tmp_path / "busctl"
        path.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n{script}\n')
        path.chmod(0o755)
        return tmp_path / "arguments"

    return behave


def test_granted_priority_is_no_refusal(busctl):
    arguments = busctl("exit 0")
    assert rtkit.make_realtime(1234) is None
    assert arguments.read_text().split()[-4:] == ["ttu", str(os.getpid()), "1234", "20"]
    assert "MakeThreadRealtimeWithPID" in arguments.read_text()


def test_refusal_is_one_line_with_the_services_reason(busctl):
    busctl('echo "Failed to connect" >&2; echo "Call failed: Operation not permitted" >&2; exit 1')
    assert rtkit.make_realtime(1) == "RealtimeKit: Call failed: Operation not permitted"


def test_service_that_does_not_answer_is_given_up(busctl, monkeypatch):
    monkeypatch.setattr(rtkit, "_ANSWER_S", 0.1)
    busctl("exec sleep 5")
    assert rtkit.make_realtime(1) == "RealtimeKit does not answer"


def test_without_busctl_it_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert rtkit.make_realtime(1) == "busctl is not installed"


def test_thread_without_a_number_is_not_asked_for():
    assert rtkit.make_realtime(0) == "this system has no RealtimeKit"


OVERRUN = """
import os, threading, time
from rtwave._outlet import guard_overrun
assert guard_overrun(threading.get_native_id(), 20_000, 2_000_000)
os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
os.setresuid(65534, 65534, 65534)
ends = time.monotonic() + 5.0
while os.sched_getscheduler(0) & os.SCHED_RR and time.monotonic() < ends:
    pass
print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER)
"""


def test_thread_that_holds_a_core_falls_back_to_normal_priority():
    """As RealtimeKit leaves it: round robin, reset on fork, in a process that may not undo that."""
    if subprocess.run(["chrt", "-f", "1", "true"], capture_output=True).returncode:
        pytest.skip("no real-time priority here")
    result = subprocess.run([sys.executable, "-c", OVERRUN], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "True", "")


def test_limits_of_real_time_are_lowered_for_the_service():
    code = (
        "import resource\n"
        "from rtwave._outlet import guard_overrun\n"
        "assert guard_overrun(1, 100, 200)\n"
        "print(*resource.getrlimit(resource.RLIMIT_RTTIME))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert result.stdout.split() == ["100", "200"]
