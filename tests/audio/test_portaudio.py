"""PortAudio itself, on ALSA's device without hardware: it keeps no time, but opens, asks and closes like any other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALSA = """
pcm.silent { type null hint { show on description "silent" } }
pcm.!default { type null hint { show on description "silent" } }
ctl.!default { type hw card 0 }
"""
PLAY = """
import json, time
from rtwave.audio import devices, portaudio
from rtwave.audio.stream import Stream
from tests.audio.player import make_engine
from tests.audio.source import wait_until
names = [each.name for each in devices.list_devices() if each.host_api == "ALSA"]
with Stream(make_engine(48_000), "silent") as stream:
    wait_until(lambda: stream.counters()["callbacks"] > 10)
    held, alive = len(portaudio.open_outputs), stream.alive
again = [each.name for each in devices.list_devices() if each.host_api == "ALSA"]
print(json.dumps([names, again, stream.description, held, len(portaudio.open_outputs), alive]))
"""


@pytest.fixture
def environment(tmp_path):
    """One with a single sound card, which nobody hears, and no JACK server."""
    (tmp_path / "asound.conf").write_text(ALSA)
    nobody = {"JACK_DEFAULT_SERVER": "rtwave-test-nobody", "ALSA_CONFIG_PATH": str(tmp_path / "asound.conf")}
    return {**os.environ, **nobody}


def test_card_is_found_played_and_let_go(environment):
    arguments = [sys.executable, "-W", "error", "-c", PLAY]
    result = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    names, again, description, held, left, alive = json.loads(result.stdout)
    if "silent" not in names:
        pytest.skip("this PortAudio knows no ALSA")
    assert names == again
    assert description == "ALSA: silent"
    assert (held, left, alive) == (1, 0, True)
