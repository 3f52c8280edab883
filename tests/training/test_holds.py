import numpy as np

from rtwave.training.holds import hold_end, is_sustained

PERIOD_S = 0.008


def falling(db_per_s, seconds):
    return -20.0 - db_per_s * PERIOD_S * np.arange(int(seconds / PERIOD_S))


def test_a_note_that_keeps_its_level_is_sustained_and_one_that_dies_away_is_not():
    assert is_sustained([falling(0.0, 6.0)], PERIOD_S)
    assert is_sustained([falling(2.0, 6.0)], PERIOD_S)
    assert not is_sustained([falling(3.0, 6.0)], PERIOD_S)
    assert not is_sustained([falling(10.0, 3.0)], PERIOD_S)


def test_most_notes_decide_and_short_ones_say_nothing():
    steady, dying, short = falling(0.0, 4.0), falling(20.0, 4.0), falling(0.0, 1.0)
    assert is_sustained([steady, steady, dying, short], PERIOD_S)
    assert not is_sustained([steady, dying, dying, short, short], PERIOD_S)
    assert not is_sustained([short], PERIOD_S)
    assert not is_sustained([], PERIOD_S)


def test_a_slow_attack_and_a_natural_release_do_not_hide_that_a_note_is_held():
    level = np.concatenate([np.linspace(-60, -20, 60), np.full(400, -20.0), np.linspace(-20, -90, 60)])
    assert is_sustained([level], PERIOD_S)
    assert 460 <= hold_end(level) <= 470


def test_tremolo_does_not_end_a_note():
    level = -20.0 + 3.0 * np.sin(np.arange(500) / 10.0)
    assert hold_end(level) == 500
