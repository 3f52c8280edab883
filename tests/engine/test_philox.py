"""The random generator against the vectors its authors publish with Random123 (kat_vectors, philox4x32 10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave import _engine

from .slow_voice import philox

words = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("key", "low", "high", "expected"),
    [
        (0, 0, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (2**64 - 1, 2**64 - 1, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            0x299F31D0A4093822,
            0x85A308D3243F6A88,
            0x0370734413198A2E,
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers(key, low, high, expected):
    assert _engine.philox(key, low, high) == expected


@given(words, words, words)
def test_the_slow_generator_of_these_tests_agrees(key, low, high):
    assert _engine.philox(key, low, high) == tuple(philox(key, low, high))
