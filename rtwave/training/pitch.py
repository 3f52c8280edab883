"""Level and pitch of a monophonic recording over time, read from the file block by block.

Pitch is YIN's (de Cheveigné and Kawahara 2002): the lag at which the sound repeats itself, from the cumulative mean
normalised difference of every frame. Its best lags per frame are candidates, and the cheapest path through them over
the whole recording decides (Mauch and Dixon's pYIN does so too), so that one doubtful frame does not jump an octave.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ..errors import RtwaveError
from .parts import read_part
from .recordings import require_rate

RATE = 24_000
"""Hz at which recordings are looked at."""
HOP_S = 0.01
FINE = 4
"""Levels in each hop of the pitch."""
LOWEST_HZ, HIGHEST_HZ = 26.0, 4400.0
HIGHEST_PITCH = 69.0 + 12.0 * np.log2(HIGHEST_HZ / 440.0)
WINDOW_S = 0.04
CANDIDATES = 6
LAGS_A_SAMPLE = 2
"""Lags are looked at in halves of samples: the highest notes repeat every 5.7."""
JUMP_COST, SEMITONE_COST, OCTAVE_COST = 0.1, 0.02, 0.12
VOICED_DOUBT = 0.45
CHANGE_S = 0.06
SILENT_DB = -90.0
DEEPEST_DB = -140.0

_BLOCK_S, _MARGIN_S, _FRAMES = 30, 1, 500
_HOP = int(HOP_S * RATE)
_WINDOW, _LONGEST = int(WINDOW_S * RATE), int(RATE / LOWEST_HZ) + 2


@dataclass(frozen=True)
class Track:
    """What a recording does over time: frame n of pitch and doubt is centred on n · 10 ms, of level on n · 2.5 ms.

    level_db float64 (fine,) dBFS of a full-scale square; pitch float64 (frames,) fractional MIDI, NaN where there is
    none; doubt float64 (frames,), 0 for a wave that repeats exactly, 1 for noise.
    """

    level_db: np.ndarray
    pitch: np.ndarray
    doubt: np.ndarray
    seconds: float


def track(path: Path) -> Track:
    """Level and pitch of a file's first channel; raises RtwaveError with the reason when it cannot be read."""
    tracked = _track(_blocks(path))
    if not len(tracked.pitch):
        raise RtwaveError("holds no sound (0 samples)")
    return tracked


def _track(blocks: Iterable[tuple[np.ndarray, int, float]]) -> Track:
    powers, pitches, doubts = [np.zeros(0)], [np.zeros((0, CANDIDATES))], [np.zeros((0, CANDIDATES))]
    seconds = 0.0
    for block, lead, seconds in blocks:  # noqa: B007  the last one's stays
        block = block - block.mean()
        padded = np.pad(block, (_LONGEST + _WINDOW, _LONGEST + 2 * _WINDOW))
        first = lead + _LONGEST + _WINDOW
        starts = np.arange(0, min(len(block) - lead, _BLOCK_S * RATE), _HOP) + first - _WINDOW // 2
        for low in range(0, len(starts), _FRAMES):
            pitch, doubt = _candidates(padded, starts[low : low + _FRAMES])
            pitches.append(pitch)
            doubts.append(doubt)
        step = _HOP // FINE
        fine = np.arange(len(starts) * FINE)[:, None] * step + np.arange(-step // 2, step // 2) + first
        powers.append((padded[fine] ** 2).mean(axis=1))
    level_db = 10.0 * np.log10(np.concatenate(powers) + 10.0 ** (DEEPEST_DB / 10.0))
    silent = level_db.reshape(-1, FINE).max(axis=1) < SILENT_DB
    return Track(level_db, *_cheapest_path(np.concatenate(pitches), np.concatenate(doubts), silent), seconds)


def _blocks(path: Path) -> Iterator[tuple[np.ndarray, int, float]]:
    """(samples float64 at RATE with a second more at both ends, length of that lead, seconds in the file)."""
    try:
        with soundfile.SoundFile(path) as file:
            require_rate(file.samplerate)
            for start in range(0, file.frames, _BLOCK_S * file.samplerate):
                lead = min(start, _MARGIN_S * file.samplerate)
                file.seek(start - lead)
                samples = file.read(lead + (_BLOCK_S + _MARGIN_S) * file.samplerate, dtype="float32", always_2d=True)
                samples = samples[:, 0].astype(np.float64)
                if not np.isfinite(samples).all():
                    raise RtwaveError("holds NaN or infinity")
                resampled = soxr.resample(samples, file.samplerate, RATE)
                yield resampled, lead * RATE // file.samplerate, file.frames / file.samplerate
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError) as error:
        raise RtwaveError(f"cannot be read as audio ({error})") from None


def _candidates(samples: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pitch, doubt), each float64 (frames, CANDIDATES), of the lags at which each frame best repeats itself."""
    length = _WINDOW + _LONGEST
    size = 2 ** int(np.ceil(np.log2(length)))
    frames = samples[starts[:, None] + np.arange(length)]
    spectrum = np.fft.rfft(frames[:, :_WINDOW], size).conj() * np.fft.rfft(frames, size)
    lags = np.arange(_LONGEST * LAGS_A_SAMPLE) / LAGS_A_SAMPLE
    product = np.fft.irfft(spectrum, size * LAGS_A_SAMPLE)[:, : len(lags)] * LAGS_A_SAMPLE
    total = np.concatenate([np.zeros((len(starts), 1)), np.cumsum(frames**2, axis=1)], axis=1)
    energy = total[:, _WINDOW : _WINDOW + _LONGEST] - total[:, :_LONGEST]
    energy = np.repeat(energy, LAGS_A_SAMPLE, axis=1)
    energy[:, 1:-1:2] = (energy[:, 0:-2:2] + energy[:, 2::2]) / 2.0
    difference = np.maximum(energy[:, :1] + energy - 2.0 * product, 0.0)
    normalised = difference * np.arange(1, len(lags) + 1) / (np.cumsum(difference, axis=1) + 1e-12)

    first = int(LAGS_A_SAMPLE * RATE / HIGHEST_HZ)
    middle = normalised[:, first:-1]
    before, after = normalised[:, first - 1 : -2], normalised[:, first + 1 :]
    curve = np.maximum(before - 2.0 * middle + after, 1e-12)
    shift = np.clip((before - after) / (2.0 * curve), -0.5, 0.5)
    depth = np.clip(middle - (before - after) ** 2 / (8.0 * curve), 0.0, 1.0)
    at = (np.arange(first, first + middle.shape[1]) + shift) / LAGS_A_SAMPLE
    doubt = np.where((middle < before) & (middle <= after), np.sqrt(depth), np.inf)
    cost = doubt + OCTAVE_COST * np.log2(at * HIGHEST_HZ / RATE)
    best = np.argpartition(cost, CANDIDATES, axis=1)[:, :CANDIDATES]
    pitch = 69.0 + 12.0 * np.log2(RATE / np.take_along_axis(at, best, 1) / 440.0)
    return pitch, np.take_along_axis(doubt, best, 1)


def _cheapest_path(pitch: np.ndarray, doubt: np.ndarray, silent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pitch with NaN where there is none, doubt) float64 (frames,) along the cheapest path through the candidates."""
    frames = len(pitch)
    if not frames:
        return np.zeros(0), np.zeros(0)
    nothing = silent | ~np.isfinite(doubt).any(axis=1)
    doubt = np.where(nothing[:, None], 1.0, doubt)
    cost = doubt + OCTAVE_COST / 12.0 * (HIGHEST_PITCH - pitch)
    origins = np.zeros(cost.shape, np.int64)
    states = np.arange(CANDIDATES)
    reached = cost[0]
    for n in range(1, frames):
        apart = np.abs(pitch[n - 1][:, None] - pitch[n])
        ways = reached[:, None] + SEMITONE_COST * np.minimum(apart, 12.0) + JUMP_COST * (apart > 0.8)
        origins[n] = ways.argmin(axis=0)
        reached = ways[origins[n], states] + cost[n]
    path = np.empty(frames, np.int64)
    path[-1] = reached.argmin()
    for n in range(frames - 1, 0, -1):
        path[n - 1] = origins[n, path[n]]
    rows = np.arange(frames)
    doubt = np.minimum(doubt[rows, path], 1.0)
    return np.where(doubt < VOICED_DOUBT, pitch[rows, path], np.nan), doubt


def find_change(path: Path, at_s: float, before: float, after: float) -> float:
    """Where, within 60 ms of at_s, a wave of pitch `before` becomes one of pitch `after` (fractional MIDI), in s.

    Up to there each sample should repeat the old note's last period, from there on announce the new note's next one.
    """
    lags = [1.0 / (440.0 * 2.0 ** ((pitch - 69.0) / 12.0)) for pitch in (before, after)]
    reach = CHANGE_S + max(lags)
    samples, rate = read_part(path, at_s - reach, at_s + reach)
    samples, start = samples.astype(np.float64), max(0, round((at_s - reach) * rate))
    at = np.arange(len(samples), dtype=np.float64)
    old = (samples - np.interp(at - lags[0] * rate, at, samples)) ** 2
    new = (samples - np.interp(at + lags[1] * rate, at, samples)) ** 2
    cost = np.cumsum(old - new)
    low, high = (int((at_s + side * CHANGE_S) * rate) - start for side in (-1, 1))
    low, high = max(low, 0), min(high, len(cost))
    return at_s if high <= low else (start + low + 1 + int(cost[low:high].argmin())) / rate
