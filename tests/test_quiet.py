import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOISE = "import os\nfrom rtwave.quiet import quiet_stderr\nwith quiet_stderr():\n    os.write(2, b'inside')\n"


def run(code, redirection=""):
    command = ["sh", "-c", f'exec "$0" "$@" {redirection}', sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_only_what_is_written_inside_is_lost():
    result = run(NOISE + "os.write(2, b'outside')")
    assert (result.returncode, result.stderr) == (0, "outside")


@pytest.mark.parametrize("module", ["rtwave.audio.devices", "rtwave.instrument.midi"])
def test_closed_stderr_does_no_harm(module):
    listing = "list_devices" if module.endswith("devices") else "list_ports"
    code = f"from {module} import {listing}\nfrom rtwave.errors import RtwaveError\n"
    code += f"try:\n    {listing}()\nexcept RtwaveError:\n    pass\nprint('done')"
    result = run(code, "2>&-")
    assert (result.returncode, result.stdout) == (0, "done\n")


def test_file_that_got_the_number_of_a_closed_stderr_is_left_alone(tmp_path):
    code = f"import os\nfile = os.open({str(tmp_path / 'take')!r}, os.O_CREAT | os.O_WRONLY)\nassert file == 2\n"
    result = run(code + NOISE, "2>&-")
    assert result.returncode == 0
    assert (tmp_path / "take").read_bytes() == b"inside"
