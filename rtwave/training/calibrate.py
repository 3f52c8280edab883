"""What export measures on the corpus: each key's temperature, by its purity, and the ranges that int8 is made of."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..engine import Engine
from ..wavenet.features import note_frequency, partial_frequencies
from ..wavenet.instrument import KEYS
from ..wavenet.precision import activation_ranges
from ..wavenet.weights import Weights
from .corpus import Corpus, Entry
from .dataset import Dataset

PURITY_S = (0.3, 1.3)
SHORTEST_S = 0.7
TEMPERATURES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0)
VELOCITIES = (40.0, 80.0, 110.0)
FINE = np.linspace(0.0, 1.0, 201)
RANGED_RECORDINGS = 96
"""All 441 of the piano show ranges that are at most a seventh larger."""


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
    return partial_frequencies(float(note_frequency(entry.note, entry.cents)), entry.stiffness, count)


def calibrate_temperature(
    weights: Weights,
    corpus: Corpus,
    temperature: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """What to add to `temperature` (128,), float32, so that each key is as pure as its recordings, soft to loud.

    A network is surer of some keys than of others; at one temperature for all, some hiss while others lack breath.
    0 for a key whose recordings all end within 0.7 s, and for all keys of a network without excitation: of those
    purity says nothing. The sum lies within 0..1.
    """
    unset = replace(weights.instrument, temperature=np.zeros(KEYS, np.float32))
    weights = Weights(weights.config, weights.tensors, unset)
    keys = corpus.notes()
    best = dict.fromkeys(keys, temperature)
    for done, key in enumerate(keys if weights.config.excitation_channels else ()):
        progress(done, len(keys))
        shortest = SHORTEST_S * corpus.index.sample_rate
        long = [entry for entry in corpus.index.entries if entry.note == key and entry.samples >= shortest]
        if long:
            levels = np.array([entry.velocity for entry in long])
            chosen = {int(np.abs(levels - velocity).argmin()) for velocity in VELOCITIES}
            misses = [_miss_db(weights, corpus, long[index]) for index in chosen]
            best[key] = FINE[np.max(misses, axis=0).argmin()]
    played_at = np.interp(np.arange(KEYS), keys, [best[key] for key in keys])
    return (np.clip(played_at, 0.0, 1.0) - temperature).astype(np.float32)


def _miss_db(weights: Weights, corpus: Corpus, entry: Entry) -> np.ndarray:
    """How far (dB) a note is from as pure as its recording, at every temperature of FINE."""
    rate = corpus.index.sample_rate
    recording = np.asarray(corpus.sound(entry))
    partials = recorded_partials(entry)
    sounds = (_render(weights, entry, each)[: entry.samples] for each in TEMPERATURES)
    reached = np.interp(FINE, TEMPERATURES, [purity_db(sound, rate, partials) for sound in sounds])
    return np.abs(reached - purity_db(recording, rate, partials))


def _render(weights: Weights, entry: Entry, temperature: float) -> np.ndarray:
    engine = Engine(weights, voices=1)
    engine.control("temperature", temperature)
    engine.note_on(round(entry.note), round(entry.velocity), at=0)
    return engine.render(int(PURITY_S[1] * engine.sample_rate) + 1)


def calibrate_ranges(
    weights: Weights, corpus: Corpus, progress: Callable[[int, int], None] = lambda done, total: None
) -> np.ndarray:
    """Largest size of each activation, float32 (layers + 2,), over recordings of all keys and velocities.

    They are not the held-out ones; each is heard from before its onset on and let go half-way.
    """
    dataset, period = Dataset.standard(corpus, weights.config), weights.config.control_period
    release = (dataset.length - dataset.context) // 2 // period * period
    sorted_entries = sorted(dataset.train, key=lambda entry: (entry.note, entry.velocity))
    chosen = np.linspace(0, len(sorted_entries) - 1, RANGED_RECORDINGS).round().astype(int)
    found = []
    for done, index in enumerate(np.unique(chosen)):
        progress(done, len(chosen))
        inputs, _, features, partials, _ = dataset.segment(
            sorted_entries[index], -dataset.context, 0.0, release, 0.0, np.random.default_rng(0)
        )
        excitation = partials.T if weights.config.excitation_channels else None
        found.append(activation_ranges(weights, inputs, np.repeat(features, period, axis=0).T, excitation))
    return np.max(found, axis=0)
