"""The latency controller, by simulation: a ring that is full whenever the producer was not late."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.audio.latency import LatencyController

RATE, BLOCK = 48_000, 128
TURN_S = 0.05
SAFE_FRAMES = 384


class Ring:
    """Fill of a ring under a controller, one turn at a time; `late_frames`: by how much the producer fell behind."""

    def __init__(self, controller):
        self.controller = controller
        self.starved = 0

    def turn(self, late_frames=0):
        lowest = max(self.controller.target_frames - late_frames, 0)
        self.starved += lowest < BLOCK
        self.controller.hear(lowest, TURN_S)
        return self.controller.target_frames

    def run(self, seconds, late_frames=0):
        return [self.turn(late_frames) for _ in range(round(seconds / TURN_S))]


def settled(late_frames=0, seconds=60):
    ring = Ring(LatencyController(RATE, BLOCK))
    ring.run(seconds, late_frames)
    return ring


def test_it_begins_at_a_safe_fill():
    assert LatencyController(RATE, BLOCK).target_frames == SAFE_FRAMES
    assert LatencyController(RATE, 512).target_frames == 1024


def test_on_a_calm_computer_it_goes_down_to_two_blocks_and_stays():
    ring = settled()
    assert ring.controller.target_frames == 2 * BLOCK
    assert set(ring.run(20)) == {2 * BLOCK}


def test_it_never_shrinks_within_the_first_seconds():
    assert set(Ring(LatencyController(RATE, BLOCK)).run(4)) == {SAFE_FRAMES}


def test_it_shrinks_by_a_tenth_a_second_at_most():
    targets = np.array(Ring(LatencyController(RATE, BLOCK)).run(30))
    assert np.diff(targets).min() >= -0.1 * SAFE_FRAMES - 1


def test_it_grows_at_once_when_the_ring_came_near_starving():
    ring = settled()
    assert ring.turn(late_frames=120) == BLOCK + 2 * 120


def test_a_dip_that_comes_again_is_held_with_as_much_to_spare():
    ring = settled(late_frames=200)
    ring.starved = 0
    targets = ring.run(30, late_frames=200)
    assert set(targets) == {BLOCK + 2 * 200}
    assert ring.starved == 0


def test_the_first_fill_after_growing_is_no_dip():
    controller = LatencyController(RATE, BLOCK)
    before = controller.target_frames
    grown = controller.hear(before - 200, TURN_S)
    assert grown > before
    assert controller.hear(before, TURN_S) == grown


def test_another_block_size_begins_again_with_two_blocks_at_least():
    ring = settled()
    ring.controller.change_block(512)
    assert ring.controller.target_frames == 1024


@given(st.lists(st.integers(0, 3000), max_size=200), st.sampled_from([16, 128, 1024, 4096]))
def test_whatever_it_hears_it_keeps_two_blocks_and_knows_an_end(fills, block):
    controller = LatencyController(RATE, block)
    for fill in fills:
        target = controller.hear(fill, 0.3)
        assert 2 * block <= target <= max(0.040 * RATE, 2 * block)


@pytest.mark.parametrize("seed", range(3))
def test_rare_late_turns_starve_once_and_not_again_soon(seed):
    draw = np.random.default_rng(seed)
    ring = settled()
    for _ in range(400):
        ring.turn(late_frames=int(draw.integers(300, 360)) if draw.random() < 0.05 else 0)
    assert ring.starved <= 4
