"""`rtwave evaluate`: what a preset sounds like beside the recordings, in figures, verdicts and pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from . import options

FOR_BITS = {
    "drums": "record each sound several times",
    "texture": "prepare the corpus again, of files of 10 s or more",
}
"""What would let something be held out; notes are not judged without."""


def evaluate(
    model: Annotated[str, typer.Argument(help="Run folder, or name or folder of a preset.")],
    corpus: Annotated[Path | None, typer.Option(help="Corpus to judge by; the run's by default.")] = None,
    yardstick: Annotated[Path | None, typer.Option(help="Another instrument's corpus, to be compared with.")] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Every key, instead of some.")] = False,
    page: Annotated[Path | None, typer.Option(help="Write a page with pictures (HTML) to this file.")] = None,
    temperature: options.TemperatureOption = None,
    instruction_set: options.InstructionSetOption = "auto",
    json: options.JsonOption = False,
) -> None:
    """Judge a preset by the recordings: pitch, level, brightness, decay, noise, likeness, bits per sample, speed.

    \b
    Example:
      rtwave evaluate piano --corpus corpora/piano --page piano.html
    """
    from ..training.judge.judge import judge
    from .progress import progress_bar

    stages = ("bits per sample", "notes", "velocities", "held-out recordings", "texture")
    write_page = _page_writer(page) if page else None
    with progress_bar("listening", len(stages)) as advance:
        found, player, recordings = judge(
            model,
            corpus,
            yardstick=yardstick,
            thorough=thorough,
            instruction_set=instruction_set,
            temperature=temperature,
            progress=lambda stage: advance(stages.index(stage), stage),
        )
        if write_page:
            write_page(found, player, recordings)
    if json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        _print(found)


def _page_writer(path: Path) -> Callable[..., None]:
    """What writes the page; RtwaveError at once where it could not, rather than after minutes of listening."""
    from ..errors import RtwaveError
    from ..training.judge.page import page

    if not path.parent.is_dir() or path.is_dir():
        raise RtwaveError(f"{path}: cannot write the page there, expected a file in a folder that exists")

    def write(*sides: object) -> None:
        try:
            path.write_text(page(*sides), encoding="utf-8")
        except OSError as error:
            raise RtwaveError(f"{path}: cannot write the page ({error.strerror}); name another file") from None

    return write


def _print(found) -> None:
    from ..training.judge.judge import YARDSTICKS, means

    bits = found.bits
    if bits.bits:
        heard = f"{bits.samples:,} samples of {bits.recordings} held-out recordings, {found.instruction_set}"
        print(f"{found.model}: {heard}\n\nprecision  bits per sample  against float32")
    else:
        print(f"{found.model}: no recording is held out, so there are no bits per sample; {FOR_BITS[found.kind]}")
    for name, value in bits.bits.items():
        mark = "  auto takes it" if name == bits.auto else ""
        print(f"{name:9}  {value:15.4f}  {value - bits.bits['float32']:+15.4f}{mark}")
    if found.textures:
        print("\nlevel and spectrum: beside the recordings that it learned from, of the timbre that is farthest off")
    if found.held_out:
        print(f"\ndistance  mean of {len(found.held_out)} held-out recordings")
        for name, value in means(found).items():
            print(f"{value:8.2f}  {YARDSTICKS[name]}")
    width = max(len(verdict.name) for verdict in found.verdicts)
    print(f"\n        {'criterion':{width}}  {'reached':>10}  wanted")
    for verdict in found.verdicts:
        mark = "met   " if verdict.met else "MISSED"
        print(f"{mark}  {verdict.name:{width}}  {verdict.reached:10g}  {verdict.wanted} {verdict.unit}")
    if bits.bits and bits.played != bits.auto:
        print(f"\nThe preset says otherwise, and plays in {bits.played}: export it again.")
