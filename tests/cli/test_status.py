"""The status line in words, on figures that are known."""

import pytest

from rtwave.cli.status import Warnings, describe

COUNTERS = {"peak": 0.5, "lowest_fill_frames": 96, "underflows": 2, "starved_frames": 0, "cpu_share": 0.427, "limit": 0}


def test_figures_stand_in_their_units():
    expected = "  -6 dB  voices  5  ring   96  underflows 2  starved 0  CPU  43 %"
    assert describe(COUNTERS, 5) == expected


def test_a_limit_stands_beside_the_voices():
    assert "voices  3 of 5  ring" in describe(COUNTERS | {"limit": 5}, 3)


@pytest.mark.parametrize(
    ("peak", "words"), [(1.0, "   0 dB"), (0.001, " -60 dB"), (1e-6, "  silent"), (0.0, "  silent")]
)
def test_level_is_told_down_to_silence(peak, words):
    assert describe(COUNTERS | {"peak": peak}, 0).startswith(words)


def test_sound_that_breaks_up_is_told_once():
    warnings = Warnings()
    assert warnings.of(COUNTERS, None) == []
    (said,) = warnings.of(COUNTERS | {"starved_frames": 32}, None)
    assert said.endswith("try more --threads, fewer --voices or more --latency-ms")
    assert warnings.of(COUNTERS | {"starved_frames": 64}, None) == []


def test_overload_is_told_when_it_begins_and_when_it_is_over():
    warnings = Warnings()
    assert "keeps up with 5 voices" in warnings.of(COUNTERS | {"limit": 5}, None)[0]
    assert warnings.of(COUNTERS | {"limit": 6}, None) == []
    assert warnings.of(COUNTERS, None) == ["all voices play again"]


def test_a_problem_of_the_recording_is_told_once():
    warnings = Warnings()
    assert warnings.of(COUNTERS, "take.wav: disk full") == ["rtwave: take.wav: disk full"]
    assert warnings.of(COUNTERS, "take.wav: disk full") == []
