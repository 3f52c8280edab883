"""A corpus on disk: an index of recordings, and shards of arrays that are mapped and never loaded whole.

corpus.json               CorpusIndex: rate, kind, timbres, recordings with their labels and places in the shards
shards/0000.audio.npy     float32 (samples,): recordings end to end, each from its onset on, as loud as they came
shards/0000.loudness.npy  float32 (periods,): their RMS dBFS after the gain, every `control_period` samples
shards/0000.phases.npy    float32 (frames, partials): deviation of each partial's phase, every `phase_stride` samples
shards/0000.levels.npy    float16 (frames, partials): amplitude of each partial, dB of full scale after the gain

Sounds become as loud as the corpus is by its one `gain`, as `Corpus` reads them.
"""

import functools
import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from ..errors import RtwaveError

FORMAT = "rtwave-corpus-2"
PEAK = 0.9
"""Of the loudest sample, after the gain."""
MOST_MAPPED = 256
"""Each mapping holds a file open, and systems allow about 1,000."""
Kind = Literal["notes", "drums", "texture"]
Array = Literal["audio", "loudness", "phases", "levels"]
DTYPES: dict[Array, str] = {"audio": "<f4", "loudness": "<f4", "phases": "<f4", "levels": "<f2"}


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recording: label, tuning, and where in the arrays of its shard it lies."""

    name: str
    note: float
    velocity: float
    knobs: tuple[float, float, float, float]
    timbre: float = 0.0
    """Its place among the corpus's timbres."""
    held_out: bool
    cents: float
    stiffness: float
    modes_hz: tuple[float, ...] = ()
    """What rings beside its partials, in the last places of the excitation."""
    samples: int
    shard: int
    audio_start: int
    loudness_start: int
    phases_start: int
    source: str = ""
    """The file, and the place in it, that a person can look up."""


class CorpusIndex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """corpus.json."""

    format: str
    kind: Kind
    """notes are pitched; drums are one unpitched sound a key; texture is raw audio without notes."""
    sample_rate: Annotated[int, Meta(ge=1000)]
    control_period: Annotated[int, Meta(ge=1)]
    phase_stride: Annotated[int, Meta(ge=1)]
    partials: Annotated[int, Meta(ge=0)]
    undamped_from: int
    gain: float
    timbres: list[str] = []
    """Names: several in a morph; one for each key's sound in drums."""
    damper_s: float = 0.06
    """Time constant with which a released note ends."""
    sustained: bool = False
    """Held notes keep their level beyond the end of the recording."""
    entries: list[Entry]
    skipped: list[tuple[str, str]]
    warnings: list[str] = []
    """What a person should look at, though it was used."""

    def is_damped(self, note: float) -> bool:
        """Whether a key let go ends its sound."""
        if self.kind == "notes":
            return self.sustained or note < self.undamped_from - 0.5
        return self.kind == "texture"


class _Format(msgspec.Struct):
    format: str


def format_of(index: Path) -> str | None:
    """What the corpus.json at a path says of its format; None where there is none, or it is another thing."""
    try:
        return msgspec.json.decode(index.read_bytes(), type=_Format).format
    except (OSError, msgspec.DecodeError):
        return None


class Corpus:
    """An opened corpus. Every reading raises RtwaveError where the corpus has moved or been cut since."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._mapped = functools.lru_cache(MOST_MAPPED)(self._map)
        try:
            text = (self.folder / "corpus.json").read_bytes()
            found = msgspec.json.decode(text, type=_Format).format
            if found != FORMAT:
                raise RtwaveError(f"{folder}: corpus format is {found!r}, expected {FORMAT!r}; prepare it again")
            self.index = msgspec.json.decode(text, type=CorpusIndex)
        except (OSError, msgspec.DecodeError) as error:
            raise self._not_whole(error) from None
        if not self.index.entries:
            raise self._not_whole("holds no recording")
        for entry in self.index.entries:
            for array in DTYPES:
                self._rows(entry, array)

    def sound(self, entry: Entry, start: int = 0, stop: int | None = None) -> np.ndarray:
        """A recording's samples from its onset on, or samples start..stop of it, float32 (T,), gain applied."""
        return self._rows(entry, "audio")[start:stop] * np.float32(self.index.gain)

    def loudness_db(self, entry: Entry) -> np.ndarray:
        """Its level at every control period, float32 (periods,) dBFS of the sound."""
        return self._rows(entry, "loudness")

    def phases_of(self, entry: Entry) -> np.ndarray:
        """Deviation of every partial's phase from 2π f_k t, float32 (frames, partials) radians."""
        return self._rows(entry, "phases")

    def partials_db(self, entry: Entry, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Amplitude of every partial at frames start..stop, float32 (frames, partials) dB of full scale."""
        return self._rows(entry, "levels")[start:stop].astype(np.float32)

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

    def _rows(self, entry: Entry, array: Array) -> np.ndarray:
        """One recording's rows of an array, as they lie on disk, mapped."""
        start = entry.phases_start if array == "levels" else getattr(entry, f"{array}_start")
        rows = {
            "audio": entry.samples,
            "loudness": -(-entry.samples // self.index.control_period),
            "phases": -(-entry.samples // self.index.phase_stride),
            "levels": -(-entry.samples // self.index.phase_stride),
        }[array]
        try:
            values, path, size = self._mapped(entry.shard, array)
            if os.stat(path).st_size != size:  # reading past its end would be a bus error
                raise self._not_whole(f"{path} has changed its size")
        except (OSError, ValueError) as error:
            raise self._not_whole(error) from None
        if not 0 <= start <= start + rows <= len(values):
            raise self._not_whole(f"{path} ends within {entry.name}")
        columns = (self.index.partials,) if array in ("phases", "levels") else ()
        if values.shape[1:] != columns:
            raise self._not_whole(f"{path} has rows of {values.shape[1:]}, expected {columns}")
        return values[start : start + rows]

    def _map(self, shard: int, array: Array) -> tuple[np.ndarray, str, int]:
        """A file's rows, mapped, its path, and its size in bytes."""
        path = str(shard_path(self.folder / "shards", shard, array))
        return np.asarray(np.load(path, mmap_mode="r")), path, os.stat(path).st_size

    def _not_whole(self, why: object) -> RtwaveError:
        return RtwaveError(f"{self.folder}: not a whole corpus ({why}); make one with `rtwave prepare`")


def shard_path(folder: Path, shard: int, array: Array) -> Path:
    """The file of one array of a shard."""
    return folder / f"{shard:04}.{array}.npy"
