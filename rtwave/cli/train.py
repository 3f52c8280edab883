"""rtwave train: from a corpus to a trained network, with its progress in plain sight."""

import signal
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ..errors import RtwaveError
from ..training.checkpoint import Run, TrainingOptions, read_config, read_options
from ..training.corpus import Corpus
from ..wavenet.config import WaveNetConfig

_USUAL = TrainingOptions()
_NETWORK = WaveNetConfig(pre_emphasis=0.85, leveling="loudness", excitation="partials")
_KEPT = "with --resume what is not given stays as it was"


def train(
    corpus: Annotated[Path, typer.Argument(help="Corpus folder, as `rtwave prepare` made it.")],
    out: Annotated[Path | None, typer.Option(help="Run folder to write; runs/NAME by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help=f"Go on from the run's checkpoint; {_KEPT}.")] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help=f"Optimiser steps; 3000 play, 20000 please.  [default: {_USUAL.steps}]")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help=f"Segments a step.  [default: {_USUAL.batch}]")] = None,
    length: Annotated[
        int | None, typer.Option(min=64, help=f"Counted samples a segment.  [default: {_USUAL.length}]")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help=f"Highest learning rate.  [default: {_USUAL.learning_rate}]")
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="one-cycle or cosine.  [default: one-cycle]")] = None,
    noise: Annotated[
        float | None, typer.Option(help=f"Highest input noise, a share of the local level.  [default: {_USUAL.noise}]")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16.  [default: auto]")] = None,
    compile_: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Compile the network: 1.3 x as fast after a minute.")
    ] = None,
    render_every: Annotated[int, typer.Option(min=1, help="Steps between rendered notes.")] = 1000,
    seed: Annotated[int | None, typer.Option(help="Seed of weights and segments.  [default: 0]")] = None,
    output: Annotated[str | None, typer.Option(help="gaussian or mulaw.  [default: gaussian]")] = None,
    excitation: Annotated[
        str | None, typer.Option(help="partials, or none for unpitched sounds.  [default: partials]")
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Layers; dilations 1…128 in cycles of eight.  [default: 16]")
    ] = None,
    kernel_size: Annotated[int | None, typer.Option(help="Taps of each dilated convolution, 2 or 3.  [default: 2]")] = (
        None
    ),
    residual_channels: Annotated[
        int | None, typer.Option(min=1, help=f"Width of the residual path.  [default: {_NETWORK.residual_channels}]")
    ] = None,
    skip_channels: Annotated[
        int | None, typer.Option(min=1, help=f"Width of the skip path.  [default: {_NETWORK.skip_channels}]")
    ] = None,
    head_channels: Annotated[
        int | None, typer.Option(min=1, help=f"Width of the head's hidden layer.  [default: {_NETWORK.head_channels}]")
    ] = None,
    pre_emphasis: Annotated[
        float | None, typer.Option(help=f"Pre-emphasis coefficient.  [default: {_NETWORK.pre_emphasis}]")
    ] = None,
) -> None:
    """Train a network on a corpus. Ctrl-C saves; --resume goes on.

    Example: rtwave train corpora/bell --steps 6000
    """
    from ..training.trainer import Trainer

    opened = Corpus(corpus)
    run = Run(out or Path("runs") / corpus.resolve().name)
    state = run.take_up(resume)
    options = _choose_options(
        state,
        steps=steps,
        batch=batch,
        length=length,
        learning_rate=learning_rate,
        schedule=schedule,
        noise=noise,
        seed=seed,
        precision=precision,
        compile=compile_,
    )
    config = _choose_network(
        state,
        run,
        opened,
        output=output,
        excitation=excitation,
        dilations=layers and tuple(2 ** (layer % 8) for layer in range(layers)),
        kernel_size=kernel_size,
        residual_channels=residual_channels,
        skip_channels=skip_channels,
        head_channels=head_channels,
        pre_emphasis=pre_emphasis,
    )
    trainer = Trainer(opened, config, options, run)
    run.create()
    if state:
        trainer.resume(state)
        if trainer.step >= options.steps:
            raise RtwaveError(f"{run.folder}: is at step {trainer.step} of {options.steps} already; add --steps")
    _follow(trainer, render_every)


def _given(asked: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in asked.items() if value is not None}


def _choose_options(state: dict | None, **asked: object) -> TrainingOptions:
    """What was asked for, else what the run was trained with, else what is usual."""
    known = read_options(state) if state else _USUAL
    return TrainingOptions(**(msgspec.structs.asdict(known) | _given(asked)))


def _choose_network(state: dict | None, run: Run, corpus: Corpus, **asked: object) -> WaveNetConfig:
    """The run's own network, from which nothing asked for may differ, or a new one that fits the corpus."""
    if state is None:
        index = corpus.index
        fitted = {
            "sample_rate": index.sample_rate,
            "control_period": index.control_period,
            "partials": index.partials,
            "conditioning": (*_NETWORK.conditioning, *corpus.knobs),
        }
        return WaveNetConfig(**(msgspec.structs.asdict(_NETWORK) | fitted | _given(asked)))
    config = read_config(state)
    for name, value in _given(asked).items():
        if getattr(config, name) != value:
            raise RtwaveError(
                f"{run.folder}: its network's {name} is {getattr(config, name)!r}, not {value!r}; "
                "leave that out or choose another --out"
            )
    return config


def _follow(trainer, render_every: int) -> None:
    """Train under a progress bar; every so often a note is rendered by the engine that will play it."""
    from ..training.listen import render_note
    from .progress import progress_bar

    parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
    precision = "bfloat16" if trainer.bfloat16 else "float32"
    dataset = trainer.dataset
    print(f"{parameters:,} weights, {precision} on {trainer.device}; {len(dataset.train)} recordings to learn from")
    if dataset.too_short:
        names = ", ".join(entry.name for entry in dataset.too_short)
        print(f"left out {len(dataset.too_short)} recordings, shorter than a segment of --length: {names}")
    if not trainer.held_out:
        print("no recording is held out, so what was learned cannot be judged: listen to the notes")

    def report(progress) -> None:
        advance(progress.step, f"{progress.bits:6.2f} bits/sample  {progress.samples_per_second:8,.0f} samples/s")
        if progress.held_out_bits is not None:
            bits = f"{progress.held_out_bits:.3f} bits per sample on held-out recordings"
            print(f"step {progress.step}: {bits}", flush=True)
        if progress.step % render_every == 0:
            path = render_note(trainer.weights(), trainer.run_folder.notes_folder, progress.step)
            print(f"step {progress.step}: a note in {path}", flush=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with progress_bar("training", trainer.options.steps, trainer.step) as advance:
            trainer.train(report)
    except KeyboardInterrupt:
        print(f"stopped at step {trainer.step}, saved; go on with --resume")
        return
    print(f"trained: {trainer.run_folder.weights_path}; make a preset with `rtwave export {trainer.run_folder.folder}`")
