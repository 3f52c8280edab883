"""Real-time priority from the desktop's RealtimeKit, where the system itself refuses it."""

import os
import shutil
import subprocess
import sys

from .._outlet import guard_overrun

_PRIORITY = 20  # the highest that RealtimeKit gives by default
_SOFT_US, _HARD_US = 100_000, 200_000  # on a core without sleeping: it gives none to a process that may do more
_ANSWER_S = 1.0


def make_realtime(thread: int) -> str | None:
    """Ask for the system's `thread` number of this process to run in real time; None, or why not in a few words."""
    busctl = shutil.which("busctl")
    if sys.platform != "linux" or not thread:
        return "this system has no RealtimeKit"
    if busctl is None:
        return "busctl is not installed"
    if not guard_overrun(thread, _SOFT_US, _HARD_US):
        return "the system refuses a limit of real time"
    service = "org.freedesktop.RealtimeKit1"
    call = ["--system", "call", service, "/org/freedesktop/RealtimeKit1", service, "MakeThreadRealtimeWithPID"]
    arguments = ["ttu", str(os.getpid()), str(thread), str(_PRIORITY)]
    try:
        answer = subprocess.run([busctl, *call, *arguments], capture_output=True, text=True, timeout=_ANSWER_S)
    except subprocess.TimeoutExpired:
        return "RealtimeKit does not answer"
    except OSError as error:
        return f"busctl: {error.strerror}"
    if answer.returncode:
        return f"RealtimeKit: {answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else 'refused'}"
    return None
