import numpy as np

from rtwave.training.holds import fall_start, is_sustained, note_end

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
    assert 460 <= note_end(level) <= 470


def test_tremolo_does_not_end_a_note():
    level = -20.0 + 3.0 * np.sin(np.arange(500) / 10.0)
    assert note_end(level) == 500


def let_go(silence_s):
    """Held for 4 s, let go for a quarter of one, and perhaps followed by silence."""
    fall, silence = np.linspace(-20.0, -80.0, 32), np.full(int(silence_s / PERIOD_S), -80.0)
    return np.concatenate([np.full(500, -20.0), fall, silence])


def test_the_end_of_a_note_is_found_before_any_silence_and_the_start_of_its_fall_in_what_is_left():
    for silence_s in (0.0, 1.0):
        end = note_end(let_go(silence_s))
        assert 503 <= end <= 506
        assert 500 <= fall_start(let_go(silence_s)[:end], PERIOD_S) <= 504
    assert 500 <= fall_start(let_go(0.0), PERIOD_S) <= 504


def test_the_start_of_a_fall_is_found_once_and_for_all():
    held = let_go(0.0)[: fall_start(let_go(0.0), PERIOD_S)]
    assert fall_start(held, PERIOD_S) == len(held)
    assert fall_start(falling(2.0, 6.0), PERIOD_S) == len(falling(2.0, 6.0))
