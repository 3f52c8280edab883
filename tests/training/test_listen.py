"""Notes judged while training: known faults are measured as what they are."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("soxr")

from rtwave.training.corpus import Corpus
from rtwave.training.judge.player import Player
from rtwave.training.listen import SILENCE_DB, Listener, columns, spectrum_distance_db, write_note
from rtwave.training.segments import resample_at
from rtwave.training.tables import measure_tables
from rtwave.wavenet.weights import Weights

from .tiny import CONFIG

RATE = 16_000


@pytest.fixture
def weights(corpus_folder):
    weights = Weights.random(CONFIG)
    weights.instrument = measure_tables(Corpus(corpus_folder), CONFIG)
    return weights


def playing(monkeypatch, corpus, change):
    """The engine plays the recordings, changed, for as long as the key is held, and faint noise afterwards."""
    noise = np.random.default_rng(0).standard_normal(10 * RATE).astype(np.float32)

    def play(player, key, velocity, seconds, held_s, timbre):
        at_key = [entry for entry in corpus.index.entries if (entry.note, entry.velocity) == (key, velocity)]
        sound = 1e-4 * noise[: int(seconds * RATE)]
        held = change(np.array(corpus.sound(at_key[0])))[: int(held_s * RATE)]
        sound[: len(held)] += held
        return sound

    monkeypatch.setattr(Player, "note", play)


def test_pitch_level_purity_and_noise_are_measured(corpus_folder, weights, monkeypatch):
    corpus = Corpus(corpus_folder)
    ratio = 2.0 ** (7.0 / 1200.0)

    def sharp_and_soft(recording):
        return 0.5 * resample_at(recording, np.arange(int(len(recording) / ratio)) * ratio)

    playing(monkeypatch, corpus, sharp_and_soft)
    heard = Listener(corpus).hear(weights)
    assert [note.place for note in heard] == ["low", "middle", "high"]
    assert [note.key for note in heard] == [60, 66, 69]
    for note in heard:
        assert note.cents == pytest.approx(7.0, abs=0.5)
        assert note.level_db == pytest.approx(-6.0, abs=0.3)
        assert note.floor_db == pytest.approx(-80.0, abs=1.0)
        assert note.spectrum_db is None
    found = columns(tuple(heard))
    assert found["cents_low"] == pytest.approx(7.0, abs=0.5)
    assert found["spectrum_db_high"] is None


def test_no_pitch_is_claimed_of_noise(corpus_folder, weights, monkeypatch):
    corpus = Corpus(corpus_folder)
    playing(monkeypatch, corpus, lambda sound: np.random.default_rng(1).standard_normal(len(sound)).astype(np.float32))
    for note in Listener(corpus).hear(weights):
        assert note.cents is None
        assert note.purity_db < 0.0 < note.recorded_purity_db


def test_sounds_without_pitch_are_judged_by_their_spectrum(corpus_folder, weights, monkeypatch):
    corpus = Corpus(corpus_folder)
    unpitched = Weights.random(msgspec.structs.replace(CONFIG, excitation="none", partials=1))
    unpitched.instrument = measure_tables(corpus, unpitched.config)
    listener = Listener(corpus)
    playing(monkeypatch, corpus, lambda sound: sound)
    same = listener.hear(unpitched)
    playing(monkeypatch, corpus, np.diff)
    brighter = listener.hear(unpitched)
    for near, far in zip(same, brighter, strict=True):
        assert (near.cents, near.purity_db) == (None, None)
        assert near.spectrum_db < 0.5 * far.spectrum_db


def test_the_distance_of_spectra_is_in_decibels_and_blind_to_level():
    noise = np.random.default_rng(0).standard_normal(16_000)
    other = np.random.default_rng(1).standard_normal(16_000)
    assert spectrum_distance_db(noise, 0.1 * noise, RATE) == pytest.approx(0.0, abs=1e-6)
    assert spectrum_distance_db(noise, other, RATE) < 1.5
    assert spectrum_distance_db(noise, np.cumsum(other), RATE) > 5.0


def test_the_keys_of_a_morph_have_different_timbres(corpus_folder):
    corpus = Corpus(corpus_folder)

    def as_morph(number, entry):
        told = {name: getattr(entry, name) for name in ("note", "velocity", "samples", "name")}
        return SimpleNamespace(**told, timbre=float(number % 3))

    entries = [as_morph(number, entry) for number, entry in enumerate(corpus.index.entries)]
    morph = SimpleNamespace(index=SimpleNamespace(kind="notes", timbres=["a", "b", "c"], entries=entries))
    assert [entry.timbre for entry in Listener(morph).chosen.values()] == [0.0, 1.0, 2.0]


def test_one_key_is_played_once(corpus_folder):
    corpus = Corpus(corpus_folder)
    corpus.index = msgspec.structs.replace(corpus.index, entries=corpus.index.entries[:1])
    assert list(Listener(corpus).chosen) == ["low"]


def test_the_engine_plays_what_is_judged(corpus_folder, weights, tmp_path):
    import soundfile

    heard = Listener(Corpus(corpus_folder)).hear(weights)
    for note in heard:
        assert len(note.sound) == int(2.2 * RATE)
        assert note.floor_db >= SILENCE_DB
    path = write_note(heard[1].sound, RATE, heard[1].key, tmp_path, 30)
    assert path.name == "step0000030_key66.wav"
    np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], heard[1].sound)
