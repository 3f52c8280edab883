"""`rtwave play`: from MIDI to the sound card, until the player has had enough."""

from pathlib import Path
from typing import Annotated

import typer

from ..audio.devices import choose_device
from ..audio.stream import Stream
from ..errors import RtwaveError
from ..instrument.midi import choose_port
from ..instrument.performance import DEFAULT_TAIL_S, Performance, combine
from ..instrument.scores import Settings, check_take_path, read_score
from ..presets import Preset
from . import options
from .session import Session


def play(
    preset: options.PresetOption = None,
    device: Annotated[str | None, typer.Option(help="Sound card: part of its name, its number, or null.")] = None,
    midi_port: Annotated[str | None, typer.Option(help="MIDI port: part of its name.")] = None,
    virtual: Annotated[bool, typer.Option("--virtual", help="Open a MIDI port that programs connect to.")] = False,
    channel: options.ChannelOption = None,
    transpose: options.TransposeOption = None,
    voices: options.VoicesOption = None,
    threads: options.ThreadsOption = 1,
    temperature: options.TemperatureOption = None,
    gain_db: options.GainOption = None,
    seed: options.SeedOption = None,
    precision: options.PrecisionOption = None,
    block_size: Annotated[int, typer.Option(help="Frames a block of the sound card.")] = 128,
    latency_ms: Annotated[float | None, typer.Option(help="Delay from key to sound to aim at.")] = None,
    midi_file: Annotated[Path | None, typer.Option(help="Play a MIDI file.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Play the preset's own phrase.")] = False,
    tail: options.TailOption = DEFAULT_TAIL_S,
    record: Annotated[Path | None, typer.Option(help="Record what is heard: .wav or .flac.")] = None,
    record_midi: Annotated[Path | None, typer.Option(help="Record what is played, for rtwave render: .mid.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds.", metavar="S")] = None,
) -> None:
    """Play a preset live: MIDI, the computer's keys or a MIDI file, to the sound card. Ctrl-C ends.

    \b
    Examples:
      rtwave play --preset piano
      rtwave play --midi-port Keystation --record take.flac
      rtwave play --demo
    """
    _check(seconds, score=bool(demo or midi_file), both=bool(demo and midi_file), live=bool(midi_port or virtual))
    output = choose_device(device)
    settings = Settings(
        preset=preset,
        seed=seed,
        voices=voices,
        temperature=temperature,
        gain_db=gain_db,
        transpose=transpose,
        channel=options.channel_index(channel),
        sample_rate=output.sample_rate,
        precision=precision,
    )
    score = read_score(midi_file) if midi_file else None
    performance = Performance(combine(settings, score and score.settings), threads)
    if demo:
        score = read_score(_demo(performance.preset))
    # whatever may be refused comes before the stream, which overwrites an earlier recording
    port = None if score or virtual else choose_port(midi_port)
    if record_midi:
        check_take_path(record_midi)
    stream = Stream(performance.engine, output, block_size=block_size, latency_ms=latency_ms, record=record)
    with Session(performance, stream, record_midi, seconds) as session:
        if score:
            session.play_score(score, tail)
        else:
            session.play_live(port, virtual)


def _check(seconds: float | None, *, score: bool, both: bool, live: bool) -> None:
    if both:
        raise RtwaveError("--demo and --midi-file are both given, expected one of them")
    if score and live:
        raise RtwaveError("--midi-port and --virtual are for live playing, expected neither with --demo or --midi-file")
    if seconds is not None and not seconds > 0.0:
        raise RtwaveError(f"--seconds is {seconds:g}, expected more than 0")


def _demo(preset: Preset) -> Path:
    if preset.demo is None:
        raise RtwaveError(f"{preset.folder}: this preset has no demo phrase; play a MIDI file with --midi-file")
    return preset.demo
