"""Envelopes put right by what is heard of them, by an engine whose faults are known."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave.training import levels as levelling
from rtwave.training.levels import MOST_DB, calibrate_levels
from rtwave.training.tables import measure_tables
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.features import STEADY_DB
from rtwave.wavenet.weights import Weights

from .made_corpus import RATE, level, made_corpus, recording

KEYS = (48, 60, 72)
RECORDED_DB, SECONDS = -30.0, 3.0
FIELDS = {"dilations": (1,), "sample_rate": RATE, "excitation": "partials", "partials": 3}


def calibrated(monkeypatch, folder, fault_db, leveling="loudness", **recordings):
    """Envelopes before and after, of an engine that plays a key by `fault_db(key, age_s)` louder than its envelope."""
    given = {"level_db": level(RECORDED_DB, SECONDS)} | recordings
    corpus = made_corpus(folder, [recording(key, 80.0, **given) for key in KEYS])
    config = WaveNetConfig(leveling=leveling, **FIELDS)
    weights = Weights(config, Weights.random(config).tensors, measure_tables(corpus, config))

    class Player:
        def __init__(self, weights, precision, temperature):
            self.tables, self.told = weights.instrument, (precision, temperature)

        def entry(self, entry, seconds):
            assert self.told == ("int8", 0.3)
            age_s, tables = np.arange(int(seconds * RATE)) / RATE, self.tables
            curves = tables.envelope_db[:, 0]  # one velocity was recorded, so none matters here
            key = round(float(np.interp(entry.note, tables.envelope_keys, np.arange(len(curves)))))
            own = int(np.abs(tables.envelope_velocities - 80.0).argmin())
            db = np.interp(age_s, tables.envelope_ages_s, tables.envelope_db[key, own]) + fault_db(entry.note, age_s)
            noise = np.random.default_rng(round(entry.note)).standard_normal(len(age_s))
            return (10.0 ** (db / 20.0) * noise).astype(np.float32)

    monkeypatch.setattr(levelling, "Player", Player)
    found = calibrate_levels(weights, corpus, 0.3, precision="int8")
    changed = replace(found, envelope_db=weights.instrument.envelope_db)
    assert all(np.array_equal(table, getattr(changed, name)) for name, table in weights.instrument.arrays().items())
    found.check(3, "tables")
    return weights.instrument, found


def test_what_is_played_too_loud_or_too_soft_becomes_as_loud_as_recorded(monkeypatch, tmp_path):
    before, found = calibrated(monkeypatch, tmp_path, lambda key, age_s: 4.0 - 3.0 * age_s)
    ages_s = before.envelope_ages_s
    inside = (ages_s > 0.1) & (ages_s < 2.7)
    loud = before.envelope_velocities > 30.0  # softer ones have died away, and stay so
    correction = (found.envelope_db - before.envelope_db)[:, loud][..., inside]
    np.testing.assert_allclose(correction, np.broadcast_to(3.0 * ages_s[inside] - 4.0, correction.shape), atol=0.8)


def test_after_the_recording_the_last_correction_goes_on(monkeypatch, tmp_path):
    before, found = calibrated(monkeypatch, tmp_path, lambda key, age_s: -5.0)
    late = (found.envelope_db - before.envelope_db)[..., before.envelope_ages_s > SECONDS]
    heard = before.envelope_db[..., before.envelope_ages_s > SECONDS] > -84.0
    np.testing.assert_allclose(late[heard], 5.0, atol=0.8)


def test_corrections_are_bounded_and_never_pass_full_scale(monkeypatch, tmp_path):
    before, found = calibrated(monkeypatch, tmp_path, lambda key, age_s: -40.0)
    assert (found.envelope_db - before.envelope_db).max() <= MOST_DB + 1e-4
    assert found.envelope_db.max() <= 0.0


def test_what_is_recorded_below_hearing_corrects_nothing(monkeypatch, tmp_path):
    before, found = calibrated(monkeypatch, tmp_path, lambda key, age_s: 9.0, level_db=level(-80.0, SECONDS))
    np.testing.assert_array_equal(found.envelope_db, before.envelope_db)


def test_keys_are_corrected_each_for_itself_but_for_a_share_of_their_neighbours(monkeypatch, tmp_path):
    before, found = calibrated(monkeypatch, tmp_path, lambda key, age_s: -6.0 if key == 60 else 0.0)
    steady = (before.envelope_ages_s > 0.1) & (before.envelope_ages_s < 2.0)
    correction = (found.envelope_db - before.envelope_db)[:, 4, steady].mean(axis=1)
    assert correction[1] > 3.5
    assert 0.2 < correction[0] < 2.5


def test_networks_that_are_not_levelled_are_left_alone(monkeypatch, tmp_path):
    before, found = calibrated(monkeypatch, tmp_path, lambda key, age_s: 9.0, leveling="none")
    assert found is before
    assert STEADY_DB == -20.0
