"""Levels of partials measured from recordings whose levels are known."""

import numpy as np
import pytest

from rtwave.training.strengths import MOST_CELLS, STRENGTH_AGES_S
from rtwave.training.tables import measure_tables
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.features import STEADY_DB
from rtwave.wavenet.weights import Weights

from .made_corpus import PARTIALS, RATE, STRIDE, level, made_corpus, recording

NETWORK = WaveNetConfig(excitation="weighted", partials=PARTIALS, leveling="loudness", sample_rate=RATE)


def partials(seconds, *curves):
    """(frames, K) dB at every frame; a curve is a function of the age in seconds."""
    ages_s = np.arange(int(seconds * RATE) // STRIDE) * STRIDE / RATE
    return np.stack([curve(ages_s) for curve in curves], axis=1).astype(np.float32)


def steady(db):
    return lambda age_s: np.full_like(age_s, db)


def made(folder, levels, seconds=3.0, loudness_db=-30.0, **fields):
    """A corpus of (note, velocity, held out, level of the first partial) whose other partials are never there."""
    recordings = [
        recording(
            note,
            velocity,
            level(loudness_db, seconds),
            held_out=held_out,
            partials_db=partials(seconds, steady(db), steady(-120.0), steady(-120.0)),
        )
        for note, velocity, held_out, db in levels
    ]
    return made_corpus(folder, recordings, **fields)


def test_levels_are_against_the_loudness_at_every_age(tmp_path):
    """Falling by 20 dB a second under a sound that falls by 6, and one that beats five times a second."""
    curves = (
        lambda age_s: -25.0 - 20.0 * age_s,
        lambda age_s: -40.0 + 8.0 * np.cos(2.0 * np.pi * 5.0 * age_s),
        steady(-120.0),
    )
    recordings = [recording(60, 90.0, level(-20.0, 4.0, -6.0), partials_db=partials(4.0, *curves))]
    tables = measure_tables(made_corpus(tmp_path, recordings), NETWORK)
    tables.check(PARTIALS, "tables", weighted=True)
    ages_s = tables.partial_ages_s
    assert ages_s.tolist() == STRENGTH_AGES_S.tolist()
    inside = ages_s < 3.5
    found, loudness_db = tables.partial_db[0, 0][inside], -20.0 - 6.0 * ages_s[inside]
    np.testing.assert_allclose(found[:, 0], curves[0](ages_s[inside]) - (loudness_db - STEADY_DB), atol=0.5)
    assert found[:, 2].max() < -98.0
    fine = ages_s[inside] < 0.2
    expected = curves[1](ages_s[inside]) - (loudness_db - STEADY_DB)
    np.testing.assert_allclose(found[fine, 1], expected[fine], atol=0.5)
    early = (ages_s[inside] >= 0.2) & (ages_s[inside] < 2.0)
    assert np.std((found[:, 1] + loudness_db)[early]) > 0.6 * 8.0 / np.sqrt(2.0)


def test_past_its_end_a_recording_s_partials_stay_as_they_were_in_its_last_second(tmp_path):
    tables = measure_tables(made(tmp_path, [(60, 90.0, False, -45.0)], seconds=2.0), NETWORK)
    np.testing.assert_allclose(tables.partial_db[0, 0, :, 0], -35.0, atol=0.1)


def test_what_is_held_out_is_in_no_table(tmp_path):
    told = [(60, 60.0, False, -40.0), (60, 90.0, True, -20.0), (64, 60.0, False, -50.0), (67, 60.0, True, -10.0)]
    tables = measure_tables(made(tmp_path, told), NETWORK)
    assert tables.partial_keys.tolist() == tables.envelope_keys.tolist() == [60.0, 64.0]
    assert tables.partial_velocities.tolist() == [60.0]
    np.testing.assert_allclose(tables.partial_db[:, 0, 5, 0], [-30.0, -40.0], atol=0.1)


def test_a_key_without_a_velocity_has_what_lies_between_its_own(tmp_path):
    told = [(60, 40.0, False, -60.0), (60, 80.0, False, -40.0), (64, 50.0, False, -30.0)]
    tables = measure_tables(made(tmp_path, told), NETWORK)
    np.testing.assert_allclose(tables.partial_db[:, :, 5, 0], [[-50, -45, -30], [-20, -20, -20]], atol=0.1)


def test_a_masked_partial_has_the_level_of_the_nearest_key_that_has_it(tmp_path):
    """At 16 kHz the third partial is too high from 99 on, the second from 106 on."""
    seconds = 1.0
    told = {60: (-30.0, -40.0, -50.0), 100: (-35.0, -45.0, -120.0), 110: (-37.0, -120.0, -120.0)}
    recordings = [
        recording(note, 90.0, level(-20.0, seconds), partials_db=partials(seconds, *map(steady, levels)))
        for note, levels in told.items()
    ]
    tables = measure_tables(made_corpus(tmp_path, recordings), NETWORK)
    np.testing.assert_allclose(
        tables.partial_db[:, 0, 5], [[-30, -40, -50], [-35, -45, -50], [-37, -45, -50]], atol=0.1
    )


def test_every_timbre_has_levels_of_its_own(tmp_path):
    recordings = [
        recording(note, 90.0, level(-20.0, 1.0), timbre=place, partials_db=partials(1.0, *[steady(db)] * PARTIALS))
        for note, place, db in ((60, 0.0, -30.0), (72, 0.0, -40.0), (66, 1.0, -60.0))
    ]
    tables = measure_tables(made_corpus(tmp_path, recordings, timbres=["bell", "reed"]), NETWORK)
    tables.check(PARTIALS, "tables", weighted=True)
    assert tables.partial_db.shape == (2, 3, 1, len(STRENGTH_AGES_S) // 2, PARTIALS)
    np.testing.assert_allclose(tables.partial_db[:, :, 0, 3, 1], [[-30, -35, -40], [-60, -60, -60]], atol=0.1)


@pytest.mark.parametrize(("partials", "keys", "velocities"), [(96, 30, 16), (96, 88, 4), (64, 44, 32)])
def test_files_stay_small_however_much_was_recorded(partials, keys, velocities, tmp_path, monkeypatch):
    """Networks, of whose size this says nothing, have 0.5 to 2 MB beside the tables."""
    from rtwave.training import strengths

    class Named:
        def __init__(self, note, velocity):
            self.note, self.velocity = float(note), float(velocity)

    monkeypatch.setattr(
        strengths, "recorded_strengths", lambda corpus, entry, ages_s, k: np.zeros((len(ages_s), k), np.float64)
    )
    entries = [Named(20 + key, 1 + velocity) for key in range(keys) for velocity in range(velocities)]
    tables = strengths.strength_tables(None, [entries], partials)
    assert tables["partial_db"].size <= MOST_CELLS
    assert tables["partial_velocities"].size == min(velocities, 8)
    assert tables["partial_keys"][[0, -1]].tolist() == [20.0, 19.0 + keys]
    config = WaveNetConfig(excitation="weighted", partials=partials)
    weights = Weights.random(config)
    for name, table in tables.items():
        setattr(weights.instrument, name, table)
    weights.save(tmp_path / "model.safetensors")
    network = sum(tensor.nbytes for tensor in weights.tensors.values())
    assert (tmp_path / "model.safetensors").stat().st_size - network < 2.5e6
