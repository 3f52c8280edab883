"""From a folder of labelled recordings to a corpus: resampled, aligned at the onset, levels kept, phases read."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import soxr

from ..errors import RtwaveError
from ..wavenet.features import LOUDNESS_FLOOR_DB, note_frequency, partial_frequencies
from .corpus import FORMAT, CorpusIndex, Entry
from .partials import fit_pitch, track_phases
from .recordings import Recording, Skipped, find_recordings, read_samples

LOUDNESS_WINDOW_S = 0.02
ONSET_DB = -40.0
GROWTH = 4.0
FADE_IN_S = 0.001
SHORTEST_S = 0.3
PEAK = 0.9
FULL_SCALE, MOST_CLIPPED = 0.99, 0.001


@dataclass
class _Note:
    recording: Recording
    samples: np.ndarray
    cents: float
    stiffness: float


def find_onset(samples: np.ndarray, sample_rate: int) -> int:
    """The sample at which a note begins: where 2 ms of level first come within 40 dB of the loudest, less 2 ms.

    Recorded room noise may lie above that in soft notes, so the threshold never falls below 12 dB over the first
    5 ms, or over the first 2 ms where the level grows on and on from there: that is no noise but a slow attack.
    """
    window = max(1, int(0.002 * sample_rate))
    power = np.convolve(samples.astype(np.float64) ** 2, np.ones(window) / window)[: len(samples)]
    bounds = (window - 1, window, int(0.005 * sample_rate), int(0.01 * sample_rate))
    first, second, third = (power[low:high].mean() for low, high in pairwise(bounds))
    noise = first if second > GROWTH * first and third > GROWTH * second else second
    threshold = max(power.max() * 10.0 ** (ONSET_DB / 10.0), min(noise * 10.0**1.2, power.max() * 0.1))
    return max(0, int(np.argmax(power >= threshold)) - 2 * window)


def measure_loudness(samples: np.ndarray, sample_rate: int, control_period: int, f0: float) -> np.ndarray:
    """RMS dBFS centred on the start of every control period, float32 (periods,).

    Over 20 ms, or two periods of f0 (Hz) where that is longer, so that a bass note's own wave does not show.
    """
    half = int(max(LOUDNESS_WINDOW_S, 2.0 / f0) / 2 * sample_rate)
    total = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    centres = np.arange(0, len(samples), control_period)
    low, high = np.maximum(centres - half, 0), np.minimum(centres + half, len(samples))
    power = (total[high] - total[low]) / (high - low)
    return np.maximum(10.0 * np.log10(power + 1e-20), LOUDNESS_FLOOR_DB).astype(np.float32)


def _cut(recording: Recording, sample_rate: int, seconds: float) -> np.ndarray:
    """A recording from its onset on, with a short fade-in; raises RtwaveError with the reason to skip it."""
    samples, rate = read_samples(recording.path)
    _require_length(samples, rate)
    samples = samples[find_onset(samples, rate) :][: int(seconds * rate)]
    _require_length(samples, rate)
    if _clipped_share(samples) > MOST_CLIPPED:
        raise RtwaveError("clipped (flat at full scale); record it again at a lower level")
    samples = soxr.resample(samples, rate, sample_rate, quality="VHQ")
    fade = int(FADE_IN_S * sample_rate)
    samples[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)
    return samples


def _require_length(samples: np.ndarray, rate: int) -> None:
    if len(samples) < SHORTEST_S * rate:
        raise RtwaveError(f"too short ({len(samples) / rate:.2f} s from its onset on, expected {SHORTEST_S} s)")


def _clipped_share(samples: np.ndarray) -> float:
    """Share of samples that stand at full scale beside an equal neighbour."""
    level = np.abs(samples)
    return float(np.mean((level[1:] == level[:-1]) & (level[1:] >= FULL_SCALE)))


def choose_held_out(keys: list[float]) -> set[int]:
    """Which recordings to hold out, given the key of each: one in twenty, and one of four to twenty.

    They are taken evenly from the keys with several recordings or, where those are few, from all but what is alone
    at an edge of the keyboard: a key is judged between its neighbours, never beyond them.
    """
    count = len(keys) // 20 or int(len(keys) > 3)
    several = [index for index, key in enumerate(keys) if keys.count(key) > 1]
    inner = [index for index, key in enumerate(keys) if keys.count(key) > 1 or min(keys) < key < max(keys)]
    eligible = several if len(several) >= 2 * count else inner
    return {eligible[(2 * n + 1) * len(eligible) // (2 * count)] for n in range(count)}


def prepare(
    folder: Path,
    out: Path,
    *,
    sample_rate: int = 16_000,
    manifest: Path | None = None,
    seconds: float = 10.0,
    partials: int = 64,
    control_period: int = 32,
    undamped_from: int = 128,
    stiff: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CorpusIndex:
    """Write a corpus to `out` and return its index; what was skipped is in it, with the reason.

    One gain is applied to the whole corpus, never note by note: loudness is the velocity response. About one
    recording in twenty is held out of training. Raises RtwaveError when nothing usable was found.
    """
    recordings, skipped = find_recordings(folder, manifest)
    notes: list[_Note] = []
    for done, recording in enumerate(recordings):
        progress(done, 2 * len(recordings))
        try:
            samples = _cut(recording, sample_rate, seconds)
        except RtwaveError as error:
            skipped.append(Skipped(recording.path, str(error)))
            continue
        notes.append(_Note(recording, samples, *fit_pitch(samples, sample_rate, recording.note, partials, stiff)))
    if not notes:
        raise RtwaveError(f"{folder}: none of {len(recordings)} recordings can be used; first: {skipped[0].reason}")
    _agree_on_tuning(notes)
    gain = PEAK / max(float(np.abs(note.samples).max()) for note in notes)
    stride = 4 * control_period
    held_out = choose_held_out([note.recording.note for note in notes])
    entries, audio, loudness, phases = [], [], [], []
    position = [0, 0, 0]
    for index, note in enumerate(notes):
        progress(len(recordings) + index, 2 * len(recordings))
        samples = note.samples * np.float32(gain)
        f0 = float(note_frequency(note.recording.note, note.cents))
        frequencies = partial_frequencies(f0, note.stiffness, partials)
        audio.append(samples)
        loudness.append(measure_loudness(samples, sample_rate, control_period, f0))
        phases.append(track_phases(samples, sample_rate, frequencies, stride))
        entries.append(
            Entry(
                name=os.path.relpath(note.recording.path, folder),
                note=note.recording.note,
                velocity=note.recording.velocity,
                knobs=note.recording.knobs,
                held_out=index in held_out,
                cents=note.cents,
                stiffness=note.stiffness,
                audio_start=position[0],
                samples=len(samples),
                loudness_start=position[1],
                phases_start=position[2],
            )
        )
        position = [position[0] + len(samples), position[1] + len(loudness[-1]), position[2] + len(phases[-1])]
    index = CorpusIndex(
        format=FORMAT,
        sample_rate=sample_rate,
        control_period=control_period,
        phase_stride=stride,
        partials=partials,
        undamped_from=undamped_from,
        gain=gain,
        entries=entries,
        skipped=[(str(item.path), item.reason) for item in skipped],
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        np.save(out / "audio.npy", np.concatenate(audio))
        np.save(out / "loudness.npy", np.concatenate(loudness))
        np.save(out / "phases.npy", np.concatenate(phases))
        (out / "corpus.json").write_bytes(msgspec.json.format(msgspec.json.encode(index), indent=1))
    except OSError as error:
        raise RtwaveError(f"{out}: cannot write the corpus ({error}); choose another --out") from None
    return index


def _agree_on_tuning(notes: list[_Note]) -> None:
    """Give every recording of a key the median tuning and stiffness of that key."""
    for key in {note.recording.note for note in notes}:
        same = [note for note in notes if note.recording.note == key]
        cents = float(np.median([note.cents for note in same]))
        stiffness = float(np.median([note.stiffness for note in same]))
        for note in same:
            note.cents, note.stiffness = cents, stiffness
