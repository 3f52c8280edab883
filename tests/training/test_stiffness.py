"""Stiffness is read from where several recordings' partials stand out, or from the strings below."""

import numpy as np
import pytest

from rtwave.training.stiffness import fit_stiffness, stiffness_by_key
from rtwave.wavenet.features import note_frequency, partial_frequencies

RATE = 24_000


def struck(f0, stiffness, falling_db=6.0, others=(), seed=0):
    """Partials each softer than the one before it, in a little noise; `others` are (Hz, dB)."""
    times = np.arange(int(1.6 * RATE)) / RATE
    hz = partial_frequencies(f0, stiffness, 40)
    lines = [(each, -falling_db * number) for number, each in enumerate(hz[hz < 0.47 * RATE])] + list(others)
    sound = sum(10.0 ** (db / 20.0) * np.sin(2 * np.pi * each * times + each) for each, db in lines)
    return np.exp(-times / 0.4) * (sound + 1e-5 * np.random.default_rng(seed).standard_normal(len(times)))


@pytest.mark.parametrize(("key", "stiffness"), [(28, 1.5e-4), (52, 1.3e-4), (76, 1.2e-3), (84, 2.5e-3)])
def test_stiffness_is_found_though_the_higher_partials_are_faint(key, stiffness):
    f0 = float(note_frequency(key, 0.0))
    sounds = [struck(f0, stiffness, seed=seed) for seed in range(3)]
    count = int(min(24, 0.47 * RATE / f0))
    assert fit_stiffness(sounds, RATE, f0, count) == pytest.approx(stiffness, rel=0.06)


def test_a_harmonic_tone_has_next_to_none():
    f0 = float(note_frequency(60, 0.0))
    assert fit_stiffness([struck(f0, 0.0)], RATE, f0, 24) < 5e-5


def test_one_partial_tells_nothing():
    assert fit_stiffness([struck(8000.0, 0.0)], RATE, 8000.0, 1) == 0.0


def keys(rising):
    """What is heard of keys whose stiffness grows by nine in a hundred from one to the next.

    The last has a hammer that is louder than its second partial, and harmonic.
    """
    for key in rising:
        f0 = float(note_frequency(key, 0.0))
        hammer = [(2.0 * f0, -3.0)] if key == rising[-1] else []
        yield key, f0, [struck(f0, 1e-3 * 1.09 ** (key - 74), 40.0 if hammer else 15.0, hammer)]


def test_where_partials_are_few_the_strings_below_tell_which_is_one():
    found = stiffness_by_key(keys([74, 77, 80, 83, 86, 101]), RATE, 96)
    assert found[101] == pytest.approx(1e-3 * 1.09**27, rel=0.1)
    assert list(found) == [74, 77, 80, 83, 86, 101]


def test_without_strings_below_it_is_what_stands_out_most():
    assert stiffness_by_key(keys([86, 101]), RATE, 96)[101] < 5e-4
