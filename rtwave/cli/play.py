"""`rtwave play`: from MIDI to the sound card, until the player has had enough."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ..audio.devices import choose_device
from ..audio.stream import Stream
from ..engine.engine import cores
from ..errors import RtwaveError
from ..instrument.controllers import controls_file, read_controls
from ..instrument.performance import Performance
from ..instrument.scores import read_score
from ..instrument.sequencer import DEFAULT_TAIL_S
from ..instrument.settings import Settings
from ..instrument.take import check_take_path
from ..presets import Preset
from . import options
from .learn import learn_controls
from .session import Inputs, Session

USUAL_THREADS = 2
"""A second core helps when it is free, and nobody waits for it when it is not."""


def play(
    preset: options.PresetOption = None,
    device: Annotated[str | None, typer.Option(help="Sound card: part of its name, its number, or null.")] = None,
    midi_port: Annotated[
        list[str] | None, typer.Option(help="MIDI port: part of its name; may be given again.  [default: all]")
    ] = None,
    virtual: Annotated[bool, typer.Option("--virtual", help="Open a MIDI port that programs connect to.")] = False,
    channel: options.ChannelOption = None,
    transpose: options.TransposeOption = None,
    tune: options.TuneOption = None,
    velocity_curve: options.VelocityCurveOption = None,
    mpe: options.MpeOption = False,
    learn: Annotated[bool, typer.Option("--learn", help="First teach which controller moves what.")] = False,
    voices: options.VoicesOption = None,
    threads: Annotated[
        int | None,
        typer.Option(
            help=f"Processor cores that share the voices; it changes no sample.  [default: {USUAL_THREADS} of them]",
            metavar="N",
        ),
    ] = None,
    engine: options.EngineOption = "cpu",
    temperature: options.TemperatureOption = None,
    gain_db: options.GainOption = None,
    seed: options.SeedOption = None,
    precision: options.PrecisionOption = None,
    block_size: Annotated[int, typer.Option(help="Frames a block of the sound card.")] = 128,
    latency_ms: options.LatencyOption = "auto",
    midi_file: Annotated[Path | None, typer.Option(help="Play a MIDI file.")] = None,
    midi_clock: Annotated[
        bool, typer.Option("--midi-clock", help="Let --midi-file follow the clock, start and stop of the MIDI ports.")
    ] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Play the preset's own phrase.")] = False,
    tail: options.TailOption = DEFAULT_TAIL_S,
    record: Annotated[Path | None, typer.Option(help="Record what is heard: .wav or .flac.")] = None,
    record_format: Annotated[
        str | None, typer.Option(help="pcm16, pcm24, or float (.wav).  [default: float, .flac pcm24]")
    ] = None,
    record_midi: Annotated[Path | None, typer.Option(help="Record what is played, for rtwave render: .mid.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds.", metavar="S")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print how it went at the end, as JSON.")] = False,
) -> None:
    """Play a preset live: MIDI, the computer's keys or a MIDI file, to the sound card. Ctrl-C ends.

    \b
    Examples:
      rtwave play --preset piano
      rtwave play --midi-port Keystation --record take.flac
      rtwave play --demo
    """
    inputs = Inputs(midi_port or None, virtual)
    _check(
        seconds,
        score=bool(demo or midi_file),
        both=bool(demo and midi_file),
        live=bool(midi_port or virtual or learn),
        clock=midi_clock,
        file=bool(midi_file),
    )
    if record_format and not record:
        raise RtwaveError(f"--record-format {record_format} is given without --record, which names the file; give both")
    output = choose_device(device)
    if learn:
        learn_controls(inputs.wanted, inputs.virtual)
    score = read_score(midi_file) if midi_file else None
    asked = Settings(
        preset=preset,
        seed=seed,
        voices=voices,
        temperature=temperature,
        gain_db=gain_db,
        transpose=transpose,
        channel=options.channel_index(channel),
        tune_hz=tune,
        velocity_curve=velocity_curve,
        mpe=mpe or None,
        sample_rate=output.sample_rate,
        precision=precision,
    )
    if score:
        score = score.played_as(asked)
        asked = score.settings
    if midi_clock or not (score or demo):
        asked = _with_own_controls(asked)
    performance = Performance(asked, min(USUAL_THREADS, cores()) if threads is None else threads, engine)
    if demo:
        score = read_score(_demo(performance.preset))
    if record_midi:
        check_take_path(record_midi)
    stream = Stream(
        performance.rack,
        output,
        block_size=block_size,
        latency_ms=options.latency(latency_ms),
        record=record,
        record_format=record_format,
    )
    with Session(performance, stream, record_midi, seconds, json) as session:
        if score and not midi_clock:
            session.play_score(score, tail)
        else:
            session.play_live(inputs, score)


def _with_own_controls(asked: Settings) -> Settings:
    """With the player's own map of controllers, which a MIDI file was not made for."""
    return msgspec.structs.replace(asked, controls=read_controls(controls_file()))


def _check(seconds: float | None, *, score: bool, both: bool, live: bool, clock: bool, file: bool) -> None:
    if both:
        raise RtwaveError("--demo and --midi-file are both given, expected one of them")
    if clock and not file:
        raise RtwaveError("--midi-clock is given without --midi-file, which is what follows the clock; give both")
    if score and live and not clock:
        raise RtwaveError(
            "--midi-port, --virtual and --learn are for live playing, expected none of them with --demo or --midi-file"
        )
    if seconds is not None and not seconds > 0.0:
        raise RtwaveError(f"--seconds is {seconds:g}, expected more than 0")


def _demo(preset: Preset) -> Path:
    if preset.demo is None:
        raise RtwaveError(f"{preset.folder}: this preset has no demo phrase; play a MIDI file with --midi-file")
    return preset.demo
