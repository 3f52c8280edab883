"""The plain device against the engine's own kernels and the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave import _engine
from rtwave.engine.commands import NoteControl, NoteOn
from rtwave.engine.devices import open_device
from rtwave.engine.engine import Engine
from rtwave.presets import load_preset
from rtwave.wavenet.reference import ReferenceWaveNet

from .networks import EVERYTHING, ODD_SIZES, inputs, network, quiet_network
from .test_engine import FRAMES, WEIGHTS, play
from .test_voices import instrument

torch = pytest.importorskip("torch")

KINDS = {
    "gaussian": {"output": "gaussian"},
    "pre-emphasis": {"pre_emphasis": 0.85, "kernel_size": 3, "control_period": 7},
    "no excitation": {"excitation": "none", "conditioning": ()},
    "levelled": {"leveling": "loudness", "pre_emphasis": 0.5, "conditioning": ("pitch", "age")},
    "weighted": {"excitation": "weighted", "pre_emphasis": 0.85, "leveling": "loudness"},
    "every sample": {"control_period": 1},
}


def piece(engine, temperature):
    """Notes in mid-chunk, bends, pressure, the pedal, a restrike, a theft, a fade; a voice over its whole life."""
    engine.control("temperature", temperature)
    engine.control("gain_db", -6.0)
    engine.note_on(60, 100)
    for at, note in ((37, 64), (101, 67), (350, 72)):
        engine.note_on(note, 90, at=at)
    engine.control("bend", 0.7, at=130)
    engine.submit([NoteControl("pressure", 0.8, note=64), NoteControl("bend", -0.3, note=67)], at=250)
    engine.control("damper", 0.2, at=390)  # the pedal, half-way
    engine.note_off(64, at=400)
    engine.note_on(60, 120, at=500)
    engine.control("timbre", 0.9, at=555)
    engine.control("damper", 1.0, at=700)
    engine.all_notes_off(at=900)
    engine.all_sound_off(at=1500)


def both(weights, frames, temperature, seed=5, **fields):
    """The same piece by the processor's kernels and by torch: float32 (frames,) each."""
    sounds = []
    for device in ("cpu", "torch"):
        engine = Engine(weights, voices=3, seed=seed, precision="float32", device=device, **fields)
        piece(engine, temperature)
        sounds.append(engine.render(frames))
        assert engine.counters()["faults"] == 0
    return sounds


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_is_that_of_the_processor(kind, temperature):
    tables = instrument(weighted=kind == "weighted")
    expected, found = both(quiet_network(instrument=tables, **KINDS[kind]), 1700, temperature)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not found[-50:].any()


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("classes", [65, 256])
def test_mulaw_classes_are_those_of_the_processor(classes, temperature):
    weights = quiet_network(output="mulaw", quantization_channels=classes)
    expected, found = both(weights, 150, temperature)
    assert len(np.unique(expected)) > 5
    np.testing.assert_allclose(found, expected, atol=1e-6)  # of one class a whole step is 0.01 and more


@pytest.mark.parametrize("name", ["piano-lite", "strings"])
def test_a_preset_agrees_for_a_tenth_of_a_second_and_keeps_level_and_pitch(name):
    preset = load_preset(name)
    rate = preset.weights.config.sample_rate
    sounds = []
    for device in ("cpu", "torch"):
        engine = Engine(preset, voices=2, precision="float32", device=device)
        engine.control("temperature", 0.0)
        engine.submit([NoteOn(57, 100)])
        sounds.append(engine.render(rate // 4))
    expected, found = sounds
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found[: rate // 10], expected[: rate // 10], atol=1e-3)
    later = slice(rate // 10, None)
    assert np.std(found[later]) == pytest.approx(np.std(expected[later]), rel=0.06)  # half a dB
    spectra = [np.abs(np.fft.rfft(sound[later] * np.hanning(len(sound[later])))) for sound in sounds]
    assert np.argmax(spectra[0]) == np.argmax(spectra[1])


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 250), min_size=1, max_size=6))
def test_block_size_does_not_change_output(blocks):
    engine, whole = (Engine(WEIGHTS, voices=3, seed=5, device="torch") for _ in range(2))
    for either in (engine, whole):
        play(either)
    pieces = [engine.render(block) for block in blocks]
    rest = max(FRAMES - sum(map(len, pieces)), 0)
    expected = whole.render(FRAMES)
    np.testing.assert_allclose(np.concatenate([*pieces, engine.render(rest)])[:FRAMES], expected, atol=1e-5)


def relative_error(engine, weights, frames, seed):
    signals = inputs(weights.config, frames, seed)
    expected = ReferenceWaveNet(weights).teacher_force(*signals)
    return np.abs(engine.teacher_force(*signals) - expected).max() / max(np.abs(expected).max(), 1.0)


@pytest.mark.parametrize("seed", range(40))
def test_teacher_forced_outputs_of_random_networks_are_the_reference_s(seed):
    generator = np.random.default_rng(seed)
    weights = network(
        seed,
        output=str(generator.choice(["gaussian", "mulaw"])),
        quantization_channels=int(generator.integers(3, 100)),
        dilations=tuple(int(2**power) for power in generator.integers(0, 5, generator.integers(1, 7))),
        kernel_size=int(generator.integers(2, 4)),
        residual_channels=int(generator.integers(1, 40)),
        skip_channels=int(generator.integers(1, 40)),
        head_channels=int(generator.integers(1, 40)),
        excitation=str(generator.choice(["partials", "none"])),
        partials=int(generator.integers(1, 20)),
        conditioning=EVERYTHING[: generator.integers(0, 10)],
    )
    assert relative_error(Engine(weights, device="torch"), weights, 60, seed) < 1e-5


def test_voices_that_are_forced_together_are_those_that_are_forced_alone():
    weights = network(output="mulaw", kernel_size=3, residual_channels=9)
    signals = [inputs(weights.config, 21, seed) for seed in range(3)]
    device = _engine.Device(open_device("torch", weights, 5, "float32"), weights.config, 5)
    samples, conditioning, excitation = (np.stack(each) for each in zip(*signals, strict=True))
    found = device.teacher_force(samples.astype(np.float32), conditioning.swapaxes(1, 2), excitation.swapaxes(1, 2))
    expected = [Engine(weights, precision="float32").teacher_force(*each) for each in signals]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(ValueError, match="6 voices on 5 slots"):
        device.teacher_force(np.zeros((6, 1)), np.zeros((6, 1, 0)), np.zeros((6, 1, 0)))


@pytest.mark.parametrize("size", ODD_SIZES)
@pytest.mark.parametrize(("precision", "least", "most"), [("float16", 1e-6, 5e-3), ("bfloat16", 1e-5, 5e-2)])
def test_half_precisions_round_what_is_multiplied(size, precision, least, most):
    weights = network(**ODD_SIZES[size])
    engine = Engine(weights, device="torch", precision=precision)
    assert engine.precision == precision
    assert least < relative_error(engine, weights, 60, 1) < most


def test_teacher_forcing_changes_no_voice():
    engine, undisturbed = (Engine(WEIGHTS, device="torch") for _ in range(2))
    for either in (engine, undisturbed):
        either.note_on(60, 100)
        either.render(50)
    engine.teacher_force(np.zeros(30), np.zeros((23, 30)))
    np.testing.assert_array_equal(engine.render(50), undisturbed.render(50))


@pytest.mark.parametrize(("output", "scale"), [("gaussian", np.nan), ("mulaw", np.nan), ("gaussian", 1e6)])
def test_a_broken_network_never_gives_loud_noise(output, scale):
    weights = network(residual_channels=8, output=output, pre_emphasis=0.9)
    for name, tensor in weights.tensors.items():
        if name.startswith("head"):
            tensor *= np.float32(scale)
    engine = Engine(weights, device="torch")
    engine.note_on(60, 127)
    sound = engine.render(1000)
    assert np.abs(sound).max() <= 1.0
    assert engine.counters()["faults"] == 1
    assert not sound[600:].any()


def test_a_slot_is_as_new_for_the_next_note():
    engine, fresh = (Engine(WEIGHTS, voices=1, seed=2, device="torch") for _ in range(2))
    for either in (engine, fresh):
        either.control("temperature", 0.0)
    engine.note_on(72, 127)
    engine.render(300)
    engine.all_sound_off()
    engine.render(200)
    for either in (engine, fresh):
        either.note_on(60, 100)
    np.testing.assert_allclose(engine.render(200), fresh.render(200), atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
@pytest.mark.parametrize("kind", KINDS)
def test_a_captured_step_is_the_plain_one(kind):
    weights = quiet_network(instrument=instrument(weighted=kind == "weighted"), **KINDS[kind])
    sounds = []
    for device in ("torch", "cuda-graph"):
        engine = Engine(weights, voices=3, seed=5, device=device)
        piece(engine, 0.7)
        sounds.append(engine.render(1700))
    np.testing.assert_allclose(*sounds, atol=1e-4)
