"""Corpora of any kind whose levels are known: noise, or tones, under envelopes that a test draws."""

from pathlib import Path

import numpy as np

from rtwave.training.corpus import FORMAT, Corpus, CorpusIndex, Entry
from rtwave.training.shards import CorpusWriter

RATE, PERIOD, STRIDE, PARTIALS = 16_000, 32, 128, 3


def recording(note: float, velocity: float, level_db: np.ndarray, **fields: object) -> dict:
    """A recording at `level_db` (periods,) dBFS; `fields` are those of Entry."""
    return {"note": note, "velocity": velocity, "level_db": np.float32(level_db)} | fields


def level(start_db: float, seconds: float, slope_db: float = 0.0) -> np.ndarray:
    """That begins at `start_db` and changes by `slope_db` a second."""
    return start_db + slope_db * np.arange(int(seconds * RATE / PERIOD)) * PERIOD / RATE


def made_corpus(folder: Path, recordings: list[dict], kind: str = "notes", **fields: object) -> Corpus:
    """Write and open a corpus of them; `fields` are those of CorpusIndex. Phases are the place of the recording.

    Its partials are at −40 dB, or as the recording's `partials_db` (frames, partials) has it.
    """
    generator = np.random.default_rng(0)
    partials = PARTIALS if kind == "notes" else 0
    levels = [each["level_db"] for each in recordings]
    entries = []
    with CorpusWriter(folder) as writer:
        places = []
        for level_db in levels:
            noise = generator.standard_normal(len(level_db) * PERIOD).astype(np.float32)
            places.append(writer.add_sound(np.repeat(10.0 ** (level_db / 20.0), PERIOD) * noise))
        list(writer.sounds((*place, 1) for place in places))
        for number, (each, (shard, start)) in enumerate(zip(recordings, places, strict=True)):
            samples = len(each["level_db"]) * PERIOD
            phases = np.full((-(-samples // STRIDE), partials), 0.1 * number, np.float32)
            partials_db = each.get("partials_db", np.full_like(phases, -40.0))
            loudness_start, phases_start = writer.add_readings(shard, each["level_db"], phases, partials_db)
            given = {"knobs": (0.0,) * 4, "held_out": False, "cents": 0.0, "stiffness": 0.0} | each
            del given["level_db"]
            given.pop("partials_db", None)
            entries.append(
                Entry(
                    name=f"{number}.wav",
                    samples=samples,
                    shard=shard,
                    audio_start=start,
                    loudness_start=loudness_start,
                    phases_start=phases_start,
                    **given,
                )
            )
        index = {"format": FORMAT, "kind": kind, "sample_rate": RATE, "control_period": PERIOD} | fields
        index = {"phase_stride": STRIDE, "partials": partials, "undamped_from": 128, "gain": 1.0} | index
        writer.finish(CorpusIndex(entries=entries, skipped=[], **index))
    return Corpus(folder)
