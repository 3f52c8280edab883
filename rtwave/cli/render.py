"""`rtwave render`: a MIDI file into a sound file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..instrument.sequencer import DEFAULT_TAIL_S
from . import options


def render(
    song: Annotated[Path, typer.Argument(help="MIDI file, or a take of rtwave play --record-midi.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Sound file to write: .wav (float) or .flac.")],
    preset: options.PresetOption = None,
    seed: options.SeedOption = None,
    temperature: options.TemperatureOption = None,
    gain_db: options.GainOption = None,
    voices: options.VoicesOption = None,
    threads: options.ThreadsOption = 1,
    transpose: options.TransposeOption = None,
    channel: options.ChannelOption = None,
    tune: options.TuneOption = None,
    velocity_curve: options.VelocityCurveOption = None,
    mpe: options.MpeOption = False,
    sample_rate: Annotated[int | None, typer.Option(help="In Hz.  [default: the preset's own]")] = None,
    precision: options.PrecisionOption = None,
    tail: options.TailOption = DEFAULT_TAIL_S,
) -> None:
    """Render a MIDI file to a sound file: the same samples as play.

    What is not given comes from the take, if the file is one, else from the preset.

    \b
    Example:
      rtwave render song.mid -o song.wav --preset piano
    """
    from ..instrument.render import render_midi
    from ..instrument.scores import read_score
    from .progress import progress_bar

    with progress_bar("rendering", read_score(song).duration_s) as advance:
        render_midi(
            song,
            preset,
            output,
            seed=seed,
            temperature=temperature,
            gain_db=gain_db,
            voices=voices,
            transpose=transpose,
            channel=options.channel_index(channel),
            tune_hz=tune,
            velocity_curve=velocity_curve,
            mpe=mpe or None,
            sample_rate=sample_rate,
            precision=precision,
            tail_s=tail,
            threads=threads,
            progress=advance,
        )
    print(f"wrote {output}", file=sys.stderr)
