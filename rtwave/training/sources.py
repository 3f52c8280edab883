"""What every source of a corpus gives: labelled recordings, each loaded when its turn comes, and what it left out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .corpus import Kind

MOST_TIMBRES = 16
"""That a network tells apart."""


@dataclass(frozen=True)
class Recording:
    """One note of an instrument, or one sound.

    `name` is its own within the corpus, `source` where a person finds it; `note` fractional MIDI, `velocity` 1..127,
    `knobs` four labels 0..1, `timbre` its place among the corpus's timbres. `load` reads float32 (T,) and the rate in
    Hz, from any thread; it raises RtwaveError with the reason to skip it. `held_out` where the source itself says what
    of a timbre is not to be learned from.
    """

    name: str
    source: str
    note: float
    velocity: float
    load: Callable[[], tuple[np.ndarray, int]]
    knobs: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    timbre: float = 0.0
    held_out: bool = False


@dataclass(frozen=True)
class Skipped:
    """A file, or a place in one, that is not in the corpus, and why."""

    path: Path | str
    reason: str


@dataclass
class Found:
    """All that the sources of a corpus gave: timbres by name, `damper_s` where it is known, lines to warn of."""

    recordings: list[Recording]
    skipped: list[Skipped] = field(default_factory=list)
    timbres: list[str] = field(default_factory=list)
    damper_s: float | None = None
    warnings: list[str] = field(default_factory=list)
    kind: Kind = "notes"
