"""Parts of longer recordings: the files there are, and seconds a to b of one of them."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from ..errors import RtwaveError
from .recordings import SUFFIXES, require_rate
from .sources import Skipped

_PLACE = re.compile(r"(.*) at (\d+):(\d+\.\d+) to (\d+):(\d+\.\d+)", re.DOTALL)


def audio_files(paths: Sequence[Path]) -> tuple[list[Path], list[Skipped]]:
    """The files among `paths` and all in the folders among them, sorted; and what is no audio, with the reason.

    All are absolute, so that a person, or a corpus's report, finds them again.
    """
    files, skipped = [], []
    for path in (path.absolute() for path in paths):
        if path.is_dir():
            inside = sorted(item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
        elif path.is_file():
            inside = [path]
        else:
            raise RtwaveError(f"{path}: no such file or folder; name recordings, or a folder of them")
        for item in inside:
            if item.suffix.lower() in SUFFIXES:
                files.append(item)
            else:
                skipped.append(Skipped(item, f"not an audio file that is read here ({item.suffix or 'no suffix'})"))
    return files, skipped


def read_part(path: Path, start_s: float, end_s: float) -> tuple[np.ndarray, int]:
    """Seconds start_s to end_s of a file's first channel, float32 (T,), and its rate; RtwaveError with the reason."""
    try:
        with soundfile.SoundFile(path) as file:
            start, end = (min(max(round(time * file.samplerate), 0), file.frames) for time in (start_s, end_s))
            file.seek(start)
            samples = file.read(end - start, dtype="float32", always_2d=True)[:, 0].copy()
            rate = file.samplerate
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise RtwaveError(f"cannot be read as audio ({error})") from None
    require_rate(rate)
    if not np.isfinite(samples).all():
        raise RtwaveError("holds NaN or infinity")
    return samples, rate


def place(path: Path, start_s: float, end_s: float) -> str:
    """A part by words that a person can look up, and `find_place` reads: rain.wav at 0:30.00 to 1:00.00."""
    return f"{path} at {clock(start_s)} to {clock(end_s)}"


def find_place(text: str) -> tuple[str, float, float] | None:
    """(file, start, end in s) of what `place` wrote; None where it is none."""
    found = _PLACE.fullmatch(text)
    if not found:
        return None
    path, a, b, c, d = found.groups()
    return path, 60 * int(a) + float(b), 60 * int(c) + float(d)


def clock(seconds: float) -> str:
    """Minutes and seconds, as players show them: 1:02.50."""
    hundredths = round(100 * seconds)
    return f"{hundredths // 6000}:{hundredths % 6000 / 100:05.2f}"
