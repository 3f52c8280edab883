"""Labelled recordings: which files there are, which note and velocity each holds, and their samples."""

import csv
import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from ..errors import RtwaveError
from ..wavenet.keys import find_key, key_number
from .sources import Recording, Skipped

SUFFIXES = {".wav", ".flac", ".ogg", ".aif", ".aiff"}
MOST_LAYERS = 32
"""When no number after `v` in a folder is above this, they count layers from soft to loud, not velocities."""
SILENT_PEAK = 1e-4
LOWEST_RATE = 1000
"""Hz; below there is nothing to hear, and less than a sample in many a window."""

_KEY = re.compile(r"(?<![A-Za-z0-9])(\d{1,3})(?![0-9])")
_VELOCITY = re.compile(r"(?:v|vel|velocity)_?(\d{1,3})(?=$|[^0-9])", re.IGNORECASE)


def parse_name(stem: str) -> tuple[int | None, int | None]:
    """MIDI note (C4 = 60) and the number after `v` of a file name such as `piano_C#4_v100`; None where not said."""
    velocities = _VELOCITY.findall(stem)
    return find_key(stem), int(velocities[-1]) if velocities else None


def find_recordings(
    folder: Path, manifest: Path | None = None, numbers: bool = False
) -> tuple[list[Recording], list[Skipped]]:
    """The recordings under `folder`, labelled by `manifest` (CSV: file, note, velocity[, knob1…4]) or by name.

    With `numbers` a name may also hold its key as a plain MIDI number: `kick_36_v100.wav`.
    """
    if not folder.is_dir():
        raise RtwaveError(f"{folder}: no such folder; name a folder of recordings")
    if manifest is None and (folder / "manifest.csv").is_file():
        manifest = folder / "manifest.csv"
    paths, skipped = _files(folder)
    found, unusable = _from_manifest(folder, manifest, paths) if manifest else _from_names(folder, paths, numbers)
    skipped += unusable
    if not found:
        why = f"; {len(skipped)} skipped, the first because: {skipped[0].reason}" if skipped else ""
        raise RtwaveError(
            f"{folder}: no labelled recording found{why}; expected {', '.join(sorted(SUFFIXES))} files "
            "named like A4_v100.wav, a manifest.csv, or --kind unlabelled for one note at a time without labels"
        )
    return sorted(found, key=lambda item: (item.note, item.velocity, item.name)), skipped


def _recording(folder: Path, path: Path, note: float, velocity: float, knobs: tuple = (0.0,) * 4) -> Recording:
    return Recording(
        os.path.relpath(path, folder), str(path), float(note), velocity, partial(read_samples, path), knobs
    )


def _files(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """All files under a folder but hidden ones, sorted, and the folders that cannot be read."""
    errors: list[OSError] = []
    places = os.walk(folder, onerror=errors.append)
    paths = [Path(place, name) for place, _, names in places for name in names if not name.startswith(".")]
    return sorted(paths), [Skipped(Path(error.filename), f"cannot be read ({error.strerror})") for error in errors]


def _from_names(folder: Path, paths: list[Path], numbers: bool) -> tuple[list[Recording], list[Skipped]]:
    labelled, skipped = [], []
    for path in paths:
        note, velocity = parse_name(path.stem)
        if numbers and note is None and (keys := _KEY.findall(path.stem)):
            note = int(keys[-1])
        if path.suffix.lower() not in SUFFIXES:
            skipped.append(Skipped(path, f"not an audio file that is read here ({path.suffix or 'no suffix'})"))
        elif note is None or not 0 <= note <= 127:
            skipped.append(Skipped(path, "no note in its name (expected one such as C#4)"))
        elif velocity is not None and not 1 <= velocity <= 127:
            skipped.append(Skipped(path, f"velocity {velocity} in its name, expected 1 to 127"))
        elif not os.path.isfile(path):
            skipped.append(Skipped(path, "not a file that can be read"))
        else:
            labelled.append((path, note, velocity))
    highest = max((velocity for _, _, velocity in labelled if velocity), default=0)
    scale = 127.0 / highest if 0 < highest <= MOST_LAYERS else 1.0
    found = [_recording(folder, p, n, 100.0 if v is None else max(1.0, v * scale)) for p, n, v in labelled]
    return found, skipped


def _from_manifest(folder: Path, manifest: Path, paths: list[Path]) -> tuple[list[Recording], list[Skipped]]:
    found, skipped, named = [], [], []
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RtwaveError(f"{manifest}: cannot be read as CSV ({error}); expected columns file,note,velocity") from None
    for line, row in enumerate(rows, start=2):
        try:
            path = folder / row["file"].replace("\0", "")  # of which no name of a file has any
            note = key_number(row["note"])
            velocity = float(row["velocity"])
            knobs = tuple(float(row.get(f"knob{n}") or 0.0) for n in range(1, 5))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise RtwaveError(
                f"{manifest}:{line}: expected file,note,velocity as in 'a.wav,C#4,100', got {row}"
            ) from None
        named.append(path)
        if not (0 <= note <= 127 and 1 <= velocity <= 127 and all(0 <= knob <= 1 for knob in knobs)):
            skipped.append(Skipped(path, f"manifest line {line}: note, velocity or knob out of range"))
        elif not os.path.isfile(path):
            skipped.append(Skipped(path, f"manifest line {line}: no such file"))
        else:
            found.append(_recording(folder, path, note, velocity, knobs))
    listed = {path.resolve() for path in named}
    unlisted = [path for path in paths if path.suffix.lower() in SUFFIXES and path.resolve() not in listed]
    skipped += [Skipped(path, "not in the manifest") for path in unlisted]
    return found, skipped


def require_rate(rate: int) -> None:
    """RtwaveError with the reason where a recording's rate (Hz) cannot be that of sound."""
    if rate < LOWEST_RATE:
        raise RtwaveError(f"recorded at {rate} Hz, expected {LOWEST_RATE} Hz or more")


def read_samples(path: Path) -> tuple[np.ndarray, int]:
    """A file's first channel that holds any sound, float32 (T,), and its rate in Hz.

    One channel and not their mean: spaced microphones comb when mixed. Raises RtwaveError with the reason.
    """
    try:
        with soundfile.SoundFile(path) as file:
            samples, rate = file.read(dtype="float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise RtwaveError(f"cannot be read as audio ({error})") from None
    require_rate(rate)
    if not np.isfinite(samples).all():
        raise RtwaveError("holds NaN or infinity")
    heard = np.flatnonzero(np.abs(samples).max(axis=0, initial=0.0) >= SILENT_PEAK)
    if not len(heard):
        raise RtwaveError("silent (peak below -80 dBFS)")
    return samples[:, heard[0]].copy(), rate
