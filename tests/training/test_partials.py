import numpy as np
import pytest

from rtwave.training.partials import fit_pitch, track_partials
from rtwave.wavenet.features import partial_frequencies

RATE = 16_000


def tone(f0, stiffness, seconds=2.0, partials=15, phase=0.3):
    time = np.arange(int(seconds * RATE)) / RATE
    frequencies = partial_frequencies(f0, stiffness, partials)
    audible = frequencies[frequencies < 0.47 * RATE]
    return sum(np.exp(-time) * np.cos(2 * np.pi * f * time + phase * k) / k for k, f in enumerate(audible, start=1))


@pytest.mark.parametrize(("note", "cents", "stiffness"), [(36, -9.0, 1e-4), (60, 12.3, 3e-4), (84, 31.0, 2.4e-3)])
def test_pitch_and_stiffness_of_a_struck_string_are_found(note, cents, stiffness):
    f0 = 440 * 2 ** ((note - 69 + cents / 100) / 12)
    found_cents, found_stiffness = fit_pitch(tone(f0, stiffness), RATE, note, 40, stiff=True)
    assert found_cents == pytest.approx(cents, abs=0.8)
    assert found_stiffness == pytest.approx(stiffness, rel=0.15)


def test_without_stiffness_the_series_is_harmonic():
    cents, stiffness = fit_pitch(tone(440.0, 0.0), RATE, 69, 40, stiff=False)
    assert (abs(cents) < 0.3, stiffness) == (True, 0.0)


def test_tracked_phases_are_the_phases_of_the_sound():
    frequencies = partial_frequencies(220.0, 1e-4, 12)
    deviations, _ = track_partials(tone(220.0, 1e-4, partials=12), RATE, frequencies, 128)
    assert deviations.shape == (250, 12)
    error = np.angle(np.exp(1j * (deviations[20:200] - 0.3 * np.arange(1, 13))))
    assert np.abs(error).max() < 0.05


def test_a_detuned_partial_shows_as_a_steady_drift():
    frequencies = partial_frequencies(440.0, 0.0, 1)
    time = np.arange(2 * RATE) / RATE
    deviations = track_partials(np.cos(2 * np.pi * 442.0 * time), RATE, frequencies, 128)[0][:, 0]
    drift = np.diff(deviations[30:200]).mean() * RATE / 128
    assert drift == pytest.approx(2 * np.pi * 2.0, rel=0.01)


def test_phase_is_held_where_the_partial_is_too_weak_to_trust():
    time = np.arange(3 * RATE) / RATE
    sound = np.cos(2 * np.pi * 441.0 * time) * (time < 1.0)
    deviations = track_partials(sound, RATE, partial_frequencies(440.0, 0.0, 1), 128)[0][:, 0]
    assert np.ptp(deviations[200:]) == 0.0
    assert np.ptp(deviations[20:110]) > 1.0


@pytest.mark.parametrize(
    ("f0", "away_hz", "gain"), [(440.0, 10.0, 0.5), (440.0, 21.0, 0.0), (36.0, 6.0, 0.5), (36.0, 13.0, 0.0)]
)
def test_phases_are_heard_through_a_low_pass_of_20_hz_or_a_third_of_the_fundamental(f0, away_hz, gain):
    """A second tone at half the level, `away_hz` from the partial, swings its phase by the filter's gain there."""
    time = np.arange(4 * RATE) / RATE
    sound = np.cos(2 * np.pi * f0 * time) + 0.5 * np.cos(2 * np.pi * (f0 + away_hz) * time)
    deviations = track_partials(sound, RATE, partial_frequencies(f0, 0.0, 1), 128)[0][100:400, 0]
    assert np.ptp(deviations) / 2 == pytest.approx(np.arcsin(0.5 * gain), abs=0.01)


def test_the_level_of_each_partial_is_its_amplitude():
    time = np.arange(2 * RATE) / RATE
    falling = 0.25 * np.exp(-time / 0.8) * np.sin(2 * np.pi * 440.0 * time)
    _, levels_db = track_partials(
        falling + 0.01 * np.cos(2 * np.pi * 880.0 * time), RATE, np.array([440.0, 880.0]), 128
    )
    moments = np.arange(len(levels_db)) * 128 / RATE
    inner = (moments > 0.1) & (moments < 1.8)
    expected_db = 20.0 * np.log10(0.25) - moments / 0.8 * 20.0 / np.log(10.0)
    np.testing.assert_allclose(levels_db[inner, 0], expected_db[inner], atol=0.1)
    np.testing.assert_allclose(levels_db[inner, 1], -40.0, atol=0.1)
