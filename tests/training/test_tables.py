import numpy as np
import pytest

from rtwave.training.corpus import Corpus
from rtwave.training.tables import ENVELOPE_AGES_S, measure_tables
from rtwave.wavenet.config import WaveNetConfig


@pytest.fixture
def tables(corpus_folder):
    config = WaveNetConfig(excitation="partials", partials=12)
    tables = measure_tables(Corpus(corpus_folder), config)
    tables.check(12, "tables")
    return tables


def test_the_envelope_is_the_recordings_loudness(corpus_folder, tables):
    corpus = Corpus(corpus_folder)
    entry = corpus.index.entries[4]
    key, velocity = list(tables.envelope_keys).index(entry.note), list(tables.envelope_velocities).index(entry.velocity)
    for age_s in (0.02, 0.64, 1.28):
        column = list(ENVELOPE_AGES_S).index(np.float32(age_s))
        measured = corpus.loudness[entry.loudness_start + int(age_s * 500)]
        assert tables.envelope_db[key, velocity, column] == pytest.approx(measured, abs=1.0)


def test_past_its_end_a_recording_goes_on_falling(tables):
    late = tables.envelope_db[..., ENVELOPE_AGES_S > 2.0]
    assert (np.diff(late, axis=-1) <= 0).all()
    assert late.min() >= -90.0


def test_louder_velocities_are_louder(tables):
    assert (np.diff(tables.envelope_db[..., 5], axis=1) > 5).all()


def test_every_key_has_tuning_stiffness_and_phases(tables):
    assert np.abs(tables.cents).max() < 1.0
    np.testing.assert_allclose(tables.stiffness, 3e-4, rtol=0.2)
    assert tables.onset_phases.shape == (128, 12)
    assert (tables.onset_phases[61] == tables.onset_phases[60]).all()
    assert not (tables.onset_phases[60] == tables.onset_phases[69]).all()


def test_keys_without_a_damper_are_not_damped(corpus_folder):
    corpus = Corpus(corpus_folder)
    corpus.index = type(corpus.index)(
        **{name: getattr(corpus.index, name) for name in corpus.index.__struct_fields__} | {"undamped_from": 66}
    )
    release_s = measure_tables(corpus, WaveNetConfig()).release_s
    assert release_s[65] > 0
    assert release_s[66] == 0
