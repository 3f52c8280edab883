"""rtwave train: from a corpus to a trained network, with its progress in plain sight."""

import contextlib
import signal
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ..errors import RtwaveError
from ..training.checkpoint import Run, TrainingOptions, read_config, read_options
from ..training.choices import DILATIONS_CYCLE, dilations, usual_network
from ..training.corpus import Corpus
from ..wavenet.config import WaveNetConfig
from .table import given, takes

USUAL_MINUTES = 10.0

TRAINING = {
    "steps": (int, "Optimiser steps, instead of --minutes; 3000 play, 20000 please.  [default: as --minutes says]"),
    "batch": (int, "Segments a step, of all processes together."),
    "length": (int, "Counted samples a segment."),
    "learning_rate": (float, "Highest learning rate."),
    "schedule": (str, "one-cycle or cosine."),
    "noise": (float, "Highest input noise, a share of the local level."),
    "swing": (float, "Highest input noise below 125 Hz, where free-running attacks wander off; a share as well."),
    "noise_end": (float, "Share of both that is left at the last step; they fall along a line."),
    "ema": (float, "How slowly the averaged weights follow, 0 to less than 1."),
    "seed": (int, "Seed of weights and segments."),
    "precision": (str, "auto, float32 or bfloat16."),
    "engine": (str, "auto, native (this processor's own kernels) or torch."),
    "compile": (bool, "Have torch compile the network, where torch trains; a GPU's always is."),
    "rounded": (bool, "Learn with the weights as int8 holds them: for the last steps of a run."),
    "validate_every": (int, "Steps between checkpoints; --minutes chooses.  [default: 500]"),
}
NETWORK = {
    "output": (str, "gaussian or mulaw."),
    "excitation": (str, "weighted, partials or none.  [default: weighted; none for sounds without pitch]"),
    "partials": (int, "Partials of the excitation.  [default: the corpus's]"),
    "conditioning": (str, "What the network is told, with commas.  [default: by the kind of corpus]"),
    "layers": (int, "Layers.  [default: 16]"),
    "dilations_cycle": (int, f"Doublings before dilations start again at 1.  [default: {DILATIONS_CYCLE}]"),
    "kernel_size": (int, "Taps of each dilated convolution, 2 or 3."),
    "residual_channels": (int, "Width of the residual path."),
    "skip_channels": (int, "Width of the skip path."),
    "head_channels": (int, "Width of the head's hidden layer."),
    "pre_emphasis": (float, "Pre-emphasis coefficient.  [default: 0.85]"),
    "sample_rate": (int, "Has to be the corpus's; `rtwave prepare` chooses it.  [default: the corpus's]"),
}


@takes(NETWORK, WaveNetConfig())
@takes(TRAINING, TrainingOptions())
def train(
    corpus: Annotated[Path, typer.Argument(help="Corpus folder, as `rtwave prepare` made it.")],
    out: Annotated[Path | None, typer.Option(help="Run folder to write; runs/NAME by default.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run's checkpoint; what is not given stays as it was.")
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="RUN|PRESET",
            help="Start from the weights of this network, not from random ones; of several, from their mean.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            help="Time to train: the steps that fit are found by trying.  "
            f"[default: {USUAL_MINUTES:g}, unless --steps or --resume is given]",
        ),
    ] = None,
    render_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between rendered notes, besides those of every checkpoint.")
    ] = None,
    **asked: object,
) -> None:
    """Train a network on a corpus. Ctrl-C saves; --resume goes on.

    --from starts from a network that has learned another instrument, or more of this one. The corpus must have that
    network's sampling rate, and a preset's licence holds for what comes of it.

    Several processes, GPUs or machines train one network, each its share of every batch, when torchrun starts them:
    `torchrun --nproc-per-node 2 -m rtwave train corpora/bell`. Curves: `tensorboard --logdir runs/bell`.

    Example: rtwave train corpora/bell --minutes 10
    """
    from ..training.distributed import Group
    from ..training.origin import open_origin

    began = time.monotonic()
    if minutes is not None and asked["steps"] is not None:
        raise RtwaveError("train: both --minutes and --steps are given; leave one out")
    if resume and origin:
        raise RtwaveError("train: --resume goes on from the run's own checkpoint; leave --from out")
    group = Group()
    try:
        opened = Corpus(corpus)
        run = Run(out or Path("runs") / corpus.resolve().name)
        with contextlib.ExitStack() as until_the_end:
            if resume:  # before its checkpoint is read, lest another process write a newer one
                group.agree(lambda: until_the_end.enter_context(run.held()))
            state = group.agree(lambda: run.take_up(resume))
            if minutes is None and asked["steps"] is None and state is None:
                minutes = USUAL_MINUTES
            start = group.agree(lambda: open_origin(origin)) if origin else None
            trainer = _make_trainer(opened, run, state, start, asked, group, until_the_end)
            if minutes is not None:
                _plan(trainer, minutes, began)
            _train(trainer, state, render_every)
    except RtwaveError as error:
        which = "" if group.first else f"process {group.rank + 1} of {group.world}: "
        raise RtwaveError(f"{which}{error}") from None
    finally:
        group.close()


def _make_trainer(corpus: Corpus, run: Run, state: dict | None, start, asked: dict, group, until_the_end):
    """The trainer, new, from the Origin `start` or as it was saved, and its folder, kept to this run until the end."""
    from ..training.origin import require_told
    from ..training.trainer import Trainer

    if start:
        require_told(start.weights.config, corpus)
    known = read_options(state) if state else TrainingOptions()
    options = TrainingOptions(**(msgspec.structs.asdict(known) | given(asked, TRAINING)))
    config = _choose_network(state, start, run, corpus, given(asked, NETWORK))
    trainer = Trainer(corpus, config, options, run, group)

    def take_folder() -> None:
        _look_at(corpus)
        run.create()
        until_the_end.enter_context(run.held())

    if state:
        trainer.resume(state)
        return trainer
    if start:
        trainer.start_from(start)
    group.agree(take_folder)
    return trainer


def _look_at(corpus: Corpus) -> None:
    """Say what is wrong with a corpus before hours are spent; RtwaveError where no training can mend it."""
    from ..training.soundness import judge

    try:
        warnings = judge(corpus)
    except RtwaveError as error:
        raise RtwaveError(f"{corpus.folder}: {error}") from None
    for warning in warnings:
        print(f"look at this: {warning}", flush=True)


def _plan(trainer, minutes: float, began: float) -> None:
    """Choose the steps that fit into the time."""
    from ..training.pace import fit

    if trainer.group.first:
        print("trying how fast this machine learns …", flush=True)
    trainer.plan(fit(trainer, minutes, spent_s=time.monotonic() - began))
    if trainer.group.first:
        print(f"{minutes:g} minutes are {trainer.options.steps - trainer.step:,} steps here", flush=True)


def _choose_network(state: dict | None, start, run: Run, corpus: Corpus, asked: dict[str, object]) -> WaveNetConfig:
    """The run's own network or that of `start`, from which nothing asked for may differ, or one to suit the corpus."""
    if "conditioning" in asked:
        asked["conditioning"] = tuple(name.strip() for name in str(asked["conditioning"]).split(",") if name.strip())
    if state:
        config, whose, instead = read_config(state), f"{run.folder}: its", "choose another --out"
    elif start:
        config, whose, instead = start.weights.config, "--from: its", "leave --from out"
    else:
        return usual_network(corpus.index, corpus.knobs, **asked)
    layers, cycle = asked.pop("layers", None), asked.pop("dilations_cycle", None)
    if cycle or layers not in (None, len(config.dilations)):
        asked["dilations"] = dilations(layers or len(config.dilations), cycle or DILATIONS_CYCLE)
    for name, value in asked.items():
        if (its := getattr(config, name)) != value:
            raise RtwaveError(f"{whose} network's {name} is {its!r}, not {value!r}; leave that out or {instead}")
    return config


def _train(trainer, state: dict | None, render_every: int | None) -> None:
    """Train to the end or until told to stop; the first process says how it goes."""
    from .follow import following

    run, options, group = trainer.run_folder, trainer.options, trainer.group
    if trainer.step >= options.steps:
        raise RtwaveError(f"{run.folder}: is at step {trainer.step} of {options.steps} already; add --steps")
    if group.first and state and read_options(state).steps != options.steps:
        print(f"a new schedule: to step {options.steps} instead of {read_options(state).steps}")

    def stop(number: int, frame: object) -> None:
        trainer.stop()
        if group.world == 1:  # torchrun passes on what the terminal has sent already
            signal.signal(number, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        if group.first:
            with following(trainer) as follower:
                trainer.train(follower, follower.listener.hear, render_every)
        else:
            trainer.train(lambda progress: None, listen_every=render_every)
    except KeyboardInterrupt:
        if group.first:
            print(f"stopped at step {trainer.step}, saved; go on with --resume")
        return
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
    if group.first:
        print(f"trained: {run.weights_path}; make a preset with `rtwave export {run.folder}`")
