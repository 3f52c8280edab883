"""`rtwave evaluate`: what each precision costs in bits per sample."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ..errors import RtwaveError
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
    from ..engine.engine import choose_precision
    from ..presets import Preset
    from ..training.calibrate import calibrate_ranges
    from ..training.checkpoint import Run
    from ..training.corpus import Corpus
    from ..training.evaluate import evaluate as judge
    from ..training.evaluate import open_model
    from ..wavenet.weights import Weights
    from .progress import progress_bar

    opened = open_model(model)
    preset = opened if isinstance(opened, Preset) else None
    weights = preset.weights if preset else Weights.load(opened.weights_path)
    recordings = Corpus(corpus or (Run(preset.folder) if preset else opened).corpus_folder())
    with progress_bar("listening", 2.0) as advance:
        if weights.ranges is None:
            weights.ranges = calibrate_ranges(weights, recordings, lambda done, total: advance(done / total))
        found = judge(weights, recordings, instruction_set, lambda done, total: advance(1.0 + done / total))
    if not found.bits:
        raise RtwaveError(f"{recordings.folder}: no recording is held out, so nothing can be judged")
    played = choose_precision("auto", preset.precision, found.instruction_set) if preset else found.auto
    if json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    print(f"{model}: {found.samples:,} samples of {found.recordings} held-out recordings, {found.instruction_set}\n")
    print("precision  bits per sample  against float32")
    for name, bits in found.bits.items():
        mark = "  auto takes it" if name == found.auto else ""
        print(f"{name:9}  {bits:15.4f}  {bits - found.bits['float32']:+15.4f}{mark}")
    if played != found.auto:
        print(f"\nThe preset says otherwise, and plays in {played}: export it again.")
