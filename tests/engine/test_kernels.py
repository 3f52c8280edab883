"""Every instruction set of this machine against the reference, and against itself in company."""

import numpy as np
import pytest

from rtwave import _engine
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError
from rtwave.wavenet.precision import PRECISIONS, activation_ranges
from rtwave.wavenet.reference import ReferenceWaveNet

from .networks import ODD_SIZES, inputs, network, quiet_network

INSTRUCTION_SETS = _engine.instruction_sets()


@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
@pytest.mark.parametrize("size", ODD_SIZES)
def test_teacher_forced_output_equals_the_reference(size, instruction_set):
    weights = network(**ODD_SIZES[size])
    given = inputs(weights.config, 120)
    expected = ReferenceWaveNet(weights).teacher_force(*given)
    found = Engine(weights, voices=1, instruction_set=instruction_set).teacher_force(*given)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel_size", [2, 3])
@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_rings_wrap_around_over_many_periods(instruction_set, kernel_size):
    """Dilations below, at and above the samples that are computed ahead, and no multiples of them."""
    weights = network(residual_channels=3, skip_channels=5, dilations=(1, 3, 7, 8, 11, 16), kernel_size=kernel_size)
    given = inputs(weights.config, 1500)
    expected = ReferenceWaveNet(weights).teacher_force(*given)
    found = Engine(weights, instruction_set=instruction_set).teacher_force(*given)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_ten_minutes_of_sound_neither_drift_nor_break(precision):
    weights = quiet_network(conditioning=("pitch",), dilations=(1, 8, 3))
    weights.ranges = activation_ranges(weights, *inputs(weights.config, 200))
    engine = Engine(weights, precision=precision)
    engine.note_on(60, 100)
    minute = 60 * engine.model_rate
    levels, means = [], []
    for _ in range(10):
        sound = engine.render(minute)
        assert np.isfinite(sound).all()
        levels.append(sound.std())
        means.append(sound.mean())
    assert engine.counters()["faults"] == 0
    assert engine.active_voices == 1
    np.testing.assert_allclose(levels, levels[0], rtol=0.02)
    np.testing.assert_allclose(means, means[0], atol=0.02 * levels[0])


@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_a_planted_fault_is_seen(instruction_set):
    weights = network(**ODD_SIZES["thirty-three"])
    given = inputs(weights.config, 50)
    expected = ReferenceWaveNet(weights).teacher_force(*given)
    weights.tensors["layers.0.gate.weight"][40, 32, 0] += 0.5
    found = Engine(weights, instruction_set=instruction_set).teacher_force(*given)
    assert np.abs(found - expected).max() > 1e-3


@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
@pytest.mark.parametrize("count", [2, 3, 4])
def test_voices_do_not_change_each_other(instruction_set, count):
    weights = network(residual_channels=33, skip_channels=20, dilations=(1, 2, 4))
    packed = _engine.Network(weights, instruction_set)
    given = []
    for seed in range(count):
        samples, conditioning, excitation = inputs(weights.config, 60, seed)
        given.append((samples, np.ascontiguousarray(conditioning.T), np.ascontiguousarray(excitation.T)))
    together = packed.teacher_force(*(np.stack(column) for column in zip(*given, strict=True)))
    for number, signals in enumerate(given):
        alone = packed.teacher_force(*(signal[None] for signal in signals))
        np.testing.assert_array_equal(together[number], alone[0])


@pytest.mark.parametrize("instruction_set", INSTRUCTION_SETS)
def test_tanh_and_sigmoid_are_right_to_a_millionth(instruction_set):
    weights = network(residual_channels=1, skip_channels=1, head_channels=2, dilations=(1,), conditioning=("knob1",))
    for tensor in weights.tensors.values():
        tensor[...] = 0.0
    # filter and gate both read the conditioning; the head passes y and its sign on
    weights.tensors["layers.0.conditioning.weight"][:, 0] = 1.0, 0.7
    weights.tensors["layers.0.skip.weight"][0, 0] = 1.0
    weights.tensors["head.hidden.weight"][:, 0] = 1.0, -1.0
    weights.tensors["head.output.weight"][0] = 1.0, -1.0
    x = np.concatenate([np.linspace(-100.0, 100.0, 2001), np.linspace(-6.0, 6.0, 3001)])
    x = np.sort(np.abs(x))  # relu lets y through where it is positive
    silence = np.zeros(len(x), np.float32)
    engine = Engine(weights, instruction_set=instruction_set)
    found = engine.teacher_force(silence, x[None])[:, 0]
    expected = np.tanh(x.astype(np.float32)) / (1.0 + np.exp(-0.7 * x.astype(np.float64)))
    assert np.abs(found - expected).max() < 1e-6


def test_an_unavailable_instruction_set_is_an_error_that_lists_the_others():
    with pytest.raises(RtwaveError, match="'mmx', this machine has portable"):
        Engine(quiet_network(), instruction_set="mmx")


def test_the_environment_forces_an_instruction_set(monkeypatch):
    monkeypatch.setenv("RTWAVE_INSTRUCTION_SET", "portable")
    assert Engine(quiet_network()).instruction_set == "portable"
    monkeypatch.setenv("RTWAVE_INSTRUCTION_SET", "abacus")
    with pytest.raises(RtwaveError, match="'abacus'"):
        Engine(quiet_network())


def test_auto_takes_the_best(monkeypatch):
    monkeypatch.delenv("RTWAVE_INSTRUCTION_SET", raising=False)
    assert Engine(quiet_network()).instruction_set == INSTRUCTION_SETS[-1]


def test_wrong_shapes_for_teacher_forcing_are_told():
    weights = quiet_network()
    samples, conditioning, excitation = inputs(weights.config, 20)
    engine = Engine(weights)
    with pytest.raises(RtwaveError, match=r"conditioning has shape \(23, 19\), expected \(23, 20\)"):
        engine.teacher_force(samples, conditioning[:, 1:], excitation)
    with pytest.raises(RtwaveError, match=r"excitation has shape \(5, 20\), expected \(6, 20\)"):
        engine.teacher_force(samples, conditioning, excitation[1:])
    classes = quiet_network(output="mulaw")
    with pytest.raises(RtwaveError, match="whole numbers from 0 to 255"):
        Engine(classes).teacher_force(np.full(20, 256), conditioning, excitation)
