"""What playing needs beside the network: envelope, stretch, stiffness, damping, onset phases, temperature, by key."""

from dataclasses import dataclass, field, fields

import numpy as np

from ..errors import RtwaveError
from .config import FEATURE_SIZES
from .features import LOUDNESS_FLOOR_DB

KEYS = 128

MOST_TIMBRES = FEATURE_SIZES["timbre"]

RANGES = {
    "envelope_keys": (0.0, 127.0),
    "envelope_velocities": (0.0, 127.0),
    "envelope_db": (-200.0, 20.0),
    "cents": (-1200.0, 1200.0),
    "stiffness": (0.0, np.inf),
    "release_s": (0.0, np.inf),
    "temperature": (-2.0, 2.0),
    "onset_temperature": (-2.0, 2.0),
    "timbre": (0.0, MOST_TIMBRES - 1.0),
    "longest_age_s": (0.0, np.inf),
    "modes_hz": (0.0, 200_000.0),
    "partial_keys": (0.0, 127.0),
    "partial_velocities": (0.0, 127.0),
    "partial_db": (-200.0, 60.0),
}
"""Lowest and highest value that can be played, in each table's own unit."""

BY_TIMBRE = (
    *("envelope_db", "cents", "stiffness", "release_s", "onset_phases", "modes_hz", "temperature", "onset_temperature"),
)
"""Tables that have an axis for the timbre where there are several; of those with weighted excitation partial_db too."""

AXES = (
    *("envelope_keys", "envelope_velocities", "envelope_ages_s"),
    *("partial_keys", "partial_velocities", "partial_ages_s"),
)


@dataclass
class Instrument:
    """Tables measured from a corpus; all float32. They travel in the weights file under `instrument.*`.

    envelope_keys (N,) rising MIDI notes; envelope_velocities (M,) rising, 1..127; envelope_ages_s (G,) rising from 0;
    envelope_db (N, M, G) RMS dBFS of a held note; cents (128,) stretch against equal temperament at A4 = 440 Hz;
    stiffness (128,) B of the string; release_s (128,) time constant of the damper, 0 where there is none;
    onset_phases (128, K) phase of each partial at note-on, radians; temperature (128, M) added to the player's, by key
    and velocity; onset_temperature (128,) added besides at note-on, or taken, dying away with a time constant of 60 ms;
    all of it where the player's is 0.1 or more, none where that is 0; longest_age_s (128,) age at which the network is
    told no more of a note's age, 0 where it always is.

    For a network of weighted excitation, else empty: partial_db (N2, M2, G2, K) peak amplitude of each partial, dB of
    full scale were the note at the steady level that levelled networks work at, at keys partial_keys (N2,), velocities
    partial_velocities (M2,) and ages partial_ages_s (G2,), all rising; constant beyond them. float16 in the file.
    modes_hz (128, K): where not 0, that place is no partial's but a mode's, which has this frequency however the key is
    bent.

    An instrument of I timbres, 2 to 16, has a leading axis I in envelope_db, cents, stiffness, release_s, onset_phases,
    temperature, onset_temperature, modes_hz and partial_db: the control `timbre` moves a note between them. Without it
    a key has one timbre for good: timbre (128,) is its place, 0..15, of which only the network is told.
    """

    envelope_keys: np.ndarray
    envelope_velocities: np.ndarray
    envelope_ages_s: np.ndarray
    envelope_db: np.ndarray
    cents: np.ndarray
    stiffness: np.ndarray
    release_s: np.ndarray
    onset_phases: np.ndarray
    temperature: np.ndarray | None
    timbre: np.ndarray = field(default_factory=lambda: np.zeros(KEYS, np.float32))
    longest_age_s: np.ndarray = field(default_factory=lambda: np.zeros(KEYS, np.float32))
    partial_keys: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    partial_velocities: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    partial_ages_s: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    partial_db: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 0), np.float32))
    onset_temperature: np.ndarray | None = None
    modes_hz: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.temperature is None:  # nothing is added
            self.temperature = np.zeros_like(self.cents)
        if self.onset_temperature is None:  # a file from before there was such a table
            self.onset_temperature = np.zeros_like(self.cents)
        if np.shape(self.temperature) == np.shape(self.cents):  # likewise, and where velocities do not differ
            self.temperature = np.repeat(
                np.expand_dims(self.temperature, -1), _length(self.envelope_velocities), axis=-1
            )
        if self.modes_hz is None:  # likewise, and where there are no modes
            self.modes_hz = np.zeros_like(self.onset_phases)

    @property
    def timbres(self) -> int:
        """How many the tables hold: 1 where they have no such axis."""
        return self.envelope_db.shape[0] if self.envelope_db.ndim == 4 else 1

    @classmethod
    def neutral(cls, partials: int, weighted: bool = False) -> "Instrument":
        """Tables of no instrument in particular: steady at −20 dBFS, equal temperament, a 60 ms damper.

        With `weighted` excitation, partials that fall by 6 dB an octave.
        """
        tables = cls(
            envelope_keys=np.array([60.0], np.float32),
            envelope_velocities=np.array([127.0], np.float32),
            envelope_ages_s=np.array([0.0, 1.0], np.float32),
            envelope_db=np.full((1, 1, 2), -20.0, np.float32),
            cents=np.zeros(KEYS, np.float32),
            stiffness=np.zeros(KEYS, np.float32),
            release_s=np.full(KEYS, 0.06, np.float32),
            onset_phases=np.zeros((KEYS, partials), np.float32),
            temperature=None,
        )
        if weighted:
            falling_db = -20.0 - 20.0 * np.log10(np.arange(1, partials + 1))
            tables.partial_keys, tables.partial_velocities = tables.envelope_keys, tables.envelope_velocities
            tables.partial_ages_s = np.zeros(1, np.float32)
            tables.partial_db = falling_db.astype(np.float32).reshape(1, 1, 1, partials)
        return tables

    def arrays(self) -> dict[str, np.ndarray]:
        """Every table by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def check(self, partials: int, where: str, weighted: bool = False) -> None:
        """Raise RtwaveError naming `where` and the table if a shape, dtype, order or value cannot be played.

        With `weighted` excitation there have to be levels of the partials.
        """
        self.check_shapes(partials, where, weighted)
        for name, table in self.arrays().items():
            if not np.isfinite(table).all():
                raise RtwaveError(f"{where}: instrument.{name} holds NaN or infinity, expected finite values")
        for name in AXES:
            if (np.diff(getattr(self, name)) <= 0).any():
                raise RtwaveError(f"{where}: instrument.{name} does not rise, expected rising values")
        for name, (low, high) in RANGES.items():
            table = getattr(self, name)
            if table.size and (table.min() < low or table.max() > high):
                came = f"{table.min():g} to {table.max():g}"
                raise RtwaveError(f"{where}: instrument.{name} spans {came}, expected values in {low:g} to {high:g}")
        if self.envelope_ages_s[0] != 0.0:
            raise RtwaveError(f"{where}: instrument.envelope_ages_s starts at {self.envelope_ages_s[0]:g}, expected 0")
        if (self.release_s == 0).any() and not self._dies_away():
            raise RtwaveError(
                f"{where}: instrument.envelope_db keeps its level to the end, expected it to fall: keys have no damper"
            )

    def check_shapes(self, partials: int, where: str, weighted: bool = False) -> None:
        """What `check` asks of shapes and dtypes alone: whether native code may read the tables."""
        several = isinstance(self.envelope_db, np.ndarray) and self.envelope_db.ndim == 4
        lead = (min(max(self.timbres, 2), MOST_TIMBRES),) if several else ()
        n, m, g = (_length(getattr(self, name)) for name in AXES[:3])
        sizes = tuple(_length(getattr(self, name)) for name in AXES[3:])
        if weighted or any(sizes):
            sizes = tuple(max(size, 1) for size in sizes)
            partial_shape = (*lead, *sizes, partials)
        else:
            partial_shape = (0, 0, 0, 0)
        expected = {
            "envelope_keys": (max(n, 1),),
            "envelope_velocities": (max(m, 1),),
            "envelope_ages_s": (max(g, 1),),
            "envelope_db": (*lead, n, m, g),
            "temperature": (*lead, KEYS, m),
            "onset_phases": (*lead, KEYS, partials),
            "modes_hz": (*lead, KEYS, partials),
            "timbre": (KEYS,),
            "longest_age_s": (KEYS,),
            **{name: (size,) for name, size in zip(AXES[3:], sizes, strict=True)},
            "partial_db": partial_shape,
        }
        for name, table in self.arrays().items():
            shape = expected.get(name, (*lead, KEYS))
            if not isinstance(table, np.ndarray):
                came = type(table).__name__
                raise RtwaveError(f"{where}: instrument.{name} is {came}, expected an array float32 {shape}")
            if table.shape != shape or table.dtype != np.float32:
                raise RtwaveError(
                    f"{where}: instrument.{name} is {table.dtype} {table.shape}, expected float32 {shape}"
                )

    def _dies_away(self) -> bool:
        """Whether every held note falls below hearing in the end."""
        if self.envelope_db.shape[-1] < 2:
            return False
        last, before = self.envelope_db[..., -1], self.envelope_db[..., -2]
        return bool(((last < before) | (last <= LOUDNESS_FLOOR_DB)).all())


def _length(axis: object) -> int:
    return axis.size if isinstance(axis, np.ndarray) and axis.ndim == 1 else 0
