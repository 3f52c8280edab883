"""Memory that rendering needs, kept out of swap where the system allows it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
PROGRAM = """
import sys
from pathlib import Path
from rtwave.engine.engine import Engine
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

def locked():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmLck")]
    return 1024 * int(line.split()[1])

engine = Engine(Weights.random(WaveNetConfig(dilations=(1, 2, 4))), voices=int(sys.argv[1]))
engine.note_on(60, 100)
print(engine.memory_locked, locked() >= engine.native.network.weight_bytes, engine.render(500).any())
"""

pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="reads /proc")


def run(*command, voices=3):
    program = [*command, sys.executable, "-c", PROGRAM, str(voices)]
    return subprocess.run(program, capture_output=True, text=True)


def test_an_engine_says_whether_its_memory_is_locked():
    result = run()
    assert result.stdout.split() in (["True", "True", "True"], ["False", "False", "True"], ["False", "True", "True"])


def test_an_engine_whose_memory_may_not_be_locked_says_so_and_plays():
    prlimit, setpriv = shutil.which("prlimit"), shutil.which("setpriv")
    if not (prlimit and setpriv):
        pytest.skip("needs prlimit and setpriv")
    bound = [setpriv, "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
    if subprocess.run([*bound, "true"], capture_output=True).returncode:
        bound = []  # no privilege to give up
    assert run(*bound, prlimit, "--memlock=0").stdout.split() == ["False", "False", "True"]
