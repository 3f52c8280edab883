"""When frames leave: the stream's delay-locked loop, its fill and its clock that can be ended."""

import threading
import time

import numpy as np
import pytest

from rtwave._stream import NativeStream, Timeline
from tests.audio.source import RATE, wait_until
from tests.audio.test_native_stream import BLOCK, TARGET, Rig

DEVICE_RATE = 48_000  # of the timeline by itself


def now_ns():
    return time.monotonic_ns()


def clocked(rig, block=BLOCK):
    thread = threading.Thread(target=rig.native.clock, args=(block,))
    thread.start()
    return thread


def test_before_the_first_callback_it_is_what_is_rendered():
    with Rig() as rig:
        rig.source.wait_for(TARGET)
        wait_until(lambda: rig.native.frame_at(now_ns()) == TARGET)


def test_frames_leave_at_the_devices_rate():
    with Rig() as rig:
        thread = clocked(rig)
        wait_until(lambda: rig.native.counters()["frames"] > RATE // 2)
        times_ns, frames = [], []
        for _ in range(100):
            times_ns.append(now_ns())
            frames.append(rig.native.frame_at(times_ns[-1]))
            time.sleep(0.003)
        rig.native.stop()
        thread.join()
    slope, start = np.polyfit((np.array(times_ns) - times_ns[0]) * 1e-9, frames, 1)
    fitted = start + slope * (np.array(times_ns) - times_ns[0]) * 1e-9
    assert slope == pytest.approx(RATE, rel=0.02)
    assert np.median(np.abs(frames - fitted)) < BLOCK / 2


def test_it_is_never_beyond_what_is_rendered():
    with Rig() as rig:
        rig.begin()
        rig.fill()
        wait_until(lambda: rig.native.frame_at(now_ns() + 10**12) == BLOCK + TARGET)


def test_callbacks_that_come_unevenly_do_not_move_it():
    """Blocks are taken at their times by this thread, which sleeps and is late as it happens."""
    generator, block_s = np.random.default_rng(2), BLOCK / RATE
    with Rig() as rig:
        rig.begin()
        start_s, ahead, callbacks = time.monotonic(), [], 120
        for number in range(callbacks):
            due_s = start_s + number * block_s
            late_s = generator.uniform(0.0, 0.3) * block_s
            while time.monotonic() < due_s + late_s:
                time.sleep(0.0002)
            rig.native.callback(BLOCK)
            if number > callbacks // 2:
                ahead.append(rig.native.frame_at(round((due_s + block_s / 2) * 1e9)) - (number + 1.5) * BLOCK)
    if rig.native.counters()["starved_frames"]:
        pytest.skip("this computer is too busy to keep time")
    assert np.std(ahead) < 0.15 * BLOCK
    assert -0.4 * BLOCK < np.mean(ahead) < 0.1 * BLOCK


def test_time_that_the_device_loses_is_found_again_within_a_few_callbacks():
    block_s, lost_s, before, after = BLOCK / RATE, 2.0 * BLOCK / RATE, 240, 10
    with Rig() as rig:
        rig.begin()
        start_s = time.monotonic()
        for number in range(before + after):
            due_s = start_s + number * block_s + (lost_s if number >= before else 0.0)
            while time.monotonic() < due_s:
                time.sleep(0.0002)
            rig.native.callback(BLOCK)
        ahead = rig.native.frame_at(round((due_s + block_s / 2) * 1e9)) - (number + 1.5) * BLOCK
    if rig.native.counters()["starved_frames"]:
        pytest.skip("this computer is too busy to keep time")
    assert abs(ahead) < 0.5 * BLOCK


def errors(calls_s):
    """By how many frames the timeline is off, each time that a block of 64 is asked for."""
    timeline, off = Timeline(), []
    for number, call_s in enumerate(calls_s):
        timeline.mark(round((1.0 + call_s) * 1e9), 64 * number, 64, DEVICE_RATE)
        off.append(timeline.frame_at(round((1.0 + call_s) * 1e9)) - call_s * DEVICE_RATE)
    return np.array(off)


def test_blocks_that_are_asked_for_many_at_once_leave_evenly():
    for together in (2, 4, 8, 16):
        off = errors(number // together * together * 64 / DEVICE_RATE for number in range(6000))
        assert np.ptp(off[2000:]) < 32.0


def test_a_device_that_is_held_up_and_catches_up_has_lost_no_time():
    generator = np.random.default_rng(1)
    due_s = np.arange(8000) * 64 / DEVICE_RATE
    held_s = np.where(generator.random(8000) < 0.01, due_s + generator.uniform(0.0, 0.01, 8000), 0.0)
    off = errors(np.maximum(due_s, np.maximum.accumulate(held_s)))
    assert np.ptp(off[2000:]) < 64.0


def test_what_starvation_withheld_leaves_late():
    with Rig() as rig:
        rig.begin()
        rig.play(4)
        rig.fill()
        rig.source.hold()
        rig.starve(TARGET // BLOCK + 20)
        rendered = 5 * BLOCK + TARGET
        assert rig.native.frame_at(now_ns()) <= rendered
        assert rig.native.counters()["frames"] > rendered


def test_a_source_that_has_rendered_before_keeps_its_own_count():
    source = Rig().source
    source.frame = 1000
    native = NativeStream(source, sample_rate=RATE, channels=1, target_frames=TARGET)
    assert native.frame_at(now_ns()) == 1000


def test_lowest_fill_is_since_it_was_last_taken():
    with Rig() as rig:
        assert rig.native.take_lowest_fill() == -1
        rig.begin()
        rig.play(3)
        rig.native.take_lowest_fill()
        rig.play(3)
        assert rig.native.take_lowest_fill() == TARGET
        assert rig.native.take_lowest_fill() == -1
        rig.fill()
        rig.source.hold()
        rig.starve(2)
        assert rig.native.take_lowest_fill() == TARGET - BLOCK
        assert rig.native.counters()["lowest_fill_frames"] == TARGET - BLOCK


def test_target_can_be_moved_while_it_plays_and_holds_two_blocks():
    with Rig() as rig:
        rig.begin()
        rig.native.set_target(1000)
        rig.source.wait_for(BLOCK + 1000)
        assert rig.native.counters()["target_frames"] == 1000
        rig.native.set_target(10)
        assert rig.native.counters()["target_frames"] == 2 * BLOCK
        for _ in range(7):
            rig.native.callback(BLOCK)
        assert rig.native.counters()["starved_frames"] == 0
        rig.source.wait_for(8 * BLOCK + 2 * BLOCK)


def test_clock_ends_without_ending_the_stream():
    with Rig(channels=2) as rig:
        thread = clocked(rig, 512)
        wait_until(lambda: rig.native.counters()["frames"] > 0)
        rig.native.end_clock()
        thread.join(timeout=10.0)
        assert not thread.is_alive()
        before = rig.native.counters()["frames"]
        wait_until(lambda: rig.native.callback(64).any())
        assert rig.native.counters()["frames"] > before
        assert rig.native.counters()["target_frames"] == TARGET  # the blocks of 512 are forgotten
        thread = clocked(rig, 512)
        wait_until(lambda: rig.native.counters()["frames"] > before + 4096)
        rig.native.stop()
        thread.join()


def test_counters_tell_of_chunks_callbacks_and_the_producer():
    with Rig() as rig:
        rig.begin()
        rig.play(20)
        rig.fill()
        wait_until(lambda: rig.native.counters()["chunks"].sum() * 32 >= rig.source.frames)
        counters = rig.native.counters()
        assert counters["callback_times"].sum() == counters["callbacks"]
        assert counters["producer_tid"] == rig.thread.native_id
        assert 0.0 < counters["load"] <= 4.0
        assert (counters["limit"], counters["limited"]) == (0, 0)
