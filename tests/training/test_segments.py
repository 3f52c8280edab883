"""The native parts of a segment against the same in plain NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave import _engine, _segments
from rtwave.wavenet.features import excitation


def sinc_at(samples, positions):
    """The definition: 16 samples around each position, weighed by a sinc under a raised cosine."""
    found = np.zeros(len(positions))
    for i, position in enumerate(positions):
        whole = np.arange(16) - 7 + int(np.floor(position))
        x = whole - position
        taps = np.sinc(0.96 * x) * np.cos(np.pi * x / 18) ** 2
        inside = (whole >= 0) & (whole < len(samples))
        found[i] = (taps[inside] / taps.sum()) @ samples[whole[inside]]
    return found


def excite_at(deviations, turns, pace, start, length):
    """e (T, 2K) in double precision: phases interpolated between frames, reduced at every sample."""
    times = start + np.arange(length)
    places = np.clip(times * pace, 0, len(deviations) - 1)
    low = np.clip(places.astype(int), 0, max(len(deviations) - 2, 0))
    high = np.minimum(low + 1, len(deviations) - 1)
    share = (places - low)[:, None]
    phases = deviations[low] * (1.0 - share) + deviations[high].astype(float) * share
    partials = deviations.shape[1]
    cycles = times[:, None] * np.pad(turns, (0, partials - len(turns)))
    phases = phases + 2.0 * np.pi * (cycles - np.floor(cycles))
    audible = (times >= 0)[:, None] & (np.arange(partials) < len(turns))
    return excitation(phases.T, audible.T).T


def excite(deviations, turns, pace, start, length):
    out = np.full((length, 2 * deviations.shape[1]), np.nan, np.float32)
    _segments.excite(deviations, turns, pace, start, out)
    return out


def drifting(frames, partials, seed):
    steps = np.random.default_rng(seed).normal(0.0, 0.5, (frames, partials))
    return np.cumsum(steps, axis=0).astype(np.float32)


@given(
    st.integers(0, 300), st.floats(-40.0, 330.0), st.floats(0.5, 2.0), st.integers(0, 120), st.integers(0, 2**32 - 1)
)
def test_a_resampled_wave_is_that_of_the_windowed_sinc(count, first, step, length, seed):
    samples = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    positions = first + step * np.arange(length)
    positions = positions[positions != np.floor(positions)]
    found = _segments.resample_at(samples, positions)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, sinc_at(samples, positions), atol=1e-4)


def test_a_whole_position_returns_the_sample_itself_and_a_fraction_lies_on_the_wave():
    wave = np.sin(0.3 * np.arange(200)).astype(np.float32)
    assert (_segments.resample_at(wave, np.arange(-3.0, 203.0)) == np.pad(wave, 3)).all()
    assert _segments.resample_at(wave, np.array([-1e-17, 1e-17])) == pytest.approx(0.0, abs=5e-3)
    found = _segments.resample_at(wave, np.arange(50.0, 100.0) + 0.37)
    np.testing.assert_allclose(found, np.sin(0.3 * (np.arange(50, 100) + 0.37)), atol=1e-3)
    assert not _segments.resample_at(wave, np.arange(-60.0, -30.0) + 0.5).any()
    assert not _segments.resample_at(wave, np.arange(260.0, 290.0) + 0.5).any()


@settings(max_examples=60)
@given(
    partials=st.integers(1, 70),
    heard=st.floats(0.0, 1.0),
    frames=st.integers(1, 12),
    pace=st.floats(1 / 400, 1 / 5),
    start=st.integers(-300, 1500),
    length=st.integers(0, 500),
    seed=st.integers(0, 2**32 - 1),
)
def test_excitation_is_that_of_double_precision(partials, heard, frames, pace, start, length, seed):
    deviations = drifting(frames, partials, seed)
    turns = np.sort(np.random.default_rng(seed).uniform(0.0005, 0.47, round(heard * partials)))
    found = excite(deviations, turns, pace, start, length)
    np.testing.assert_allclose(found, excite_at(deviations, turns, pace, start, length), atol=1e-6)


@pytest.mark.parametrize("minutes", [1, 10, 60])
def test_long_notes_stay_in_phase(minutes):
    start, turns = 48_000 * 60 * minutes + 7, np.array([0.0123456789, 0.4699999])
    found = excite(drifting(3, 2, 1), turns, 1 / 128, start, 300)
    assert np.abs(found - excite_at(drifting(3, 2, 1), turns, 1 / 128, start, 300)).max() < 1e-6


def test_excitation_goes_on_from_segment_to_segment():
    deviations, turns = drifting(20, 12, 3), np.arange(1, 13) * 0.0271828
    whole = excite(deviations, turns, 1.03 / 128, -32, 1700)
    for border in (1, 32, 64, 777, 1699):
        parts = [
            excite(deviations, turns, 1.03 / 128, at, n) for at, n in ((-32, border), (border - 32, 1700 - border))
        ]
        assert np.abs(np.concatenate(parts) - whole).max() < 6e-7


def test_a_note_held_at_its_onset_phases_is_excited_as_the_engine_does_it():
    """Voices carry phases from control period to control period, in turns, and begin each with exact phasors."""
    turns = np.arange(1, 33) * 0.01380649
    onset = drifting(1, 32, 4)
    found = np.concatenate([excite(onset, turns, 1 / 128, at, 960) for at in range(0, 9600, 960)])
    phases = onset[0].astype(float) / (2.0 * np.pi)
    for period in range(300):
        phases -= np.floor(phases)
        engine = np.concatenate(_engine.phasors("portable", phases))
        np.testing.assert_allclose(found[32 * period], engine, atol=2e-6)
        phases += 32 * turns


@given(st.integers(0, 900), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_the_running_level_is_the_root_of_the_mean_square(length, window, seed):
    generator = np.random.default_rng(seed)
    signal = (generator.standard_normal(length) * np.exp(-generator.uniform(0, 9, length))).astype(np.float32)
    squares = np.convolve(np.pad(signal.astype(float) ** 2, (window, 0)), np.ones(window))[window : window + length]
    np.testing.assert_allclose(_segments.running_level(signal, window), np.sqrt(squares / window), atol=1e-6)


@pytest.mark.parametrize(
    ("deviations", "turns", "pace", "shape"),
    [
        ((3, 4), 5, 0.01, (9, 10)),
        ((3, 4), 4, 0.01, (9, 6)),
        ((3, 4), 4, 0.01, (9, 9)),
        ((0, 4), 4, 0.01, (9, 8)),
        ((3, 4), 4, 0.0, (9, 8)),
        ((3, 300), 300, 0.01, (9, 600)),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(deviations, turns, pace, shape):
    with pytest.raises(ValueError, match=r"partials|even number"):
        _segments.excite(np.zeros(deviations, np.float32), np.zeros(turns), pace, 0, np.zeros(shape, np.float32))


@given(st.integers(-40, 300), st.floats(0.004, 0.02), st.integers(0, 5), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_weights_multiply_each_partial_and_move_between_frames(start, pace, first, frames, seed):
    generator = np.random.default_rng(seed)
    deviations, turns = drifting(12, 5, seed), np.array([0.01, 0.02, 0.04])
    weights = (generator.standard_normal((frames, 3)) + 1j * generator.standard_normal((frames, 3))).astype(
        np.complex64
    )
    plain = excite(deviations, turns, pace, start, 200)
    weighted = np.full_like(plain, np.nan)
    _segments.excite(deviations, turns, pace, start, weighted, weights, first)
    places = np.clip((start + np.arange(200)) * pace, 0, 11)
    low = np.clip(places.astype(int) - first, 0, frames - 1)
    share = np.where(places.astype(int) < first, 0.0, places - np.floor(places))[:, None]
    high = np.minimum(low + 1, frames - 1)
    factors = np.pad(weights[low] * (1 - share) + weights[high] * share, ((0, 0), (0, 2)))
    expected = (plain[:, 5:] + 1j * plain[:, :5]) * factors
    inside = places >= first  # a segment never begins before its weights do
    np.testing.assert_allclose(weighted[inside, 5:], expected.real[inside], atol=2e-5)
    np.testing.assert_allclose(weighted[inside, :5], expected.imag[inside], atol=2e-5)
