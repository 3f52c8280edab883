"""The queue of commands and the ring of echoes, through the engine that holds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave.engine.commands import Control, NoteOff, NoteOn
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError

from .networks import quiet_network

WEIGHTS = quiet_network()
CAPACITY = 4096

batches = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 60)), st.integers(1, 5)), max_size=40)


@settings(deadline=None)
@given(batches, st.lists(st.integers(0, 20), max_size=5))
def test_commands_come_by_frame_and_then_in_the_order_sent(batches, blocks):
    engine, expected, tag = Engine(WEIGHTS, voices=1), [], 0
    for block in [*blocks, 100]:
        for at, size in batches:
            tag += 1
            engine.submit([NoteOff(5)] * size, at=at, tag=tag)
            expected += [(max(at if at is not None else 0, engine.frame), tag)] * size
        batches = batches[len(batches) // 2 :]
        engine.render(block)
    applied = engine.applied()
    assert [(frame, tag) for tag, frame in applied] == sorted(expected)


def test_commands_without_a_tag_leave_no_echo():
    engine = Engine(WEIGHTS)
    engine.note_on(60, 100)
    engine.render(10)
    assert engine.applied() == []


def test_a_full_queue_refuses_the_whole_batch_and_counts_it():
    engine = Engine(WEIGHTS)
    for _ in range(CAPACITY // 2):
        engine.submit([NoteOff(1), NoteOff(2)], at=10)
    with pytest.raises(RtwaveError, match="command queue is full \\(3 dropped\\)"):
        engine.submit([NoteOff(1)] * 3)
    assert engine.counters()["dropped_commands"] == 3
    engine.render(1)  # the renderer takes what waits, and there is room again
    engine.submit([NoteOff(1)] * 3, tag=1)
    engine.render(CAPACITY)
    assert len(engine.applied()) == 3


def test_a_batch_that_fits_exactly_is_taken_over_and_over():
    engine = Engine(WEIGHTS)
    for turn in range(3):
        engine.submit([NoteOff(1)] * CAPACITY, tag=turn + 1)
        engine.render(1)
        assert engine.applied() == [(turn + 1, turn)] * CAPACITY


def test_echoes_that_nobody_takes_are_counted():
    engine = Engine(WEIGHTS)
    for _ in range(2):
        engine.submit([NoteOff(1)] * CAPACITY, tag=3)
        engine.render(1)
    assert len(engine.applied()) == CAPACITY
    assert engine.counters()["dropped_echoes"] == CAPACITY


def test_more_commands_than_the_schedule_holds_still_come_in_order():
    engine = Engine(WEIGHTS)
    for half in range(2):
        engine.submit([NoteOff(1)] * CAPACITY, at=5 + half, tag=half + 1)
        engine.render(1)
    engine.render(10)
    frames = [frame for _, frame in engine.applied()]
    assert frames == sorted(frames)
    assert len(frames) + engine.counters()["dropped_echoes"] == 2 * CAPACITY


def test_a_note_for_now_does_not_wait_behind_a_schedule_full_of_later_ones():
    engine, far = Engine(WEIGHTS), 10**9
    for _ in range(2):
        engine.submit([NoteOff(1)] * CAPACITY, at=far)
        engine.render(1)
    with pytest.raises(RtwaveError, match="command queue is full"):
        engine.submit([NoteOff(1)], at=far)
    for turn in range(3):
        engine.submit([NoteOn(60 + turn, 100)] + [NoteOff(1)] * (CAPACITY - 1), tag=turn + 1)
        engine.render(1)
        assert engine.active_voices == turn + 1
        assert engine.applied() == [(turn + 1, turn + 2)] * CAPACITY


def test_a_full_schedule_has_room_again_once_its_frames_have_come():
    engine = Engine(WEIGHTS)
    for _ in range(5):
        for _ in range(2):
            engine.submit([NoteOff(1)] * CAPACITY, at=engine.frame + 2)
            engine.render(1)
        engine.render(10)
    assert engine.counters()["dropped_commands"] == 0


def test_an_empty_batch_is_nothing():
    engine = Engine(WEIGHTS)
    engine.submit([], tag=4)
    engine.render(1)
    assert engine.applied() == []


def test_commands_pushed_by_many_threads_all_arrive():
    import threading

    engine = Engine(WEIGHTS)
    barrier = threading.Barrier(4)

    def push(tag):
        barrier.wait()
        for _ in range(200):
            engine.submit([Control("volume", 0.5), NoteOff(3)], tag=tag)

    threads = [threading.Thread(target=push, args=(tag,)) for tag in range(1, 5)]
    for thread in threads:
        thread.start()
    applied = []
    while any(thread.is_alive() for thread in threads):
        engine.render(32)
        applied += engine.applied()
    engine.render(32)
    applied += engine.applied()
    tags, counts = np.unique([tag for tag, _ in applied], return_counts=True)
    assert dict(zip(tags.tolist(), counts.tolist(), strict=True)) == dict.fromkeys(range(1, 5), 400)
