"""The clock of another machine is followed: its place, its tempo, its starts and stops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.instrument.clock import ClockFollower
from rtwave.instrument.messages import CLOCK, CONTINUE, NOTE_ON, SONG_POSITION, START, STOP, Message


def send(follower, kind, at_s=0.0, *data):
    follower.hear(Message(kind, 0, *data), at_s)


def tick(follower, times_s):
    for at_s in times_s:
        send(follower, CLOCK, at_s)


def running(bpm=120.0, ticks=100, start_s=10.0, jitter_s=0.0):
    """A follower after so many ticks since its start, and their true times."""
    follower, times_s = ClockFollower(), start_s + np.arange(ticks) * 60.0 / bpm / 24
    send(follower, START, start_s - 0.001)
    tick(follower, (times_s + np.random.default_rng(1).uniform(-jitter_s, jitter_s, ticks)).tolist())
    return follower, times_s


@pytest.mark.parametrize("bpm", [20, 63.7, 120, 300])
def test_exact_clock_is_followed_exactly(bpm):
    follower, times_s = running(bpm)
    assert follower.bpm == pytest.approx(bpm)
    assert follower.position_beats(times_s[-1]) == pytest.approx(99 / 24)
    assert follower.second_of(99.5 / 24) == pytest.approx(times_s[-1] + 30.0 / bpm / 24)


@pytest.mark.parametrize("bpm", [60, 120, 180])
def test_jitter_is_smoothed(bpm):
    follower, _ = running(bpm, ticks=50)
    random = np.random.default_rng(2)
    errors_s = []
    for n in range(50, 1_000):
        true_s = 10.0 + n * 60.0 / bpm / 24
        send(follower, CLOCK, true_s + random.uniform(-0.003, 0.003))
        errors_s.append(follower.second_of(n / 24) - true_s)
    assert np.std(errors_s) < 0.6 * 0.003 / np.sqrt(3)
    assert follower.bpm == pytest.approx(bpm, rel=0.03)


def test_first_tick_after_start_is_beat_nought():
    follower = ClockFollower()
    tick(follower, [0.0, 0.02, 0.04])
    assert (follower.running, follower.second_of(0.0)) == (False, None)
    send(follower, START, 0.05)
    assert follower.running
    assert follower.second_of(0.0) is None
    assert follower.position_beats(0.055) == 0.0
    tick(follower, [0.06])
    assert follower.second_of(0.0) == pytest.approx(0.06)
    assert follower.second_of(0.5 / 24) == pytest.approx(0.07)
    assert follower.second_of(1 / 24) is None


def test_clock_that_starts_with_the_song_is_known_after_two_ticks():
    follower = ClockFollower()
    send(follower, START)
    tick(follower, [1.0])
    assert follower.bpm is None
    assert (follower.second_of(0.0), follower.second_of(0.01)) == (1.0, None)
    assert follower.position_beats(5.0) == 0.0
    tick(follower, [1.025])
    assert follower.bpm == pytest.approx(100.0)


def test_music_waits_where_the_ticks_end():
    follower, times_s = running()
    assert follower.position_beats(times_s[-1] + 60.0) == pytest.approx(100 / 24)
    assert follower.position_beats(times_s[-1] - 60.0) == pytest.approx(99 / 24)


def test_stop_and_continue_go_on_at_the_next_tick():
    follower, times_s = running(ticks=48)
    send(follower, STOP, times_s[-1])
    assert not follower.running
    assert follower.second_of(1.0) is None
    assert follower.position_beats(100.0) == 2.0
    tick(follower, [30.0, 30.02])
    assert follower.position_beats(100.0) == 2.0
    send(follower, CONTINUE)
    tick(follower, [30.04])
    assert follower.second_of(2.0) == pytest.approx(30.04, abs=0.002)
    assert follower.position_beats(30.04) == pytest.approx(2.0, abs=0.01)


def test_stop_before_the_first_tick_moves_nothing():
    follower = ClockFollower()
    for kind in (START, STOP, CONTINUE, STOP):
        send(follower, kind)
    assert follower.position_beats(1.0) == 0.0


def test_song_position_counts_sixteenths():
    follower = ClockFollower()
    send(follower, SONG_POSITION, 0.0, 5, 1)
    assert follower.position_beats(0.0) == (128 + 5) / 4
    send(follower, CONTINUE)
    tick(follower, [1.0, 1.02])
    assert follower.position_beats(1.02) == pytest.approx(133 / 4 + 1 / 24)


def test_start_while_running_begins_anew():
    follower, times_s = running()
    send(follower, START, times_s[-1])
    tick(follower, [times_s[-1] + 0.0208])
    assert follower.second_of(0.0) == pytest.approx(times_s[-1] + 0.0208, abs=1e-4)


@pytest.mark.parametrize("bpm", [30, 60, 90, 133, 180, 240, 300])
def test_new_tempo_is_known_within_a_beat(bpm):
    follower, times_s = running(120.0)
    tick(follower, (times_s[-1] + np.arange(1, 25) * 60.0 / bpm / 24).tolist())
    assert follower.bpm == pytest.approx(bpm, rel=0.02)
    assert follower.second_of((99 + 24) / 24) == pytest.approx(times_s[-1] + 60.0 / bpm, abs=0.002)


def test_one_late_tick_leaves_the_tempo():
    follower, times_s = running(120.0)
    tick(follower, (times_s[-1] + np.array([1.8, 2.0, 3.0]) / 48).tolist())
    assert follower.bpm == pytest.approx(120.0)


def test_ticks_after_a_pause_count_from_where_they_are():
    follower, times_s = running(120.0)
    tick(follower, (times_s[-1] + 5.0 + np.arange(3) / 48).tolist())
    assert follower.bpm == pytest.approx(120.0)
    assert follower.second_of(102 / 24) == pytest.approx(times_s[-1] + 5.0 + 2 / 48)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([CLOCK, CLOCK, CLOCK, START, CONTINUE, STOP, SONG_POSITION, NOTE_ON]),
            st.floats(-0.01, 0.05) | st.floats(-10.0, 1e6),
            st.integers(0, 127),
        ),
        max_size=60,
    )
)
def test_whatever_comes_the_music_moves_forward_between_jumps(steps):
    follower, now_s, before = ClockFollower(), 0.0, 0.0
    for kind, passed_s, data in steps:
        now_s += passed_s
        send(follower, kind, now_s, data, data)
        position = follower.position_beats(now_s)
        if kind not in (START, SONG_POSITION):
            assert position >= before
        before = follower.position_beats(-1e9)  # of the last tick
        at_s = follower.second_of(position)
        assert at_s is None or (follower.running and np.isfinite(at_s))
        assert follower.bpm is None or 8.0 <= follower.bpm <= 1250.1
