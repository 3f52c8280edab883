"""What to start from: the weights of another run or preset, or the mean of several that have one network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import RtwaveError
from ..presets import Preset
from ..wavenet.config import WaveNetConfig
from ..wavenet.weights import Weights
from .choices import usual_conditioning
from .corpus import Corpus
from .evaluate import open_model


def mean_weights(names: Sequence[str | Path]) -> Weights:
    """The mean of each weight over runs and presets (name or folder), with the tables of the first.

    Runs that went on from each other lie in one valley, where their mean is better than they are (arXiv 1803.05407).
    One that is named twice counts twice. RtwaveError where one is neither, or has another network than the first.
    """
    found = [_weights(name) for name in names]
    config = found[0].config
    for name, weights in zip(names, found, strict=True):
        if weights.config != config:
            raise RtwaveError(f"{name}: has another network than {names[0]}; name those that went on from each other")
    tensors = {name: np.mean([each.tensors[name] for each in found], axis=0) for name in found[0].tensors}
    return Weights(config, tensors, found[0].instrument)


def _weights(name: str | Path) -> Weights:
    model = open_model(name)
    return model.weights if isinstance(model, Preset) else Weights.load(model.weights_path)


def require_told(config: WaveNetConfig, corpus: Corpus) -> None:
    """RtwaveError where the network to start from is not told what sets the corpus's recordings apart."""
    needed = {"timbre", *corpus.knobs} & set(usual_conditioning(corpus.index, corpus.knobs))
    for name in sorted(needed - set(config.conditioning)):
        raise RtwaveError(
            f"{corpus.folder}: its recordings differ in {name}, of which the network named by --from is told nothing; "
            "leave --from out"
        )
