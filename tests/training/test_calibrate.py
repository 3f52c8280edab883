import msgspec
import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave.training.calibrate import calibrate_ranges, calibrate_temperature, purity_db
from rtwave.training.corpus import Corpus
from rtwave.training.dataset import Dataset
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.features import partial_frequencies
from rtwave.wavenet.weights import Weights

RATE = 16_000


@pytest.mark.parametrize("ratio_db", [10.0, 20.0, 30.0])
def test_purity_is_the_ratio_of_partials_to_noise(ratio_db):
    time = np.arange(2 * RATE) / RATE
    frequencies = partial_frequencies(220.0, 1e-4, 20)
    tone = sum(np.sin(2 * np.pi * f * time) for f in frequencies)
    noise = np.random.default_rng(0).standard_normal(len(time)) * np.sqrt(10.0 * 10.0 ** (-ratio_db / 10.0))
    assert purity_db(tone + noise, RATE, frequencies) == pytest.approx(ratio_db, abs=1.0)


def test_each_key_is_played_at_the_temperature_that_is_as_noisy_as_its_recordings(corpus_folder, monkeypatch):
    """A stand-in network plays the clean tone and noise that grows with temperature; the recordings hold some of it."""
    corpus = Corpus(corpus_folder)
    clean = np.array(corpus.audio)
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    corpus.audio = clean + 0.002 * noise
    weights = Weights.random(WaveNetConfig(dilations=(1,), excitation="partials"))

    def offsets(spread):
        def play(weights, entry, temperature):
            place = slice(entry.audio_start, entry.audio_start + entry.samples)
            return clean[place] + temperature * spread * noise[place][::-1]

        monkeypatch.setattr("rtwave.training.calibrate._render", play)
        return calibrate_temperature(weights, corpus, temperature=0.2)

    steady, wild = offsets(0.01), offsets(0.04)
    assert (steady.shape, steady.dtype) == ((128,), np.float32)
    np.testing.assert_allclose(steady, 0.0, atol=0.03)
    np.testing.assert_allclose(wild, -0.15, atol=0.02)


def shortened(corpus, samples):
    """The corpus with every recording of key 63 ended after `samples`."""
    entries = [
        msgspec.structs.replace(entry, samples=samples) if entry.note == 63 else entry for entry in corpus.index.entries
    ]
    corpus.index = msgspec.structs.replace(corpus.index, entries=entries)
    return corpus


@pytest.fixture
def heard(monkeypatch):
    """A stand-in network that plays noise, and the lengths over which it is compared: (recording, render)."""
    lengths = []

    def measure(sound, sample_rate, frequencies):
        lengths.append(len(sound))
        return 20.0 - 100.0 * np.abs(sound[-1])

    noise = np.ones(int(1.3 * RATE) + 1, np.float32)
    monkeypatch.setattr("rtwave.training.calibrate.purity_db", measure)
    monkeypatch.setattr("rtwave.training.calibrate._render", lambda weights, entry, temperature: noise * temperature)
    return lengths


def test_a_recording_and_its_rendering_are_compared_over_the_same_length(corpus_folder, heard):
    weights = Weights.random(WaveNetConfig(dilations=(1,), excitation="partials"))
    calibrate_temperature(weights, shortened(Corpus(corpus_folder), RATE), temperature=0.3)
    assert heard.count(RATE) == 3 * 9  # three velocities, each a recording and eight renderings
    assert all(length >= RATE for length in heard)


def test_a_key_with_no_recording_long_enough_to_judge_is_played_as_it_is(corpus_folder, heard):
    weights = Weights.random(WaveNetConfig(dilations=(1,), excitation="partials"))
    offsets = calibrate_temperature(weights, shortened(Corpus(corpus_folder), RATE // 2), temperature=0.3)
    assert offsets[63] == 0.0
    assert offsets[60] != 0.0
    assert min(heard) > 0.7 * RATE


def test_without_excitation_every_key_is_played_as_it_is(corpus_folder, heard):
    weights = Weights.random(WaveNetConfig(dilations=(1,)))
    assert (calibrate_temperature(weights, Corpus(corpus_folder), temperature=0.3) == 0.0).all()
    assert not heard


def test_no_key_is_played_above_temperature_one(corpus_folder, heard):
    weights = Weights.random(WaveNetConfig(dilations=(1,), excitation="partials"))
    offsets = calibrate_temperature(weights, shortened(Corpus(corpus_folder), RATE // 2), temperature=1.6)
    assert (1.6 + offsets).max() <= 1.0 + 1e-6


SMALL = WaveNetConfig(
    dilations=(1, 2, 4), residual_channels=8, skip_channels=8, head_channels=8, excitation="partials", partials=12
)


@pytest.mark.parametrize("fields", [{}, {"output": "mulaw"}, {"excitation": "none"}], ids=str)
def test_ranges_are_those_of_real_sound(corpus_folder, fields):
    """Of a network whose first layer is told the sample alone, so that the recordings' peak shows in its range."""
    config = msgspec.structs.replace(SMALL, **fields)
    weights, corpus = Weights.random(config), Corpus(corpus_folder)
    if config.output == "gaussian":
        weights.tensors["input.weight"][...], weights.tensors["input.bias"][...] = 3.0, 0.0
        if config.excitation_channels:
            weights.tensors["excitation.weight"][...] = 0.0
    ranges = calibrate_ranges(weights, corpus)
    assert (ranges.shape, ranges.dtype) == ((5,), np.float32)
    assert np.isfinite(ranges).all()
    assert (ranges > 0.0).all()
    if config.output == "gaussian":
        onsets = [corpus.sound(entry)[:4096] for entry in corpus.index.entries if not entry.held_out]
        loudest = max(np.abs(onset[: len(onset) // 2]).max() for onset in onsets)
        assert ranges[0] == pytest.approx(3.0 * loudest, rel=0.05)


def test_ranges_are_measured_over_every_key_at_every_strength_and_never_on_what_is_held_out(corpus_folder, monkeypatch):
    heard = []
    segment = Dataset.segment

    def listen(self, entry, start, *rest):
        heard.append((entry.note, entry.velocity, entry.held_out, start < 0))
        return segment(self, entry, start, *rest)

    monkeypatch.setattr(Dataset, "segment", listen)
    corpus = Corpus(corpus_folder)
    calibrate_ranges(Weights.random(SMALL), corpus)
    trained = {(entry.note, entry.velocity, False, True) for entry in corpus.index.entries if not entry.held_out}
    assert set(heard) == trained
    assert len(heard) == len(trained)


def test_of_many_recordings_some_are_taken_evenly(corpus_folder, monkeypatch):
    monkeypatch.setattr("rtwave.training.calibrate.RANGED_RECORDINGS", 4)
    corpus, done = Corpus(corpus_folder), []
    calibrate_ranges(Weights.random(SMALL), corpus, lambda count, total: done.append((count, total)))
    assert done == [(0, 4), (1, 4), (2, 4), (3, 4)]
