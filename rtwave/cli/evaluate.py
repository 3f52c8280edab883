"""`rtwave evaluate`: what each precision costs in bits per sample."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from . import options


def evaluate(
    model: Annotated[str, typer.Argument(help="Run folder, or name or folder of a preset.")],
    corpus: Annotated[Path | None, typer.Option(help="Corpus to judge by; the run's by default.")] = None,
    instruction_set: options.InstructionSetOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Measure bits per sample of each precision on the held-out recordings: what the sound loses by speed.

    \b
    Example:
      rtwave evaluate piano --corpus corpora/piano
    """
    from ..training.evaluate import evaluate_model
    from .progress import progress_bar

    with progress_bar("listening", 1.0) as advance:
        found = evaluate_model(model, corpus, instruction_set, lambda done, total: advance(done / total))
    if json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    print(f"{model}: {found.samples:,} samples of {found.recordings} held-out recordings, {found.instruction_set}\n")
    print("precision  bits per sample  against float32")
    for name, bits in found.bits.items():
        mark = "  auto takes it" if name == found.auto else ""
        print(f"{name:9}  {bits:15.4f}  {bits - found.bits['float32']:+15.4f}{mark}")
    if found.played != found.auto:
        print(f"\nThe preset says otherwise, and plays in {found.played}: export it again.")
