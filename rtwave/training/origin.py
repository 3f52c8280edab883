"""What to start from: the weights of another run or preset, or the mean of several that have one network."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import RtwaveError
from ..presets import Preset
from ..wavenet.config import WaveNetConfig
from ..wavenet.weights import Weights
from .choices import usual_conditioning
from .corpus import Corpus
from .evaluate import open_model


class Origin(NamedTuple):
    """Weights to start from, and the presets behind them, each with its licence; empty where there are none."""

    weights: Weights
    presets: str


def open_origin(names: Sequence[str | Path]) -> Origin:
    """The mean of each weight over runs and presets (name or folder), with the tables of the first.

    Late runs, each begun where the last ended, lie in one valley, and their mean may be better than they are (arXiv
    1803.05407); of networks that never met it is worth nothing. One that is named twice counts twice. RtwaveError where
    one is neither run nor preset, or its network has another shape than the first.
    """
    models = [open_model(name) for name in names]
    found = [model.weights if isinstance(model, Preset) else Weights.load(model.weights_path) for model in models]
    config = found[0].config
    for name, weights in zip(names, found, strict=True):
        if weights.config != config:
            raise RtwaveError(f"{name}: has another network than {names[0]}; name those that went on from each other")
    tensors = {name: np.mean([each.tensors[name] for each in found], axis=0) for name in found[0].tensors}
    told = [f"{model.name} ({model.license})" if isinstance(model, Preset) else model.origin() for model in models]
    return Origin(Weights(config, tensors, found[0].instrument), ", ".join(dict.fromkeys(filter(None, told))))


def require_told(config: WaveNetConfig, corpus: Corpus) -> None:
    """RtwaveError where the network to start from is not told what sets the corpus's recordings apart."""
    told = {name.removesuffix("_fine") for name in config.conditioning}
    told |= {"pitch"} if config.excitation_channels else set()
    for name in usual_conditioning(corpus.index, corpus.knobs):
        if name in {"pitch", "timbre", *corpus.knobs} - told:
            raise RtwaveError(
                f"{corpus.folder}: its recordings differ in {name}, of which the network of --from is told nothing; "
                "name another, or leave --from out"
            )
