"""How many steps fit into a time: some are taken for trial, timed, and undone."""

import contextlib
import math
import time

import msgspec

from .checkpoint import TrainingOptions
from .trainer import Trainer

TRIAL_S = 4.0
WARM_UP_STEPS, FIRST_STEPS = 3, 3
CHECKPOINTS = 12
LONGEST_BETWEEN_S = 300.0
LISTENING_S = 2.0
"""What writing a checkpoint and playing its notes takes, about."""


def seconds_a_step(trainer: Trainer) -> float:
    """Time that a step takes, drawing the batches beside it; the trainer is left as it was."""
    before = trainer.learner.state()
    batches = trainer.batches(0)
    step = 0

    def take(count: int) -> float:
        nonlocal step
        began = time.monotonic()
        for _ in range(count):
            trainer.learner.learn(next(batches), step)
            step += 1
        trainer.learner.look()  # waits for the device
        return (time.monotonic() - began) / count

    with contextlib.closing(batches):
        take(WARM_UP_STEPS)
        each_s = take(FIRST_STEPS)
        more = trainer.group.agree(lambda: math.ceil(TRIAL_S / each_s) - FIRST_STEPS)
        if more > 0:
            each_s = take(more)
    trainer.learner.load(before)
    return trainer.group.agree(lambda: each_s)


def fit(trainer: Trainer, minutes: float, spent_s: float = 0.0) -> TrainingOptions:
    """The trainer's options with as many steps as fit into `minutes`, of which `spent_s` are gone, and a dozen
    checkpoints, or one in five minutes; the same in all processes.
    """
    each_s = seconds_a_step(trainer)

    def plan() -> TrainingOptions:
        began = time.monotonic()
        trainer.validate()
        checkpoint_s = time.monotonic() - began + LISTENING_S
        left_s = max(0.0, 60.0 * minutes - spent_s - TRIAL_S)
        between_s = min(max(left_s / CHECKPOINTS, 3.0 * checkpoint_s), LONGEST_BETWEEN_S)
        count = max(1, int(left_s * between_s / (between_s + checkpoint_s) / each_s))
        every = math.ceil(count / math.ceil(count * each_s / between_s))
        return msgspec.structs.replace(trainer.options, steps=trainer.step + count, validate_every=every)

    return trainer.group.agree(plan)
