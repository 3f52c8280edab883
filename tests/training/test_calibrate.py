import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave.training.calibrate import calibrate_temperature, purity_db
from rtwave.training.corpus import Corpus
from rtwave.wavenet.features import partial_frequencies

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

    def factors(spread):
        def play(weights, entry, temperature):
            place = slice(entry.audio_start, entry.audio_start + entry.samples)
            return clean[place] + temperature * spread * noise[place][::-1]

        monkeypatch.setattr("rtwave.training.calibrate._render", play)
        return calibrate_temperature(None, corpus, temperature=0.2)

    steady, wild = factors(0.01), factors(0.04)
    assert (steady.shape, steady.dtype) == ((128,), np.float32)
    np.testing.assert_allclose(steady, 1.0, atol=0.15)
    np.testing.assert_allclose(wild, 0.25, atol=0.1)
