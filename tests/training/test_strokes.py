"""Recordings of one key are brought to the same moment of their stroke, and what is not alike stays where it is."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("soxr")

from rtwave.training import cut
from rtwave.training.corpus import Corpus
from rtwave.training.prepare import prepare
from rtwave.training.strokes import ROOM_S, lags

RATE = 24_000
ROOM = round(ROOM_S * RATE)


def stroke(at, level=1.0, seconds=0.5, seed=0):
    """A high note and its knock, struck at sample `at`, in a little noise of its own."""
    times = np.arange(int(seconds * RATE)) / RATE
    knock = sum(np.sin(2 * np.pi * hz * times + hz) for hz in (190.0, 433.0, 777.0, 1234.0, 2310.0))
    sound = np.sin(2 * np.pi * 3520.0 * times) * np.exp(-times / 0.3) + knock * np.exp(-times / 0.02)
    struck = np.pad(sound, (at, 0))[: len(times)]
    return np.float32(0.1 * level * (struck + 0.003 * np.random.default_rng(seed).standard_normal(len(times))))


@given(st.lists(st.integers(-ROOM // 2, ROOM // 2), min_size=2, max_size=9))
def test_strokes_are_found_to_the_sample_whatever_their_level(places):
    sounds = [stroke(ROOM + 72 + place, 0.05 * (1 + number), seed=number) for number, place in enumerate(places)]
    found = lags(sounds, RATE)
    assert np.diff(found).tolist() == np.diff(places).tolist()
    assert np.quantile(found, 0.5, method="lower") == 0


def test_what_is_not_alike_stays_where_it_is():
    noises = [np.random.default_rng(seed).standard_normal(RATE) for seed in range(5)]
    assert lags(noises, RATE) == [0] * 5
    assert lags([np.zeros(RATE), stroke(50), np.zeros(3)], RATE) == [0, 0, 0]
    assert lags([stroke(50)], RATE) == [0]


def test_no_recording_loses_more_than_it_was_given_room_for():
    found = lags([stroke(place) for place in (0, 2 * ROOM, 4 * ROOM)], RATE)
    assert max(map(abs, found)) <= ROOM


def prepared(folder, monkeypatch, **options):
    """Sounds of a corpus of five velocities of one key, whose onsets are found now early and now late."""
    (folder / "recorded").mkdir()
    for number in range(5):
        sound = stroke(2000, 0.2 * (number + 1), 1.5, seed=number)
        soundfile.write(folder / "recorded" / f"A7_v{20 * number + 20}.wav", sound, RATE)
    found, early = cut.find_onset, iter((0, 37, -64, 205, -9))
    monkeypatch.setattr(cut, "find_onset", lambda samples, rate: found(samples, rate) + next(early))
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # in the order of the files
    prepare(folder / "recorded", folder / "corpus", sample_rate=RATE, **options)
    corpus = Corpus(folder / "corpus")
    return [corpus.sound(entry) for entry in corpus.index.entries]


def test_a_struck_key_begins_alike_in_every_recording(tmp_path, monkeypatch):
    sounds = prepared(tmp_path, monkeypatch, sustained=False)
    heard = np.array([sound[:1200] / np.linalg.norm(sound[:1200]) for sound in sounds])
    assert (heard @ heard.T).min() > 0.99
    assert all(sound[0] == 0.0 for sound in sounds)


def test_blown_and_bowed_keys_begin_at_their_onsets(tmp_path, monkeypatch):
    sounds = prepared(tmp_path, monkeypatch, sustained=True)
    heard = np.array([sound[:1200] / np.linalg.norm(sound[:1200]) for sound in sounds])
    assert (heard @ heard.T).min() < 0.5
