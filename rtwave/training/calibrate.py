"""At which temperature each key sounds as pure as its recordings: what export writes into the temperature table."""

from collections.abc import Callable, Iterable

import numpy as np

from ..engine import Engine
from ..wavenet.features import note_frequency, partial_frequencies
from ..wavenet.instrument import KEYS
from ..wavenet.weights import Weights
from .corpus import Corpus, Entry

PURITY_S = (0.3, 1.3)
TEMPERATURES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0)
SMOOTHED_KEYS = 5
VELOCITY = 80.0


def purity_db(sound: np.ndarray, sample_rate: int, frequencies: np.ndarray) -> float:
    """Harmonic-to-noise ratio: energy within a few Hz of the partials over the rest, 0.3 to 1.3 s after the onset."""
    part = sound[int(PURITY_S[0] * sample_rate) : int(PURITY_S[1] * sample_rate)]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    bins = np.arange(len(power)) * sample_rate / len(part)
    near = np.zeros(len(power), bool)
    for frequency in frequencies[frequencies < sample_rate / 2]:
        near |= np.abs(bins - frequency) <= min(frequencies[0] / 4.0, 4.0 + 0.003 * frequency)
    rest = power[~near & (bins > 20.0)].sum()
    return float(10.0 * np.log10(power[near].sum() / (rest + 1e-20) + 1e-20))


def recorded_partials(entry: Entry, count: int = 200) -> np.ndarray:
    """Frequencies (Hz) of a recording's partials."""
    return partial_frequencies(float(note_frequency(entry.note, np.full(KEYS, entry.cents))), entry.stiffness, count)


def calibrate_temperature(
    weights: Weights, corpus: Corpus, temperature: float, track: Callable[[Iterable], Iterable] = iter
) -> np.ndarray:
    """Factors (128,) float32 on `temperature` at which each key is as pure as its recordings nearest velocity 80.

    A network is surer of some keys than of others; at one temperature for all, some hiss while others lack breath.
    `track` may show progress over the keys.
    """
    keys = corpus.notes()
    best = []
    for key in track(keys):
        entry = min((e for e in corpus.index.entries if e.note == key), key=lambda e: abs(e.velocity - VELOCITY))
        recording = np.asarray(corpus.audio[entry.audio_start : entry.audio_start + entry.samples])
        partials = recorded_partials(entry)
        wanted = purity_db(recording, corpus.index.sample_rate, partials)
        sounds = (_render(weights, entry, each) for each in TEMPERATURES)
        reached = [purity_db(sound, corpus.index.sample_rate, partials) for sound in sounds]
        falling = np.minimum.accumulate(reached)[::-1]
        best.append(np.interp(wanted, falling, TEMPERATURES[::-1]))
    best = np.convolve(np.pad(best, SMOOTHED_KEYS // 2, "edge"), np.ones(SMOOTHED_KEYS) / SMOOTHED_KEYS, "valid")
    return (np.interp(np.arange(KEYS), keys, best) / temperature).astype(np.float32)


def _render(weights: Weights, entry: Entry, temperature: float) -> np.ndarray:
    engine = Engine(weights, voices=1)
    engine.control("temperature", temperature)
    engine.note_on(round(entry.note), round(entry.velocity), at=0)
    return engine.render(int(PURITY_S[1] * engine.sample_rate) + 1)
