import msgspec
import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave.training.calibrate import calibrate_ranges
from rtwave.training.corpus import Corpus
from rtwave.training.dataset import Dataset
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

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

    def listen(self, cut, generator):
        heard.append((cut.entry.note, cut.entry.velocity, cut.entry.held_out, cut.start < 0))
        return segment(self, cut, generator)

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
