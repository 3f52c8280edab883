"""rtwave prepare: from labelled recordings to a corpus."""

from pathlib import Path
from typing import Annotated

import typer


def prepare(
    folder: Annotated[
        Path, typer.Argument(help="Folder of recordings named like A4_v100.wav, or with a manifest.csv.")
    ],
    out: Annotated[Path | None, typer.Option(help="Corpus folder to write; corpora/NAME by default.")] = None,
    sample_rate: Annotated[int, typer.Option(min=1000, max=192_000, help="Model rate in Hz.")] = 16_000,
    manifest: Annotated[Path | None, typer.Option(help="CSV of file,note,velocity[,knob1…4].")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="Longest part of each recording to keep.")] = 10.0,
    undamped_from: Annotated[int, typer.Option(min=0, max=128, help="First key without a damper (piano: 89).")] = 128,
    stiff: Annotated[bool, typer.Option(help="Fit string stiffness (struck and plucked strings).")] = True,
) -> None:
    """Make a corpus from labelled recordings.

    Example: rtwave prepare recordings/ --out corpora/bell
    """
    from ..training.prepare import prepare as prepare_corpus
    from .progress import progress_bar

    out = out or Path("corpora") / folder.resolve().name
    with progress_bar("preparing", 1.0) as advance:
        index = prepare_corpus(
            folder,
            out,
            sample_rate=sample_rate,
            manifest=manifest,
            seconds=seconds,
            undamped_from=undamped_from,
            stiff=stiff,
            progress=lambda done, total: advance(done / total),
        )
    minutes = sum(entry.samples for entry in index.entries) / index.sample_rate / 60.0
    keys = sorted({entry.note for entry in index.entries})
    held_out = sum(entry.held_out for entry in index.entries)
    print(f"{out}: {len(index.entries)} recordings, {len(keys)} keys, {minutes:.1f} minutes; {held_out} held out")
    for key in keys:
        same = [entry for entry in index.entries if entry.note == key]
        tuning = f"{same[0].cents:+6.1f} cents, stiffness {same[0].stiffness:.1e}"
        print(f"  key {key:5.1f}: {len(same):3} recordings, {tuning}")
    print(f"skipped {len(index.skipped)} files" + (":" if index.skipped else ""))
    for path, reason in index.skipped:
        print(f"  {path}: {reason}")
