"""Several timbres in one instrument: a control moves a sounding note between them; one sound a key: drums."""

import numpy as np
import pytest

from rtwave.engine.commands import Control, NoteControl, NoteOn
from rtwave.engine.engine import Engine
from rtwave.wavenet.instrument import Instrument
from rtwave.wavenet.weights import Weights

from .networks import quiet_network

RATE, GLIDE = 16_000, 80
TOLD = ("pitch", "velocity", "loudness", "gate", "age", "timbre")
PER_KEY = ("cents", "stiffness", "release_s", "temperature", "onset_temperature")


def three_timbres():
    """Tables in which everything differs from timbre to timbre."""
    generator = np.random.default_rng(5)
    tables = Instrument.neutral(3)
    tables.envelope_keys = np.array([40.0, 80.0], np.float32)
    tables.envelope_velocities = np.array([30.0, 110.0], np.float32)
    tables.envelope_ages_s = np.array([0.0, 0.01, 0.3], np.float32)
    tables.envelope_db = generator.uniform(-40.0, -10.0, (3, 2, 2, 3)).astype(np.float32)
    tables.cents = generator.uniform(-30.0, 30.0, (3, 128)).astype(np.float32)
    tables.stiffness = generator.uniform(0.0, 1e-3, (3, 128)).astype(np.float32)
    tables.release_s = generator.uniform(0.02, 0.1, (3, 128)).astype(np.float32)
    tables.temperature = generator.uniform(0.0, 0.5, (3, 128, 2)).astype(np.float32)
    tables.onset_temperature = generator.uniform(0.0, 0.5, (3, 128)).astype(np.float32)
    tables.onset_phases = generator.uniform(-3.0, 3.0, (3, 128, 3)).astype(np.float32)
    tables.modes_hz = (generator.uniform(200.0, 2000.0, (3, 128, 3)) * (generator.random((3, 128, 3)) < 0.4)).astype(
        np.float32
    )
    return tables


def alone(tables, position):
    """The instrument of one timbre that `tables` are at a place 0..2 among them."""
    low = min(int(position), 1)
    share = np.float32(position - low)
    single = Instrument.neutral(3)
    for name in ("envelope_keys", "envelope_velocities", "envelope_ages_s"):
        setattr(single, name, getattr(tables, name))
    for name in ("envelope_db", *PER_KEY):
        table = getattr(tables, name)
        setattr(single, name, table[low] + share * (table[low + 1] - table[low]))
    force = (1.0 - share) / tables.release_s[low] + share / tables.release_s[low + 1]
    single.release_s = (1.0 / force).astype(np.float32)
    single.onset_phases = tables.onset_phases[round(position)]
    single.modes_hz = tables.modes_hz[round(position)]
    single.timbre[:] = position
    return single


def phrase(weights, *commands, **options):
    engine = Engine(weights, **({"seed": 3} | options))
    engine.submit([Control("temperature", 0.2), *commands, NoteOn(61, 77)])
    engine.note_off(61, at=1500)
    return engine.render(4000)


@pytest.mark.parametrize("leveling", ["none", "loudness"])
@pytest.mark.parametrize("position", [0.0, 0.3, 1.0, 1.75, 2.0])
def test_at_rest_between_timbres_everything_is_that_of_one_timbre_in_between(leveling, position):
    tables = three_timbres()
    fields = {"conditioning": TOLD, "leveling": leveling}
    found = phrase(quiet_network(instrument=tables, **fields), Control("timbre", position / 2.0))
    expected = phrase(quiet_network(instrument=alone(tables, position), **fields))
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_note_s_own_timbre_adds_to_the_control_s_and_ends_at_the_last():
    weights = quiet_network(instrument=three_timbres(), conditioning=TOLD)

    def bent(own):
        engine = Engine(weights, seed=3)
        engine.submit([Control("timbre", 0.5), NoteOn(61, 77), NoteControl("timbre", own, 61)])
        return engine.render(500)

    np.testing.assert_array_equal(bent(0.25), phrase_at(weights, 0.75))
    np.testing.assert_array_equal(bent(0.9), phrase_at(weights, 1.0))


def phrase_at(weights, timbre):
    engine = Engine(weights, seed=3)
    engine.submit([Control("timbre", timbre), NoteOn(61, 77)])
    return engine.render(500)


def humming(levels_db, **changes):
    """A levelled network of several timbres that hums: its sound is just the loudness of the tables."""
    tables = Instrument.neutral(3)
    for name in ("envelope_db", "onset_phases", "modes_hz", *PER_KEY):
        setattr(tables, name, np.stack([getattr(tables, name)] * len(levels_db)))
    tables.envelope_db = (0.0 * tables.envelope_db + np.reshape(levels_db, (-1, 1, 1, 1))).astype(np.float32)
    for name, table in changes.items():
        setattr(tables, name, table)
    weights = quiet_network(leveling="loudness", conditioning=TOLD, instrument=tables)
    weights.tensors["head.output.weight"][...] = 0.0
    weights.tensors["head.output.bias"] = np.array([0.1, -9.5], np.float32)
    return weights


def test_a_sounding_note_glides_from_level_to_level_and_the_filter_stays_out_of_it():
    engine = Engine(humming([-20.0, -40.0, -30.0]))
    engine.submit([Control("temperature", 0.0), Control("timbre", 0.0), NoteOn(60, 90)])
    engine.control("timbre", 1.0, at=3200)
    sound = engine.render(6400)
    position = 2.0 - 2.0 * np.exp(-np.arange(3200) / GLIDE)
    expected_db = np.concatenate([np.full(3200, -20.0), np.interp(position, [0, 1, 2], [-20.0, -40.0, -30.0])])
    found_db = 20.0 * np.log10(np.abs(sound))
    assert np.abs(found_db - expected_db)[3200 + 200 :].max() < 0.3
    np.testing.assert_allclose(found_db[:3200], -20.0, atol=1e-2)
    np.testing.assert_allclose(found_db[-800:], -30.0, atol=1e-2)
    assert np.abs(np.diff(sound)).max() < 0.05 * sound[0]


def test_a_damper_weakens_towards_a_timbre_that_has_none():
    release_s = np.stack([np.full(128, 0.05, np.float32), np.zeros(128, np.float32)])
    falling = np.array([[[[-20.0, -20.0]]], [[[-20.0, -26.0]]]], np.float32)
    weights = humming([-20.0, -20.0], release_s=release_s, envelope_db=falling)

    def left_db(timbre):
        engine = Engine(weights)
        engine.submit([Control("temperature", 0.0), Control("timbre", timbre), NoteOn(60, 90)])
        engine.note_off(60, at=1600)
        sound = engine.render(1600 + 800)
        return 20.0 * np.log10(sound[-1] / sound[1599])

    found = [left_db(timbre) for timbre in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(found, [-8.69, -4.34 - 0.15, -0.3], atol=0.05)


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_and_threads_change_nothing_while_timbres_move(threads):
    weights = quiet_network(instrument=three_timbres(), conditioning=TOLD)

    def storm(block, threads=1):
        engine = Engine(weights, voices=4, seed=9, threads=threads)
        for step in range(20):
            engine.submit([NoteOn(40 + 3 * step, 90), Control("timbre", step % 7 / 6)], at=step * 97)
            engine.submit([NoteControl("timbre", 0.3 - 0.03 * step, 40 + 3 * step)], at=step * 97 + 31)
        return np.concatenate([engine.render(block) for _ in range(2400 // block)])

    np.testing.assert_array_equal(storm(60, threads), storm(2400))


def test_the_onset_has_the_phases_of_the_timbre_where_the_note_is_struck_even_if_told_behind_it():
    weights = quiet_network(instrument=three_timbres(), conditioning=TOLD)
    behind, before = Engine(weights, seed=3), Engine(weights, seed=3)
    behind.submit([NoteOn(61, 77), Control("timbre", 1.0)])
    before.submit([Control("timbre", 1.0), NoteOn(61, 77)])
    np.testing.assert_array_equal(behind.render(500), before.render(500))


def test_a_key_of_a_drum_kit_is_told_its_own_timbre_and_no_other():
    weights = quiet_network(excitation="none", conditioning=("timbre",))
    weights.instrument.timbre[60:] = 3.0
    sounds = {}
    for key in (40, 59, 60, 90):
        engine = Engine(weights)
        engine.submit([Control("temperature", 0.0), NoteOn(key, 100)])
        sounds[key] = engine.render(300)
    np.testing.assert_array_equal(sounds[40], sounds[59])
    np.testing.assert_array_equal(sounds[60], sounds[90])
    assert np.abs(sounds[59] - sounds[60]).max() > 1e-4


def test_past_the_longest_age_heard_in_training_a_held_note_goes_on_as_it_was():
    weights = quiet_network(conditioning=("age", "age_fine"), excitation="none", leveling="loudness")
    weights.instrument.longest_age_s[:] = 0.05
    engine, free = Engine(weights), Engine(quiet_network(**kept_fields(weights)))
    for either in (engine, free):
        either.submit([Control("temperature", 0.0), NoteOn(60, 100)])
    held, on = engine.render(16_000), free.render(16_000)
    np.testing.assert_array_equal(held[:800], on[:800])
    assert np.ptp(held[2000:]) < 1e-4 < np.abs(on[2000:] - held[2000:]).max()


def kept_fields(weights):
    return {name: getattr(weights.config, name) for name in ("conditioning", "excitation", "leveling")}


def test_a_held_string_is_alive_and_steady_after_a_minute():
    weights = quiet_network(conditioning=("pitch", "age", "loudness"), leveling="loudness")
    weights.instrument.longest_age_s[:] = 3.0
    engine = Engine(weights)
    engine.submit([Control("temperature", 0.3), NoteOn(60, 100)])
    powers = [np.mean(engine.render(RATE) ** 2) for _ in range(60)]
    assert engine.active_voices == 1
    np.testing.assert_allclose(10.0 * np.log10(powers[4:]), 10.0 * np.log10(np.mean(powers[4:])), atol=0.5)
    engine.note_off(60)
    engine.render(RATE)
    assert engine.active_voices == 0


@pytest.mark.parametrize("output", ["gaussian", "mulaw"])
def test_a_texture_told_nothing_gets_going_by_itself_and_follows_velocity_and_expression(output):
    weights = quiet_network(conditioning=(), excitation="none", leveling="loudness", output=output)
    weights.instrument.envelope_velocities = np.array([1.0, 127.0], np.float32)
    weights.instrument.temperature = np.zeros((128, 2), np.float32)
    weights.instrument.envelope_db = np.array([[[-80.0, -80.0], [-20.0, -20.0]]], np.float32)

    def power_db(velocity, expression=1.0):
        engine = Engine(weights, seed=2)
        engine.submit([Control("expression", expression), NoteOn(60, velocity)])
        engine.render(RATE)
        assert engine.active_voices == 1
        return 10.0 * np.log10(np.var(engine.render(RATE)))

    loud = power_db(127)
    assert loud > -80.0
    assert power_db(64) == pytest.approx(loud - 30.0, abs=0.5)
    assert power_db(127, 0.5) == pytest.approx(loud - 6.0, abs=0.5)
    samples = np.zeros(50, np.float32)
    assert Engine(weights).teacher_force(samples, np.zeros((0, 50), np.float32)).shape == (50, weights.config.outputs)


def test_old_weights_files_have_one_timbre_and_are_told_every_age(tmp_path):
    from safetensors.numpy import load_file, save_file

    weights = quiet_network()
    weights.save(tmp_path / "new.safetensors")
    tensors = load_file(tmp_path / "new.safetensors")
    del tensors["instrument.timbre"], tensors["instrument.longest_age_s"]
    metadata = {"format": "rtwave-weights-1", "config": weights.config.to_json()}
    save_file(tensors, tmp_path / "old.safetensors", metadata=metadata)
    old = Weights.load(tmp_path / "old.safetensors")
    assert not old.instrument.timbre.any()
    assert not old.instrument.longest_age_s.any()
    np.testing.assert_array_equal(phrase(old), phrase(weights))


def test_several_timbres_survive_a_file(tmp_path):
    weights = quiet_network(instrument=three_timbres(), conditioning=TOLD)
    weights.save(tmp_path / "model.safetensors")
    read = Weights.load(tmp_path / "model.safetensors")
    for name, table in weights.instrument.arrays().items():
        np.testing.assert_array_equal(read.instrument.arrays()[name], table)
