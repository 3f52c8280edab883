"""Every instruction set in every precision against the oracle, and which precision an engine takes."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from rtwave import _engine
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError
from rtwave.wavenet.precision import ACTIVATION_MAX, ACTIVATION_MIN, PRECISIONS
from rtwave.wavenet.reference import ReferenceWaveNet

from .networks import ODD_SIZES, inputs, measured_network, quiet_network

INSTRUCTION_SETS = _engine.instruction_sets()
FRAMES = 300
LAST_BITS = 1e-6
"""Error of a float32 activation in the engine; tanh and sigmoid are right to a millionth."""


class DisturbedWaveNet(ReferenceWaveNet):
    """The oracle with the last bits of every float32 activation disturbed."""

    def __init__(self, weights, seed):
        super().__init__(weights, "int8")
        self.generator = np.random.default_rng(seed)

    def _held(self, x, step):
        error = LAST_BITS * np.maximum(1.0, np.abs(x)) * self.generator.uniform(-1.0, 1.0, x.shape)
        return super()._held(x + error, step)


class TruncatingWaveNet(ReferenceWaveNet):
    """A fault: rounds down instead of to the nearest."""

    def _held(self, x, step):
        return x if step is None else step * np.clip(np.floor(x / step), ACTIVATION_MIN, ACTIVATION_MAX)


class CoarseWaveNet(ReferenceWaveNet):
    """A fault: the lowest of the 14 bits is lost."""

    def _held(self, x, step):
        return x if step is None else 2.0 * super()._held(0.5 * x, step)


class WrappingWaveNet(ReferenceWaveNet):
    """A fault: what exceeds 14 bits comes out at the other end."""

    def _held(self, x, step):
        return x if step is None else step * ((np.rint(x / step) - ACTIVATION_MIN) % 16384 + ACTIVATION_MIN)


def rms(difference):
    return float(np.sqrt(np.mean(np.square(difference))))


class Judge:
    """Tells whether int8 outputs are the oracle's, as far as float32 lets anyone tell.

    The integer sums are exact, but an activation near the border of two steps falls to the side on which its last
    float32 bits put it; that is a whole step, and the rings hold it. So the oracle is first held against itself with
    those last bits disturbed; the engine may be twice as far off. Faults of the arithmetic are further off.
    """

    def __init__(self, weights, given):
        self.weights, self.given = weights, given
        self.expected = ReferenceWaveNet(weights, "int8").teacher_force(*given)
        disturbed = [DisturbedWaveNet(weights, seed).teacher_force(*given) for seed in range(3)]
        self.tolerance = 2.0 * max(rms(outputs - self.expected) for outputs in disturbed)

    def accepts(self, found):
        return rms(found - self.expected) <= self.tolerance

    def accepts_engine(self, instruction_set):
        engine = Engine(self.weights, voices=1, instruction_set=instruction_set, precision="int8")
        return self.accepts(engine.teacher_force(*self.given))

    def accepts_fault(self, network):
        return self.accepts(network(self.weights, "int8").teacher_force(*self.given))


@lru_cache
def odd_network(size):
    """(weights, inputs) of an odd size."""
    weights = measured_network(**ODD_SIZES[size])
    return weights, inputs(weights.config, FRAMES)


@lru_cache
def expected_bfloat16(size):
    weights, given = odd_network(size)
    return ReferenceWaveNet(weights, "bfloat16").teacher_force(*given)


@lru_cache
def judge(size):
    return Judge(*odd_network(size))


@lru_cache
def saturated_judge(size):
    """Of a network whose activations go eight times beyond what it was measured at."""
    weights, given = odd_network(size)
    return Judge(replace(weights, ranges=weights.ranges / np.float32(8.0)), given)


@lru_cache
def extreme_judge(output):
    """Of a network with rows of zeros, of one weight alone, of a weight that drowns the others, tiny and huge ones."""
    weights = measured_network(
        residual_channels=24, skip_channels=40, head_channels=50, dilations=(1, 8, 3), output=output, seed=3
    )
    for name, tensor in weights.tensors.items():
        if name.endswith(("gate.weight", "residual.weight", "skip.weight", "hidden.weight")):
            tensor[0] = 0.0
            tensor[1, 1:] = 0.0
            tensor[2, 5] *= 300.0
            tensor[3] *= np.float32(1e-30)
            tensor[4] *= np.float32(1e-44)  # float32 has no scale for it
            tensor[5] = np.abs(tensor[5]).max()
    for layer in range(3):
        weights.tensors[f"layers.{layer}.gate.weight"][6] *= 1e4
        weights.tensors[f"layers.{layer}.gate.weight"][24 + 7] *= np.float32(-1e30)
    return Judge(weights, inputs(weights.config, FRAMES))


@pytest.mark.parametrize("size", ODD_SIZES)
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_bfloat16_equals_the_reference(size, instruction_set):
    weights, given = odd_network(size)
    engine = Engine(weights, voices=1, instruction_set=instruction_set, precision="bfloat16")
    np.testing.assert_allclose(engine.teacher_force(*given), expected_bfloat16(size), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", ODD_SIZES)
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_int8_equals_the_reference(size, instruction_set):
    assert judge(size).accepts_engine(instruction_set)


@pytest.mark.parametrize("size", ["one-layer", "five", "one-channel", "wide"])
@pytest.mark.parametrize("fault", [TruncatingWaveNet, CoarseWaveNet])
def test_faults_of_rounding_are_seen(size, fault):
    assert not judge(size).accepts_fault(fault)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@pytest.mark.parametrize("tap", [0, 1, 2])
def test_a_planted_fault_is_seen(precision, tap):
    weights, given = odd_network("thirty-three")
    wrong = replace(weights, tensors={name: tensor.copy() for name, tensor in weights.tensors.items()})
    wrong.tensors["layers.0.gate.weight"][40, 32, tap] += 0.3
    found = Engine(wrong, precision=precision).teacher_force(*given)
    if precision == "int8":
        assert not judge("thirty-three").accepts(found)
    else:
        assert np.abs(found - expected_bfloat16("thirty-three")).max() > 1e-3


@pytest.mark.parametrize("size", ["twenty-four", "forty", "one-layer"])
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_int8_activations_saturate_as_the_reference_does(size, instruction_set):
    assert saturated_judge(size).accepts_engine(instruction_set)
    assert not saturated_judge(size).accepts_fault(WrappingWaveNet)


@pytest.mark.parametrize("output", ["gaussian", "mulaw"])
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_extreme_weights_are_held_as_the_reference_holds_them(output, instruction_set):
    judge = extreme_judge(output)
    assert judge.accepts_engine(instruction_set)
    for precision in ("float32", "bfloat16"):
        found = Engine(judge.weights, instruction_set=instruction_set, precision=precision).teacher_force(*judge.given)
        expected = ReferenceWaveNet(judge.weights, precision).teacher_force(*judge.given)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_int8_sums_of_many_columns_do_not_overflow(instruction_set):
    weights = measured_network(residual_channels=8, skip_channels=3000, head_channels=9, dilations=(1, 2))
    weights.tensors["head.hidden.weight"][:] = np.float32(0.01)  # every product at its largest
    assert Judge(weights, inputs(weights.config, 30)).accepts_engine(instruction_set)


@pytest.mark.parametrize("size", ["twenty-four", "thirty-three", "forty", "wide", "one-channel"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_voices_do_not_change_each_other_in_any_precision(instruction_set, precision, size):
    weights, _ = odd_network(size)
    native = Engine(weights, instruction_set=instruction_set, precision=precision).native.network
    given = []
    for seed in range(8):
        samples, conditioning, excitation = inputs(weights.config, 40, seed)
        given.append((samples, conditioning.T, excitation.T))
    given = [np.stack(column).astype(np.float32, order="C") for column in zip(*given, strict=True)]
    alone = np.concatenate([native.teacher_force(*(each[voice : voice + 1] for each in given)) for voice in range(8)])
    for count in range(2, 9):
        together = native.teacher_force(*(np.ascontiguousarray(each[:count]) for each in given))
        np.testing.assert_array_equal(together, alone[:count])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_block_size_does_not_change_output_in_any_precision(instruction_set, precision):
    def play(blocks):
        engine = Engine(WEIGHTS, voices=3, seed=5, instruction_set=instruction_set, precision=precision)
        for at, note in ((0, 60), (10, 64), (33, 67)):
            engine.note_on(note, 90, at=at)
        return np.concatenate([engine.render(block) for block in blocks])

    whole = play([500])
    assert whole.any()
    np.testing.assert_array_equal(play([1, 31, 32, 33, 64, 100, 239]), whole)


def measured_quiet_network():
    weights = quiet_network()
    weights.ranges = np.full(len(weights.config.dilations) + 2, 4.0, np.float32)
    return weights


WEIGHTS = measured_quiet_network()


class Preset:
    """As an engine sees one."""

    def __init__(self, **bits):
        self.weights, self.precision = WEIGHTS, bits


@pytest.mark.parametrize(
    ("bits", "taken"),
    [
        ({}, "float32"),
        ({"float32": 5.9, "bfloat16": 5.9, "int8": 5.909}, "int8"),
        ({"float32": 5.9, "bfloat16": 5.9, "int8": 6.0}, "bfloat16"),
    ],
)
def test_auto_takes_the_fastest_that_the_presets_measurement_allows(bits, taken):
    assert Engine(Preset(**bits), instruction_set=INSTRUCTION_SETS[-1]).precision == taken


def test_auto_takes_the_fastest_of_its_own_instruction_set():
    bits = dict.fromkeys(PRECISIONS, 5.9)
    for instruction_set in INSTRUCTION_SETS:
        engine = Engine(Preset(**bits), instruction_set=instruction_set)
        assert engine.precision == _engine.precisions(instruction_set)[0]


def test_weights_alone_are_played_in_float32_unless_told():
    assert Engine(WEIGHTS).precision == "float32"
    for precision in PRECISIONS:
        engine = Engine(WEIGHTS, precision=precision)
        assert engine.precision == engine.native.network.precision == precision


def test_a_named_precision_goes_before_the_measurement():
    assert Engine(Preset(float32=5.9, int8=5.9), precision="bfloat16").precision == "bfloat16"


def test_an_unknown_precision_lists_those_there():
    with pytest.raises(RtwaveError, match=r"precision is 'int4', portable has auto, bfloat16, float32, int8$"):
        Engine(WEIGHTS, instruction_set="portable", precision="int4")


def test_int8_of_a_preset_without_ranges_says_what_to_do():
    with pytest.raises(RtwaveError, match=r"ranges is missing, .*export the preset again"):
        Engine(quiet_network(), precision="int8")
