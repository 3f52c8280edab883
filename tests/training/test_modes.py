"""Modes of a struck tone, found between its partials and carried to where it is learned and played."""

import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.training.corpus import Corpus
from rtwave.training.dataset import Dataset
from rtwave.training.modes import MOST_MODES, find_modes, frequencies, mode_places
from rtwave.training.prepare import prepare
from rtwave.training.segments import Cut, Cutter
from rtwave.training.tables import measure_tables
from rtwave.wavenet.config import WaveNetConfig

RATE, F0 = 16_000, 1046.5
KNOCKS_HZ = (188.5, 395.0, 1560.0)


def struck(f0, knocks_hz, seconds=1.0, level=0.5, seed=0):
    """A tone of eight partials that rings for long, and a knock that does not."""
    times = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * k * f0 * times) * 0.5**k for k in range(1, int(0.47 * RATE / f0) + 1))
    knock = sum(0.3 * np.sin(2 * np.pi * hz * times + hz) for hz in knocks_hz)
    noise = 1e-4 * np.random.default_rng(seed).standard_normal(len(times))
    sound = tone * np.exp(-times / 0.4) + knock * np.exp(-times / 0.15) + noise
    return (level * sound / np.abs(sound).max()).astype(np.float32)


def test_modes_are_the_strongest_lines_between_the_partials():
    sounds = [struck(F0, KNOCKS_HZ, level=level) for level in (0.02, 0.9)]
    found = find_modes(sounds, RATE, F0, 0.0, places=12)
    assert len(found) == 12 - 9  # seven partials, and room for two more
    np.testing.assert_allclose(sorted(found), KNOCKS_HZ, atol=1.0)
    assert found[-1] == pytest.approx(KNOCKS_HZ[-1], abs=1.0)  # the strongest after pre-emphasis comes last


def test_modes_keep_away_from_partials_and_from_each_other():
    generator = np.random.default_rng(1)
    found = find_modes([generator.standard_normal(RATE)], RATE, F0, 0.0, places=256)
    assert len(found) == MOST_MODES
    assert np.diff(np.sort(found)).min() >= 24.0
    distances = np.abs(found[:, None] - F0 * np.arange(1, 8)[None, :])
    assert distances.min() >= 59.0


def test_a_key_with_a_partial_in_every_place_has_no_modes():
    assert not len(find_modes([struck(65.4, KNOCKS_HZ)], RATE, 65.4, 0.0, places=96))
    assert not len(find_modes([np.zeros(RATE)], RATE, F0, 0.0, places=20))


def test_modes_stand_in_the_last_places_and_are_cut_off_with_them():
    assert mode_places((300.0, 200.0), 5, 5).tolist() == [0.0, 0.0, 0.0, 300.0, 200.0]
    assert mode_places((300.0, 200.0), 4, 5).tolist() == [0.0, 0.0, 0.0, 300.0]
    assert not mode_places((), 3, 5).any()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """C6 and F6, three velocities each; their knocks are the same, and so they are at every velocity."""
    folder = tmp_path_factory.mktemp("struck")
    for key, f0 in (("C6", F0), ("F6", 1396.9)):
        for velocity in (30, 70, 110):
            soundfile.write(folder / f"{key}_v{velocity}.wav", struck(f0, KNOCKS_HZ, 2.0, velocity / 130), RATE)
    prepare(folder, folder / "corpus", partials=24)
    return Corpus(folder / "corpus")


def test_all_recordings_of_a_key_have_the_modes_of_those_that_are_learned_from(corpus):
    for key in (84, 89):
        same = {entry.modes_hz for entry in corpus.index.entries if entry.note == key}
        assert len(same) == 1
        np.testing.assert_allclose(sorted(same.pop()[-3:]), KNOCKS_HZ, atol=1.5)


def test_what_is_learned_from_and_what_is_played_are_the_same_modes(corpus):
    config = WaveNetConfig(excitation="weighted", partials=24, leveling="loudness", sample_rate=RATE)
    tables = measure_tables(corpus, config)
    tables.check(24, "tables", weighted=True)
    (entry, *_) = (entry for entry in corpus.index.entries if entry.note == 84)
    modes = tables.modes_hz[84] > 0.0
    np.testing.assert_allclose(tables.modes_hz[84][modes], entry.modes_hz, atol=0.1)
    assert (tables.modes_hz[87] == tables.modes_hz[89]).all()  # those of the nearest key that was recorded
    heard = frequencies(entry, 24, 24, RATE)
    np.testing.assert_allclose(heard[:7], F0 * np.arange(1, 8), rtol=1e-3)
    assert not heard[7:9].any()
    early = tables.partial_db[0, 1, 4, modes]
    assert early[-1] > tables.partial_db[0, 1, -1, modes][-1] + 20.0  # the knock dies away before the tone


def test_excitation_is_as_strong_as_the_modes_are(corpus):
    """The network is told of the knock, whole: eight times what there is of it after pre-emphasis."""
    config = WaveNetConfig(excitation="weighted", partials=24, leveling="loudness", sample_rate=RATE, pre_emphasis=0.0)
    (entry, *_) = (entry for entry in corpus.index.entries if entry.note == 84 and entry.velocity == 110)
    cutter = Cutter(corpus, config, 2048)
    batch = cutter.cut([Cut(entry, 320)], [np.random.default_rng(0)])
    told = batch.excitation[0, batch.context :, 24:].sum(axis=1) / 8.0
    heard = batch.targets[0, batch.context :]
    assert np.corrcoef(told, heard)[0, 1] > 0.98
    without = np.delete(batch.excitation[0, batch.context :, 24:], np.flatnonzero(cutter_modes(entry)), axis=1).sum(
        axis=1
    )
    assert np.corrcoef(without, heard)[0, 1] < 0.97


def cutter_modes(entry):
    return mode_places(entry.modes_hz, 24, 24) > 0.0


def test_networks_of_unweighted_partials_are_told_of_partials_alone(corpus):
    config = WaveNetConfig(excitation="partials", partials=24, sample_rate=RATE)
    assert not measure_tables(corpus, config).modes_hz.any()
    dataset = Dataset(corpus, config, batch=2, length=512, noise=0.0)
    batch = next(dataset.batches(0, 0))
    assert not batch.excitation[..., 8:24].any()
    assert batch.excitation[..., :5].any()
