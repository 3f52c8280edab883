"""Weighted excitation: each partial as strong as the instrument's table says. One note is judged in test_voices.py."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from rtwave import _engine
from rtwave.engine.commands import Control, NoteControl, NoteOn
from rtwave.engine.engine import Engine
from rtwave.wavenet.instrument import BY_TIMBRE, Instrument
from rtwave.wavenet.precision import activation_ranges
from rtwave.wavenet.weights import Weights

from .networks import inputs, quiet_network
from .slow_voice import SlowVoice

PARTIALS = 3


def tables(timbres=3):
    """Levels that move all the time, in all partials, at all keys, velocities and timbres."""
    generator = np.random.default_rng(8)
    found = Instrument.neutral(PARTIALS)
    found.partial_keys = np.array([40.0, 60.0, 90.0], np.float32)
    found.partial_velocities = np.array([20.0, 100.0], np.float32)
    found.partial_ages_s = np.array([0.0, 0.004, 0.02, 0.05, 0.2], np.float32)
    found.partial_db = generator.uniform(-40.0, 0.0, (timbres, 3, 2, 5, PARTIALS)).astype(np.float32)
    for name in BY_TIMBRE:
        setattr(found, name, np.stack([getattr(found, name)] * timbres))
    return found


def weighted(instrument=None, **fields):
    instrument = instrument or tables()
    return quiet_network(instrument=instrument, excitation="weighted", partials=PARTIALS, **fields)


def one_timbre(position):
    """The instrument that `tables` are at a place 0..2 among their timbres."""
    found = tables()
    low = min(int(position), 1)
    for name in BY_TIMBRE:
        setattr(found, name, getattr(found, name)[0])
    found.partial_db = found.partial_db[low] + np.float32(position - low) * (
        found.partial_db[low + 1] - found.partial_db[low]
    )
    return found


def play(weights, frames=2000, note=61, velocity=77, commands=(), **options):
    engine = Engine(weights, **options)
    engine.submit([Control("temperature", 0.0), *commands, NoteOn(note, velocity)])
    return engine.render(frames)


@pytest.mark.parametrize("position", [0.0, 0.3, 1.0, 1.75, 2.0])
def test_between_timbres_levels_are_in_between(position):
    found = play(weighted(), commands=[Control("timbre", position / 2.0)])
    expected = play(weighted(one_timbre(position)))
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize(("note", "velocity"), [(30, 10), (40, 20), (75, 127), (100, 50)])
def test_beyond_the_table_s_ends_levels_go_on_as_they_are_at_the_end(note, velocity):
    weights = weighted(one_timbre(1.0))
    np.testing.assert_allclose(
        play(weights, 500, note, velocity), SlowVoice(weights, note, velocity).render(500), atol=2e-4
    )


def test_partials_that_a_bend_brings_back_are_as_strong_as_if_they_had_been_there():
    weights = weighted(one_timbre(1.0), pre_emphasis=0.5)
    engine, slow = Engine(weights), SlowVoice(weights, 97, 77)  # its third partial is too high
    engine.control("temperature", 0.0)
    engine.note_on(97, 77)
    engine.control("bend", -3.0, at=171)
    expected = [slow.render(171)]
    assert slow.audible.tolist() == [True, True, True]
    slow.bend_to(-3.0)
    expected.append(slow.render(400))
    np.testing.assert_allclose(engine.render(571), np.concatenate(expected), atol=2e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_and_threads_change_nothing_while_levels_move(precision, threads):
    weights = weighted()
    weights.ranges = activation_ranges(weights, *inputs(weights.config, 200))

    def storm(block, threads=1):
        engine = Engine(weights, voices=3, seed=9, threads=threads, precision=precision)
        for step in range(20):
            engine.submit([NoteOn(40 + 3 * step, 90), Control("timbre", step % 7 / 6)], at=step * 97)
            engine.submit([NoteControl("bend", 0.3 - step, 40 + 3 * step)], at=step * 97 + 31)
            engine.note_off(40 + 3 * step, at=step * 97 + 200)
        return np.concatenate([engine.render(block) for _ in range(2400 // block)])

    expected = storm(2400)
    assert np.std(expected) > 1e-3
    np.testing.assert_array_equal(storm(60, threads), expected)
    np.testing.assert_array_equal(storm(1, threads), expected)


def muted(second_db):
    """The network, and one that does not hear the second partial; whose level at the table's ages is as given."""
    sounding = one_timbre(1.0)
    sounding.partial_db[..., 1] = second_db
    networks = weighted(sounding), weighted(sounding)
    networks[0].tensors["excitation.weight"][:, [1, 4]] *= 50.0
    networks[1].tensors["excitation.weight"][:, [1, 4]] = 0.0
    return networks


def test_partials_below_the_floor_are_not_there_at_all():
    hearing, deaf = muted([-120.0, -100.5, -101.0, -110.0, -120.0])
    np.testing.assert_array_equal(play(hearing, 8000), play(deaf, 8000))


def test_partials_that_were_muted_come_back():
    hearing, deaf = (play(network, 4000) for network in muted([-120.0, -120.0, -120.0, -30.0, -30.0]))
    period = 32
    before = 320 // period * period - period  # 20 ms
    np.testing.assert_array_equal(hearing[:before], deaf[:before])
    assert np.abs(hearing - deaf)[1000:].max() > 1e-2
    assert np.abs(hearing - deaf)[before : before + 2 * period].max() < 1e-3


@pytest.mark.parametrize("instruction_set", _engine.instruction_sets())
def test_every_instruction_set_weighs_alike(instruction_set):
    weights = weighted(one_timbre(1.0), pre_emphasis=0.5)
    slow = SlowVoice(weights, 59, 77).render(400)
    found = play(weights, 400, 59, instruction_set=instruction_set, precision="float32")
    np.testing.assert_allclose(found, slow, atol=2e-4)


def test_the_file_keeps_levels_in_two_bytes_and_none_where_there_are_none(tmp_path):
    weights = weighted()
    weights.instrument.partial_db = np.float32(np.float16(weights.instrument.partial_db))
    weights.save(tmp_path / "model.safetensors")
    stored = load_file(tmp_path / "model.safetensors")["instrument.partial_db"]
    assert (stored.dtype, stored.shape) == (np.float16, (3, 3, 2, 5, PARTIALS))
    read = Weights.load(tmp_path / "model.safetensors")
    for name, table in weights.instrument.arrays().items():
        np.testing.assert_array_equal(read.instrument.arrays()[name], table)
    np.testing.assert_array_equal(play(read), play(weights))
    quiet_network().save(tmp_path / "plain.safetensors")
    assert not [name for name in load_file(tmp_path / "plain.safetensors") if "partial" in name]
