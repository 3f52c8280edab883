"""What a program that holds an engine can rely on."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave import _engine
from rtwave.engine.commands import NoteOff, NoteOn
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError

from .networks import network, quiet_network

FRAMES = 700
WEIGHTS = quiet_network()


def play(engine):
    """A short piece: chord, bend, release, steal, restrike."""
    for at, note in ((10, 60), (10, 64), (33, 67)):
        engine.note_on(note, 90, at=at)
    engine.control("bend", 0.7, at=101)
    engine.control("gain_db", -3.0, at=150)
    engine.note_off(64, at=200)
    engine.note_on(72, 40, at=213)
    engine.note_on(60, 120, at=300)
    engine.control("temperature", 0.0, at=391)
    engine.all_notes_off(at=450)
    engine.note_on(50, 64, at=555)
    engine.all_sound_off(at=600)


def whole(instruction_set="auto", **fields):
    engine = Engine(WEIGHTS, voices=3, seed=5, instruction_set=instruction_set, **fields)
    play(engine)
    return engine.render(FRAMES)


@pytest.mark.parametrize("instruction_set", _engine.instruction_sets())
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 90), max_size=20))
def test_block_size_does_not_change_output(instruction_set, blocks):
    engine = Engine(WEIGHTS, voices=3, seed=5, instruction_set=instruction_set)
    play(engine)
    pieces = [engine.render(block) for block in blocks if block < FRAMES]
    total = np.concatenate([*pieces, engine.render(max(FRAMES - sum(map(len, pieces)), 0))])[:FRAMES]
    np.testing.assert_array_equal(total, whole(instruction_set))


def test_same_seed_gives_the_same_samples_and_another_seed_others():
    def render(seed):
        engine = Engine(WEIGHTS, seed=seed)
        engine.note_on(60, 100)
        return engine.render(200)

    np.testing.assert_array_equal(render(1), render(1))
    assert (render(1) != render(2)).mean() > 0.9
    assert (render(1) != render(1 + 2**32)).mean() > 0.9


def test_every_note_has_a_random_stream_of_its_own():
    engine = Engine(WEIGHTS, voices=1)
    takes = []
    for _ in range(2):
        engine.all_sound_off()
        engine.render(2000)
        engine.note_on(60, 100)
        takes.append(engine.render(200))
    assert (takes[0] != takes[1]).mean() > 0.9


def test_an_event_sounds_from_its_frame_on():
    engine = Engine(WEIGHTS)
    engine.note_on(60, 100, at=137)
    sound = engine.render(400)
    assert (sound[:137] == 0.0).all()
    assert sound[137] != 0.0


def test_a_frame_already_rendered_counts_as_the_next():
    engine = Engine(WEIGHTS)
    engine.render(50)
    engine.note_on(60, 100, at=3, tag=9)
    assert engine.render(1)[0] != 0.0
    assert engine.applied() == [(9, 50)]


def test_silence_is_exactly_zero_before_and_after_music():
    engine = Engine(WEIGHTS)
    assert not engine.render(100).any()
    engine.note_on(60, 100)
    assert engine.render(100).any()
    engine.all_sound_off()
    engine.render(100)
    assert not engine.render(100).any()
    assert engine.active_voices == 0


def test_frame_counts_model_frames():
    engine = Engine(WEIGHTS)
    engine.render(30)
    engine.render(12)
    assert engine.frame == 42


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 22_050])
def test_render_at_another_rate_is_the_same_music(sample_rate):
    engine, resampled = Engine(WEIGHTS), Engine(WEIGHTS, sample_rate=sample_rate)
    assert (resampled.sample_rate, resampled.model_rate) == (sample_rate, 16_000)
    for either in (engine, resampled):
        either.note_on(60, 100)
    native, other = engine.render(8000), resampled.render(sample_rate // 2)
    assert (len(other), other.dtype) == (sample_rate // 2, np.float32)
    assert abs(resampled.frame - 8000) < 200
    bins = np.arange(1, 2000)  # 2 Hz apart, to 4 kHz
    spectra = [np.abs(np.fft.rfft(sound))[bins] / len(sound) for sound in (native, other)]
    np.testing.assert_allclose(*(np.sqrt(np.sum(s**2)) for s in spectra), rtol=0.05)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=10))
def test_block_size_does_not_change_resampled_output(blocks):
    engine = Engine(WEIGHTS, voices=3, seed=5, sample_rate=44_100)
    play(engine)
    pieces = np.concatenate([engine.render(block) for block in blocks])
    once = Engine(WEIGHTS, voices=3, seed=5, sample_rate=44_100)
    play(once)
    np.testing.assert_array_equal(pieces, once.render(sum(blocks)))


@pytest.mark.parametrize(
    ("output", "samples", "channels", "told"),
    [
        ("gaussian", np.zeros((30, 2)), 23, r"samples have shape \(30, 2\), expected \(T,\)"),
        ("gaussian", 0.5, 23, r"samples have shape \(\), expected \(T,\)"),
        ("gaussian", "loud", 23, "samples is str, expected an array of numbers"),
        ("gaussian", [[1.0], [1.0, 2.0]], 23, "samples is list, expected an array of numbers"),
        ("gaussian", np.zeros(30), 22, r"conditioning has shape \(22, 30\), expected \(23, 30\)"),
        ("gaussian", np.zeros(29), 23, r"conditioning has shape \(23, 30\), expected \(23, 29\)"),
        ("mulaw", np.full(30, 3.7), 23, "samples hold other than classes, expected whole numbers from 0 to 255"),
        ("mulaw", np.full(30, 256), 23, "samples hold other than classes"),
        ("mulaw", np.full(30, np.nan), 23, "samples hold other than classes"),
    ],
)
def test_teacher_forcing_refuses_what_does_not_fit(output, samples, channels, told):
    engine = Engine(quiet_network(output=output))
    with pytest.raises(RtwaveError, match=told):
        engine.teacher_force(samples, np.zeros((channels, 30)))


def test_teacher_forcing_changes_no_voice():
    engine, undisturbed = Engine(WEIGHTS), Engine(WEIGHTS)
    for either in (engine, undisturbed):
        either.note_on(60, 100)
        either.render(50)
    engine.teacher_force(np.zeros(30), np.zeros((23, 30)))
    np.testing.assert_array_equal(engine.render(50), undisturbed.render(50))


def test_a_preset_brings_its_own_controls():
    class Preset:
        weights = quiet_network()

        class playing:  # noqa: N801
            temperature, gain_db, release = 0.0, -20.0, 1.0

    quiet, plain = Engine(Preset()), Engine(Preset.weights)
    for engine in (quiet, plain):
        engine.note_on(60, 100)
    plain.control("temperature", 0.0)
    np.testing.assert_allclose(quiet.render(300), 0.1 * plain.render(300), rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"voices": 0}, "voices is 0, expected a whole number from 1 to 256"),
        ({"voices": 2.0}, "voices is 2.0"),
        ({"seed": -1}, "seed is -1"),
        ({"precision": "int4"}, "precision is 'int4', .* has auto, "),
        ({"sample_rate": 0}, "sample_rate is 0"),
        ({"model": "piano"}, "model is str, expected a Preset or Weights"),
    ],
)
def test_a_bad_argument_is_told(fields, told):
    with pytest.raises(RtwaveError, match=told):
        Engine(**({"model": WEIGHTS} | fields))


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda engine: engine.note_on(128, 100), "note is 128, expected a whole number from 0 to 127"),
        (lambda engine: engine.note_on(60, 0), "velocity is 0, expected a whole number from 1 to 127"),
        (lambda engine: engine.submit([NoteOn(60, 90, stream=-1)]), "stream is -1, expected a whole number from 0 to"),
        (lambda engine: engine.note_off(-1), "note is -1"),
        (lambda engine: engine.control("temperature", -1), "temperature is -1, expected 0 to 2"),
        (lambda engine: engine.control("gain_db", float("nan")), "gain_db is nan, expected -60 to 12 dB"),
        (lambda engine: engine.control("reverb", 1), "control is 'reverb', expected one of temperature, "),
        (lambda engine: engine.note_on(60, 100, at=-5), "at is -5"),
        (lambda engine: engine.note_on(60, 100, tag=2**32), "tag is 4294967296"),
        (lambda engine: engine.submit(["note"]), "command is 'note'"),
        (lambda engine: engine.render(-1), "frames is -1"),
    ],
)
def test_a_bad_call_is_told(act, told):
    with pytest.raises(RtwaveError, match=told):
        act(Engine(WEIGHTS))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: setattr(w.instrument, "cents", np.zeros(3, np.float32)), r"instrument.cents is float32 \(3,\)"),
        (
            lambda w: setattr(w.instrument, "envelope_ages_s", np.zeros(9, np.float32)),
            r"instrument.envelope_db is .*9\)",
        ),
        (lambda w: setattr(w.instrument, "partial_keys", np.zeros(2, np.float32)), "instrument.partial_velocities is"),
        (lambda w: setattr(w.instrument, "onset_phases", None), "instrument.onset_phases is NoneType"),
        (lambda w: setattr(w, "instrument", type(w.instrument).neutral(2)), "instrument.onset_phases is .*128, 2"),
        (
            lambda w: w.tensors.update({"head.output.bias": np.zeros(1, np.float32)}),
            r"head.output.bias has shape \(1,\)",
        ),
        (lambda w: setattr(w, "ranges", np.ones(3, np.float32)), r"ranges is float32 \(3,\), expected float32 \(5,\)"),
        (lambda w: w.tensors.pop("layers.1.gate.weight"), "layers.1.gate.weight is missing"),
    ],
)
def test_what_was_changed_since_it_was_checked_is_checked_again_before_native_code_reads_it(change, told):
    weights = quiet_network()
    change(weights)
    with pytest.raises(RtwaveError, match=told):
        Engine(weights)


@pytest.mark.parametrize(
    ("output", "scale"), [("gaussian", np.nan), ("mulaw", np.nan), ("gaussian", 1e6), ("gaussian", 8.0)]
)
def test_a_broken_network_never_gives_loud_noise(output, scale):
    weights = network(residual_channels=8, output=output, pre_emphasis=0.9)
    for name, tensor in weights.tensors.items():
        if name.startswith("head"):
            tensor *= np.float32(scale)  # past the reader's check, as a bug or a damaged memory might
    engine = Engine(weights)
    engine.note_on(60, 127)
    sound = engine.render(4000)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1.0
    assert engine.counters()["faults"] == 1
    assert not sound[600:].any()
    assert engine.active_voices == 0
    assert longest_run(np.abs(sound) > 0.99) < 0.02 * 16_000


def longest_run(flags):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return max((edges[1::2] - edges[::2]).tolist(), default=0)


def test_a_cut_voice_takes_no_other_with_it():
    weights = quiet_network(conditioning=("velocity",))
    for tensor in weights.tensors.values():
        tensor[...] = 0.0
    weights.tensors["layers.0.conditioning.weight"][0] = 5.0  # a level that rises with velocity: 0.4, then 10
    weights.tensors["layers.0.skip.weight"][0, 0] = 20.0
    weights.tensors["head.hidden.weight"][0, 0] = 1.0
    weights.tensors["head.output.weight"][0, 0] = 1.0
    engine, alone = Engine(weights), Engine(weights)
    for either in (engine, alone):
        either.control("temperature", 0.0)
        either.note_on(60, 1)
    engine.note_on(61, 127)
    np.testing.assert_array_equal(engine.render(100), alone.render(100))
    assert alone.render(1)[0] > 0.1
    assert engine.counters()["faults"] == 1
    assert engine.active_voices == 1


def test_full_scale_is_never_passed():
    weights = quiet_network()
    weights.tensors["head.output.bias"][0] = 0.5
    engine = Engine(weights, voices=16)
    engine.control("gain_db", 12.0)
    engine.submit([NoteOn(note, 127) for note in range(40, 56)])
    sound = engine.render(1000)
    assert 0.99 < np.abs(sound).max() <= 1.0


def test_a_batch_is_applied_in_order_at_one_frame():
    engine = Engine(WEIGHTS)
    engine.submit([NoteOn(60, 100), NoteOff(60), NoteOn(62, 100)], at=20, tag=7)
    engine.render(64)
    assert engine.applied() == [(7, 20)] * 3
    assert engine.active_voices == 2


def test_rendering_leaves_the_caller_its_denormals():
    engine = Engine(WEIGHTS)
    engine.note_on(60, 100)
    engine.render(100)
    assert np.float32(1e-38) * np.float32(0.01) > 0.0


def test_playing_imports_no_torch():
    program = (
        "import sys, rtwave; rtwave.Engine; sys.exit(any(m in sys.modules for m in ('torch', 'scipy', 'librosa')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
