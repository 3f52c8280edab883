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


def judge_texture(player: Player, corpus: Corpus) -> Texture:
    """Play one endless note for a minute, and six short ones at other temperatures."""
    rate = corpus.index.sample_rate
    temperatures = in_parallel(
        lambda temperature: player.note(KEY, VELOCITY, WARMED_S + TEMPERED_S, temperature=temperature), TEMPERATURES
    )
    by_temperature = {
        f"{temperature:g}": round(sounding.level_db(sound[int(WARMED_S * rate) :]), 2)
        for temperature, sound in zip(TEMPERATURES, temperatures, strict=True)
    }
    sound = player.note(KEY, VELOCITY, PLAYED_S)
    entries = corpus.index.entries
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(len(entries), RECORDED_PIECES)).round().astype(int))
    pieces = [corpus.sound(entries[index]) for index in chosen]
    levels, its = _levels_db(sound, rate), np.concatenate([_levels_db(piece, rate) for piece in pieces])
    quarter = max(1, len(levels) // 4)
    ours = spectrum_db([sound], rate)
    return Texture(
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
