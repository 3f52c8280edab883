"""The shards of a corpus, written as recordings come, so that a corpus may be larger than memory."""

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Self

import msgspec
import numpy as np

from ..errors import RtwaveError
from .corpus import DTYPES, FORMAT, Array, CorpusIndex, format_of, shard_path

SHARD_SAMPLES = 64 * 2**20
"""256 MB of audio; a recording is never split."""

INDEX, SHARDS, PARTIAL = "corpus.json", "shards", ".partial"
_SHARD = re.compile(rf"\d{{4,}}\.({'|'.join(DTYPES)})\.npy")


def require_own(folder: Path) -> None:
    """RtwaveError where a new corpus in a folder would replace what no corpus put there."""
    try:
        stranger = _stranger(folder)
    except OSError as error:
        raise RtwaveError(f"{folder}: cannot be looked into ({error.strerror}); choose another --out") from None
    if stranger:
        raise RtwaveError(f"{stranger}: is there, and is no corpus's; choose another --out")


def _stranger(folder: Path) -> Path | None:
    """What stands in the way of a new corpus and is of none; an index ends in PARTIAL while it takes its place."""
    indices, shards = ([folder / name, folder / f"{name}{PARTIAL}"] for name in (INDEX, SHARDS))
    own = any((format_of(index) or "").startswith(FORMAT.rstrip("0123456789")) for index in indices)
    for path in (indices[0], shards[0]):
        if (path.exists() or path.is_symlink()) and not own:
            return path
    for path in shards:
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            return path
        for each in path.iterdir() if path.is_dir() else ():
            if not _SHARD.fullmatch(each.name):
                return each
    return None


class _Growing:
    """A .npy file of rows that grows; NumPy leaves room in its header for the final length."""

    def __init__(self, path: Path, columns: tuple[int, ...], dtype: str) -> None:
        self.columns, self.rows, self.dtype = columns, 0, dtype
        self._file = path.open("wb")
        self._write_header()

    def _write_header(self) -> None:
        shape = (self.rows, *self.columns)
        np.lib.format.write_array_header_1_0(self._file, {"descr": self.dtype, "fortran_order": False, "shape": shape})

    def append(self, rows: np.ndarray) -> int:
        """Write `rows` (n, *columns); returns the row at which they begin."""
        start = self.rows
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self.rows += len(rows)
        return start

    def close(self) -> None:
        if self._file.closed:
            return
        with self._file:
            self._file.seek(0)
            self._write_header()


class CorpusWriter:
    """Writes the shards of a corpus as recordings come, first all sounds, then what was read from them.

    A corpus that was in the folder stays whole until `finish`; what else is there stays for good, or is refused by an
    RtwaveError. As a context it leaves nothing unfinished behind, and what the disk refuses becomes an RtwaveError.
    """

    def __init__(self, folder: Path, shard_samples: int = SHARD_SAMPLES) -> None:
        self.folder, self._partial = folder, folder / f"{SHARDS}{PARTIAL}"
        self._shard_samples = shard_samples
        self._open: dict[Array, tuple[int, _Growing]] = {}

    def __enter__(self) -> Self:
        try:
            require_own(self.folder)
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir(parents=True)
        except OSError as error:
            raise self._refused(error) from None
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        for _, file in self._open.values():
            with contextlib.suppress(OSError):
                file.close()
        shutil.rmtree(self._partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise self._refused(error) from None

    def add_sound(self, samples: np.ndarray) -> tuple[int, int]:
        """Append a recording, float32 (T,); returns its shard and where in it it begins."""
        shard, file = self._open.get("audio", (0, None))
        if file and file.rows and file.rows + len(samples) > self._shard_samples:
            shard += 1
        return shard, self._append("audio", shard, samples)

    def sounds(self, places: Iterable[tuple[int, int, int]], mode: Literal["r", "r+"] = "r") -> Iterator[np.ndarray]:
        """The sounds written, at (shard, start, samples), to be changed where they lie in "r+"; `add_sound` is over."""
        self._close("audio")
        for shard, start, samples in places:
            yield np.load(shard_path(self._partial, shard, "audio"), mmap_mode=mode)[start : start + samples]

    def add_readings(self, shard: int, loudness: np.ndarray, phases: np.ndarray, levels: np.ndarray) -> tuple[int, int]:
        """Append what was read from the next sound, (periods,) and twice (frames, partials); where they begin."""
        self._append("levels", shard, levels)
        return self._append("loudness", shard, loudness), self._append("phases", shard, phases)

    def finish(self, index: CorpusIndex) -> None:
        """Put the new corpus in the place of what was there."""
        for array in list(self._open):
            self._close(array)
        text = self.folder / f"{INDEX}{PARTIAL}"
        text.write_bytes(msgspec.json.format(msgspec.json.encode(index), indent=1))
        (self.folder / INDEX).unlink(missing_ok=True)  # it must not stand beside shards that are not its own
        shutil.rmtree(self.folder / SHARDS, ignore_errors=True)
        self._partial.rename(self.folder / SHARDS)
        text.replace(self.folder / INDEX)

    def _append(self, array: Array, shard: int, rows: np.ndarray) -> int:
        number, file = self._open.get(array, (-1, None))
        if shard != number:
            self._close(array)
            file = _Growing(shard_path(self._partial, shard, array), rows.shape[1:], DTYPES[array])
            self._open[array] = shard, file
        return file.append(rows)

    def _close(self, array: Array) -> None:
        if array in self._open:
            self._open.pop(array)[1].close()

    def _refused(self, error: OSError) -> RtwaveError:
        why = error.strerror or error
        return RtwaveError(f"{self.folder}: cannot write the corpus ({why}); make room or choose another --out")
