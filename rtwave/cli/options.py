"""Options that several verbs share."""

from typing import Annotated

import typer

from ..errors import RtwaveError

PresetOption = Annotated[str | None, typer.Option("--preset", help="Name or folder of a preset.  [default: piano]")]
SeedOption = Annotated[
    int | None, typer.Option(help="Seed of the randomness; the same seed gives the same samples.  [default: 0]")
]
TemperatureOption = Annotated[
    float | None, typer.Option(help="0 (pure) to 2 (rough).  [default: the preset's]", metavar="T")
]
GainOption = Annotated[
    float | None, typer.Option("--gain-db", help="Gain in dB, -60 to 12.  [default: the preset's]", metavar="DB")
]
VoicesOption = Annotated[int | None, typer.Option(help="Notes at once.  [default: the preset's]")]
ThreadsOption = Annotated[
    int,
    typer.Option(help="Processor cores that share the voices, from two voices on; it changes no sample.", metavar="N"),
]
TransposeOption = Annotated[int | None, typer.Option(help="Semitones up, or down if negative.  [default: 0]")]
ChannelOption = Annotated[int | None, typer.Option(help="MIDI channel, 1 to 16.  [default: all]")]
TuneOption = Annotated[float | None, typer.Option(help="A4 in Hz, 400 to 480.  [default: 440]", metavar="HZ")]
VelocityCurveOption = Annotated[
    float | None,
    typer.Option(help="Exponent on velocity: below 1 is louder, above 1 softer.  [default: the preset's]", metavar="X"),
]
MpeOption = Annotated[bool, typer.Option("--mpe", help="Expect an MPE controller: its notes bend and swell alone.")]
LatencyOption = Annotated[
    str, typer.Option(help="Delay from key to sound in ms, or auto: the least that plays without gaps.", metavar="MS")
]
TailOption = Annotated[float, typer.Option(help="Seconds that the last notes may ring out.", metavar="S")]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        help="What steps the network: cpu, cuda (a GPU), or to compare with: cuda-graph, torch.",
        metavar="NAME",
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        help="float32, bfloat16, int8 (cpu), float16 (GPU), or auto: the fastest that loses at most 0.01 bits."
        "  [default: auto]"
    ),
]
InstructionSetOption = Annotated[
    str, typer.Option(help="auto, or one that this machine has; portable runs everywhere.", metavar="NAME")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def latency(text: str) -> float | None:
    """What Stream takes for --latency-ms: None for auto."""
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        raise RtwaveError(f"--latency-ms is {text!r}, expected a number of milliseconds or auto") from None


def channel_index(channel: int | None) -> int | None:
    """A channel as people count (1 to 16) as MIDI counts it (0 to 15)."""
    return None if channel is None else channel - 1


def keys(text: str, every: int = 1) -> list[int]:
    """Keys named one by one, or as ranges of which every so manieth is taken."""
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        ends = numbers("--keys", f"{low},{high}" if dash else low, 0)
        found += range(ends[0], ends[-1] + 1, every) if dash else ends
    if not found:
        raise RtwaveError(f"--keys is {text!r}, expected keys of 0 to 127 such as 36-84 or 36,38,42")
    return found


def numbers(option: str, text: str, lowest: int) -> list[int]:
    """Numbers of `lowest` to 127 that commas separate."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and lowest <= int(word) <= 127 for word in words):
        raise RtwaveError(f"{option} is {text!r}, expected numbers of {lowest} to 127 such as 36,38,42")
    return [int(word) for word in words]
