"""rtwave train: from a corpus to a trained network, with its progress in plain sight."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    corpus: Annotated[Path, typer.Argument(help="Corpus folder, as `rtwave prepare` made it.")],
    out: Annotated[Path | None, typer.Option(help="Run folder to write; runs/NAME by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run folder's checkpoint.")] = False,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps; 3000 play, 20000 please.")] = 20_000,
    batch: Annotated[int, typer.Option(min=1, help="Segments a step.")] = 8,
    length: Annotated[int, typer.Option(min=64, help="Counted samples a segment.")] = 4096,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 4e-3,
    schedule: Annotated[str, typer.Option(help="one-cycle or cosine.")] = "one-cycle",
    noise: Annotated[float, typer.Option(help="Highest input noise, a share of the local level.")] = 0.015,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile the network: 1.3 x as fast after a minute.")
    ] = False,
    render_every: Annotated[int, typer.Option(min=1, help="Steps between rendered notes.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of weights and segments.")] = 0,
    output: Annotated[str, typer.Option(help="gaussian or mulaw.")] = "gaussian",
    layers: Annotated[int, typer.Option(min=1, max=64, help="Layers; dilations 1…128 in cycles of eight.")] = 16,
    residual_channels: Annotated[int, typer.Option(min=1, help="Width of the residual path.")] = 32,
    skip_channels: Annotated[int, typer.Option(min=1, help="Width of the skip path.")] = 64,
    head_channels: Annotated[int, typer.Option(min=1, help="Width of the hidden layer of the head.")] = 128,
    pre_emphasis: Annotated[float, typer.Option(help="Pre-emphasis coefficient.")] = 0.85,
) -> None:
    """Train a network on a corpus. Ctrl-C saves; --resume goes on.

    Example: rtwave train corpora/bell --steps 6000
    """
    from ..training.checkpoint import Run, TrainingOptions, read_config
    from ..training.corpus import Corpus
    from ..training.trainer import Trainer
    from ..wavenet.config import WaveNetConfig

    opened = Corpus(corpus)
    run = Run(out or Path("runs") / corpus.resolve().name)
    options = TrainingOptions(
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
    state = run.load_state() if resume else None
    config = (
        read_config(state)
        if state
        else WaveNetConfig(
            sample_rate=opened.index.sample_rate,
            control_period=opened.index.control_period,
            output=output,
            dilations=tuple(2 ** (layer % 8) for layer in range(layers)),
            residual_channels=residual_channels,
            skip_channels=skip_channels,
            head_channels=head_channels,
            pre_emphasis=pre_emphasis,
            leveling="loudness",
            excitation="partials",
            partials=opened.index.partials,
        )
    )
    run.create()
    trainer = Trainer(opened, config, options, run)
    if state:
        trainer.resume(state)
    _follow(trainer, render_every)


def _follow(trainer, render_every: int) -> None:
    """Train under a progress bar; every so often a note is rendered by the engine that will play it."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from ..training.listen import render_note

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
    precision = "bfloat16" if trainer.bfloat16 else "float32"
    recordings = len(trainer.dataset.train)
    print(f"{parameters:,} weights, {precision} on {trainer.device}; {recordings} recordings to learn from")
    with Progress(*columns) as bar:
        task = bar.add_task("training", total=trainer.options.steps, completed=trainer.step, figures="")

        def report(progress) -> None:
            figures = f"{progress.bits:6.2f} bits/sample  {progress.samples_per_second:8,.0f} samples/s"
            bar.update(task, completed=progress.step, figures=figures)
            if progress.held_out_bits is not None:
                bar.console.print(
                    f"step {progress.step}: {progress.held_out_bits:.3f} bits per sample on held-out recordings"
                )
            if progress.step % render_every == 0:
                path = render_note(trainer.weights(), trainer.run_folder.notes_folder, progress.step)
                bar.console.print(f"step {progress.step}: a note in {path}")

        try:
            trainer.train(report)
        except KeyboardInterrupt:
            bar.stop()
            print(f"stopped at step {trainer.step}, saved; go on with --resume")
            return
    print(f"trained: {trainer.run_folder.weights_path}; make a preset with `rtwave export {trainer.run_folder.folder}`")
