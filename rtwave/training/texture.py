"""Raw audio without notes, such as rain, machines or speech: cut into pieces, everything kept.

The last tenth of each file is held out, in pieces of its own: no segment of another piece ever reaches into it.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from ..errors import RtwaveError
from .parts import audio_files, clock, place, read_part
from .recordings import SILENT_PEAK
from .sources import MOST_TIMBRES, Recording, Skipped

PIECE_S, SHORTEST_S = 30.0, 1.0
HELD_OUT_SHARE, SHORTEST_HELD_OUT_S = 0.1, 1.0
NOTE, VELOCITY = 60.0, 100.0


def find_pieces(paths: Sequence[Path]) -> tuple[list[Recording], list[Skipped]]:
    """Pieces of at most 30 s of all audio in `paths`, each path a timbre: a file, or all that is in a folder.

    A file of 10 s or more has its last tenth held out; both parts are cut evenly. Pieces hold note 60 and velocity
    100. Raises RtwaveError when there are more than 16 paths, or nothing to hear.
    """
    if len(paths) > MOST_TIMBRES:
        raise RtwaveError(
            f"{len(paths)} files and folders, expected {MOST_TIMBRES} at most; put those alike in a folder"
        )
    pieces: list[Recording] = []
    skipped: list[Skipped] = []
    for timbre, path in enumerate(paths):
        files, unusable = audio_files([path])
        skipped += unusable
        before = len(pieces)
        for file in files:
            try:
                pieces += _cut(file, float(timbre))
            except RtwaveError as error:
                skipped.append(Skipped(file, str(error)))
        if len(pieces) == before:
            why = f"; the last skipped because: {skipped[-1].reason}" if skipped else ""
            raise RtwaveError(f"{path}: no audio in it that can be used{why}")
    return pieces, skipped


def timbre_names(paths: Sequence[Path]) -> list[str]:
    """What the timbres of `find_pieces` are called: the folders, and the files without their suffix."""
    return [path.resolve().name if path.is_dir() else path.stem for path in paths]


def _cut(path: Path, timbre: float) -> list[Recording]:
    try:
        seconds = soundfile.info(path).duration
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise RtwaveError(f"cannot be read as audio ({error})") from None
    if seconds < SHORTEST_S:
        raise RtwaveError(f"too short ({seconds:.2f} s, expected {SHORTEST_S:g} s)")
    held_out_s = HELD_OUT_SHARE * seconds
    learned_s = seconds - held_out_s if held_out_s >= SHORTEST_HELD_OUT_S else seconds
    return [
        Recording(
            name=f"{path.parent.name}/{path.name} {clock(start)}",
            source=place(path, start, end),
            note=NOTE,
            velocity=VELOCITY,
            load=partial(_load, path, float(start), float(end)),
            timbre=timbre,
            held_out=held_out,
        )
        for low, high, held_out in ((0.0, learned_s, False), (learned_s, seconds, True))
        for start, end in pairwise(np.linspace(low, high, math.ceil((high - low) / PIECE_S) + 1))
    ]


def _load(path: Path, start_s: float, end_s: float) -> tuple[np.ndarray, int]:
    samples, rate = read_part(path, start_s, end_s)
    if np.abs(samples).max(initial=0.0) < SILENT_PEAK:
        raise RtwaveError("silent (peak below -80 dBFS)")
    return samples, rate
