import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.wavenet.codec import class_values, compress, decode, deemphasize, emphasize, encode, expand

CHANNELS = st.integers(3, 1024)
SAMPLES = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50).map(np.array)


@given(CHANNELS)
def test_silence_and_full_scale_are_exact(channels):
    edges = np.array([-1.0, 0.0, 1.0])
    assert encode(edges, channels).tolist() == [0, channels // 2, channels - 1]
    assert decode(encode(edges, channels), channels).tolist() == [-1.0, 0.0, 1.0]


@given(CHANNELS)
def test_class_values_rise_and_every_class_survives_the_round_trip(channels):
    values = class_values(channels)
    assert values.shape == (channels,)
    assert (np.diff(values) > 0).all()
    assert (encode(values, channels) == np.arange(channels)).all()


@given(SAMPLES, CHANNELS)
def test_round_trip_is_within_half_a_step_of_the_companded_scale(samples, channels):
    restored = compress(class_values(channels)[encode(samples, channels)], channels)
    widest = 1.0 / (channels - channels // 2 - 1)
    assert np.abs(restored - compress(samples, channels)).max() <= widest / 2 + 1e-9


@given(SAMPLES, CHANNELS)
def test_encoding_is_monotone(samples, channels):
    assert (np.diff(encode(np.sort(samples), channels)) >= 0).all()


@given(SAMPLES)
def test_companding_agrees_with_the_continuous_formula_of_g711(samples):
    formula = np.sign(samples) * np.log(1 + 255 * np.abs(samples)) / np.log(256)
    np.testing.assert_allclose(compress(samples, 256), formula, atol=1e-12)
    np.testing.assert_allclose(expand(formula, 256), samples, atol=1e-9)


def test_samples_beyond_full_scale_are_clipped():
    assert encode(np.array([-7.0, 7.0])).tolist() == [0, 255]


@given(SAMPLES, st.floats(0, 0.95))
def test_deemphasis_undoes_emphasis(samples, coefficient):
    np.testing.assert_allclose(deemphasize(emphasize(samples, coefficient), coefficient), samples, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_emphasis_is_the_difference_equation_and_keeps_the_dtype(dtype):
    signal = np.array([[1, 2, 4], [0, 0, 1]], dtype)
    expected = np.array([[1, 1.5, 3], [0, 0, 1]], dtype)
    assert emphasize(signal, 0.5).dtype == dtype
    np.testing.assert_allclose(emphasize(signal, 0.5), expected)


def test_deemphasis_of_nothing_is_nothing():
    assert len(deemphasize(np.zeros(0, np.float32), 0.9)) == 0
