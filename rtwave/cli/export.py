"""rtwave export: from a trained run to a preset folder that plays."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="Run folder, as `rtwave train` made it.")],
    out: Annotated[Path | None, typer.Option(help="Preset folder to write; your presets folder by default.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the preset; the run's by default.")] = None,
    description: Annotated[str, typer.Option(help="One line about the sound.")] = "",
    license_: Annotated[str, typer.Option("--license", help="Licence of the training audio.")] = "unknown",
    source: Annotated[str, typer.Option(help="Where the training audio comes from.")] = "own recordings",
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0, help="Temperature it is played at.")] = 0.3,
    demo: Annotated[Path | None, typer.Option(help="MIDI file to go with it, for `play --demo`.")] = None,
    polyphony: Annotated[int, typer.Option(min=1, max=64, help="Voices it is played with.")] = 8,
) -> None:
    """Make a preset from a trained run.

    Example: rtwave export runs/bell --name bell && rtwave play --preset bell
    """
    from ..presets import Playing, user_presets_folder, write_preset
    from ..training.checkpoint import Run
    from ..wavenet.weights import Weights

    weights = Weights.load(Run(run).weights_path)
    name = name or run.resolve().name
    folder = out or user_presets_folder() / name
    playing = Playing(temperature=temperature, polyphony=polyphony)
    write_preset(
        folder,
        weights,
        name=name,
        description=description,
        license=license_,
        source=source,
        playing=playing,
        demo=demo,
    )
    played_as = name if out is None else folder
    print(f"{folder}: {weights.parameters:,} weights; play it with `rtwave play --preset {played_as}`")
