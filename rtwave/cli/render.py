"""`rtwave render`: a MIDI file into a sound file, or every note of a preset into files of their own."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import RtwaveError
from ..instrument.sequencer import DEFAULT_TAIL_S
from . import options


class Format(StrEnum):
    flac = "flac"
    wav = "wav"


def render(
    song: Annotated[Path | None, typer.Argument(help="MIDI file, or a take of rtwave play --record-midi.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Sound file to write: .wav (float) or .flac.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option(help="Instead: every note as a file in this folder, for samplers.", metavar="FOLDER")
    ] = None,
    keys: Annotated[str | None, typer.Option(help="The library's: 36-84, or 36,38,42.  [default: 21-108]")] = None,
    velocities: Annotated[
        str | None, typer.Option(help="The library's: how many, or which, as in 30,64,100.  [default: 16]")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="That its notes are held, at most 600.  [default: 4]", metavar="S")
    ] = None,
    release: Annotated[
        float | None, typer.Option(help="That they ring on then, at most 60.  [default: 1]", metavar="S")
    ] = None,
    format: Annotated[Format | None, typer.Option(help="flac (24 bits) or wav (float).  [default: flac]")] = None,
    preset: options.PresetOption = None,
    seed: options.SeedOption = None,
    temperature: options.TemperatureOption = None,
    gain_db: options.GainOption = None,
    voices: options.VoicesOption = None,
    threads: Annotated[
        int | None,
        typer.Option(
            help="Processor cores that share the voices; it changes no sample.  [default: 1; all for a library]",
            metavar="N",
        ),
    ] = None,
    engine: options.EngineOption = "cpu",
    transpose: options.TransposeOption = None,
    channel: options.ChannelOption = None,
    tune: options.TuneOption = None,
    velocity_curve: options.VelocityCurveOption = None,
    mpe: options.MpeOption = False,
    sample_rate: Annotated[int | None, typer.Option(help="In Hz.  [default: the preset's own]")] = None,
    precision: options.PrecisionOption = None,
    tail: Annotated[
        float | None,
        typer.Option(help=f"Seconds that the last notes may ring out.  [default: {DEFAULT_TAIL_S:g}]", metavar="S"),
    ] = None,
) -> None:
    """Render a MIDI file to a sound file: the same samples as play. Or, with --library, every note by itself.

    What is not given comes from the take, if the file is one, else from the preset.

    \b
    Examples:
      rtwave render song.mid -o song.wav --preset piano
      rtwave render --library piano/ --preset piano --keys 21-108 --velocities 16
    """
    settings = {
        "preset": preset,
        "seed": seed,
        "temperature": temperature,
        "gain_db": gain_db,
        "voices": voices,
        "tune_hz": tune,
        "velocity_curve": velocity_curve,
        "precision": precision,
    }
    of_a_song = {"--transpose": transpose, "--channel": channel, "--mpe": mpe or None, "--sample-rate": sample_rate}
    of_a_library = {"--keys": keys, "--velocities": velocities, "--seconds": seconds, "--release": release}
    if library is not None:
        _refuse("with", {"a MIDI file": song, "--output": output, "--tail": tail} | of_a_song)
        _render_library(library, keys, velocities, seconds, release, format, settings, threads, engine)
        return
    _refuse("without", of_a_library | {"--format": format})
    if song is None or output is None:
        raise typer.BadParameter("expected both, as in song.mid -o song.wav; or --library", param_hint="SONG, --output")
    settings |= {"transpose": transpose, "channel": options.channel_index(channel), "mpe": mpe or None}
    settings |= {"sample_rate": sample_rate, "tail_s": DEFAULT_TAIL_S if tail is None else tail}
    _render_song(song, output, settings, 1 if threads is None else threads, engine)


def _refuse(preposition: str, given: dict[str, object]) -> None:
    """RtwaveError for the first option that is given where it says nothing."""
    for name, value in given.items():
        if value is not None:
            raise RtwaveError(f"{name} is given {preposition} --library; leave one out, see rtwave render --help")


def _render_song(song: Path, output: Path, settings: dict[str, object], threads: int, engine: str) -> None:
    from ..instrument.render import render_midi
    from ..instrument.scores import read_score
    from .progress import progress_bar

    with progress_bar("rendering", read_score(song).duration_s) as advance:
        render_midi(song, out=output, threads=threads, device=engine, progress=advance, **settings)
    print(f"wrote {output}", file=sys.stderr)


def _render_library(
    folder: Path,
    keys: str | None,
    velocities: str | None,
    seconds: float | None,
    release_s: float | None,
    format: Format | None,
    settings: dict[str, object],
    threads: int | None,
    engine: str,
) -> None:
    from ..instrument.library import Library, render_library
    from ..instrument.settings import Settings
    from .progress import progress_bar

    library = Library(
        keys=tuple(sorted(set(options.keys(keys or "21-108")))),
        velocities=_velocities(velocities or "16"),
        seconds=4.0 if seconds is None else seconds,
        release_s=1.0 if release_s is None else release_s,
        suffix=f".{format or Format.flac}",
    )
    with progress_bar("rendering", 1.0) as advance:
        written = render_library(folder, library, Settings(**settings), threads, engine, advance)
    print(f"wrote {library.notes} notes and {written}, which maps them", file=sys.stderr)


def _velocities(text: str) -> tuple[int, ...]:
    """Those that commas separate, or so many as a number alone says."""
    from ..instrument.library import spread_velocities

    numbers = options.numbers("--velocities", text, 1)
    return tuple(sorted(set(numbers))) if len(numbers) > 1 else spread_velocities(numbers[0])
