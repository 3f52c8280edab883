"""The random numbers of many voices at once are the engine's own."""

import numpy as np

from rtwave import _engine
from rtwave.engine.randomness import normals, philox, uniforms

KEYS = [0, 1, 2**32, 2**64 - 1, 0x299F31D0A4093822]
LOWS = np.array([0, 1, 2**32 - 1, 2**32, 2**63 - 1], np.uint64)


def test_words_are_philox():
    for key in KEYS:
        words = philox(key, LOWS[:, None], LOWS)
        for i, low in enumerate(LOWS):
            for j, high in enumerate(LOWS):
                assert tuple(int(word[i, j]) for word in words) == _engine.philox(key, int(low), int(high))


def test_normals_are_the_engine_s():
    for key in KEYS:
        for low, high in ((0, 0), (10_000, 3), (2**32 - 8, 2**40)):
            expected = _engine.normals("portable", key, low, high)
            found = normals(key, np.uint64(low) + np.arange(len(expected), dtype=np.uint64), np.uint64(high))
            np.testing.assert_allclose(found, expected, atol=2e-6)


def test_uniforms_lie_below_one_and_are_those_of_the_first_word():
    low = np.arange(1000, dtype=np.uint64)
    found = uniforms(7, low, np.uint64(1))
    assert (found >= 0.0).all()
    assert (found < 1.0).all()
    expected = [(_engine.philox(7, i, 1)[0] + 0.5) / 2**32 for i in range(1000)]
    np.testing.assert_allclose(found, expected, atol=1e-7)
