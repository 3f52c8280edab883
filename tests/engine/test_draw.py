"""Random draws and phasors of every instruction set against plain arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave import _engine

from .slow_voice import normal

INSTRUCTION_SETS = _engine.instruction_sets()
LANES = 16
words = st.integers(0, 2**64 - 1)
pytestmark = pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)


@given(key=words, low=st.integers(0, 2**63), high=words)
def test_normal_variates_are_those_of_their_counters(instruction_set, key, low, high):
    found = _engine.normals(instruction_set, key, low, high)
    expected = [normal(key, low + i, high) for i in range(len(found))]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_normal_variates_are_normal(instruction_set):
    drawn = np.concatenate([_engine.normals(instruction_set, 1, low, 0) for low in range(0, 160_000, 16)])
    for power, moment in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        assert np.mean(drawn.astype(np.float64) ** power) == pytest.approx(moment, abs=0.06)


def cumulated(logits, scale):
    """(classes in the order in which they are summed, their cumulated shares of softmax)."""
    order = [index for lane in range(LANES) for index in range(lane, len(logits), LANES)]
    share = np.exp((np.float64(logits) - np.max(logits)) * scale)[order]
    return np.array(order), np.cumsum(share) / share.sum()


@pytest.mark.parametrize("classes", [3, 16, 100, 256])
@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.0])
def test_a_class_is_drawn_where_the_sum_passes_the_number(instruction_set, classes, temperature):
    generator = np.random.default_rng(classes)
    for _ in range(200):
        logits = generator.normal(0.0, 3.0, classes).astype(np.float32)
        uniform = float(generator.random())
        order, sums = cumulated(logits, 1.0 / temperature)
        drawn = _engine.draw(instruction_set, logits, 1.0 / temperature, uniform)
        first, last = np.searchsorted(sums, [uniform - 1e-5, uniform + 1e-5])
        assert drawn in order[first : last + 1]


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1.0])
def test_only_likely_classes_are_drawn_whatever_the_number(instruction_set, uniform):
    logits = np.full(100, -1000.0, np.float32)
    logits[[3, 97]] = 50.0
    assert _engine.draw(instruction_set, logits, 1.0, uniform) in (3, 97)


def test_a_class_that_weighs_nothing_is_never_drawn(instruction_set):
    logits = (-0.5 * ((np.arange(256) - 120.3) / 6.0) ** 2).astype(np.float32)
    weights = np.exp(logits.astype(np.float64))
    ends = np.cumsum(weights.reshape(LANES, LANES).sum(axis=0)) / weights.sum()  # of a lane: there rounding decides
    for uniform in np.clip((ends[:, None] + np.arange(-16, 17) * 2.0**-24).ravel(), 0.0, 1.0):
        assert weights[_engine.draw(instruction_set, logits, 1.0, uniform)] > 1e-9


@pytest.mark.parametrize("classes", [3, 15, 16, 19])
@pytest.mark.parametrize("logit", [0.0, -1e31, 1e31])
def test_padding_is_never_drawn(instruction_set, classes, logit):
    logits = np.full(classes, logit, np.float32)
    drawn = {_engine.draw(instruction_set, logits, 1.0, uniform) for uniform in np.linspace(0.0, 1.0, 200)}
    assert drawn == set(range(classes))
    assert _engine.draw(instruction_set, np.full(classes, -np.inf, np.float32), 1.0, 0.5) == -1


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_broken_logit_is_told(instruction_set, broken):
    for place in (0, 50, 99):
        logits = np.zeros(100, np.float32)
        logits[place] = broken
        assert _engine.draw(instruction_set, logits, 1.0, 0.5) == -1


def test_phasors_are_right_to_a_millionth(instruction_set):
    turns = np.concatenate([np.linspace(-2.0, 2.0, 4001), np.random.default_rng(0).uniform(0.0, 1e4, 999)])
    sines, cosines = _engine.phasors(instruction_set, turns)
    np.testing.assert_allclose(sines, np.sin(2.0 * np.pi * turns), atol=1e-6)
    np.testing.assert_allclose(cosines, np.cos(2.0 * np.pi * turns), atol=1e-6)
