"""How pure a tone is: its partials against all else."""

import numpy as np

from ..wavenet.features import note_frequency, partial_frequencies
from .corpus import Entry

PURITY_S = (0.3, 1.3)
SHORTEST_S = 0.7
"""Of shorter sounds, purity says nothing."""


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
