"""rtwave export: from a trained run to a preset folder that plays."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer


def export(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Run folder, as `rtwave train` made it, or a preset. Of several, which went on from each other, "
            "the mean of their weights is exported.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Preset folder to write; your presets folder by default.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the preset; the first run's by default.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="Corpus to judge by; the first run's by default.")] = None,
    description: Annotated[str | None, typer.Option(help="One line about the sound.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="Licence of the training audio.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the training audio comes from.")] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.01, max=2.0, help="Temperature it is played at.  [default: 0.3, drums and textures 1]"),
    ] = None,
    gain_db: Annotated[
        float | None, typer.Option(help="Gain it is played at.  [default: -6, which leaves room for chords]")
    ] = None,
    polyphony: Annotated[
        int | None, typer.Option(min=1, max=64, help="Voices it is played with.  [default: 8]")
    ] = None,
    timbre: Annotated[
        float | None,
        typer.Option(help="Where the control of timbre starts.  [default: 0.5; 0 of several timbres]"),
    ] = None,
    temperature_range: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="What the control of temperature sweeps.  [default: 0.0 1.0]"),
    ] = None,
    demo: Annotated[Path | None, typer.Option(help="MIDI file to go with it, for `play --demo`.")] = None,
    license_file: Annotated[Path | None, typer.Option(help="The licence's whole text, for LICENSE.txt.")] = None,
    program: Annotated[int | None, typer.Option(help="Number by which MIDI calls it, 128 to a bank.")] = None,
    controller: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=CC", help="Which MIDI controller moves a control; may be repeated."),
    ] = None,
) -> None:
    """Make a preset from a trained run, measured on its corpus: temperatures, scales, bits per sample.

    Each key, soft to loud, and its attack are played at the temperature at which they sound nearest to its recordings;
    int8 gets the scales of its activations, and `play` takes the fastest precision that loses less than 0.01 bits per
    sample on the held-out recordings.

    Where there are several timbres, the mod wheel moves from the first to the last. Over a preset that is there, all
    that its preset.toml says stays unless given.

    Example: rtwave export runs/bell --name bell && rtwave play --preset bell
    """
    from ..errors import RtwaveError
    from ..instrument.messages import MOD_WHEEL
    from ..instrument.scores import read_score
    from ..presets import PRESET_FILE, Playing, kept_playing, preset_folders, user_presets_folder, write_preset
    from ..training.calibrate import calibrate_ranges
    from ..training.checkpoint import Run
    from ..training.choices import usual_temperature
    from ..training.corpus import Corpus
    from ..training.evaluate import evaluate
    from ..training.levels import calibrate_levels
    from ..training.origin import open_origin
    from ..training.temperature import calibrate_temperatures
    from .progress import progress_bar

    name = runs[0].resolve().name if name is None else name
    if not name or Path(name).name != name:
        raise RtwaveError(f"name is {name!r}, expected a word without / that a folder can be called")
    controls = _read_controllers(controller or []) or None
    license_text = _read_text(license_file) if license_file else None
    if demo:
        read_score(demo)
    weights, behind = open_origin(runs)
    opened = Corpus(corpus or Run(runs[0]).corpus_folder())
    folder = out or user_presets_folder() / name
    before = kept_playing(folder)
    if behind and source is None and before is None:
        source = f"weights that started from {behind}"
    if temperature is None:
        temperature = before.temperature if before else usual_temperature(weights.config)
    with progress_bar("listening", 4.0) as advance:
        weights.ranges = calibrate_ranges(weights, opened, lambda done, total: advance(done / total))
        found = evaluate(weights, opened, progress=lambda done, total: advance(1.0 + done / total))
        weights.instrument = calibrate_temperatures(
            weights, opened, temperature, lambda done, total: advance(2.0 + done / total), found.auto
        )
        weights.instrument = calibrate_levels(
            weights, opened, temperature, lambda done, total: advance(3.0 + done / total), found.auto
        )
    given = {"temperature": temperature, "temperature_range": temperature_range, "gain_db": gain_db}
    given |= {"polyphony": polyphony, "timbre": timbre}
    given = {field: value for field, value in given.items() if value is not None}
    morphs = weights.instrument.timbres > 1
    if morphs and controls is None and not (folder / PRESET_FILE).is_file():
        controls = {"timbre": MOD_WHEEL}
    write_preset(
        folder,
        weights,
        name=name,
        description=description,
        license=license_,
        source=source,
        playing=msgspec.structs.replace(before or Playing(gain_db=-6.0, timbre=0.0 if morphs else 0.5), **given),
        license_text=license_text,
        demo=demo,
        program=program,
        controls=controls,
        precision=found.bits,
    )
    if found.bits:
        bits = ", ".join(f"{name} {bits:.4f}" for name, bits in found.bits.items())
        print(f"bits per sample on held-out recordings: {bits}; plays in {found.auto}")
    played_as = name if out is None else folder
    print(f"{folder}: {weights.parameters:,} weights; play it with `rtwave play --preset {played_as}`")
    if out is None and name in preset_folders(own=False):
        print(f"it hides the {name} that comes with rtwave; delete it, or give it another --name, to have that back")


def _read_controllers(words: list[str]) -> dict[str, int]:
    """NAME=CC, checked."""
    from ..engine.control_map import check_control_map
    from ..errors import RtwaveError

    controllers = {}
    for word in words:
        name, equals, number = word.partition("=")
        if not equals or not number.isdecimal():
            raise RtwaveError(f"--controller is {word!r}, expected a control and its controller, such as timbre=1")
        controllers[name] = int(number)
    return check_control_map(controllers)


def _read_text(file: Path) -> str:
    from ..errors import RtwaveError

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RtwaveError(f"{file}: cannot be read as text ({error})") from None
