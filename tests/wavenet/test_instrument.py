import numpy as np
import pytest

from rtwave.errors import RtwaveError
from rtwave.wavenet.instrument import Instrument


def test_neutral_tables_pass_their_own_check():
    Instrument.neutral(7).check(7, "tables")


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
