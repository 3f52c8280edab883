"""conditioning.h computes what features.py computes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtwave import _engine
from rtwave.wavenet.config import FEATURE_SIZES, WaveNetConfig
from rtwave.wavenet.features import NoteState, conditioning, level, note_frequency, partial_frequencies

notes = st.floats(-10.0, 140.0)
ages = st.one_of(st.just(-1.0), st.just(0.0), st.floats(0.0, 100.0))
timbres = st.floats(0.0, 15.0)
knobs = st.tuples(*[st.floats(0.0, 1.0, width=32)] * 4)


names = st.permutations(list(FEATURE_SIZES))


@given(notes, st.integers(0, 127), st.floats(-200.0, 50.0), ages, ages, knobs, timbres, names)
def test_conditioning_is_that_of_python(note, velocity, loudness_db, age_s, release_age_s, knobs, timbre, names):
    config = WaveNetConfig(conditioning=tuple(names))
    expected = conditioning(config, NoteState(note, velocity, loudness_db, age_s, release_age_s, knobs, timbre))
    found = _engine.conditioning(names, note, velocity, loudness_db, age_s, release_age_s, knobs, timbre)
    np.testing.assert_allclose(found, expected[:, 0], rtol=1e-6, atol=1e-7)


@given(st.floats(-200.0, 20.0))
def test_level_is_that_of_python(loudness_db):
    np.testing.assert_allclose(_engine.level(loudness_db), level(loudness_db), rtol=1e-12)


@given(notes, st.integers(0, 100))
def test_note_frequency_is_that_of_python(note, seed):
    cents = np.random.default_rng(seed).uniform(-50.0, 50.0, 128).astype(np.float32)
    np.testing.assert_allclose(_engine.note_frequency(note, cents), note_frequency(note, cents), rtol=1e-9)


@given(st.floats(10.0, 5000.0), st.floats(0.0, 0.01), st.integers(1, 64))
def test_partial_frequencies_are_those_of_python(f0, stiffness, partials):
    found = _engine.partial_frequencies(f0, stiffness, partials)
    np.testing.assert_allclose(found, partial_frequencies(f0, stiffness, partials), rtol=1e-12)
