import numpy as np
import pytest

from rtwave.training.labels import label_error

from ..conftest import pluck

RATE = 16_000


@pytest.mark.parametrize("note", [28, 40, 52, 64, 76, 88, 100])
def test_a_note_that_sounds_as_it_is_called_is_none_to_complain_of(note):
    for cents in (-40.0, 0.0, 40.0):
        assert label_error(pluck(note + cents / 100, 100, 1.0, RATE), RATE, note) == 0.0


@pytest.mark.parametrize("note", [40, 52, 64, 76])
@pytest.mark.parametrize("error", [-24.0, -12.0, -5.0, -1.0, 1.0, 4.0, 12.0, 24.0])
def test_a_note_that_sounds_otherwise_is_found_out_and_by_how_much(note, error):
    assert label_error(pluck(note + error, 100, 1.0, RATE), RATE, note) == pytest.approx(error, abs=0.1)


def test_noise_and_bells_are_given_the_benefit_of_the_doubt():
    time = np.arange(RATE) / RATE
    assert label_error(np.random.default_rng(0).standard_normal(RATE), RATE, 60) == 0.0
    bell = sum(
        level * np.sin(2 * np.pi * 261.6 * ratio * time) for ratio, level in ((1.0, 0.4), (2.76, 1.0), (5.4, 0.3))
    )
    assert label_error(bell * np.exp(-3 * time), RATE, 60) == 0.0
    assert label_error(np.zeros(RATE), RATE, 60) == 0.0
