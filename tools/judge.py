"""Judge a preset note by note against the recordings it learned from: pitch, purity, level, decay, release.

    python tools/judge.py --preset piano --corpus corpora/piano

Keys between recorded ones are judged by the nearest recording, resampled. Prints a table and the shares that pass.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from itertools import pairwise

import librosa
import numpy as np

from rtwave import Engine, load_preset
from rtwave.training.calibrate import purity_db, recorded_partials
from rtwave.training.corpus import Corpus, Entry
from rtwave.training.dataset import resample_at
from rtwave.wavenet.features import note_frequency, partial_frequencies

HELD_S, AFTER_S = 3.0, 1.3
HIGHEST_YIN_KEY = 95
FULL_SCALE = 0.999


@dataclass
class Verdict:
    """One note: errors against its recording, in the units of their names."""

    key: int
    velocity: int
    pitch_cents: float
    hnr_db: float
    recorded_hnr_db: float
    level_db: float
    level_error_db: float
    late_level_error_db: float
    released_dbfs: float
    longest_full_scale_ms: float


def level_db(sound: np.ndarray) -> float:
    return float(10.0 * np.log10(np.mean(sound.astype(np.float64) ** 2) + 1e-12))


def pitch_hz(sound: np.ndarray, rate: int, key: int, near_hz: float) -> float:
    """Yin's median over 0.1 to 0.8 s, or above B6 the strongest FFT peak within a semitone of `near_hz`."""
    steady = sound[int(0.1 * rate) : int(0.8 * rate)]
    if key <= HIGHEST_YIN_KEY:
        low, high = near_hz * 2.0 ** (-2 / 12), min(near_hz * 2.0 ** (2 / 12), 0.45 * rate)
        return float(np.median(librosa.yin(steady, fmin=low, fmax=high, sr=rate, frame_length=2048)))
    size = 1 << 18
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)), size))
    bins = np.arange(len(spectrum)) * rate / size
    return float(bins[np.argmax(spectrum * (np.abs(np.log2(np.maximum(bins, 1.0) / near_hz)) < 1 / 12))])


def recorded_note(corpus: Corpus, key: int, velocity: int) -> tuple[Entry, np.ndarray]:
    """The recording nearest in key, then in velocity, resampled to the key."""
    entry = min(corpus.index.entries, key=lambda e: (abs(e.note - key), abs(e.velocity - velocity)))
    ratio = 2.0 ** ((key - entry.note) / 12.0)
    return entry, resample_at(corpus.sound(entry), np.arange(int(entry.samples / ratio)) * ratio)


def longest_run(flags: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int(max(edges[1::2] - edges[::2], default=0))


def judge_note(engine_factory, corpus: Corpus, key: int, velocity: int) -> Verdict:
    """Render one note and hold it against its recording."""
    engine = engine_factory()
    rate = engine.sample_rate
    engine.note_on(key, velocity, at=0)
    engine.note_off(key, at=int(HELD_S * rate))
    sound = engine.render(int((HELD_S + AFTER_S) * rate))
    entry, recording = recorded_note(corpus, key, velocity)
    ratio = 2.0 ** ((key - entry.note) / 12.0)
    theirs_partials = recorded_partials(entry) * ratio
    tables = corpus.tables
    f0 = float(note_frequency(key, tables.cents))
    ours_partials = partial_frequencies(f0, float(tables.stiffness[key]), len(theirs_partials))
    ours, theirs = (pitch_hz(part, rate, key, theirs_partials[0]) for part in (sound, recording))
    early, late = slice(int(0.05 * rate), int(0.5 * rate)), slice(int(1.9 * rate), int(2.1 * rate))
    return Verdict(
        key=key,
        velocity=velocity,
        pitch_cents=1200.0 * float(np.log2(ours / theirs)),
        hnr_db=purity_db(sound, rate, ours_partials),
        recorded_hnr_db=purity_db(recording, rate, theirs_partials),
        level_db=level_db(sound[early]),
        level_error_db=level_db(sound[early]) - level_db(recording[early]),
        late_level_error_db=level_db(sound[late]) - level_db(recording[late]),
        released_dbfs=level_db(sound[int((HELD_S + 1.0) * rate) : int((HELD_S + 1.2) * rate)]),
        longest_full_scale_ms=1000.0 * longest_run(np.abs(sound) > FULL_SCALE) / rate,
    )


def shares(verdicts: list[Verdict], velocities: list[int]) -> dict[str, float]:
    """Percent of notes (or of adjacent velocity pairs) within each bound."""
    by_note = {(v.key, v.velocity): v.level_db for v in verdicts}
    keys = sorted({v.key for v in verdicts})
    pairs = [by_note[key, loud] > by_note[key, soft] for key in keys for soft, loud in pairwise(velocities)]

    def percent(flags: list[bool]) -> float:
        return round(100.0 * float(np.mean(flags)), 1)

    return {
        "pitch within 10 cents": percent([abs(v.pitch_cents) <= 10 for v in verdicts]),
        "HNR within 6 dB": percent([abs(v.hnr_db - v.recorded_hnr_db) <= 6 for v in verdicts]),
        "HNR at least the recording's less 6 dB": percent([v.hnr_db >= v.recorded_hnr_db - 6 for v in verdicts]),
        "level rises with velocity": percent(pairs) if pairs else float("nan"),
        "level after 2 s within 6 dB": percent([abs(v.late_level_error_db) <= 6 for v in verdicts]),
        "1 s after release below -55 dBFS": percent([v.released_dbfs < -55 for v in verdicts]),
        "no full-scale run over 20 ms": percent([v.longest_full_scale_ms <= 20 for v in verdicts]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="piano")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--keys", default="28-100", help="first-last")
    parser.add_argument("--step", type=int, default=1, help="judge every n-th key")
    parser.add_argument("--velocities", default="40,80,110")
    parser.add_argument("--temperature", type=float, help="the preset's own by default")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    preset, corpus = load_preset(arguments.preset), Corpus(arguments.corpus)
    corpus.tables = preset.weights.instrument

    def engine_factory() -> Engine:
        engine = Engine(preset, voices=1)
        engine.control("gain_db", 0.0)  # the recordings' own level
        if arguments.temperature is not None:
            engine.control("temperature", arguments.temperature)
        return engine

    first, last = (int(word) for word in arguments.keys.split("-"))
    velocities = [int(word) for word in arguments.velocities.split(",")]
    verdicts = []
    for key in range(first, last + 1, arguments.step):
        for velocity in velocities:
            verdicts.append(judge_note(engine_factory, corpus, key, velocity))
            if not arguments.json:
                print("  ".join(f"{value:7.1f}" for value in asdict(verdicts[-1]).values()), flush=True)
    result = shares(verdicts, velocities)
    if arguments.json:
        print(json.dumps({"notes": [asdict(v) for v in verdicts], "shares_percent": result}))
    else:
        print("  ".join(asdict(verdicts[0])))
        for name, share in result.items():
            print(f"{share:6.1f} %  {name}")


if __name__ == "__main__":
    main()
