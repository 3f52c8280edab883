"""The measure of latency: it finds every answer to the frame, and says which targets were missed."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))  # tools are run from there

import measure_latency
from measure_latency import Row, answers, onsets, table

RATE = 48_000


def row(delays, lost=0, period=128):
    return Row(period, False, RATE, delays, lost, 0, {"underflows": 1, "starved_frames": 2})


def notes_at(*frames):
    samples = np.zeros(10_000, np.float32)
    for frame in frames:
        samples[frame : frame + 500] = 0.5
    return samples


def test_onsets_are_found_to_the_frame():
    assert onsets(notes_at(0, 1000, 3001), RATE).tolist() == [0, 1000, 3001]


def test_a_short_hole_in_a_note_is_no_new_note():
    samples = notes_at(1000)
    samples[1200:1300] = 0.0
    assert onsets(samples, RATE).tolist() == [1000]


def test_silence_has_no_onset():
    assert onsets(notes_at(), RATE).tolist() == []


def test_each_answer_belongs_to_the_note_before_it_and_a_lost_one_to_none():
    assert answers(np.array([100, 1000, 2000, 3000]), np.array([150, 2100, 3200])) == [50, None, 100, 200]
    assert answers(np.array([100, 1000, 2000]), np.array([150, 1200])) == [50, 200, None]
    assert answers(np.array([100, 1000]), np.array([], int)) == [None, None]


def test_targets_met_are_not_named():
    assert row([300] * 99 + [400]).misses == []


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (row([300] * 10, lost=1), "1 notes lost"),
        (row([500] * 10), "p99 is 10.42 ms, expected at most 10 ms"),
        (row([300] * 10, period=64), "p99 is 6.25 ms, expected at most 6 ms"),
        (row([100, 300] * 10), "p1 and p99 lie 200 frames apart, expected at most 128"),
        (row([], lost=3), "p99 is nan ms"),
    ],
)
def test_a_missed_target_is_named(measured, words):
    assert any(words in miss for miss in measured.misses)


def test_table_has_a_line_for_each_row():
    lines = table([row([300] * 3), row([], lost=3)]).splitlines()
    assert len(lines) == 4
    assert "300 (6.25 ms)" in lines[2]
    assert len({line.count("|") for line in lines}) == 1


def test_every_note_of_a_running_player_is_answered(monkeypatch, capsys):
    arguments = ["--notes", "40", "--periods", "128", "--only", "silent", "--latency-ms", "20", "--settle", "0.3"]
    monkeypatch.setattr(sys, "argv", ["measure_latency.py", *arguments, "--json"])
    measure_latency.main()  # how fast it was is no test's business
    (measured,) = json.loads(capsys.readouterr().out)
    assert measured["lost"] == 0
    assert len(measured["delays"]) == 40
    assert measured["counters"]["starved_frames"] == 0
