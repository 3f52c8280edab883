"""What the precisions mean: properties of rounding and quantising, and what the oracle makes of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rtwave.errors import RtwaveError
from rtwave.wavenet import precision
from rtwave.wavenet.precision import (
    ACTIVATION_MAX,
    ACTIVATION_MIN,
    HEADROOM,
    MIN_RANGE,
    PRECISIONS,
    activation_ranges,
    activation_steps,
    best_precision,
    held_tensors,
    quantize,
    quantize_rows,
    round_to_bfloat16,
)
from rtwave.wavenet.reference import ReferenceWaveNet

from ..engine.networks import ODD_SIZES, inputs, measured_network, network

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
BFLOAT16_MAX = np.float32(2.0**127 * (2.0 - 2.0**-7))


def vectors(elements=FLOATS, size=64):
    return arrays.arrays(np.float32, st.integers(1, size), elements=elements)


def matrices(elements=FLOATS):
    shape = arrays.array_shapes(min_dims=2, max_dims=3, max_side=9)
    return arrays.arrays(np.float32, shape, elements=elements)


def sizes(values):
    """Bits of the sizes of float32 values, which rise as the values do."""
    return values.view(np.uint32).astype(np.int64) & 0x7FFFFFFF


@given(matrices())
def test_bfloat16_is_the_nearest_that_its_half_of_a_pair_can_hold(weight):
    held = round_to_bfloat16(weight)
    assert (held.dtype, held.shape) == (np.float32, weight.shape)
    bits = held.view(np.uint32)
    assert not (bits[:, 0::2] & 0xFFFF).any()
    pairs = weight.shape[1] // 2
    np.testing.assert_array_equal(bits[:, 1::2] & 0xFFFF, bits[:, 0 : 2 * pairs : 2] >> 16)
    off, top = sizes(held) - sizes(weight), np.abs(weight) >= BFLOAT16_MAX
    at_least = (bits & 0xFFFF).astype(np.int64)  # nothing smaller can be held
    assert ((off <= 0x8000) | (sizes(held) == at_least)).all()
    assert ((off >= -0x8000) | top).all()
    assert np.isfinite(held).all()


def test_an_odd_columns_weight_is_read_with_its_neighbour_as_its_lower_half():
    bits = round_to_bfloat16(np.float32([[1.5, -0.3]])).view(np.uint32)  # -0.3 is 0xBE99999A
    np.testing.assert_array_equal(bits, [[0x3FC00000, 0xBE993FC0]])


def test_bfloat16_keeps_signs_and_leaves_next_to_nothing_of_zeros():
    held = round_to_bfloat16(np.array([[1.0, 0.0, -1.0, -0.0, 0.0, -2.0]], np.float32))
    np.testing.assert_array_equal(np.signbit(held), [[False, False, True, True, False, True]])
    np.testing.assert_allclose(held, [[1.0, 0.0, -1.0, 0.0, 0.0, -2.0]], rtol=2.0**-8, atol=1e-40)


@given(matrices())
def test_bfloat16_rounds_once(weight):
    held = round_to_bfloat16(weight)
    np.testing.assert_array_equal(round_to_bfloat16(held), held)


@given(matrices())
def test_int8_rows_are_right_to_half_a_step_whatever_their_size(weight):
    whole, scale = quantize_rows(weight)
    assert (whole.dtype, whole.shape, scale.dtype) == (np.int8, weight.shape, np.float32)
    assert scale.shape == (weight.shape[0], 1, *weight.shape[2:])
    assert np.abs(whole.astype(int)).max() <= 127
    error = np.abs(whole * scale.astype(np.float64) - weight)
    # float32 rounds scale and quotient; below the smallest normal number it has few bits left, and a scale may be 0
    slack = 127 * np.finfo(np.float32).eps * scale + 128 * np.finfo(np.float32).smallest_subnormal
    assert (error <= 0.5 * scale + slack).all()


@given(matrices(st.floats(-(2.0**100), 2.0**100, width=32)), st.integers(-20, 20))
def test_int8_rows_scale_with_their_weights_and_each_alone(weight, exponent):
    weight = np.where(np.abs(weight) < 1e-20, np.float32(0.0), weight)
    whole, scale = quantize_rows(weight)
    louder = weight.copy()
    louder[0] *= np.float32(2.0**exponent)
    np.testing.assert_array_equal(quantize_rows(louder)[0], whole)
    np.testing.assert_array_equal(quantize_rows(louder)[1][1:], scale[1:])


@given(matrices(st.floats(-(2.0**100), 2.0**100, width=32)))
def test_the_largest_weight_of_an_int8_row_is_127(weight):
    weight = np.where(np.abs(weight) < 1e-20, np.float32(0.0), weight)
    largest = np.abs(quantize_rows(weight)[0].astype(int)).max(axis=1)
    np.testing.assert_array_equal(largest, np.where(np.abs(weight).max(axis=1) > 0, 127, 0))


def test_a_row_of_zeros_stays_zero_beside_the_largest_floats():
    weight = np.zeros((3, 4), np.float32)
    weight[1] = [np.finfo(np.float32).max, -np.finfo(np.float32).max, 0.0, 1.0]
    whole, scale = quantize_rows(weight)
    np.testing.assert_array_equal(whole, [[0, 0, 0, 0], [127, -127, 0, 0], [0, 0, 0, 0]])
    assert scale[0] == scale[2] == 0.0


def test_every_tap_has_scales_of_its_own():
    weight = np.float32([[[1.0, 100.0], [-0.5, 50.0]]])
    whole, scale = quantize_rows(weight)
    np.testing.assert_array_equal(whole, [[[127, 127], [-64, 64]]])
    np.testing.assert_allclose(scale, np.float32([[[1.0, 100.0]]]) / 127)


@given(vectors(st.floats(-1e6, 1e6, width=32)), st.floats(np.float32(1e-9), 1e3, width=32))
def test_activations_are_right_to_half_a_step_until_they_saturate(values, step):
    whole = quantize(values.astype(np.float64), step)
    assert whole.dtype == np.int64
    inside = (values / step > ACTIVATION_MIN) & (values / step < ACTIVATION_MAX)
    assert (np.abs(whole * step - values)[inside] <= 0.5001 * step).all()
    assert (whole[values / step >= ACTIVATION_MAX] == ACTIVATION_MAX).all()
    assert (whole[values / step <= ACTIVATION_MIN] == ACTIVATION_MIN).all()


def test_activation_steps_leave_headroom_over_what_was_seen():
    weights = network(dilations=(1, 2))
    weights.ranges = np.float32([0.5, 3.0, 10.0, MIN_RANGE])
    steps = activation_steps(weights)
    assert steps.dtype == np.float32
    np.testing.assert_allclose(steps * ACTIVATION_MAX, HEADROOM * weights.ranges, rtol=1e-6)
    np.testing.assert_array_equal(quantize(HEADROOM * weights.ranges, steps), ACTIVATION_MAX)


def test_int8_without_ranges_says_what_to_do():
    with pytest.raises(RtwaveError, match=r"^weights: ranges is missing, int8 needs .*; export the preset again$"):
        activation_steps(network())
    with pytest.raises(RtwaveError, match="ranges is missing"):
        ReferenceWaveNet(network(), "int8")


def test_an_unknown_precision_is_told():
    with pytest.raises(RtwaveError, match="precision is 'int4', expected one of float32, bfloat16, int8"):
        ReferenceWaveNet(network(), "int4")


@pytest.mark.parametrize("size", ODD_SIZES)
def test_ranges_are_the_largest_activations_of_the_plain_network(size):
    """What the int8 oracle rounds is looked at as it goes by, in a network that rounds nothing."""
    weights = network(**ODD_SIZES[size])
    given, layers = inputs(weights.config, 60), len(weights.config.dilations)
    seen, rows = [], []

    class Watched(ReferenceWaveNet):
        def _held(self, x, step):
            seen.append(np.abs(x).max())
            return x

    reference = Watched(weights)
    for sample, c, e in zip(given[0], given[1].T, given[2].T, strict=True):
        seen.clear()
        reference.step(sample, c, e)
        rows.append([*seen[: 2 * layers : 2], *seen[2 * layers :]])  # every other one is a gate's
    found, expected = activation_ranges(weights, *given), np.max(rows, axis=0)
    assert (found.dtype, found.shape) == (np.float32, (layers + 2,))
    np.testing.assert_allclose(found[: len(expected)], expected, rtol=1e-4)


def test_an_activation_that_is_never_seen_has_a_range_all_the_same():
    weights = network(dilations=(1,))
    weights.tensors["layers.0.skip.weight"][...] = 0.0
    assert activation_ranges(weights, *inputs(weights.config, 20))[1] == np.float32(MIN_RANGE)


@pytest.mark.parametrize("output", ["gaussian", "mulaw"])
def test_the_big_matrices_are_rounded_and_nothing_else(output):
    weights = network(output=output, quantization_channels=31)
    big = ("gate.weight", "residual.weight", "skip.weight", "head.hidden.weight")
    big += ("head.output.weight",) if output == "mulaw" else ()
    for name in ("bfloat16", "int8"):
        held = held_tensors(weights, name)
        changed = {tensor for tensor in held if (held[tensor] != weights.tensors[tensor]).any()}
        assert changed == {tensor for tensor in weights.tensors if tensor.endswith(big)}
    assert all((held_tensors(weights, "float32")[name] == tensor).all() for name, tensor in weights.tensors.items())


@pytest.mark.parametrize("name", ["bfloat16", "int8"])
@pytest.mark.parametrize("size", ODD_SIZES)
def test_the_oracle_in_any_precision_is_the_network_but_for_rounding(size, name):
    weights = measured_network(**ODD_SIZES[size])
    given = inputs(weights.config, 60)
    exact = ReferenceWaveNet(weights).teacher_force(*given)
    found = ReferenceWaveNet(weights, name).teacher_force(*given)
    difference = np.abs(found - exact).max() / np.abs(exact).max()
    assert 1e-5 < difference < 0.03


def test_int8_products_are_integer_sums():
    """A layer by hand: int64 sums times scales, where the oracle multiplies values."""
    weights = measured_network(dilations=(1,), residual_channels=24, conditioning=(), output="mulaw")
    (samples, conditioning, excitation), tensors = inputs(weights.config, 1), weights.tensors
    steps = activation_steps(weights).astype(np.float64)
    h = tensors["input.weight"][samples[0]] + tensors["excitation.weight"].astype(np.float64) @ excitation[:, 0]

    def product(name, x, step, tap=None):
        whole, scale = quantize_rows(tensors[name] if tap is None else tensors[name][..., tap])
        return scale[:, 0].astype(np.float64) * step * (whole.astype(np.int64) @ quantize(x, step))

    z = product("layers.0.gate.weight", h, steps[0], tap=1) + tensors["layers.0.gate.bias"]
    y = np.tanh(z[:24]) / (1.0 + np.exp(-z[24:]))
    skip = product("layers.0.skip.weight", y, precision.GATED_STEP)
    hidden = product("head.hidden.weight", np.maximum(skip, 0.0), steps[1]) + tensors["head.hidden.bias"]
    expected = product("head.output.weight", np.maximum(hidden, 0.0), steps[2]) + tensors["head.output.bias"]
    found = ReferenceWaveNet(weights, "int8").teacher_force(samples, conditioning, excitation)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_activations_beyond_their_headroom_saturate():
    weights = measured_network(dilations=(1,), residual_channels=4, conditioning=(), excitation="none")
    silence = np.zeros((0, 2))
    loud, louder = (ReferenceWaveNet(weights, "int8").teacher_force(np.full(2, x), silence) for x in (1e6, 1e9))
    np.testing.assert_array_equal(loud, louder)
    assert np.isfinite(loud).all()


@pytest.mark.parametrize(
    ("bits", "best"),
    [
        ({}, "float32"),
        ({"int8": 5.0}, "float32"),
        ({"float32": 5.9}, "float32"),
        ({"float32": 5.9, "bfloat16": 5.91, "int8": 5.911}, "bfloat16"),
        ({"float32": 5.9, "bfloat16": 5.95, "int8": 5.8}, "int8"),
        ({"float32": 5.9, "bfloat16": 5.95, "int8": 6.1}, "float32"),
        ({"float32": -0.5, "int8": -0.495}, "int8"),
    ],
)
def test_the_fastest_precision_within_a_hundredth_of_a_bit_is_best(bits, best):
    assert best_precision(bits, ["int8", "bfloat16", "float32"]) == best


def test_a_precision_that_is_not_the_fastest_here_gives_way():
    bits = dict.fromkeys(PRECISIONS, 5.9)
    assert best_precision(bits, ["float32", "int8", "bfloat16"]) == "float32"
    assert best_precision(bits, ["bfloat16", "float32"]) == "bfloat16"
