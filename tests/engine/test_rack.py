import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave._stream import Resampler
from rtwave.engine.commands import AllNotesOff, Control, NoteOff, NoteOn
from rtwave.engine.engine import Engine
from rtwave.engine.rack import MAX_ENGINES, Rack
from rtwave.errors import RtwaveError
from tests.engine.networks import quiet_network

RATE = 16_000


def make_engine(seed=1, rate=RATE, voices=4):
    return Engine(quiet_network(sample_rate=rate), voices=voices, seed=seed)


def render(rack, frames, block=None):
    """`frames` more, asked for in blocks, with what the player does in between."""
    blocks = []
    while frames:
        blocks.append(rack.render(min(frames, block or frames)))
        frames -= len(blocks[-1])
        rack.applied()
    return np.concatenate(blocks)


def test_a_lone_engine_passes_bit_for_bit():
    rack, engine = Rack(make_engine()), make_engine()
    rack.submit([NoteOn(60, 100)], at_s=0.01)
    engine.note_on(60, 100, at=160)
    assert np.array_equal(rack.render(4000), engine.render(4000))
    assert (rack.frame, rack.seconds, rack.sample_rate) == (4000, 0.25, RATE)


def test_a_lone_engine_is_resampled_as_the_resampler_does():
    rack, engine = Rack(make_engine(), 48_000), make_engine()
    rack.submit([NoteOn(60, 100)], at_s=0.01)
    engine.note_on(60, 100, at=160)
    expected = Resampler(RATE, 48_000).process(engine.render(2000))
    assert np.array_equal(rack.render(5000), expected[:5000])


def test_an_engine_joins_at_its_frame_and_both_are_summed():
    rack = Rack(make_engine(1), 48_000)
    rack.submit([NoteOn(60, 100)], at_s=0.0)
    rack.switch(make_engine(2, rate=24_000), at_s=0.1, commands=[Control("bend", 1.0)])
    rack.submit([NoteOn(64, 90)], at_s=0.15)
    mixed = rack.render(9600)

    old, new = make_engine(1), make_engine(2, rate=24_000)
    old.note_on(60, 100, at=0)
    new.control("bend", 1.0, at=0)
    new.note_on(64, 90, at=1200)
    expected = Resampler(RATE, 48_000).process(old.render(3400))[:9600]
    expected[4800:] += Resampler(24_000, 48_000).process(new.render(2600))[:4800]
    assert np.array_equal(mixed, np.clip(expected, -1.0, 1.0))


BLOCKS = st.lists(st.integers(1, 900), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(BLOCKS, st.integers(0, 3000), st.sampled_from([RATE, 44_100]))
def test_block_sizes_do_not_change_the_sound_of_a_switch(blocks, join_frame, rate):
    def play(blocks):
        rack = Rack(make_engine(1), rate)
        rack.submit([NoteOn(60, 100)], at_s=0.0)
        rack.switch(make_engine(2), at_s=join_frame / rate, commands=[Control("tune", 442.0)])
        rack.submit([NoteOn(67, 100)], at_s=join_frame / rate)
        rack.submit([AllNotesOff()], at_s=join_frame / rate + 0.02)
        samples = [rack.render(frames) for frames in blocks]
        return np.concatenate([*samples, rack.render(5000 - min(5000, sum(blocks)))])[:5000]

    assert np.array_equal(play(blocks), play([5000]))


def test_notes_go_to_the_engine_that_is_current_at_their_second_and_all_else_to_all():
    old, new = make_engine(1), make_engine(2)
    rack = Rack(old)
    rack.switch(new, at_s=0.1)
    rack.submit([NoteOn(60, 100)], at_s=0.09)
    rack.submit([NoteOn(62, 100)], at_s=0.1)
    assert rack.engine is new
    rack.render(2000)
    assert (old.active_voices, new.active_voices, rack.active_voices) == (1, 1, 2)
    rack.submit([NoteOn(64, 100)])
    rack.render(10)
    assert (old.active_voices, new.active_voices) == (1, 2)
    rack.submit([Control("volume", 0.0)])
    rack.render(2000)
    assert np.abs(rack.render(1000)).max() < 1e-9


def test_applied_tells_every_tag_once_and_where_it_was():
    rack = Rack(make_engine(1), 48_000)
    rack.switch(make_engine(2, rate=24_000), at_s=0.1, tag=7)
    rack.submit([NoteOn(60, 100), Control("bend", 0.5)], at_s=0.05, tag=1)
    rack.submit([NoteOn(64, 100), NoteOff(60)], at_s=0.15, tag=2)
    rack.render(9600)
    applied = rack.applied()
    assert [tag for tag, _ in applied] == [1, 1, 7, 2, 2]
    assert [second for _, second in applied] == pytest.approx([0.05, 0.05, 0.1, 0.15, 0.15])
    assert rack.applied() == []


def test_a_switch_without_a_second_comes_fifty_milliseconds_from_now():
    rack = Rack(make_engine(1))
    rack.render(160)
    rack.switch(make_engine(2), tag=1)
    rack.render(2000)
    assert rack.applied() == [(1, pytest.approx(0.06))]


def test_a_switch_that_comes_too_late_joins_at_once_and_tells_where():
    rack = Rack(make_engine(1))
    rack.render(1000)
    rack.switch(make_engine(2), at_s=0.01, tag=1)
    rack.submit([NoteOn(60, 100)], at_s=0.1, tag=2)
    rack.render(2000)
    assert rack.applied() == [(1, 1000 / RATE), (2, pytest.approx(0.1 + 1000 / RATE - 0.01))]


def test_an_old_engine_rings_out_and_leaves_by_itself():
    old, new = make_engine(1), make_engine(2)
    rack = Rack(old)
    rack.submit([NoteOn(60, 100)], at_s=0.0)
    rack.switch(new, at_s=0.05)
    render(rack, RATE, 512)
    assert rack.engines == [old, new]  # its key is down
    rack.submit([NoteOff(60)])
    for _ in range(100):
        render(rack, 1600)
    assert rack.engines == [new]
    assert rack.counters()["notes"] == 1


def test_an_old_engine_waits_for_the_notes_that_it_was_given():
    old, new = make_engine(1), make_engine(2)
    rack = Rack(old)
    rack.switch(new, at_s=0.6)
    rack.submit([NoteOn(60, 100)], at_s=0.55)
    render(rack, RATE // 2, 512)
    assert rack.engines == [old, new]
    render(rack, RATE // 2, 512)
    assert old.active_voices == 1


def test_when_one_more_begins_the_oldest_fades_without_a_click():
    engines = [make_engine(seed) for seed in range(MAX_ENGINES + 1)]
    rack = Rack(engines[0])
    for number, engine in enumerate(engines):
        if number:
            rack.switch(engine, at_s=number / 10)
        rack.submit([NoteOn(60 + number, 100)], at_s=number / 10)
    rendered = render(rack, RATE, 100)
    assert rack.engines == engines[1:]
    alone = Rack(make_engine(0))
    alone.submit([NoteOn(60, 100)], at_s=0.0)
    loudest_step = np.abs(np.diff(alone.render(RATE))).max()
    assert np.abs(np.diff(rendered)).max() <= 5 * loudest_step


def test_many_switches_at_once_are_refused_until_the_rack_renders():
    rack = Rack(make_engine(0))
    for seed in range(7):
        rack.switch(make_engine(seed, voices=1))
    with pytest.raises(RtwaveError, match="render on before switching again"):
        rack.switch(make_engine(7, voices=1))
    render(rack, 1600, 160)
    for seed in range(20):
        rack.switch(make_engine(seed, voices=1))
        render(rack, 1600, 160)
    assert len(rack.engines) <= MAX_ENGINES


def test_limit_silences_older_engines_before_it_takes_voices_from_the_newest():
    old, new = make_engine(1), make_engine(2)
    rack = Rack(old)
    rack.submit([NoteOn(note, 100) for note in (60, 62, 64)], at_s=0.0)
    rack.switch(new, at_s=0.05)
    rack.submit([NoteOn(note, 100) for note in (70, 72, 74)], at_s=0.05)
    rack.render(1600)
    rack.native.limit(4)
    rack.render(160)
    assert (old.active_voices, new.active_voices, new.limit) == (1, 3, 3)
    rack.native.limit(1)
    rack.render(160)
    assert (old.active_voices, new.active_voices) == (1, 1)
    rack.native.limit(100)
    assert new.limit == new.voices
    rack.render(160)
    assert [(number, voices) for number, voices, _ in rack.limits()] == [(0, 1), (1, 3), (1, 1), (1, 4)]


def test_limits_that_were_told_can_be_set_again_to_the_same_samples():
    def play(limits):
        rack = Rack(make_engine(1), 44_100)
        rack.submit([NoteOn(note, 100) for note in (60, 62, 64, 65)], at_s=0.0)
        for number, voices, second in limits:
            rack.limit(number, voices, second)
        return rack

    rack = play([])
    live = [rack.render(1000)]
    rack.native.limit(2)
    live.append(rack.render(3000))
    again = play(rack.limits()).render(4000)
    assert np.array_equal(np.concatenate(live), again)


@pytest.mark.parametrize("at_s", [-1, float("nan"), "soon", True, 1e12])
def test_impossible_seconds_are_refused(at_s):
    rack = Rack(make_engine())
    with pytest.raises(RtwaveError, match="at_s is"):
        rack.submit([NoteOn(60, 100)], at_s=at_s)
    with pytest.raises(RtwaveError, match="at_s is"):
        rack.switch(make_engine(2), at_s=at_s)


def test_an_engine_is_taken_in_only_once():
    engine = make_engine()
    with pytest.raises(RtwaveError, match="in the rack already"):
        Rack(engine).switch(engine)


def test_switches_and_commands_of_another_thread_reach_a_rack_that_plays():
    rack, ended = Rack(make_engine(0)), threading.Event()

    def play():
        while not ended.is_set():
            rack.render(64)

    player = threading.Thread(target=play)
    player.start()
    applied = []
    for number in range(1, 13):
        while len(rack.engines) > 6:
            applied += rack.applied()
        rack.switch(make_engine(number), tag=2 * number - 1)
        rack.submit([NoteOn(60 + number, 100), Control("tune", 442.0)], tag=2 * number)
        applied += rack.applied()
    joined = rack.frame + RATE // 10
    while rack.frame < joined:
        applied += rack.applied()
    ended.set()
    player.join()
    applied += rack.applied()
    assert sorted(tag for tag, _ in applied) == sorted([*range(1, 25), *range(2, 25, 2)])
    assert len(rack.engines) <= MAX_ENGINES
    assert rack.counters()["notes"] == 12
    assert rack.counters()["dropped_echoes"] == 0
