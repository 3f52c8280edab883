"""A corpus on disk: one folder of memory-mapped arrays and an index of what each recording holds.

corpus.json    CorpusIndex: rate, periods, recordings with their note, velocity, split and place in the arrays
audio.npy      float32 (samples,): every recording end to end, each from its onset on
loudness.npy   float32 (periods,): RMS dBFS over 20 ms, every `control_period` samples
phases.npy     float32 (frames, partials): deviation of each partial's phase, every `phase_stride` samples
"""

from pathlib import Path

import msgspec
import numpy as np

from ..errors import RtwaveError

FORMAT = "rtwave-corpus-1"


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recording: label, tuning, and where it lies in audio.npy, loudness.npy and phases.npy."""

    name: str
    note: float
    velocity: float
    knobs: tuple[float, float, float, float]
    held_out: bool
    cents: float
    stiffness: float
    audio_start: int
    samples: int
    loudness_start: int
    phases_start: int


class CorpusIndex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """corpus.json."""

    format: str
    sample_rate: int
    control_period: int
    phase_stride: int
    partials: int
    undamped_from: int
    gain: float
    entries: list[Entry]
    skipped: list[tuple[str, str]]


class Corpus:
    """An opened corpus: `index` and the three arrays, mapped and never loaded whole."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.index = msgspec.json.decode((self.folder / "corpus.json").read_bytes(), type=CorpusIndex)
            self.audio, self.loudness, self.phases = (
                np.load(self.folder / name, mmap_mode="r") for name in ("audio.npy", "loudness.npy", "phases.npy")
            )
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise RtwaveError(f"{folder}: not a whole corpus ({error}); make one with `rtwave prepare`") from None
        if self.index.format != FORMAT or not self.index.entries:
            raise RtwaveError(
                f"{folder}: corpus format is {self.index.format!r}, expected {FORMAT!r}; prepare it again"
            )

    def sound(self, entry: Entry) -> np.ndarray:
        """A recording's samples from its onset on, float32 (samples,)."""
        return self.audio[entry.audio_start : entry.audio_start + entry.samples]

    def loudness_db(self, entry: Entry) -> np.ndarray:
        """Its level at every control period, float32 (periods,) dBFS."""
        periods = -(-entry.samples // self.index.control_period)
        return self.loudness[entry.loudness_start : entry.loudness_start + periods]

    @property
    def seconds(self) -> float:
        """Length of all recordings together."""
        return sum(entry.samples for entry in self.index.entries) / self.index.sample_rate

    @property
    def knobs(self) -> tuple[str, ...]:
        """Names of the knobs whose labels vary: what a network can learn to turn."""
        labels = zip(*(entry.knobs for entry in self.index.entries), strict=True)
        return tuple(f"knob{n}" for n, values in enumerate(labels, start=1) if len(set(values)) > 1)

    def notes(self) -> list[float]:
        """The recorded notes, rising."""
        return sorted({entry.note for entry in self.index.entries})
