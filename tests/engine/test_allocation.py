"""Voices under any sequence of commands: never too many, never one too long, never one taken without need."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave.engine.engine import Engine
from rtwave.wavenet.instrument import Instrument

from .networks import quiet_network

UNDAMPED_FROM = 66
LONGEST_S = 0.8
"""Longer than a note takes to die: 70 dB by a 60 ms damper are 0.48 s, by the envelope 0.2 s, and a fade."""

KEYS = st.integers(58, 70)
STEPS = st.one_of(
    st.tuples(st.just("note_on"), KEYS, st.integers(1, 127)),
    st.tuples(st.just("note_off"), KEYS),
    st.tuples(st.just("render"), st.integers(1, 700)),
    st.tuples(st.just("all_sound_off")),
)


def dying_instrument():
    """Keys with a damper below UNDAMPED_FROM, none above; all fall by 400 dB a second from the start."""
    tables = Instrument.neutral(3)
    tables.envelope_ages_s = np.array([0.0, 0.05], np.float32)
    tables.envelope_db = np.array([[[-20.0, -40.0]]], np.float32)
    tables.release_s[UNDAMPED_FROM:] = 0.0
    return tables


NETWORKS = {
    "dying": quiet_network(instrument=dying_instrument()),
    "held": quiet_network(),  # its notes sound until they are let go
}


def perform(engine, step):
    """One step, and what must hold after it."""
    name, *values = step
    if name == "render":
        assert np.isfinite(engine.render(*values)).all()
    else:
        before, stolen = engine.active_voices, engine.counters()["stolen_voices"]
        getattr(engine, name)(*values)
        engine.render(1)
        taken = engine.counters()["stolen_voices"] - stolen
        assert taken <= (name == "note_on" and before == engine.voices)
    assert 0 <= engine.active_voices <= engine.voices


def sounds_after(engine, seconds):
    """Whether anything is heard, or counted as sounding, `seconds` from now."""
    engine.render(round(seconds * engine.model_rate))
    return engine.active_voices > 0 or engine.render(64).any()


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=40), st.integers(1, 4), st.sampled_from(list(NETWORKS)))
def test_voices_stay_within_their_count_and_all_sound_off_silences_them(steps, voices, network):
    engine = Engine(NETWORKS[network], voices=voices)
    for step in steps:
        perform(engine, step)
    engine.all_sound_off()
    assert not sounds_after(engine, 0.006)


@settings(max_examples=40)
@given(st.lists(STEPS, max_size=40), st.integers(1, 4), st.sampled_from(list(NETWORKS)))
def test_no_note_hangs_once_every_key_is_up(steps, voices, network):
    engine = Engine(NETWORKS[network], voices=voices)
    for step in steps:
        perform(engine, step)
    for key in range(58, 71):
        engine.note_off(key)
    assert not sounds_after(engine, LONGEST_S)


def test_the_judge_hears_a_note_that_hangs():
    engine = Engine(NETWORKS["held"])
    engine.note_on(60, 100)
    assert sounds_after(engine, LONGEST_S)
    engine.all_sound_off()
    assert sounds_after(engine, 0.001)
