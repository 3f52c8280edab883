"""What int8 is made of, measured on the corpus: the range of every activation."""

from collections.abc import Callable

import numpy as np

from ..wavenet.precision import activation_ranges
from ..wavenet.weights import Weights
from .corpus import Corpus
from .dataset import Dataset
from .segments import Cut

RANGED_RECORDINGS = 96
"""All 441 of the piano show ranges that are at most a seventh larger."""


def calibrate_ranges(
    weights: Weights, corpus: Corpus, progress: Callable[[int, int], None] = lambda done, total: None
) -> np.ndarray:
    """Largest size of each activation, float32 (layers + 2,), over recordings of all timbres, keys and velocities.

    They are not the held-out ones; each is heard from before its onset on and let go half-way.
    """
    dataset, period = Dataset.standard(corpus, weights.config), weights.config.control_period
    release = (dataset.length - dataset.context) // 2 // period * period
    sorted_entries = sorted(dataset.train, key=lambda entry: (entry.timbre, entry.note, entry.velocity))
    chosen = np.linspace(0, len(sorted_entries) - 1, RANGED_RECORDINGS).round().astype(int)
    found = []
    for done, index in enumerate(np.unique(chosen)):
        progress(done, len(chosen))
        cut = Cut(sorted_entries[index], -dataset.context, release=release)
        heard = dataset.segment(cut, np.random.default_rng(0))
        excitation = None if heard.excitation is None else heard.excitation[0].T
        features = np.repeat(heard.conditioning[0], period, axis=0).T
        found.append(activation_ranges(weights, heard.inputs[0], features, excitation))
    return np.max(found, axis=0)
