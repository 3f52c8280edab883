"""What timbre and pressure make of a note."""

import math

import numpy as np
import pytest

from rtwave.engine.commands import Control, NoteControl, NoteOn
from rtwave.engine.engine import Engine

from .networks import quiet_network, sustained

TILT_DB, CORNER_HZ = 15.0, 1000.0
NETWORKS = {
    "plain": quiet_network(conditioning=("pitch",)),
    "levelled": quiet_network(leveling="loudness", conditioning=("pitch",)),
    "hears loudness": quiet_network(conditioning=("pitch", "loudness")),
    "levelled, hears loudness": quiet_network(leveling="loudness", conditioning=("pitch", "loudness")),
}


def note(weights, *commands, frames=500, temperature=0.5):
    """A note with these commands behind it in its frame."""
    engine = Engine(weights, seed=3)
    engine.submit([Control("temperature", temperature), NoteOn(60, 90), *commands])
    return engine.render(frames)


def shelf(sound, timbre, sample_rate=16_000):
    """One pole splits the sound at CORNER_HZ; what lies above is tilted."""
    factor = 10.0 ** ((2.0 * timbre - 1.0) * TILT_DB / 20.0)
    share, low, shaped = 1.0 - math.exp(-2.0 * math.pi * CORNER_HZ / sample_rate), 0.0, []
    for sample in sound.astype(np.float64):
        low += share * (sample - low)
        shaped.append(low + factor * (sample - low))
    return np.array(shaped)


@pytest.mark.parametrize("timbre", [0.0, 0.3, 0.6, 1.0])
def test_timbre_tilts_what_lies_above_a_kilohertz(timbre):
    weights = NETWORKS["plain"]
    expected = shelf(note(weights), timbre)
    np.testing.assert_allclose(note(weights, Control("timbre", timbre)), expected, atol=1e-6)


def test_timbre_takes_from_the_top_below_the_middle_and_adds_to_it_above():
    def top(timbre):
        sound = note(NETWORKS["plain"], Control("timbre", timbre), frames=4000)
        return np.abs(np.fft.rfft(sound)[1500:]).sum()  # from 6 kHz on

    plain = top(0.5)
    assert top(0.0) < top(0.25) < 0.7 * plain
    assert top(1.0) > top(0.75) > 1.4 * plain


def test_timbre_in_the_middle_is_not_there_and_after_a_detour_is_not_there_again():
    away, plain = (Engine(NETWORKS["plain"], seed=3) for _ in range(2))
    for engine in (away, plain):
        engine.note_on(60, 90)
    away.control("timbre", 1.0, at=100)
    away.control("timbre", 0.5, at=300)
    one, other = away.render(5000), plain.render(5000)
    assert np.abs(one[100:300] - other[100:300]).max() > 1e-4
    np.testing.assert_array_equal(one[3500:], other[3500:])


@pytest.mark.parametrize(("common", "own", "together"), [(0.7, 0.2, 0.9), (0.8, 0.9, 1.0), (0.2, -0.9, 0.0)])
def test_a_note_s_own_timbre_adds_within_the_range(common, own, together):
    weights = NETWORKS["plain"]
    one = note(weights, Control("timbre", common), NoteControl("timbre", own))
    np.testing.assert_allclose(one, note(weights, Control("timbre", together)), atol=1e-6)


@pytest.mark.parametrize("name", ["plain", "levelled"])
def test_pressure_makes_a_note_louder(name):
    gentle = [Control("volume", 0.1), Control("pressure_gain_db", 8.0), Control("pressure_vibrato", 0.0)]
    quiet = note(NETWORKS[name], *gentle)
    loud = note(NETWORKS[name], *gentle, NoteControl("pressure", 0.5))
    np.testing.assert_allclose(loud, 10.0 ** (4.0 / 20.0) * quiet, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["hears loudness", "levelled, hears loudness"])
def test_a_network_that_hears_loudness_is_told_of_the_pressure(name):
    weights = NETWORKS[name]
    told = [Control("pressure_gain_db", 12.0), Control("pressure_vibrato", 0.0), NoteControl("pressure", 0.5)]
    pressed = note(weights, *told, temperature=0.0)
    louder = quiet_network(**{key: getattr(weights.config, key) for key in ("leveling", "conditioning")})
    louder.instrument.envelope_db = weights.instrument.envelope_db + np.float32(6.0)
    np.testing.assert_allclose(pressed, note(louder, temperature=0.0), atol=1e-5)
    assert np.abs(pressed - note(weights, temperature=0.0)).max() > 1e-4


def test_pressure_without_its_controls_changes_nothing():
    off = [Control("pressure_vibrato", 0.0), Control("pressure_gain_db", 0.0)]
    weights = NETWORKS["plain"]
    np.testing.assert_array_equal(note(weights, *off, NoteControl("pressure", 1.0)), note(weights, *off))


def test_pressure_deepens_the_vibrato():
    weights = NETWORKS["plain"]
    pressed = [Control("vibrato", 0.1), Control("pressure_vibrato", 0.7), NoteControl("pressure", 0.5)]
    expected = note(weights, Control("vibrato", 0.45), temperature=0.0, frames=2000)
    np.testing.assert_allclose(note(weights, *pressed, temperature=0.0, frames=2000), expected, atol=1e-4)


def test_the_loudest_pressure_is_no_fault_of_the_network():
    engine = Engine(sustained(conditioning=()))
    engine.submit([NoteOn(60, 127), Control("pressure_gain_db", 24.0), NoteControl("pressure", 1.0)])
    sound = engine.render(4000)
    assert engine.counters()["faults"] == 0
    assert 0.9 < sound[-1] <= 1.0
