import numpy as np
import pytest

from rtwave.errors import RtwaveError
from rtwave.wavenet.instrument import BY_TIMBRE, Instrument


def test_neutral_tables_pass_their_own_check():
    Instrument.neutral(7).check(7, "tables")


def test_levels_of_partials_are_there_where_the_excitation_is_weighted_and_only_there():
    Instrument.neutral(7, weighted=True).check(7, "tables", weighted=True)
    with pytest.raises(RtwaveError, match=r"partial_keys is float32 \(0,\), expected float32 \(1,\)"):
        Instrument.neutral(7).check(7, "tables", weighted=True)


@pytest.mark.parametrize(
    ("name", "table", "problem"),
    [
        (
            "partial_db",
            np.zeros((1, 1, 1, 6)),
            r"partial_db is float32 \(1, 1, 1, 6\), expected float32 \(1, 1, 1, 7\)",
        ),
        (
            "partial_db",
            np.zeros((0, 0, 0, 0)),
            r"partial_db is float32 \(0, 0, 0, 0\), expected float32 \(1, 1, 1, 7\)",
        ),
        ("partial_db", np.full((1, 1, 1, 7), np.nan), "partial_db holds NaN or infinity"),
        ("partial_db", np.full((1, 1, 1, 7), 61.0), "partial_db spans 61 to 61, expected values in -200 to 60"),
        ("partial_ages_s", np.zeros(0), r"partial_ages_s is float32 \(0,\), expected float32 \(1,\)"),
        ("partial_ages_s", np.zeros(2), r"partial_db is float32 \(1, 1, 1, 7\), expected float32 \(1, 1, 2, 7\)"),
        ("partial_keys", np.full(1, 128.0), "partial_keys spans 128 to 128, expected values in 0 to 127"),
        ("partial_velocities", np.full(1, -1.0), "partial_velocities spans -1 to -1"),
    ],
)
def test_absurd_levels_of_partials_are_refused(name, table, problem):
    tables = Instrument.neutral(7, weighted=True)
    setattr(tables, name, table.astype(np.float32))
    with pytest.raises(RtwaveError, match=problem):
        tables.check(7, "tables", weighted=True)


def test_ages_of_partials_that_do_not_rise_are_refused():
    tables = Instrument.neutral(7, weighted=True)
    tables.partial_ages_s = np.float32([0.0, 0.0])
    tables.partial_db = np.zeros((1, 1, 2, 7), np.float32)
    with pytest.raises(RtwaveError, match="partial_ages_s does not rise, expected rising values"):
        tables.check(7, "tables", weighted=True)


def test_an_undamped_key_whose_envelope_never_falls_is_refused():
    """Its note would sound for ever."""
    tables = Instrument.neutral(3)
    tables.release_s[100] = 0.0
    with pytest.raises(RtwaveError, match="expected it to fall"):
        tables.check(3, "tables")
    tables.envelope_db[..., 1] = -40.0
    tables.check(3, "tables")


def test_an_envelope_that_ends_in_silence_has_died_away():
    tables = Instrument.neutral(3)
    tables.release_s[:] = 0.0
    tables.envelope_db = np.full((1, 1, 2), -90.0, np.float32)
    tables.check(3, "tables")


def several(timbres):
    """Neutral tables, so many times."""
    tables = Instrument.neutral(3)
    for name in BY_TIMBRE:
        setattr(tables, name, np.stack([getattr(tables, name)] * timbres))
    return tables


@pytest.mark.parametrize("timbres", [2, 16])
def test_tables_may_hold_several_timbres(timbres):
    tables = several(timbres)
    assert (Instrument.neutral(3).timbres, tables.timbres) == (1, timbres)
    tables.check(3, "tables")


@pytest.mark.parametrize("timbres", [1, 17])
def test_one_timbre_has_no_axis_and_more_than_sixteen_there_are_not(timbres):
    expected = r"envelope_db is float32 \(\d+, 1, 1, 2\), expected float32 \((2|16), 1, 1, 2\)"
    with pytest.raises(RtwaveError, match=expected):
        several(timbres).check(3, "tables")


TABLES = BY_TIMBRE[1:]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_as_many_timbres_as_the_envelope(name):
    tables = several(3)
    setattr(tables, name, getattr(tables, name)[:2])
    with pytest.raises(RtwaveError, match=rf"instrument\.{name} is float32 \(2, .*, expected float32 \(3, "):
        tables.check(3, "tables")


@pytest.mark.parametrize("name", list(Instrument.neutral(3).arrays()))
@pytest.mark.parametrize("table", [3.0, None, np.float32(1.0), np.array(1.0, np.float32), [1.0] * 128], ids=repr)
def test_a_table_that_is_none_is_refused(name, table):
    tables = Instrument.neutral(3)
    setattr(tables, name, table)
    with pytest.raises(RtwaveError, match=rf"tables: instrument\.{name} is .*, expected "):
        tables.check(3, "tables")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("cents", 1201.0, "cents spans 0 to 1201, expected values in -1200 to 1200"),
        ("cents", -1201.0, "cents spans -1201 to 0"),
        ("timbre", 16.0, "timbre spans 0 to 16, expected values in 0 to 15"),
        ("longest_age_s", -1.0, "longest_age_s spans -1 to 0"),
        ("envelope_ages_s", 0.5, "envelope_ages_s starts at 0.5, expected 0"),
        ("envelope_db", 20.1, "envelope_db spans -20 to 20.1, expected values in -200 to 20"),
        ("envelope_db", -201.0, "envelope_db spans -201 to -20"),
        ("envelope_keys", 128.0, "envelope_keys spans 128 to 128, expected values in 0 to 127"),
        ("stiffness", -0.1, "stiffness spans -0.1 to 0, expected values in 0 to inf"),
    ],
)
def test_an_absurd_value_is_refused(name, value, problem):
    tables = Instrument.neutral(3)
    getattr(tables, name).flat[0] = value
    with pytest.raises(RtwaveError, match=problem):
        tables.check(3, "tables")


@pytest.mark.parametrize("lead", [(), (3,)])
def test_a_temperature_of_each_key_alone_is_that_of_all_its_velocities(lead):
    """As files held it before temperatures had a velocity. None is nothing added."""
    tables = Instrument.neutral(2).arrays()
    tables |= {name: np.broadcast_to(tables[name], (*lead, *tables[name].shape)).copy() for name in BY_TIMBRE}
    tables["envelope_velocities"] = np.array([30.0, 60.0, 90.0], np.float32)
    tables["envelope_db"] = np.repeat(tables["envelope_db"], 3, axis=-2)
    by_key = np.linspace(-0.3, 0.7, 128, dtype=np.float32) * np.ones((*lead, 1), np.float32)
    old = Instrument(**(tables | {"temperature": by_key}))
    old.check(2, "old")
    assert (old.temperature == by_key[..., None]).all()
    neutral = Instrument(**(tables | {"temperature": None}))
    neutral.check(2, "neutral")
    assert not neutral.temperature.any()


@pytest.mark.parametrize("velocities", [1, 3])
def test_there_are_as_many_temperatures_of_a_key_as_velocities_of_the_envelope(velocities):
    tables = Instrument.neutral(2)
    tables.envelope_velocities = np.array([30.0, 90.0], np.float32)
    tables.envelope_db = np.repeat(tables.envelope_db, 2, axis=1)
    tables.temperature = np.zeros((128, velocities), np.float32)
    expected = rf"instrument\.temperature is float32 \(128, {velocities}\), expected float32 \(128, 2\)"
    with pytest.raises(RtwaveError, match=expected):
        tables.check(2, "tables")
