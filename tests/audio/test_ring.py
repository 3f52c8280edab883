from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtwave._stream import Ring

from ..sanitizer import run_under_thread_sanitizer

STEPS = st.lists(st.tuples(st.sampled_from(["write", "read"]), st.integers(0, 40)), max_size=60)


@given(st.integers(1, 33), STEPS)
def test_ring_is_a_queue_of_its_capacity(capacity, steps):
    ring, queue, sent = Ring(capacity), [], 0
    assert ring.capacity >= capacity
    for action, count in steps:
        if action == "write":
            numbers = list(range(sent, sent + count))
            kept = ring.write(np.array(numbers, np.float32))
            assert kept == min(count, ring.capacity - len(queue))
            queue += numbers[:kept]
            sent += kept
        else:
            assert ring.read(count).tolist() == queue[:count]
            del queue[:count]
        assert len(ring) == len(queue)


def test_full_ring_takes_nothing_and_empty_ring_gives_nothing():
    ring = Ring(8)
    assert ring.write(np.arange(9, dtype=np.float32)) == 8
    assert ring.write(np.ones(1, np.float32)) == 0
    assert ring.read(20).tolist() == list(range(8))
    assert len(ring.read(1)) == 0


def run_stress(folder, *flags):
    return run_under_thread_sanitizer(folder, [Path(__file__).with_name("ring_stress.c")], *flags)


def test_thread_sanitizer_finds_no_race_in_the_ring(tmp_path):
    result = run_stress(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_thread_sanitizer_finds_a_planted_race(tmp_path):
    result = run_stress(tmp_path, "-DPLANTED_RACE")
    assert result.returncode != 0
    assert "data race" in result.stderr
