"""Whole performances at random: any commands at any frames, in any blocks, under any limit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave._engine import LIMIT_TAG
from rtwave.engine.commands import AllNotesOff, AllSoundOff, Control, Limit, NoteControl, NoteOff, NoteOn
from rtwave.engine.controls import CONTROLS, NOTE_CONTROLS
from rtwave.engine.engine import Engine

from .networks import quiet_network

VOICES = 4
NETWORKS = {
    "plain": quiet_network(),
    "levelled": quiet_network(leveling="loudness"),
    "mulaw": quiet_network(output="mulaw"),
}
LONGEST_S = 1.6
"""Longer than a note takes to die: 70 dB of 60 ms time constants are 0.48 s, and release goes up to 3 times."""


def values(control):
    high = min(control.high, 3.0) if control.name == "release" else control.high
    return st.floats(control.low, high)


KEYS, CHANNELS = st.integers(58, 62), st.integers(0, 2)
COMMANDS = st.one_of(
    st.builds(NoteOn, KEYS, st.integers(1, 127), CHANNELS),
    st.builds(NoteOn, KEYS, st.integers(1, 127), CHANNELS),
    st.builds(NoteOff, KEYS, CHANNELS),
    st.one_of(*(st.builds(Control, st.just(name), values(control)) for name, control in CONTROLS.items())),
    st.one_of(
        *(
            st.builds(NoteControl, st.just(name), values(control), st.one_of(st.none(), KEYS), CHANNELS)
            for name, control in NOTE_CONTROLS.items()
        )
    ),
    st.builds(Limit, st.integers(1, VOICES + 1)),
    st.just(AllNotesOff()),
    st.just(AllSoundOff()),
)
PIECES = st.lists(st.tuples(st.integers(0, 90), st.lists(COMMANDS, min_size=1, max_size=4)), max_size=25)
BLOCKS = st.lists(st.integers(1, 150), max_size=12)


def perform(weights, piece, blocks=(), threads=1):
    """Samples of a piece of (frames to wait, batch), first in these blocks; and the engine after it."""
    engine, frame = Engine(weights, voices=VOICES, seed=3, threads=threads), 0
    for gap, batch in piece:
        frame += gap
        engine.submit(batch, at=frame)
    total = frame + 200
    pieces = [engine.render(block) for block in blocks]
    return np.concatenate([*pieces, engine.render(max(total - sum(blocks), 0))])[:total], engine


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=40)
@given(PIECES, BLOCKS, st.sampled_from([1, 2]))
def test_neither_blocks_nor_threads_change_a_bit_of_any_performance(network, piece, blocks, threads):
    once, _ = perform(NETWORKS[network], piece)
    again, _ = perform(NETWORKS[network], piece, blocks, threads)
    assert np.isfinite(once).all()
    np.testing.assert_array_equal(once, again)


@settings(max_examples=60)
@given(PIECES, st.sampled_from(list(NETWORKS)))
def test_never_more_voices_than_allowed(piece, network):
    engine, allowed = Engine(NETWORKS[network], voices=VOICES), VOICES
    for gap, batch in piece:
        engine.render(gap)
        assert engine.active_voices <= allowed
        engine.submit(batch)
        engine.render(1)
        for command in batch:
            if isinstance(command, Limit):
                allowed = min(command.voices, VOICES)
        assert engine.active_voices <= allowed == engine.limit


@settings(max_examples=60)
@given(PIECES, st.sampled_from(list(NETWORKS)))
def test_no_note_is_stuck_once_all_keys_are_up_and_the_dampers_down(piece, network):
    _, engine = perform(NETWORKS[network], piece)
    engine.submit([NoteOff(key, channel) for key in range(58, 63) for channel in range(3)] + [Control("damper", 1.0)])
    engine.render(round(LONGEST_S * engine.model_rate))
    assert engine.active_voices == 0
    assert not engine.render(64).any()


@settings(max_examples=40)
@given(PIECES, st.lists(st.tuples(st.integers(1, 60), st.integers(1, VOICES)), max_size=15))
def test_what_was_played_and_limited_as_it_went_replays_to_the_same_samples(piece, overloads):
    """Batches come when they come, the renderer limits of its own accord; the echoes are all that a replay knows."""
    weights, sent, events = NETWORKS["plain"], [], []
    live, sound = Engine(weights, voices=VOICES, seed=3), []
    for index in range(max(len(piece), len(overloads))):
        if index < len(overloads):
            sound.append(live.render(overloads[index][0]))
            live.native.set_limit(overloads[index][1])
        for command in piece[index][1] if index < len(piece) else ():
            sent.append(command)
            live.submit([command], tag=len(sent))
        sound.append(live.render(17))
        events += live.applied()
    replayed = Engine(weights, voices=VOICES, seed=3)
    for tag, frame in events:
        replayed.submit([Limit(tag - LIMIT_TAG) if tag > LIMIT_TAG else sent[tag - 1]], at=frame)
    sound = np.concatenate([*sound, live.render(300)])
    np.testing.assert_array_equal(replayed.render(len(sound)), sound)


def test_the_judge_of_blocks_hears_a_command_one_frame_late():
    one, _ = perform(NETWORKS["plain"], [(5, [NoteOn(60, 100)])])
    other, _ = perform(NETWORKS["plain"], [(6, [NoteOn(60, 100)])])
    assert not np.array_equal(one, other[: len(one)])
