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
