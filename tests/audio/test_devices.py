import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtwave.audio import devices
from rtwave.audio.devices import OutputDevice
from rtwave.errors import RtwaveError
from tests.jack import server

ROOT = Path(__file__).parents[2]
CARD = OutputDevice("HDA Intel: ALC257 (hw:0,0)", "ALSA", 0, 44_100, 2)
DEFAULT = OutputDevice("default", "ALSA", 3, 48_000, 32, default=True)
USB = OutputDevice("USB Audio: - (hw:1,0)", "ALSA", 5, 48_000, 2)
JACK = OutputDevice("system", "JACK Audio Connection Kit", 7, 96_000, 8, default=True)


def choose_in_process(device, environment):
    """What choose_device says in a process of its own, as (name, note) or as the error's text."""
    code = (
        "import json, sys\n"
        "from rtwave.audio.devices import choose_device\n"
        "from rtwave.errors import RtwaveError\n"
        "try:\n"
        "    chosen = choose_device(json.loads(sys.argv[1]))\n"
        "    print(json.dumps([chosen.description, chosen.sample_rate]))\n"
        "except RtwaveError as error:\n"
        "    print(json.dumps(str(error)))\n"
    )
    arguments = [sys.executable, "-W", "error", "-c", code, json.dumps(device)]
    result = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        ([CARD, DEFAULT, USB], None, DEFAULT),
        ([CARD, DEFAULT, JACK], None, JACK),
        ([CARD, USB], None, CARD),
        ([CARD, DEFAULT, USB], "usb", USB),
        ([CARD, DEFAULT, USB], "alsa", DEFAULT),
        ([CARD, DEFAULT, JACK], "jack", JACK),
        ([CARD, DEFAULT, USB], 5, USB),
        ([CARD, DEFAULT, USB], "5", USB),
    ],
)
def test_device_is_chosen_by_default_name_or_number(monkeypatch, there, wanted, expected):
    monkeypatch.setattr(devices, "list_devices", lambda: there)
    assert devices.choose_device(wanted) == expected


@pytest.mark.parametrize("wanted", ["bluetooth", "4", 4, ""])
def test_missing_device_is_an_error_that_lists_those_there(monkeypatch, wanted):
    monkeypatch.setattr(devices, "list_devices", lambda: [CARD, USB])
    with pytest.raises(RtwaveError) as error:
        devices.choose_device(wanted)
    assert "0 ALSA: HDA Intel: ALC257 (hw:0,0); 5 ALSA: USB Audio: - (hw:1,0)" in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_sound_card_the_null_output_is_the_default(monkeypatch):
    monkeypatch.setattr(devices, "list_devices", list)
    chosen = devices.choose_device(None)
    assert (chosen.index, chosen.description) == (None, "null output (no sound card)")
    with pytest.raises(RtwaveError, match="there are: no sound card; or null"):
        devices.choose_device("usb")


def test_null_output_can_be_asked_for():
    assert devices.choose_device("null").description == "null output"


def test_without_portaudio_the_null_output_says_how_to_get_it():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "audio" / "without_portaudio")}
    description, _ = choose_in_process(None, environment)
    assert description == "null output (PortAudio is missing (Debian, Ubuntu: apt-get install libportaudio2))"
    assert choose_in_process("usb", environment).startswith("PortAudio is missing (Debian")


def test_running_jack_server_is_found_with_its_rate():
    with server(44_100, 256) as jackd:
        expected = ["JACK Audio Connection Kit: system", 44_100]
        assert choose_in_process(None, jackd.environment) == expected
        assert choose_in_process("jack", jackd.environment) == expected


def test_looking_for_devices_starts_no_server_and_says_nothing():
    environment = {**os.environ, "JACK_DEFAULT_SERVER": "rtwave-test-nobody"}
    description = choose_in_process(None, environment)
    assert "JACK" not in description[0]
