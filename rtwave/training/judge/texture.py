"""A texture has no notes: does it keep its level and its colour for a minute, and does temperature move it?"""

import numpy as np

from ..corpus import Corpus
from . import sounding
from .figures import Texture
from .player import Player, in_parallel
from .stft_distance import mel_magnitudes

KEY, VELOCITY = 60, 100.0
PLAYED_S = 60.0
TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
WARMED_S, TEMPERED_S = 2.0, 6.0
WINDOW_S = 0.128
RECORDED_PIECES = 40


def judge_textures(player: Player, corpus: Corpus) -> list[Texture]:
    """Play each timbre as one endless note for a minute, and as six short ones at other temperatures."""
    return [_judge(player, corpus, timbre) for timbre in sorted({entry.timbre for entry in corpus.index.entries})]


def _judge(player: Player, corpus: Corpus, timbre: float) -> Texture:
    """One timbre beside the recordings of it that training heard: long-term means need more than what is held out."""
    rate = corpus.index.sample_rate

    def play(seconds: float, temperature: float | None) -> np.ndarray:
        controls = {} if temperature is None else {"temperature": temperature}
        return player.note(KEY, VELOCITY, seconds, timbre=timbre, **controls)

    asked = [(PLAYED_S, None), *((WARMED_S + TEMPERED_S, temperature) for temperature in TEMPERATURES)]
    sound, *tempered = in_parallel(lambda each: play(*each), asked)
    by_temperature = {
        f"{temperature:g}": round(sounding.level_db(each[int(WARMED_S * rate) :]), 2)
        for temperature, each in zip(TEMPERATURES, tempered, strict=True)
    }
    same = [entry for entry in corpus.index.entries if entry.timbre == timbre]
    learned = [entry for entry in same if not entry.held_out] or same
    chosen = np.unique(np.linspace(0, len(learned) - 1, min(len(learned), RECORDED_PIECES)).round().astype(int))
    pieces = [corpus.sound(learned[index]) for index in chosen]
    levels, its = _levels_db(sound, rate), np.concatenate([_levels_db(piece, rate) for piece in pieces])
    quarter = max(1, len(levels) // 4)
    ours = spectrum_db([sound], rate)
    return Texture(
        timbre=timbre,
        spectrum_db=round(float(np.abs(ours - spectrum_db(pieces, rate)).mean()), 3),
        level_db=levels.round(2).tolist(),
        recorded_level_db=round(float(np.median(its)), 2),
        drift_db=round(float(levels[-quarter:].mean() - levels[:quarter].mean()), 3),
        swing_db=round(float(levels.std()), 3),
        recorded_swing_db=round(float(its.std()), 3),
        level_by_temperature=by_temperature,
    )


def spectrum_db(pieces: list[np.ndarray], sample_rate: int) -> np.ndarray:
    """Long-term spectrum in mel bands, dB, float64 (MEL_BINS,), its mean 0."""
    size = round(WINDOW_S * sample_rate)
    power = np.mean([np.mean(mel_magnitudes(p, sample_rate, size, size // 2) ** 2, axis=1) for p in pieces], axis=0)
    decibels = 10.0 * np.log10(power)
    return decibels - decibels.mean()


def _levels_db(sound: np.ndarray, rate: int) -> np.ndarray:
    """Level of every whole second, or of all that is shorter."""
    seconds = max(1, len(sound) // rate)
    return np.array([sounding.level_db(each) for each in np.array_split(sound[: seconds * rate], seconds)])
