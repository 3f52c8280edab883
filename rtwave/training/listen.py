"""Notes rendered by the engine from weights in training, and judged: teacher-forced loss does not predict sound."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ..wavenet.weights import Weights
from .checkpoint import write_whole
from .choices import usual_temperature
from .corpus import Corpus, Entry
from .judge.player import Player
from .judge.sounding import level_db
from .partials import fit_pitch
from .purity import SHORTEST_S, purity_db, recorded_partials

PLACES = {"low": 1 / 6, "middle": 1 / 2, "high": 5 / 6}
"""Where on the recorded keyboard the three keys lie."""
VELOCITY = 90.0
HELD_S, LEVEL_S = 1.5, (0.05, 1.0)
FLOOR_S = 0.2
"""The end of what rings on after the release, where only noise should be left."""
RELEASES, SHORTEST_RINGING_S, LONGEST_RINGING_S = 8.0, 0.7, 4.0
SILENCE_DB = -120.0
MOST_PARTIALS = 24
"""That pitch is read from."""
BANDS, LOWEST_BAND_HZ = 24, 60.0


@dataclass(frozen=True)
class Heard:
    """One note, float32 `sound` at the network's rate, and what was measured of it; None where there is nothing to be.

    `level_db` against the recording; `cents` off the instrument's own tuning; `purity_db` harmonics to noise, of the
    recording `recorded_purity_db`; `floor_db` RMS dBFS long after the release; `spectrum_db` mean distance of its
    spectrum from the recording's, for sounds without pitch.
    """

    place: str
    key: int
    sound: np.ndarray
    level_db: float
    cents: float | None = None
    purity_db: float | None = None
    recorded_purity_db: float | None = None
    floor_db: float | None = None
    spectrum_db: float | None = None


class Listener:
    """Plays a low, a middle and a high recorded note as the network has them now, beside the recordings."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.pitched = corpus.index.kind == "notes"
        self.chosen = self._choose()

    def _choose(self) -> dict[str, Entry]:
        """The recordings to play, of different timbres where there are several; the same key is not played twice."""
        entries = self.corpus.index.entries
        timbres = sorted({entry.timbre for entry in entries}) if self.pitched else [None]
        chosen: dict[str, Entry] = {}
        for number, (place, share) in enumerate(PLACES.items()):
            timbre = timbres[number * (len(timbres) - 1) // (len(PLACES) - 1)]
            same = [entry for entry in entries if timbre is None or entry.timbre == timbre]
            keys = sorted({entry.note for entry in same})
            key = keys[int(share * len(keys))]
            at_key = [entry for entry in same if entry.note == key]
            entry = min(at_key, key=lambda entry: (-min(entry.samples, 2**14), abs(entry.velocity - VELOCITY)))
            if entry not in chosen.values():
                chosen[place] = entry
        return chosen

    def hear(self, weights: Weights) -> list[Heard]:
        """Render the notes and judge them."""
        return [self._judge(weights, place, entry) for place, entry in self.chosen.items()]

    def _judge(self, weights: Weights, place: str, entry: Entry) -> Heard:
        rate, key = weights.config.sample_rate, round(entry.note)
        release_s = float(weights.instrument.release_s[..., key].max())
        ringing_s = float(np.clip(RELEASES * release_s + FLOOR_S, SHORTEST_RINGING_S, LONGEST_RINGING_S))
        player = Player(weights, temperature=usual_temperature(weights.config))
        sound = player.note(key, entry.velocity, HELD_S + ringing_s, HELD_S, entry.timbre)
        recording = self.corpus.sound(entry)
        length = min(len(recording), int(HELD_S * rate))
        held, recording = sound[:length], recording[:length]
        span = slice(int(min(LEVEL_S[0] * rate, length / 4)), int(LEVEL_S[1] * rate))
        return Heard(
            place=place,
            key=key,
            sound=sound,
            level_db=level_db(held[span]) - level_db(recording[span]),
            floor_db=max(SILENCE_DB, level_db(sound[-int(FLOOR_S * rate) :])) if release_s else None,
            **(
                _pitch(player, entry, held, recording, rate)
                if weights.config.excitation_channels
                else {"spectrum_db": spectrum_distance_db(held, recording, rate)}
            ),
        )


def write_note(sound: np.ndarray, sample_rate: int, key: int, folder: Path, step: int) -> Path:
    """Write a note as a float WAV whole, or not at all with RtwaveError; returns its path."""
    path = folder / f"step{step:07d}_key{key}.wav"
    written = io.BytesIO()
    soundfile.write(written, sound, sample_rate, format="WAV", subtype="FLOAT")
    write_whole(path, written.getvalue())
    return path


def columns(heard: tuple[Heard, ...]) -> dict[str, float | None]:
    """What was measured, by names that log.csv and the curves share: cents_low, level_db_low, …"""
    measures = ("cents", "level_db", "purity_db", "floor_db", "spectrum_db")
    found = {f"{name}_{note.place}": getattr(note, name) for note in heard for name in measures}
    return {name: None if value is None else round(value, 2) for name, value in found.items()}


def spectrum_distance_db(sound: np.ndarray, recording: np.ndarray, sample_rate: int) -> float:
    """Mean difference (dB) of the levels of two sounds in 24 bands from 60 Hz to the top, levels made equal first."""
    edges = np.geomspace(LOWEST_BAND_HZ, sample_rate / 2, BANDS + 1)
    bands = np.searchsorted(edges, np.fft.rfftfreq(len(sound), 1.0 / sample_rate)) - 1
    inside = (bands >= 0) & (bands < BANDS)

    def levels_db(samples: np.ndarray) -> np.ndarray:
        power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
        sums = np.bincount(bands[inside], power[inside], BANDS)
        return 10.0 * np.log10(sums / (sums.sum() + 1e-20) + 1e-8)

    return float(np.abs(levels_db(sound) - levels_db(recording)).mean())


def _pitch(player: Player, entry: Entry, held: np.ndarray, recording: np.ndarray, rate: int) -> dict[str, float | None]:
    """Pitch and purity of a held note; no pitch is claimed of what is mostly noise."""
    if len(held) < SHORTEST_S * rate:
        return {}
    key = round(entry.note)
    cents, stiffness = player.tuning(key, entry.timbre)
    purity = purity_db(held, rate, player.partials(key, entry.timbre))
    off, _ = fit_pitch(held, rate, key + cents / 100.0, MOST_PARTIALS, stiff=stiffness > 0.0)
    return {
        "cents": off if purity > 0.0 else None,
        "purity_db": purity,
        "recorded_purity_db": purity_db(recording, rate, recorded_partials(entry)),
    }
