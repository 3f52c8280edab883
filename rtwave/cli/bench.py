"""`rtwave bench`: how many voices play in real time on this machine."""

from typing import Annotated

import msgspec
import typer

from ..errors import RtwaveError
from . import options


def bench(
    preset: options.PresetOption = None,
    model: Annotated[str | None, typer.Option(help="A random network instead.", metavar="LAYERSxRESIDUALxSKIP")] = None,
    voices: Annotated[int, typer.Option(help="Notes held while timing, 1 to 128.")] = 4,
    instruction_set: Annotated[str, typer.Option(help="auto, portable, avx2, avx512 or neon.")] = "auto",
    seconds: Annotated[float, typer.Option(help="Seconds of music to time.", metavar="S")] = 2.0,
    json: options.JsonOption = False,
) -> None:
    """Measure how fast a network steps on one core; its output is first checked against the reference.

    \b
    Example:
      rtwave bench --preset piano --json
    """
    from ..engine.bench import measure, random_model
    from ..presets import load_preset

    if preset and model:
        raise RtwaveError("--preset and --model are both given, expected one of them")
    name = model or preset or "piano"
    weights = random_model(model) if model else load_preset(name).weights
    report = measure(weights, name, voices, instruction_set, seconds)
    if json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
        return
    step = report.step_us
    print(f"{report.machine}\n")
    print(f"model           {report.model}, {report.sample_rate} Hz, {report.precision}, {report.instruction_set}")
    print(f"check           equals the reference to {report.error:.1e}")
    print(f"speed           {report.samples_per_second:,.0f} samples/s over {report.voices} voices")
    print(f"                {report.times_real_time:.2f} times real time")
    print(f"one sample      {step.p50:.1f} us (p50), {step.p99:.1f} us (p99), {step.max:.1f} us (max)")
    print(f"in real time    {report.voices_in_real_time} voices on one core")
