import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.wavenet.config import FEATURE_SIZES, WaveNetConfig
from rtwave.wavenet.features import (
    LARGEST_PARTIAL,
    WEIGHT,
    NoteState,
    conditioning,
    excitation,
    note_frequency,
    partial_frequencies,
    weighted_excitation,
)

EVERYTHING = WaveNetConfig(conditioning=tuple(FEATURE_SIZES))


def state(**changes):
    values = {"note": 60.0, "velocity": 100.0, "loudness_db": -20.0}
    values |= {"age_s": np.array([0.5]), "release_age_s": np.array([-1.0])}
    return NoteState(**(values | changes))


def row(name, features):
    start = 0
    for other, size in FEATURE_SIZES.items():
        if other == name:
            return features[start : start + size, 0]
        start += size
    raise KeyError(name)


def test_silence_before_a_note_is_the_zero_vector():
    assert not conditioning(EVERYTHING, state(age_s=np.array([-0.001]))).any()


def test_features_follow_the_design():
    features = conditioning(EVERYTHING, state(knobs=(0.1, 0.2, 0.3, 0.4)))
    np.testing.assert_allclose(row("pitch", features)[:2], [np.sin(-np.pi / 10), np.cos(-np.pi / 10)], rtol=1e-6)
    assert row("velocity", features) == pytest.approx(100 / 127)
    assert row("loudness", features) == pytest.approx(70 / 30)
    assert row("gate", features) == 1.0
    np.testing.assert_allclose(row("age", features), [np.exp(-25), np.exp(-5), np.exp(-1), np.log(6)], rtol=1e-5)
    assert not row("release_age", features).any()
    assert [row(f"knob{n}", features)[0] for n in (1, 2, 3, 4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_timbre_is_told_by_the_two_nearest_places():
    between = row("timbre", conditioning(EVERYTHING, state(timbre=2.25)))
    assert between.tolist() == [0.0, 0.0, 0.75, 0.25] + [0.0] * 12
    assert row("timbre", conditioning(EVERYTHING, state(timbre=np.array([15.0]))))[15] == 1.0


def test_fine_features_tell_the_same_in_more_detail():
    features = conditioning(EVERYTHING, state(note=72.0))
    np.testing.assert_array_equal(row("pitch_fine", features)[:8], row("pitch", features))
    np.testing.assert_allclose(row("pitch_fine", features)[22:], [np.sin(1.2 * np.pi), np.cos(1.2 * np.pi)], rtol=1e-5)
    taus_s = np.array([0.005, 0.02, 0.06, 0.2, 0.6, 2.0, 6.0])
    np.testing.assert_allclose(row("age_fine", features)[:7], np.exp(-0.5 / taus_s), rtol=1e-5, atol=1e-9)
    assert row("age_fine", features)[7] == pytest.approx(np.log(6.0))


def test_note_off_closes_the_gate_and_starts_the_release_age():
    features = conditioning(EVERYTHING, state(release_age_s=np.array([0.0])))
    assert row("gate", features) == 0.0
    assert row("release_age", features).tolist() == [1.0, 1.0, 1.0, 0.0]


def test_conditioning_keeps_the_order_of_the_config():
    features = conditioning(WaveNetConfig(conditioning=("gate", "velocity")), state())
    np.testing.assert_allclose(features[:, 0], [1.0, 100 / 127])


@given(st.floats(0, 126.9), st.floats(0.001, 0.1))
def test_pitch_is_continuous_in_the_note(note, step):
    config = WaveNetConfig(conditioning=("pitch",))
    both = [conditioning(config, state(note=n)) for n in (note, note + step)]
    assert np.abs(both[1] - both[0]).max() <= 4 * np.pi * step / 60 + 1e-6


def test_frequencies_are_a_stretched_harmonic_series_from_an_exact_fundamental():
    cents = np.zeros(128)
    cents[81] = 20.0
    assert note_frequency(69, cents) == pytest.approx(440.0)
    assert note_frequency(81, cents) == pytest.approx(880.0 * 2 ** (20 / 1200))
    assert note_frequency(80.5, cents) == pytest.approx(440.0 * 2 ** ((11.5 + 0.1) / 12))
    frequencies = partial_frequencies(100.0, 1e-3, 4)
    assert frequencies[0] == pytest.approx(100.0)
    assert frequencies[3] == pytest.approx(400 * np.sqrt((1 + 16e-3) / (1 + 1e-3)))


def test_excitation_is_sines_then_cosines_and_zero_where_masked():
    result = excitation(np.array([[0.0, np.pi / 2], [0.0, np.pi / 2]]), np.array([[True, True], [False, False]]))
    np.testing.assert_allclose(result, [[0, 1], [0, 0], [1, 0], [0, 0]], atol=1e-7)


def test_a_weighted_partial_is_what_pre_emphasis_makes_of_it():
    time, turns, amplitude = np.arange(4000), 0.021, 0.2
    sound = amplitude * np.cos(2 * np.pi * turns * time + 0.3)
    emphasized = sound[1:] - 0.85 * sound[:-1]
    phases = (2 * np.pi * turns * time + 0.3)[None, 1:]
    e = weighted_excitation(phases, np.array([[amplitude]]), np.array([[turns]]), 0.85, np.ones_like(phases, bool))
    np.testing.assert_allclose(e[1], WEIGHT * emphasized, atol=1e-6)


def test_a_weighted_partial_is_bounded_and_masked():
    audible = np.array([[True, False]])
    e = weighted_excitation(np.zeros((1, 2)), np.array([[9.0, 9.0]]), np.array([[0.25]]), 0.0, audible)
    assert e[:, 1].tolist() == [0.0, 0.0]
    assert e[1, 0] == WEIGHT * LARGEST_PARTIAL
