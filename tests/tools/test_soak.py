"""The soak: what it plays, what it calls growth, and two minutes of it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))  # tools are run from there

import soak


@pytest.mark.parametrize("seed", range(5))
def test_every_key_that_goes_down_comes_up(seed):
    down, times = {}, []
    for at_s, message in soak.stretch(np.random.default_rng(seed), [0, 1, 2]):
        times.append(at_s)
        if message[0] in (0x80, 0x90):
            down[message[1]] = message[0] == 0x90
        assert len(message) == (2 if message[0] in (0xC0, 0xD0) else 3)
        assert max(message[1:]) < 128
    assert times == sorted(times)
    assert times[-1] <= soak.STRETCH_S
    assert not any(down.values())


def test_storms_move_everything_and_programs_change():
    messages = [message for _, message in soak.stretch(np.random.default_rng(0), [0, 1, 2])]
    assert {message[0] for message in messages} == {0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0}
    assert {message[1] for message in messages if message[0] == 0xB0} == set(soak.CONTROLLERS)


@pytest.mark.parametrize(
    ("memory", "growth"),
    [([30.0] * 50, 0.0), ([10.0] * 10 + [30.0] * 40, 0.0), (list(range(100)), 60.0), ([1.0], 0.0)],
)
def test_growth_is_told_from_a_warm_start(memory, growth):
    assert soak.growth_mb(memory) == growth


@pytest.mark.parametrize(
    ("changes", "code"), [({}, 0), ({"starved_frames": 1}, 1), ({"memory_growth_mb": soak.GROWTH_MB + 1}, 1)]
)
def test_a_starved_frame_and_growing_memory_fail_the_program(monkeypatch, capsys, changes, code):
    report = {"starved_frames": 0, "memory_growth_mb": 0.0, "chunk_us": {}, "callback_us": {}, "said": ["it ended"]}
    monkeypatch.setattr(soak, "soak", lambda *_: report | changes)
    monkeypatch.setattr(sys, "argv", ["soak.py"])
    monkeypatch.setenv("XDG_DATA_HOME", "")  # put back at the end
    assert soak.main() == code
    assert "it ended" in capsys.readouterr().out


@pytest.mark.timeout(400)
def test_two_minutes_without_a_starved_frame():
    options = ["--minutes", "2", "--preset", "soak-1", "--period", "256", "--latency-ms", "60", "--json"]
    result = subprocess.run([sys.executable, soak.__file__, *options], capture_output=True, text=True)
    assert result.stderr == ""
    report = json.loads(result.stdout)
    assert result.returncode == 0, report
    assert report["recorded_s"] > 120.0
    assert report["notes"] > 500
