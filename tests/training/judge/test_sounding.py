import numpy as np
import pytest

from rtwave.training.judge import sounding

from .instruments import RATE, struck


def test_levels():
    assert sounding.level_db(np.sin(np.arange(16_000)).astype(np.float32)) == pytest.approx(-3.01, abs=0.01)
    assert sounding.level_db(np.zeros(10, np.float32)) == sounding.level_db(np.zeros(0)) == sounding.SILENCE_DB


def test_brightness_is_where_the_spectrum_balances():
    time = np.arange(RATE) / RATE
    both = np.sin(2 * np.pi * 500.0 * time) + np.sin(2 * np.pi * 1500.0 * time)
    assert sounding.centroid_hz(both, RATE) == pytest.approx(1000.0, abs=10.0)
    assert sounding.centroid_hz(np.zeros(RATE), RATE) is None


@pytest.mark.parametrize("key", [30, 48, 69, 90])
@pytest.mark.parametrize("cents", [-12.0, 0.0, 7.0])
def test_pitch_to_a_fifth_of_a_cent(key, cents):
    assert sounding.pitch_cents(struck(key, 80, 2.0, cents=cents), RATE, key, stiff=False) == pytest.approx(
        cents, abs=0.2
    )


@pytest.mark.parametrize("key", [24, 30, 48, 69, 90, 100])
@pytest.mark.parametrize("cents", [-12.0, 7.0])
def test_the_second_judge_hears_the_same_to_five_cents(key, cents):
    heard = sounding.second_pitch_hz(struck(key, 80, 2.0, cents=cents), RATE, key)
    assert 1200.0 * np.log2(heard / (440.0 * 2.0 ** ((key - 69) / 12.0))) == pytest.approx(cents, abs=5.0)


@pytest.mark.parametrize("key", [40, 48, 69, 90])
def test_yin_hears_what_librosas_hears(key):
    librosa = pytest.importorskip("librosa")
    near_hz = 440.0 * 2.0 ** ((key - 69) / 12.0)
    low, high = near_hz * 0.9, near_hz * 1.1
    sound = struck(key, 80, 1.0, cents=9.0)
    expected = np.median(librosa.yin(sound, fmin=low, fmax=high, sr=RATE, frame_length=2048))
    assert 1200.0 * np.log2(np.median(sounding.yin_hz(sound, RATE, low, high)) / expected) == pytest.approx(
        0.0, abs=3.0
    )


def test_no_pitch_is_told_of_silence_or_of_a_click():
    assert sounding.pitch_cents(np.zeros(RATE, np.float32), RATE, 60, stiff=False) is None
    assert sounding.pitch_cents(struck(60, 80, 0.1), RATE, 60, stiff=False) is None


@pytest.mark.parametrize("key", [48, 60, 84])
def test_decay_is_the_fall_of_the_level(key):
    sound = struck(key, 80, 3.0)
    span = sounding.decay_span_s(sound, RATE, 0.1, 2.5)
    assert span == (0.1, pytest.approx(2.5, abs=0.03))
    assert sounding.decay_db_per_s(sound, RATE, span) == pytest.approx(6.0 + (key - 48) / 6.0, abs=0.3)


def test_decay_is_watched_until_the_recording_has_fallen_by_40_db():
    sound = struck(60, 80, 3.0) * np.exp(-np.arange(3 * RATE) / (0.1 * RATE))
    start, end = sounding.decay_span_s(sound, RATE, 0.0, 2.5)
    assert (start, end) == (0.0, pytest.approx(0.45, abs=0.05))
    assert sounding.decay_db_per_s(np.zeros(RATE), RATE, (0.0, 1.0)) is None


@pytest.mark.parametrize("damper_s", [0.02, 0.06, 0.3])
@pytest.mark.parametrize("key", [28, 60])
def test_damping_is_the_time_to_fall_to_1_over_e(key, damper_s):
    after_s = np.maximum(np.arange(3 * RATE) / RATE - 1.0, 0.0)
    sound = struck(key, 100, 3.0) * np.exp(-after_s / damper_s)
    decay = (6.0 + (key - 48) / 6.0) / sounding.DECIBELS
    expected = 1.0 / (1.0 / damper_s + decay)
    assert sounding.damping_s(sound, RATE, 1.0) == pytest.approx(expected, rel=0.15)


def test_damping_is_not_told_of_what_rings_on_or_is_not_heard():
    assert sounding.damping_s(np.full(RATE, 0.1), RATE, 0.5) is None
    assert sounding.damping_s(np.full(RATE, 1e-5), RATE, 0.5) is None
    assert sounding.damping_s(np.full(RATE, 0.1), RATE, 1.0) is None


def test_full_scale_is_timed():
    sound = np.zeros(RATE)
    sound[100:500] = -1.0
    assert sounding.full_scale_ms(sound, RATE) == 25.0
    assert sounding.full_scale_ms(np.zeros(RATE), RATE) == 0.0


def test_ranks():
    assert sounding.rank_correlation([1, 2, 3], [10, 200, 300]) == pytest.approx(1.0)
    assert sounding.rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert np.isnan(sounding.rank_correlation([1, 2, 3], [1, 1, 1]))
