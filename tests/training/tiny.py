"""A network small enough to train in a test."""

import msgspec
import torch

from rtwave.training.checkpoint import Run, TrainingOptions
from rtwave.training.corpus import Corpus
from rtwave.training.trainer import Trainer
from rtwave.wavenet.config import WaveNetConfig

CONFIG = WaveNetConfig(
    dilations=(1, 2, 4), residual_channels=8, skip_channels=8, head_channels=8,
    excitation="partials", partials=12, pre_emphasis=0.85, leveling="loudness",
)  # fmt: skip
WIDE = msgspec.structs.replace(CONFIG, residual_channels=16, skip_channels=16, head_channels=16)
"""Widths that the native engine takes."""
OPTIONS = TrainingOptions(steps=30, batch=2, learning_rate=0.02, length=512, precision="float32", validate_every=10)


def tiny_trainer(corpus_folder, folder, config=CONFIG, **options):
    torch.set_num_threads(1)  # for so little more only wait for each other
    run = Run(folder)
    run.create()
    return Trainer(Corpus(corpus_folder), config, msgspec.structs.replace(OPTIONS, **options), run)


def train(trainer, **named):
    """Train to the end; gives everything that was reported."""
    reports = []
    trainer.train(reports.append, **named)
    return reports
