import numpy as np
import pytest

from rtwave.engine import Engine
from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.envelopes import ENVELOPE_AGES_S
from rtwave.training.tables import measure_tables
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

from .made_corpus import PARTIALS, RATE, level, made_corpus, recording

NETWORK = WaveNetConfig(excitation="partials", partials=PARTIALS)


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
        measured = corpus.loudness_db(entry)[int(age_s * 500)]
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


def at(tables, age_s):
    """Which age of the envelope that is."""
    return list(tables.envelope_ages_s).index(np.float32(age_s))


def play(tables, partials=PARTIALS):
    """An engine with these tables, after a check of them; it hums at the level they say."""
    config = WaveNetConfig(dilations=(1,), partials=partials, leveling="loudness", conditioning=("timbre",))
    weights = Weights.random(config)
    weights.tensors["head.output.weight"][...] = 0.0
    weights.tensors["head.output.bias"] = np.array([0.1, -9.5], np.float32)
    engine = Engine(Weights(config, weights.tensors, tables))
    engine.control("temperature", 0.0)
    return engine


def test_keys_recorded_at_other_velocities_follow_the_velocity_as_the_others_do(tmp_path):
    """20 dB for ten times the velocity: what was recorded at 40 alone is 6 dB louder at 80."""
    loud = {velocity: -30.0 + 20.0 * np.log10(velocity / 20.0) for velocity in (20.0, 40.0, 80.0)}
    recordings = [recording(60, velocity, level(db, 2.0)) for velocity, db in loud.items()]
    recordings.append(recording(64, 40.0, level(-40.0, 2.0)))
    tables = measure_tables(made_corpus(tmp_path, recordings), NETWORK)
    assert tables.envelope_velocities.tolist() == [20.0, 40.0, 80.0]
    np.testing.assert_allclose(tables.envelope_db[0, :, 12], list(loud.values()), atol=0.5)
    np.testing.assert_allclose(tables.envelope_db[1, :, 12], [-46.0, -40.0, -34.0], atol=0.5)


def test_takes_of_one_key_and_velocity_count_alike(tmp_path):
    recordings = [recording(60, 90.0, level(db, 2.0)) for db in (-20.0, -30.0, -31.0)]
    tables = measure_tables(made_corpus(tmp_path, recordings), NETWORK)
    found = tables.envelope_db[0, list(tables.envelope_velocities).index(90.0), 12]
    assert found == pytest.approx(-27.0, abs=0.5)


def test_what_was_recorded_at_one_velocity_has_a_plain_dynamic(tmp_path):
    tables = measure_tables(made_corpus(tmp_path, [recording(60, 90.0, level(-20.0, 2.0))]), NETWORK)
    levels = np.interp([9.0, 90.0], tables.envelope_velocities, tables.envelope_db[0, :, 5])
    np.testing.assert_allclose(levels, [-60.0, -20.0], atol=1.0)


def test_a_sustained_note_stays_as_loud_as_it_was_held_however_long(tmp_path):
    """The recording is let go after 3 s; that belongs to the release, not to the note."""
    held = np.concatenate([level(-20.0, 3.0), level(-20.0, 0.5, -80.0)])
    corpus = made_corpus(tmp_path, [recording(60, 90.0, held)], sustained=True, damper_s=0.2, undamped_from=50)
    tables = measure_tables(corpus, NETWORK)
    row = list(tables.envelope_velocities).index(90.0)
    np.testing.assert_allclose(tables.envelope_db[0, row], -20.0, atol=0.5)
    np.testing.assert_allclose(tables.release_s, 0.2)
    np.testing.assert_allclose(tables.longest_age_s, 3.0, atol=0.15)
    engine = play(tables)
    engine.note_on(60, 90)
    engine.render(60 * RATE)
    np.testing.assert_allclose(20.0 * np.log10(engine.render(RATE)), -20.0, atol=0.6)


def test_notes_that_die_away_are_told_every_age(tmp_path):
    tables = measure_tables(made_corpus(tmp_path, [recording(60, 90.0, level(-20.0, 2.0, -9.0))]), NETWORK)
    assert not tables.longest_age_s.any()
    row = list(tables.envelope_velocities).index(90.0)
    assert tables.envelope_db[0, row, at(tables, 3.8)] == pytest.approx(-20.0 - 9.0 * 3.8, abs=0.5)


def morph(folder, **fields):
    """Two timbres with other keys and velocities: one of C4 and C5 at two of them, one of G4 at one."""
    recordings = [
        recording(note, velocity, level(db - velocity / 10.0, 2.0), timbre=0.0, cents=note - 60.0, stiffness=1e-4)
        for note, db in ((60, -10.0), (72, -20.0))
        for velocity in (40.0, 80.0)
    ]
    recordings.append(recording(67, 80.0, level(-50.0, 2.0), timbre=1.0, cents=-20.0))
    return made_corpus(folder, recordings, timbres=["bell", "reed"], damper_s=0.1, **fields)


def test_every_timbre_has_tables_of_its_own_over_the_same_keys_and_velocities(tmp_path):
    tables = measure_tables(morph(tmp_path), NETWORK)
    tables.check(NETWORK.partials, "tables")
    assert tables.timbres == 2
    assert (tables.envelope_keys.tolist(), tables.envelope_velocities.tolist()) == ([60, 67, 72], [40, 80])
    np.testing.assert_allclose(tables.envelope_db[0, :, :, 3], [[-14, -18], [-19.8, -23.8], [-24, -28]], atol=0.1)
    np.testing.assert_allclose(tables.envelope_db[1, :, :, 3], [[-50 - 12.04, -50]] * 3, atol=0.1)
    np.testing.assert_allclose(tables.cents[:, 66], [6.0, -20.0], atol=1e-4)
    np.testing.assert_allclose(tables.stiffness[:, 66], [1e-4, 0.0], rtol=1e-5)
    np.testing.assert_allclose(
        tables.onset_phases[:, [60, 72]], np.float32([[[0.1], [0.3]], [[0.4], [0.4]]]) + np.zeros(3)
    )
    assert tables.release_s.shape == tables.onset_temperature.shape == (2, 128)
    assert tables.temperature.shape == (2, 128, 2)


def test_a_control_moves_between_the_measured_timbres(tmp_path):
    engine = play(measure_tables(morph(tmp_path, sustained=True), NETWORK), NETWORK.partials)
    engine.control("timbre", 0.0)
    engine.note_on(72, 80)
    assert 20.0 * np.log10(engine.render(RATE)[-1]) == pytest.approx(-28.0, abs=0.2)
    engine.control("timbre", 0.5)
    assert 20.0 * np.log10(engine.render(RATE)[-1]) == pytest.approx(-39.0, abs=0.2)


def test_a_timbre_without_a_recording_is_named(tmp_path):
    corpus = made_corpus(tmp_path, [recording(60, 90.0, level(-20.0, 2.0))], timbres=["bell", "reed"])
    with pytest.raises(RtwaveError, match="no recording of the timbre 'reed'; prepare the corpus again"):
        measure_tables(corpus, NETWORK)


@pytest.mark.parametrize(("count", "most"), [(1, 32), (2, 8)])
def test_tables_stay_small_however_many_velocities_there_are(tmp_path, count, most):
    recordings = [
        recording(60, float(velocity), level(-20.0, 1.0), timbre=float(velocity % count)) for velocity in range(20, 100)
    ]
    corpus = made_corpus(tmp_path, recordings, timbres=["a", "b"][:count])
    assert measure_tables(corpus, NETWORK).envelope_velocities.size == most


def test_a_drum_kit_has_one_sound_a_key_and_the_nearest_key_s_where_there_is_none(tmp_path):
    struck = {36: (0.0, -10.0), 38: (1.0, -20.0), 49: (2.0, -30.0)}
    recordings = [recording(key, 100.0, level(db, 0.5, -100.0), timbre=timbre) for key, (timbre, db) in struck.items()]
    corpus = made_corpus(tmp_path, recordings, "drums", timbres=["kick", "snare", "crash"])
    tables = measure_tables(corpus, WaveNetConfig(conditioning=("timbre",)))
    tables.check(40, "tables")
    assert [tables.timbre[key] for key in (0, 36, 37, 38, 43, 44, 49, 127)] == [0, 0, 0, 1, 1, 2, 2, 2]
    engine = play(tables, 40)
    for key, level_db in ((0, -10.0), (36, -10.0), (37, -10.0), (38, -20.0), (43, -20.0), (44, -30.0), (127, -30.0)):
        engine.note_on(key, 100)
        assert 20.0 * np.log10(engine.render(1)[0]) == pytest.approx(level_db, abs=0.3)
        engine.all_sound_off()
        engine.render(1000)


def test_the_note_off_of_a_drum_cuts_nothing(tmp_path):
    corpus = made_corpus(tmp_path, [recording(38, 100.0, level(-20.0, 1.0, -40.0))], "drums")
    tables = measure_tables(corpus, WaveNetConfig(conditioning=("timbre",)))
    let_go, held = play(tables, 40), play(tables, 40)
    for engine in (let_go, held):
        engine.note_on(38, 100)
    let_go.note_off(38, at=100)
    np.testing.assert_allclose(let_go.render(RATE), held.render(RATE), rtol=1e-3)
    let_go.render(2 * RATE)
    assert let_go.active_voices == 0


def test_a_texture_goes_on_at_its_average_level_and_ends_with_the_damper(tmp_path):
    recordings = [recording(60, 100.0, level(db, 3.0)) for db in (-30.0, -26.0)]
    tables = measure_tables(made_corpus(tmp_path, recordings, "texture", damper_s=0.5), WaveNetConfig(conditioning=()))
    engine = play(tables, 40)
    engine.note_on(80, 100)
    engine.render(120 * RATE)
    assert 20.0 * np.log10(engine.render(1)[0]) == pytest.approx(-28.0, abs=0.1)
    engine.note_off(80)
    assert 20.0 * np.log10(engine.render(RATE // 2)[-1]) == pytest.approx(-28.0 - 8.69, abs=0.2)
    softer = play(tables, 40)
    softer.note_on(80, 10)
    assert 20.0 * np.log10(softer.render(1)[0]) == pytest.approx(-68.0, abs=2.0)


def test_textures_side_by_side_are_timbres_that_the_control_moves_between(tmp_path):
    recordings = [recording(60, 100.0, level(db, 3.0), timbre=place) for place, db in ((0.0, -20.0), (1.0, -40.0))]
    corpus = made_corpus(tmp_path, recordings, "texture", timbres=["rain", "wind"])
    tables = measure_tables(corpus, WaveNetConfig(conditioning=("timbre",)))
    assert tables.timbres == 2
    engine = play(tables, 40)
    engine.note_on(60, 100)
    assert 20.0 * np.log10(engine.render(RATE)[-1]) == pytest.approx(-30.0, abs=0.1)
