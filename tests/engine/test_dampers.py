"""Dampers that fall on released notes with a share of their force."""

import numpy as np
import pytest

from rtwave.engine.commands import Control, NoteOn
from rtwave.engine.engine import Engine

from .networks import quiet_network
from .test_voices import levelled

RELEASE_FRAMES = 0.06 * 16_000


def engine_at(damper, weights=None):
    engine = Engine(weights or levelled())
    engine.submit([Control("temperature", 0.0), Control("damper", damper), NoteOn(60, 90)])
    return engine


def test_a_note_let_go_under_lifted_dampers_sounds_as_if_held():
    weights = quiet_network(instrument=levelled().instrument)  # hears gate and release age
    let_go, held = engine_at(0.0, weights), engine_at(0.0, weights)
    let_go.note_off(60, at=320)
    one, other = let_go.render(4000), held.render(4000)
    assert np.abs(other).max() > 0.01
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("damper", [0.25, 0.5, 1.0])
def test_a_note_dies_away_as_fast_as_its_damper_presses(damper):
    engine = engine_at(damper)
    before = engine.render(12_000)[-1]
    engine.note_off(60)
    expected = before * np.exp(-damper * np.arange(4000) / RELEASE_FRAMES)
    np.testing.assert_allclose(engine.render(4000), expected, rtol=1e-2)


def test_a_pedal_pressed_again_catches_what_still_sounds():
    engine = engine_at(1.0)
    engine.render(12_000)
    engine.note_off(60)
    engine.render(1000)
    engine.control("damper", 0.0)
    engine.render(400)
    caught = engine.render(1)[0]
    assert caught > 0.005
    np.testing.assert_allclose(engine.render(4000), caught, rtol=1e-3)
    engine.control("damper", 1.0)
    engine.render(16_000)
    assert engine.active_voices == 0


def test_dampers_leave_held_notes_alone():
    moved, plain = engine_at(1.0), engine_at(1.0)
    moved.control("damper", 0.3, at=100)
    np.testing.assert_array_equal(moved.render(2000), plain.render(2000))


def test_a_network_hears_its_release_when_the_damper_falls():
    weights = quiet_network(conditioning=("gate", "release_age"))
    late, prompt = engine_at(0.0, weights), engine_at(1.0, weights)
    late.note_off(60, at=320)
    late.control("damper", 1.0, at=640)
    prompt.note_off(60, at=320)
    one, other = late.render(1000), prompt.render(1000)
    np.testing.assert_array_equal(one[:320], other[:320])
    assert np.abs(one[330:640] - other[330:640]).max() > 1e-4
