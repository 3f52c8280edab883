"""Healthy curves are let be; each way to go wrong is said in plain words, once."""

import re

import numpy as np
import pytest

pytest.importorskip("torch")

from rtwave.training.bands import Watch, expected_nats
from rtwave.wavenet.config import WaveNetConfig

GAUSSIAN = WaveNetConfig(leveling="loudness", excitation="partials")
MULAW = WaveNetConfig(output="mulaw")
PIANO_STEPS = (1, 30, 100, 200, 1_250, 3_250, 5_250, 8_250, 12_000)
PIANO_NATS = (-1.9, -2.1, -2.65, -2.9, -3.4, -4.0, -4.4, -4.8, -5.0)


def piano(step):
    return float(np.interp(step, PIANO_STEPS, PIANO_NATS))


def follow(watch, curve, steps):
    generator = np.random.default_rng(0)
    hints = []
    for step in range(1, steps + 1):
        attack = 50.0 if step % 23 == 0 else 0.0
        hints += watch.step(step, curve(step) + 0.2 * generator.standard_normal() + attack)
    return hints


def test_a_piano_as_it_was_measured_lies_within_its_band():
    for step in PIANO_STEPS:
        low, high = expected_nats(GAUSSIAN, True, step)
        assert low < piano(step) < high
    assert follow(Watch(GAUSSIAN, True), piano, 4000) == []


def test_mu_law_starts_at_the_logarithm_of_its_classes_and_is_below_two_after_a_thousand_steps():
    low, high = expected_nats(MULAW, True, 1)
    assert low < np.log(256.0) < high
    assert expected_nats(MULAW, True, 1_000)[1] == 2.0
    low, high = expected_nats(MULAW, True, 20_000)
    assert low < 1.5 < high


@pytest.mark.parametrize(
    ("config", "curve", "words"),
    [
        (GAUSSIAN, lambda step: -1.9, "expected .*hardly anything is learned"),
        (MULAW, lambda step: 5.0, "expected .*hardly anything is learned"),
        (GAUSSIAN, lambda step: piano(step) + (3.0 if step > 700 else 0.0), "it was -3.*lower --learning-rate"),
        (GAUSSIAN, lambda step: -7.5, "mostly silence"),
    ],
    ids=["stuck", "stuck mu-law", "diverged", "silence"],
)
def test_a_curve_that_leaves_its_band_is_told_once(config, curve, words):
    hints = follow(Watch(config, True), curve, 1500)
    (hint,) = hints
    assert re.search(words, hint), hint
    assert "\n" not in hint


def test_noise_is_allowed_to_be_noise_where_there_is_no_pitch():
    assert follow(Watch(GAUSSIAN, False), lambda step: -0.7, 1500) == []


def test_learning_by_heart_is_told_once():
    watch = Watch(GAUSSIAN, True)
    held_out = (7.5, 7.2, 7.0, 7.1, 7.2, 7.3, 7.4, 7.5)
    told = [watch.held_out(500 * (n + 1), 6.5 - 0.2 * n, bits) for n, bits in enumerate(held_out)]
    assert [len(hints) for hints in told].index(1) == 5
    assert sum(map(len, told)) == 1
    assert "more recordings, or stop here" in told[5][0]
    assert len(Watch(GAUSSIAN, True).held_out(2000, 4.0, 8.0)) == 1
    assert Watch(GAUSSIAN, True).held_out(12_000, 4.1, 5.9) == []  # the piano
