import threading
import time

import numpy as np
import pytest

from rtwave._stream import NativeStream
from tests.audio.source import RATE, TONE_SLOPE, Source, tone, wait_until

BLOCK, TARGET, FADE = 128, 256, 32


class Rig:
    """A stream whose producer runs in its thread, and whose callback the test calls itself."""

    def __init__(self, channels=1, record_frames=0):
        self.source = Source()
        self.native = NativeStream(
            self.source,
            sample_rate=RATE,
            channels=channels,
            target_frames=TARGET,
            record_frames=record_frames,
        )
        self.thread = threading.Thread(target=self.native.produce)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.source.release()
        self.native.stop()
        self.thread.join()

    def begin(self):
        """Call back until the ring was full and the music plays; the first block of it."""
        first = []

        def playing():
            first[:] = [self.native.callback(BLOCK)[:, 0]]
            return self.native.counters()["frames"] > 0

        wait_until(playing)
        return first[0]

    def play(self, blocks):
        """So many blocks, the ring full before each."""
        sent = []
        for _ in range(blocks):
            self.fill()
            sent.append(self.native.callback(BLOCK)[:, 0])
        return np.concatenate(sent)

    def fill(self):
        """Wait until the ring is full."""
        counters = self.native.counters()
        self.source.wait_for(counters["frames"] - counters["starved_frames"] + TARGET)

    def starve(self, blocks):
        """So many blocks while the source stands still."""
        return np.concatenate([self.native.callback(BLOCK)[:, 0] for _ in range(blocks)])


def test_callback_sends_what_the_source_renders():
    with Rig() as rig:
        sent = np.concatenate([rig.begin(), rig.play(50)])
        assert np.array_equal(sent, tone(len(sent)))
        counters = rig.native.counters()
        assert counters["frames"] == len(sent)
        assert counters["starved_frames"] == counters["underflows"] == 0
        assert counters["lowest_fill_frames"] == counters["target_frames"] == TARGET


def test_ring_is_filled_to_its_target_and_no_further():
    with Rig() as rig:
        sent = rig.begin()
        rig.source.wait_for(len(sent) + TARGET)
        assert rig.source.frames == len(sent) + TARGET


def test_every_channel_gets_the_same_samples():
    with Rig(channels=3) as rig:
        rig.begin()
        rig.source.wait_for(BLOCK + TARGET)
        sent = rig.native.callback(BLOCK)
        assert sent.shape == (BLOCK, 3)
        assert np.array_equal(sent, np.repeat(tone(BLOCK, BLOCK)[:, None], 3, axis=1))


def test_host_blocks_larger_than_the_target_raise_it():
    with Rig() as rig:
        wait_until(lambda: np.any(rig.native.callback(3000)))
        assert rig.native.counters()["target_frames"] == 6000


@pytest.mark.parametrize("blocks", [1, 2, 500])
def test_starvation_fades_out_counts_and_resumes_where_it_stopped(blocks):
    with Rig() as rig:
        before = np.concatenate([rig.begin(), rig.play(3)])
        rig.source.wait_for(len(before) + TARGET)
        rig.source.hold()
        drained, silent = rig.starve(TARGET // BLOCK), rig.starve(blocks)
        assert np.array_equal(np.concatenate([before, drained]), tone(len(before) + TARGET))
        last = drained[-1]
        assert silent[:FADE] == pytest.approx(last * np.arange(FADE - 1, -1, -1) / FADE)
        assert not silent[FADE:].any()
        assert rig.native.counters()["starved_frames"] == blocks * BLOCK

        rig.source.release()
        after = rig.play(4)
        expected = tone(len(after), len(before) + TARGET)
        assert np.array_equal(after[FADE:], expected[FADE:])
        assert np.abs(after[:FADE]).max() < np.abs(expected).max()
        assert rig.native.counters()["starved_frames"] == blocks * BLOCK
        rig.fill()
        assert rig.source.frames == len(before) + TARGET + len(after) + TARGET  # as late as it was before
        sent = np.concatenate([before, drained, silent, after])
        assert np.abs(np.diff(sent)).max() <= TONE_SLOPE + 0.5 / FADE


def test_stall_in_mid_block_keeps_the_samples_that_were_there():
    with Rig() as rig:
        rig.begin()
        rig.source.wait_for(BLOCK + TARGET)
        rig.source.hold()
        sent = rig.native.callback(TARGET + 50)[:, 0]
        assert np.array_equal(sent[:TARGET], tone(TARGET, BLOCK))
        assert rig.native.counters()["starved_frames"] == 50


@pytest.mark.parametrize("load", [10 / 9, 5 / 4, 2])
def test_overload_leaves_what_can_be_rendered_sounding_and_ends_with_the_load(load):
    """`load`: the time it takes to render a frame, in frames."""
    block, blocks = TARGET // 2, 300
    with Rig() as rig:
        sent = [rig.begin()]
        rig.source.wait_for(BLOCK + TARGET)
        rig.source.hold()
        for _ in range(blocks):
            sent.append(rig.native.callback(block)[:, 0])
            rig.source.advance(rendered := round(block / load))
        starved = rig.native.counters()["starved_frames"]
        rendered_share = rendered / block
        assert 1 - starved / (blocks * block) == pytest.approx(rendered_share, abs=0.01)
        assert np.count_nonzero(np.abs(np.concatenate(sent)) > 0.01) > 0.9 * rendered_share * blocks * block
        assert np.abs(np.diff(np.concatenate(sent))).max() <= TONE_SLOPE + 2 * 0.5 / FADE

        rig.source.release()
        rig.fill()
        assert rig.play(20).any()
        assert rig.native.counters()["starved_frames"] == starved


def test_unsteady_producer_never_clicks():
    generator = np.random.default_rng(5)
    with Rig() as rig:
        sent = [rig.begin()]
        for _ in range(60):
            if generator.random() < 0.5:
                rig.source.release()
                time.sleep(0.001)
            else:
                rig.source.hold()
            sent += [rig.native.callback(int(frames))[:, 0] for frames in generator.integers(1, 300, 3)]
        sent = np.concatenate(sent)
        assert rig.native.counters()["starved_frames"] > 0
        assert np.abs(np.diff(sent)).max() <= TONE_SLOPE + 2 * 0.5 / FADE


def test_fade_out_ends_in_silence_without_a_click():
    with Rig(record_frames=RATE) as rig:
        before = np.concatenate([rig.begin(), rig.play(2)])
        assert not rig.native.silent
        rig.native.fade_out()
        after = rig.native.callback(BLOCK)[:, 0]
        assert rig.native.silent
        assert after[:FADE] == pytest.approx(before[-1] * np.arange(FADE - 1, -1, -1) / FADE)
        assert not after[FADE:].any()
        rig.native.callback(BLOCK)
        recorded = rig.native.take_recording(RATE)
        assert np.array_equal(recorded, np.concatenate([before, after[:FADE]]))


def test_recording_holds_exactly_what_was_sent_even_when_starving():
    with Rig(record_frames=RATE) as rig:
        sent = [rig.begin(), rig.play(2)]
        rig.source.hold()
        sent.append(rig.starve(5))
        rig.source.release()
        sent.append(rig.play(3))
        assert np.array_equal(rig.native.take_recording(RATE), np.concatenate(sent))


def test_recording_nobody_takes_is_counted_and_does_not_hold_up_the_music():
    with Rig(record_frames=512) as rig:
        rig.begin()
        sent = rig.play(9)
        assert np.array_equal(sent, tone(9 * BLOCK, BLOCK))
        assert rig.native.counters()["record_dropped_frames"] == 10 * BLOCK - 512


def test_peak_is_of_the_samples_since_it_was_last_asked_for():
    with Rig() as rig:
        sent = np.concatenate([rig.begin(), rig.play(3)])
        assert rig.native.take_peak() == np.abs(sent).max()
        assert rig.native.take_peak() == 0.0


def test_host_underflows_are_counted():
    with Rig() as rig:
        rig.native.callback(BLOCK, status=4)
        rig.native.callback(BLOCK, status=8)
        assert rig.native.counters()["underflows"] == 1


def test_recording_touches_no_new_memory_in_the_callback():
    resource = pytest.importorskip("resource")
    with Rig(record_frames=8 * RATE) as rig:
        rig.begin()
        rig.play(8)
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        for _ in range(5 * RATE // BLOCK):  # 80 pages of the recorder's ring
            rig.native.callback(BLOCK)
        assert resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before < 20
