"""What each precision costs: bits per sample on the held-out recordings, through the engine's own kernels."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from ..engine.engine import Engine, choose_instruction_set, choose_precision, precisions
from ..errors import RtwaveError
from ..presets import PRESET_FILE, Preset, load_preset, preset_folders
from ..wavenet.precision import PRECISIONS, best_precision
from ..wavenet.weights import Weights
from .bits import bits_per_sample, nats_per_sample
from .calibrate import calibrate_ranges
from .checkpoint import Run
from .corpus import Corpus
from .dataset import Batch, Dataset


class Evaluation(msgspec.Struct, frozen=True):
    """Bits per 16-bit sample of each precision that `instruction_set` has, and which one `auto` takes by them.

    `recordings` held out, and the `samples` of them that count; `bits` is empty where there are none. `played` is what
    `auto` takes as yet: by a preset's own figures, which may be older, or lacking.
    """

    instruction_set: str
    recordings: int
    samples: int
    bits: dict[str, float]
    auto: str
    played: str


def evaluate(
    weights: Weights,
    corpus: Corpus,
    instruction_set: str = "auto",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Judge every precision by the recordings that training never saw; `weights` hold ranges for int8."""
    instruction_set = choose_instruction_set(instruction_set)
    dataset = Dataset.standard(corpus, weights.config)
    batches = dataset.validation()
    by_speed = precisions(instruction_set)
    bits = {}
    for done, precision in enumerate(name for name in PRECISIONS if name in by_speed and batches):
        progress(done, len(by_speed))
        engine = Engine(weights, voices=1, instruction_set=instruction_set, precision=precision)
        found, counts = np.array([pair for batch in batches for pair in _bits(engine, batch)]).T
        bits[precision] = round(float(np.average(found, weights=counts)), 4)
    return Evaluation(
        instruction_set=instruction_set,
        recordings=len(dataset.held_out) if batches else 0,
        samples=sum(int(batch.weights.sum()) for batch in batches),
        bits=bits,
        auto=best_precision(bits, by_speed),
        played=best_precision(bits, by_speed),
    )


def evaluate_model(
    model: Preset | Weights,
    corpus: Corpus,
    instruction_set: str = "auto",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Judge a preset, or weights as export would; RtwaveError where no recording of notes is held out."""
    weights = model if isinstance(model, Weights) else model.weights
    found = evaluate(weights, corpus, instruction_set, progress)
    if not found.bits and corpus.index.kind == "notes":
        raise RtwaveError(f"{corpus.folder}: no recording is held out, so nothing can be judged; prepare four or more")
    if isinstance(model, Weights):
        return found
    played = choose_precision("auto", model.precision, found.instruction_set)
    return msgspec.structs.replace(found, played=played)


def open_to_judge(name_or_folder: str | Path, corpus: str | Path | None = None) -> tuple[Preset | Weights, Corpus]:
    """A preset, or a run's weights, and the run's own corpus unless another is named; both with ranges for int8.

    Ranges are measured where the file holds none. RtwaveError where a folder is not what it should be.
    """
    model = open_model(name_or_folder)
    playable = model if isinstance(model, Preset) else Weights.load(model.weights_path)
    recordings = Corpus(corpus or Run(model.folder).corpus_folder())
    weights = playable.weights if isinstance(model, Preset) else playable
    if weights.ranges is None:
        weights.ranges = calibrate_ranges(weights, recordings)
    return playable, recordings


def _bits(engine: Engine, batch: Batch) -> list[tuple[float, float]]:
    """Bits per counted sample of each segment, and how many those are."""
    config, counted, found = engine.config, slice(batch.context, None), []
    rows = zip(batch.inputs, batch.targets, batch.gain, batch.weights, strict=True)
    for row, (inputs, targets, gain, weights) in enumerate(rows):
        conditioning = np.repeat(batch.conditioning[row], config.control_period, axis=0).T
        excitation = None if batch.excitation is None else batch.excitation[row].T
        outputs = engine.teacher_force(inputs, conditioning, excitation)
        nats = nats_per_sample(config, outputs[counted], targets[counted])
        bits = bits_per_sample(config, nats, targets[counted], gain[counted], weights[counted])
        found.append((bits, float(weights[counted].sum())))
    return found


def open_model(name_or_folder: str | Path) -> Preset | Run:
    """A preset by name or folder, or the run in a folder; RtwaveError where it is neither."""
    folder = Path(name_or_folder)
    with contextlib.suppress(OSError):  # longer than a file's name can be
        if (folder / PRESET_FILE).is_file():
            return load_preset(folder)
        run = Run(folder)
        if run.weights_path.is_file():
            return run
    folders = preset_folders()
    if str(name_or_folder) in folders:
        return load_preset(name_or_folder)
    there = ", ".join(folders) or "none"
    raise RtwaveError(f"{name_or_folder}: neither a run's folder nor a preset's, nor the name of a preset ({there})")
