"""Moments of arrival: what a driver tells of its messages outweighs when they were fetched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.instrument.arrival import EARLIEST_NS, ArrivalClock

MS = 1_000_000


def fetch(came_ns, fetched_ns, drift=0.0):
    """Arrivals that a clock tells of messages that came and were fetched at these moments."""
    clock = ArrivalClock()
    deltas_s = np.diff(came_ns, prepend=came_ns[0]) * 1e-9 * (1.0 + drift)
    return np.array([clock.arrival(*pair) for pair in zip(deltas_s.tolist(), fetched_ns.tolist(), strict=True)])


def polled(came_ns, period_ns, phase_ns=0):
    """When a thread that looks every `period_ns` fetches them."""
    return (came_ns + period_ns - phase_ns - 1) // period_ns * period_ns + phase_ns


def played(seed, notes=2_000, longest_ns=40 * MS):
    return 5_000 * MS + np.cumsum(np.random.default_rng(seed).integers(1, longest_ns, notes))


@pytest.mark.parametrize("period_ns", [500_000, MS, 5 * MS])
def test_polling_does_not_reach_the_times(period_ns):
    came_ns = played(1)
    told_ns = fetch(came_ns, polled(came_ns, period_ns))[200:]
    assert np.ptp(told_ns - came_ns[200:]) < 0.05 * period_ns


def test_stalled_thread_does_not_reach_the_times():
    came_ns = played(2)
    random = np.random.default_rng(3)
    delays_ns = random.integers(0, MS, len(came_ns)) + np.where(random.random(len(came_ns)) < 0.1, 20 * MS, 0)
    told_ns = fetch(came_ns, np.maximum.accumulate(came_ns + delays_ns))[200:]
    assert np.ptp(told_ns - came_ns[200:]) < 0.1 * MS


@pytest.mark.parametrize("drift", [-1e-4, 1e-4])
def test_drifting_clock_is_followed(drift):
    came_ns = played(4, 10_000)
    told_ns = fetch(came_ns, polled(came_ns, MS), drift)[200:]
    assert np.abs(told_ns - came_ns[200:]).max() < 2.5 * MS


def test_clock_that_lost_time_is_right_again_soon():
    came_ns = played(5)
    clock = ArrivalClock()
    told_ns = np.array(
        [
            clock.arrival(0.0 if n == 500 else delta_ns * 1e-9, fetched_ns)
            for n, (delta_ns, fetched_ns) in enumerate(
                zip(np.diff(came_ns, prepend=came_ns[0]).tolist(), polled(came_ns, MS).tolist(), strict=True)
            )
        ]
    )
    late_ns = came_ns - told_ns
    assert late_ns[:500].max() < MS
    assert late_ns[500:].max() < 41 * MS
    assert late_ns[came_ns > came_ns[500] + 21_000 * MS].max() < MS


def test_message_after_a_long_rest_came_when_it_was_fetched():
    clock = ArrivalClock()
    clock.arrival(0.0, 1_000 * MS)
    assert clock.arrival(59.0, 61_000 * MS) == 61_000 * MS


@given(
    st.lists(st.tuples(st.floats() | st.floats(0.0, 0.1), st.integers(0, 3_000 * MS) | st.integers(0, MS)), max_size=60)
)
def test_whatever_a_driver_tells_arrivals_rise_and_lie_just_before_the_fetch(steps):
    clock, now_ns, last_ns = ArrivalClock(), 0, 0
    for delta_s, passed_ns in steps:
        now_ns += passed_ns
        told_ns = clock.arrival(delta_s, now_ns)
        assert now_ns - EARLIEST_NS <= told_ns <= now_ns
        assert told_ns >= last_ns
        last_ns = told_ns
