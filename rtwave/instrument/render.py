"""`play` with a file for a sound card: the same engine, the same events, the same samples."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..errors import RtwaveError
from .performance import Performance
from .scores import Score, read_score
from .sequencer import DEFAULT_TAIL_S
from .settings import Settings

BLOCK_FRAMES = 1024
FADE_S = 0.1
"""Rendered after the last voice has ended: longer than any fade, and than the resampler's delay."""

SUBTYPES = {".wav": "FLOAT", ".flac": "PCM_24"}


def render_score(performance: Performance, score: Score, tail_s: float = DEFAULT_TAIL_S) -> Iterator[np.ndarray]:
    """Blocks of float32 samples (frames,) at the rack's rate, until the last note has rung out."""
    rack = performance.rack
    sequencer = performance.sequencer(score, tail_s)
    while not sequencer.finished:
        ahead = (sequencer.feed(2 * BLOCK_FRAMES / rack.sample_rate) - rack.seconds) * rack.sample_rate - BLOCK_FRAMES
        yield rack.render(int(min(max(ahead, 1), BLOCK_FRAMES)))
    yield rack.render(round(FADE_S * rack.sample_rate))


def render_midi(
    path: str | Path,
    preset: str | Path | None = None,
    out: str | Path | None = None,
    *,
    tail_s: float = DEFAULT_TAIL_S,
    threads: int = 1,
    device: str = "cpu",
    progress: Callable[[float], None] | None = None,
    **settings: object,
) -> np.ndarray:
    """Render a MIDI file; returns float32 samples (frames,) and writes them to `out` (.wav or .flac) where given.

    `settings` are fields of Settings: seed, temperature, channel … What is None comes from the file if it is a take of
    rtwave's, else from the preset. A take's changes of preset are played too, unless `preset` is given. `tail_s`
    seconds to ring out at most; `threads` and `device` as in Engine. `progress` is called with the seconds done. Raises
    RtwaveError with one line.
    """
    asked = Settings(preset=None if preset is None else str(preset), **settings)
    score = read_score(path).played_as(asked)
    if out is not None:
        check_audio_path(out)
    performance = Performance(score.settings, threads, device)
    rack = performance.rack
    blocks = []
    for block in render_score(performance, score, tail_s):
        blocks.append(block)
        if progress:
            progress(rack.seconds)
    samples = np.concatenate(blocks)
    if out is not None:
        write_audio(out, samples, rack.sample_rate)
    return samples


def check_audio_path(path: str | Path) -> None:
    """Raise RtwaveError unless `path` names a kind of file that can be written, in a folder that is there."""
    path = Path(path)
    if path.suffix.lower() not in SUBTYPES:
        raise RtwaveError(f"{path}: unknown kind of sound file, expected a name that ends in .wav or .flac")
    if not path.absolute().parent.is_dir():
        raise RtwaveError(f"{path}: there is no folder {path.absolute().parent}; make it first")


def write_audio(path: str | Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write mono samples: 32-bit float WAV, which is exact, or 24-bit FLAC."""
    import soundfile  # not needed to make a sound, and slow to import

    try:
        soundfile.write(path, samples, sample_rate, subtype=SUBTYPES[Path(path).suffix.lower()])
    except (OSError, RuntimeError) as error:
        raise RtwaveError(f"{path}: cannot be written ({error}); name another file") from None
