"""rtwave export: from a trained run to a preset folder that plays."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="Run folder, as `rtwave train` made it, or a preset's.")],
    out: Annotated[Path | None, typer.Option(help="Preset folder to write; your presets folder by default.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the preset; the run's by default.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="Corpus to judge by; the run's by default.")] = None,
    description: Annotated[str | None, typer.Option(help="One line about the sound.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="Licence of the training audio.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the training audio comes from.")] = None,
    temperature: Annotated[float, typer.Option(min=0.01, max=2.0, help="Temperature it is played at.")] = 0.3,
    gain_db: Annotated[float, typer.Option(help="Gain it is played at; the default leaves room for chords.")] = -6.0,
    polyphony: Annotated[int, typer.Option(min=1, max=64, help="Voices it is played with.")] = 8,
    demo: Annotated[Path | None, typer.Option(help="MIDI file to go with it, for `play --demo`.")] = None,
) -> None:
    """Make a preset from a trained run, measured on its corpus: temperatures, scales, bits per sample.

    Each key's temperature is set so that it is as pure as its recordings; int8 gets the scales of its activations, and
    `play` takes the fastest precision that loses less than 0.01 bits per sample on the held-out recordings.

    Over a preset that is there, its description, licence, source and demo stay unless given.

    Example: rtwave export runs/bell --name bell && rtwave play --preset bell
    """
    from ..errors import RtwaveError
    from ..instrument.scores import read_score
    from ..presets import Playing, user_presets_folder, write_preset
    from ..training.calibrate import calibrate_ranges, calibrate_temperature
    from ..training.checkpoint import Run
    from ..training.corpus import Corpus
    from ..training.evaluate import evaluate
    from ..wavenet.weights import Weights
    from .progress import progress_bar

    name = run.resolve().name if name is None else name
    if not name or Path(name).name != name:
        raise RtwaveError(f"name is {name!r}, expected a word without / that a folder can be called")
    if demo:
        read_score(demo)
    learned = Run(run)
    weights = Weights.load(learned.weights_path)
    opened = Corpus(corpus or learned.corpus_folder())
    with progress_bar("listening", 3.0) as advance:
        weights.ranges = calibrate_ranges(weights, opened, lambda done, total: advance(done / total))
        weights.instrument.temperature = calibrate_temperature(
            weights, opened, temperature, lambda done, total: advance(1.0 + done / total)
        )
        found = evaluate(weights, opened, progress=lambda done, total: advance(2.0 + done / total))
    folder = out or user_presets_folder() / name
    write_preset(
        folder,
        weights,
        name=name,
        description=description,
        license=license_,
        source=source,
        playing=Playing(temperature=temperature, gain_db=gain_db, polyphony=polyphony),
        demo=demo,
        precision=found.bits,
    )
    if found.bits:
        bits = ", ".join(f"{name} {bits:.4f}" for name, bits in found.bits.items())
        print(f"bits per sample on held-out recordings: {bits}; plays in {found.auto}")
    played_as = name if out is None else folder
    print(f"{folder}: {weights.parameters:,} weights; play it with `rtwave play --preset {played_as}`")
