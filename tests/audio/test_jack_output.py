"""JACK by its own library, against a server of the tests' own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from rtwave.audio import jack
from tests.jack import server

ROOT = Path(__file__).parents[2]

PLAY_AND_TELL = """
import json, time
import jack as client_library
from rtwave._outlet import Outlet
from rtwave.audio import jack
found = jack.outputs()
outlet = Outlet(2)
output = jack.JackOutput("system", outlet, 48_000)
listener = client_library.Client("listener", no_start_server=True)
ports = [port.name for port in listener.get_ports(is_output=True, is_audio=True) if port.name.startswith("rtwave")]
targets = [[each.name for each in listener.get_all_connections(port)] for port in ports]
told = [found, ports, targets, output.block_frames, output.latency_s, output.ended]
output.close()
left = [port.name for port in listener.get_ports() if port.name.startswith("rtwave")]
listener.close()
print(json.dumps([*told, left, jack.outputs() == found]))
"""


def run(code, environment):
    arguments = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_ports_are_named_connected_and_taken_away_again():
    with server(48_000, 256) as jackd:
        found, ports, targets, block_frames, latency_s, ended, left, same = run(PLAY_AND_TELL, jackd.environment)
    assert found == [["system", 2, 48_000]]
    assert ports == ["rtwave:out_0", "rtwave:out_1"]
    assert targets == [["system:playback_1"], ["system:playback_2"]]
    assert (block_frames, ended, left, same) == (256, False, [], True)
    assert 0.0 <= latency_s < 0.1


def test_without_a_server_there_is_no_output_and_no_word_on_stderr():
    environment = {**os.environ, "JACK_DEFAULT_SERVER": "rtwave-test-nobody"}
    code = "import json; from rtwave.audio import jack; print(json.dumps(jack.outputs()))"
    assert run(code, environment) == []


def test_without_the_library_there_is_no_output(monkeypatch):
    monkeypatch.setattr(jack, "_library", lambda: None)
    assert jack.outputs() == []


def test_no_client_is_opened_before_those_of_a_dead_server_are_closed():
    code = (
        "import json, sys, time\n"
        "from rtwave._outlet import Outlet\n"
        "from rtwave.audio import jack\n"
        "output = jack.JackOutput('system', Outlet(2), 48_000)\n"
        "print('open', flush=True)\n"
        "while not output.ended: time.sleep(0.01)\n"
        "sys.stdin.readline()\n"
        "first = jack.outputs()\n"
        "output.close()\n"
        "print(json.dumps([first, jack.outputs()]))\n"
    )
    with server(48_000, 256) as jackd:
        arguments = [sys.executable, "-W", "error", "-c", code]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(arguments, cwd=ROOT, env=jackd.environment, text=True, **pipes) as process:
            assert process.stdout.readline() == "open\n"
            jackd.kill()
            jackd.start()
            told, errors = process.communicate("\n", timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert json.loads(told) == [[], [["system", 2, 48_000]]]


def test_an_output_that_is_left_meanwhile_does_not_disturb_looking_for_others(monkeypatch):
    class Leaving:
        @property
        def ended(self):
            jack._playing.discard(self)
            return False

    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    monkeypatch.setattr(jack, "_playing", {Leaving(), Leaving()})
    assert jack.outputs() == []
