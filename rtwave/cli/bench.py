"""`rtwave bench`: how fast a network steps, beside what this machine allows."""

from typing import Annotated

import msgspec
import typer

from ..errors import RtwaveError
from . import options


def bench(
    preset: options.PresetOption = None,
    model: Annotated[str | None, typer.Option(help="A random network instead.", metavar="LAYERSxRESIDUALxSKIP")] = None,
    voices: Annotated[int, typer.Option(help="Notes held while timing, 1 to 128; on a GPU to 2048.")] = 4,
    threads: options.ThreadsOption = 1,
    engine: options.EngineOption = "cpu",
    precision: options.PrecisionOption = None,
    instruction_set: options.InstructionSetOption = "auto",
    seconds: Annotated[float, typer.Option(help="Seconds of music to time.", metavar="S")] = 2.0,
    json: options.JsonOption = False,
) -> None:
    """Measure how fast a network steps and how fast this machine could; its output is first checked.

    \b
    Examples:
      rtwave bench --preset piano --json
      rtwave bench --model 20x64x256 --precision int8 --voices 1
    """
    from ..engine.bench import measure, random_model
    from ..presets import load_preset

    if preset and model:
        raise RtwaveError("--preset and --model are both given, expected one of them")
    name = model or preset or "piano"
    network = random_model(model) if model else load_preset(name)
    report = measure(network, name, voices, instruction_set, precision or "auto", threads, seconds, engine)
    if json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
        return
    step, on_threads = report.step_us, _count(report.threads, "thread")
    print(f"{report.machine}\n")
    runs_on = report.instruction_set if report.engine == "cpu" else report.engine
    print(f"model           {report.model}, {report.sample_rate} Hz, {report.precision}, {runs_on}")
    print(f"check           equals the reference to {report.error:.1e}")
    if report.roofline_fraction is not None:
        print(f"limit           {report.roofline_samples_per_second:,.0f} samples/s on {on_threads}:", end=" ")
        print(f"{report.weight_bytes / 1e6:.2f} MB a step at {report.streaming_gb_per_s:.0f} GB/s,", end=" ")
        print(f"{report.multiply_adds_per_s / 1e9:.0f} G multiply-adds/s, per core")
    print(f"reached         {report.samples_per_second:,.0f} samples/s over {_count(report.voices, 'voice')},", end=" ")
    print(f"each {report.times_real_time:.2f} times real time")
    if report.roofline_fraction is not None:
        print(f"ratio           {report.roofline_fraction:.1%} of the limit")
    print(f"one sample      {step.p50:.1f} us (p50), {step.p99:.1f} us (p99), {step.max:.1f} us (max)")
    print(f"in real time    {_count(report.voices_in_real_time, 'voice')} on {on_threads}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
