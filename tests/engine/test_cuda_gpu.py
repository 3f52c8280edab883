"""The CUDA engine on the GPU of this machine, where there is one, against the processor's kernels."""

import dataclasses

import numpy as np
import pytest

from rtwave.engine import cuda, cuda_plan
from rtwave.engine.cuda_plan import PRECISIONS
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError
from rtwave.presets import load_preset

from .networks import EVERYTHING, inputs, quiet_network

LOSS = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Of outputs, relative to the largest: what rounding of weights and of what they are multiplied by may cost."""

NETWORKS = {
    "gaussian": quiet_network(conditioning=EVERYTHING),
    "mulaw": quiet_network(output="mulaw", quantization_channels=64),
    "three taps": quiet_network(kernel_size=3, residual_channels=40, control_period=7),
}


@pytest.fixture(scope="module", autouse=True)
def gpu():
    """The GPU; tests are skipped where it, its driver or cuda-core is missing."""
    pytest.importorskip("cuda.core")
    try:
        return cuda.find_gpu()
    except RtwaveError as error:
        pytest.skip(str(error))


def play(weights, frames, **fields):
    engine = Engine(weights, voices=20, seed=5, **fields)
    engine.control("temperature", 0.6)
    engine.control("gain_db", -20.0)
    for note in range(40, 58):
        engine.note_on(note, 100, at=11 * note)
    engine.control("bend", 0.7, at=700)
    engine.all_notes_off(at=900)
    return engine.render(frames)


@pytest.mark.parametrize("network", NETWORKS)
def test_notes_are_those_of_the_processor(network):
    weights = NETWORKS[network]
    expected = play(weights, 1500, precision="float32")
    np.testing.assert_allclose(play(weights, 1500, precision="float32", device="cuda"), expected, atol=1e-3)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("preset", ["piano", "strings"])
def test_outputs_of_the_bank_are_those_of_the_processor(preset, precision):
    weights = load_preset(preset).weights
    samples, conditioning, excitation = inputs(weights.config, 400)
    given = 0.1 * samples, conditioning, excitation
    expected = Engine(weights, precision="float32").teacher_force(*given)
    ours = Engine(weights, precision=precision, device="cuda").teacher_force(*given)
    assert np.abs(ours - expected).max() <= LOSS[precision] * np.abs(expected).max()


def test_block_sizes_do_not_change_output():
    sounds = []
    for blocks in ((600,), (1, 32, 255, 256, 7, 49)):
        engine = Engine(NETWORKS["gaussian"], voices=3, seed=5, device="cuda")
        engine.note_on(60, 100)
        sounds.append(np.concatenate([engine.render(frames) for frames in blocks]))
    np.testing.assert_array_equal(*sounds)


def test_engines_come_and_go():
    weights = NETWORKS["gaussian"]
    expected = play(weights, 300, device="cuda")
    for _ in range(5):
        np.testing.assert_array_equal(play(weights, 300, device="cuda"), expected)


def test_voices_that_do_not_fit_are_told_in_a_line(monkeypatch):
    plan = cuda_plan.plan  # made to ask for more memory than any GPU has
    monkeypatch.setattr(cuda_plan, "plan", lambda *asked: dataclasses.replace(plan(*asked), state_bytes=1 << 50))
    with pytest.raises(RtwaveError, match=r"its memory has no room for 12 voices \(\d+ MiB\); ask for fewer$"):
        Engine(NETWORKS["gaussian"], voices=8, device="cuda")
