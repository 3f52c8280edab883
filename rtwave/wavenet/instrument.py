"""What playing needs beside the network: envelope, stretch, stiffness, damping and onset phases, per key."""

from dataclasses import dataclass, fields

import numpy as np

from ..errors import RtwaveError
from .features import LOUDNESS_FLOOR_DB

KEYS = 128

RANGES = {
    "envelope_keys": (0.0, 127.0),
    "envelope_velocities": (0.0, 127.0),
    "envelope_db": (-200.0, 20.0),
    "cents": (-1200.0, 1200.0),
    "stiffness": (0.0, np.inf),
    "release_s": (0.0, np.inf),
    "temperature": (-2.0, 2.0),
}
"""Lowest and highest value that can be played, in each table's own unit."""


@dataclass
class Instrument:
    """Tables measured from a corpus; all float32. They travel in the weights file under `instrument.*`.

    envelope_keys (N,) rising MIDI notes; envelope_velocities (M,) rising, 1..127; envelope_ages_s (G,) rising from 0;
    envelope_db (N, M, G) RMS dBFS of a held note; cents (128,) stretch against equal temperament at A4 = 440 Hz;
    stiffness (128,) B of the string; release_s (128,) time constant of the damper, 0 where there is none;
    onset_phases (128, K) phase of each partial at note-on, radians; temperature (128,) added to the player's.
    """

    envelope_keys: np.ndarray
    envelope_velocities: np.ndarray
    envelope_ages_s: np.ndarray
    envelope_db: np.ndarray
    cents: np.ndarray
    stiffness: np.ndarray
    release_s: np.ndarray
    onset_phases: np.ndarray
    temperature: np.ndarray

    @classmethod
    def neutral(cls, partials: int) -> "Instrument":
        """Tables of no instrument in particular: steady at −20 dBFS, equal temperament, a 60 ms damper."""
        return cls(
            envelope_keys=np.array([60.0], np.float32),
            envelope_velocities=np.array([127.0], np.float32),
            envelope_ages_s=np.array([0.0, 1.0], np.float32),
            envelope_db=np.full((1, 1, 2), -20.0, np.float32),
            cents=np.zeros(KEYS, np.float32),
            stiffness=np.zeros(KEYS, np.float32),
            release_s=np.full(KEYS, 0.06, np.float32),
            onset_phases=np.zeros((KEYS, partials), np.float32),
            temperature=np.zeros(KEYS, np.float32),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Every table by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def check(self, partials: int, where: str) -> None:
        """Raise RtwaveError naming `where` and the table if a shape, dtype, order or value cannot be played."""
        axes = (self.envelope_keys, self.envelope_velocities, self.envelope_ages_s)
        n, m, g = (axis.size if isinstance(axis, np.ndarray) else 0 for axis in axes)
        expected = {
            "envelope_keys": (max(n, 1),),
            "envelope_velocities": (max(m, 1),),
            "envelope_ages_s": (max(g, 1),),
            "envelope_db": (n, m, g),
            "onset_phases": (KEYS, partials),
        }
        for name, table in self.arrays().items():
            shape = expected.get(name, (KEYS,))
            if not isinstance(table, np.ndarray):
                came = type(table).__name__
                raise RtwaveError(f"{where}: instrument.{name} is {came}, expected an array float32 {shape}")
            if table.shape != shape or table.dtype != np.float32:
                raise RtwaveError(
                    f"{where}: instrument.{name} is {table.dtype} {table.shape}, expected float32 {shape}"
                )
            if not np.isfinite(table).all():
                raise RtwaveError(f"{where}: instrument.{name} holds NaN or infinity, expected finite values")
        for name in ("envelope_keys", "envelope_velocities", "envelope_ages_s"):
            if (np.diff(getattr(self, name)) <= 0).any():
                raise RtwaveError(f"{where}: instrument.{name} does not rise, expected rising values")
        for name, (low, high) in RANGES.items():
            table = getattr(self, name)
            if table.min() < low or table.max() > high:
                came = f"{table.min():g} to {table.max():g}"
                raise RtwaveError(f"{where}: instrument.{name} spans {came}, expected values in {low:g} to {high:g}")
        if self.envelope_ages_s[0] != 0.0:
            raise RtwaveError(f"{where}: instrument.envelope_ages_s starts at {self.envelope_ages_s[0]:g}, expected 0")
        if (self.release_s == 0).any() and not self._dies_away():
            raise RtwaveError(
                f"{where}: instrument.envelope_db keeps its level to the end, expected it to fall: keys have no damper"
            )

    def _dies_away(self) -> bool:
        """Whether every held note falls below hearing in the end."""
        if self.envelope_db.shape[-1] < 2:
            return False
        last, before = self.envelope_db[..., -1], self.envelope_db[..., -2]
        return bool(((last < before) | (last <= LOUDNESS_FLOOR_DB)).all())
