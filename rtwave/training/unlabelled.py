"""Monophonic recordings without labels: notes are found, cut and labelled, for a person to check in a notes.csv."""

import csv
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import RtwaveError
from ..wavenet.keys import key_name, key_number
from .notes import Gap, Span, find_spans
from .parts import audio_files, clock, place, read_part
from .pitch import track
from .sources import Recording, Skipped

LABELS = "notes.csv"
COLUMNS = ("file", "start_s", "end_s", "note", "cents", "velocity", "confidence")
LEAST_CONFIDENCE = 0.5
SOFTEST, LOUDEST, ONLY = 20.0, 120.0, 100.0
SAME_LEVEL_DB = 3.0
"""Levels that differ by less are all one velocity: ranks would give names to nothing."""
REGISTER = 6
"""Semitones to either side within which a note counts as loud or soft: registers differ by themselves."""
LEAD_S = 0.005


@dataclass(frozen=True)
class FoundNote(Recording):
    """A note cut from a longer recording: seconds in `file`, cents off its key, confidence 0..1 (1 for a person's)."""

    file: Path = Path()
    start_s: float = 0.0
    end_s: float = 0.0
    cents: float = 0.0
    confidence: float = 1.0


def find_notes(paths: Sequence[Path], labels: Path | None = None) -> tuple[list[FoundNote], list[Skipped]]:
    """The notes of the files `paths`, or of the audio files in the folders among them, and what was left out.

    Pitch is rounded to the nearest key. Velocity is the rank of the note's attack (its first 0.2 s) in level, against
    the median of the notes within 6 semitones, among all notes found: the softest is 20, the loudest 120, and all are
    100 where they differ by less than 3 dB. `labels`, a notes.csv as `write_labels` writes it, replaces all of that.
    Raises RtwaveError when there is no note.
    """
    files, skipped = audio_files(paths)
    if labels is not None:
        notes, unusable = _from_labels(labels, files)
        skipped += unusable
    else:
        notes, unusable = _from_sound(files)
        skipped += unusable
    if not notes:
        why = f"; {len(skipped)} skipped, the first because: {skipped[0].reason}" if skipped else ""
        where = ", ".join(str(path) for path in paths) or "nothing"
        raise RtwaveError(f"{where}: no note found{why}; expected recordings of one note at a time, with a clear pitch")
    return notes, skipped


def write_labels(path: Path, notes: Sequence[FoundNote]) -> None:
    """Write what was found to a CSV that a person can check, correct and give back as `labels`."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            for note in notes:
                times = (f"{note.start_s:.4f}", f"{note.end_s:.4f}")
                measured = (f"{note.cents:+.0f}", f"{note.velocity:.0f}", f"{note.confidence:.2f}")
                rows.writerow((note.file.absolute(), *times, key_name(note.note), *measured))
    except OSError as error:
        raise RtwaveError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None


def _from_sound(files: list[Path]) -> tuple[list[FoundNote], list[Skipped]]:
    found: list[tuple[Path, Span]] = []
    skipped: list[Skipped] = []

    def listen(path: Path) -> tuple[list[Span], list[Gap]] | str:
        try:
            return find_spans(track(path), path)
        except RtwaveError as error:
            return str(error)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for path, result in zip(files, pool.map(listen, files), strict=True):
            if isinstance(result, str):
                skipped.append(Skipped(path, result))
                continue
            spans, gaps = result
            doubtful = [span for span in spans if span.confidence < LEAST_CONFIDENCE]
            gaps += [Gap(span.start_s, span.end_s, f"doubtful pitch ({span.confidence:.0%} sure)") for span in doubtful]
            found += [(path, span) for span in spans if span.confidence >= LEAST_CONFIDENCE]
            for gap in sorted(gaps, key=lambda gap: gap.start_s):
                skipped.append(Skipped(place(path, gap.start_s, gap.end_s), gap.reason))
            if not spans and not gaps:
                skipped.append(Skipped(path, "silent, or no note in it"))
    velocities = infer_velocities(np.array([s.pitch for _, s in found]), np.array([s.level_db for _, s in found]))
    notes = []
    for (path, span), velocity in zip(found, velocities, strict=True):
        key = float(np.clip(round(span.pitch), 0, 127))
        lead = 0.0 if span.legato else min(LEAD_S, span.start_s)
        note = _note(path, span.start_s - lead, span.end_s, key, float(velocity))
        notes.append(replace(note, cents=100.0 * (span.pitch - key), confidence=span.confidence))
    return notes, skipped


def infer_velocities(pitch: np.ndarray, level_db: np.ndarray) -> np.ndarray:
    """Velocities of notes from their levels, both float64 (notes,), as `find_notes` says; equal ones from equal."""
    register = np.abs(pitch[:, None] - pitch) <= REGISTER
    relative = np.array([level - np.median(level_db[near]) for level, near in zip(level_db, register, strict=True)])
    if len(relative) < 2 or np.ptp(np.percentile(relative, [5.0, 95.0])) < SAME_LEVEL_DB:
        return np.full(len(relative), ONLY)
    ordered = np.sort(relative)
    ranks = (np.searchsorted(ordered, relative, "left") + np.searchsorted(ordered, relative, "right") - 1) / 2.0
    return np.round(SOFTEST + (LOUDEST - SOFTEST) * ranks / (len(ranks) - 1))


def _from_labels(labels: Path, files: list[Path]) -> tuple[list[FoundNote], list[Skipped]]:
    """The rows of a notes.csv; a file that is not where it was is looked for by its name among `files`."""
    expected = f"expected columns {','.join(COLUMNS[:4])},velocity"
    try:
        with labels.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RtwaveError(f"{labels}: cannot be read as CSV ({error}); {expected}") from None
    by_name = {path.name: path for path in files}
    notes, skipped = [], []
    for line, row in enumerate(rows, start=2):
        try:
            path = labels.parent / row["file"]
            key = key_number(row["note"])
            start_s, end_s = float(row["start_s"]), float(row["end_s"])
            velocity = float(row.get("velocity") or ONLY)
        except (KeyError, TypeError, ValueError):
            raise RtwaveError(f"{labels}:{line}: {expected} as in 'a.wav,1.5,2.25,C#4,100', got {row}") from None
        path = path.absolute() if path.is_file() else by_name.get(path.name, path)
        if not (0 <= key <= 127 and 1 <= velocity <= 127 and 0 <= start_s < end_s < math.inf):
            skipped.append(Skipped(path, f"{labels.name} line {line}: note, velocity or times out of range"))
        elif not path.is_file():
            skipped.append(Skipped(path, f"{labels.name} line {line}: no such file"))
        else:
            notes.append(_note(path, start_s, end_s, key, velocity))
    return notes, skipped


def _note(path: Path, start_s: float, end_s: float, note: float, velocity: float) -> FoundNote:
    load = partial(read_part, path, start_s, end_s)
    name, source = f"{path.name} {clock(start_s)} {key_name(note)}", place(path, start_s, end_s)
    return FoundNote(name, source, note, velocity, load, file=path, start_s=start_s, end_s=end_s)
