"""rtwave prepare: from recordings of any kind to a corpus."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import RtwaveError
from . import options

if TYPE_CHECKING:
    from ..training.corpus import CorpusIndex


class Source(StrEnum):
    notes = "notes"
    drums = "drums"
    texture = "texture"
    unlabelled = "unlabelled"


def prepare(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of recordings named like A4_v100.wav, SFZ files, SoundFonts, or audio files."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Corpus folder to write; corpora/NAME by default.")] = None,
    kind: Annotated[
        Source, typer.Option(help="What they are; unlabelled: one note at a time, texture: without notes.")
    ] = Source.notes,
    sample_rate: Annotated[int, typer.Option(min=1000, max=192_000, help="Model rate in Hz.")] = 16_000,
    manifest: Annotated[Path | None, typer.Option(help="CSV of file,note,velocity[,knob1…4].")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="The notes.csv that --kind unlabelled wrote, checked and corrected.")
    ] = None,
    midi: Annotated[
        Path | None, typer.Option(help="MIDI file that the audio file was played from, or a folder of them.")
    ] = None,
    soundfont: Annotated[Path | None, typer.Option(help="SoundFont to render with fluidsynth.")] = None,
    program: Annotated[
        list[int] | None, typer.Option(min=0, max=127, help="Its program; several times for a morph. 0 by default.")
    ] = None,
    bank: Annotated[int, typer.Option(min=0, max=128, help="Its bank; 128 is drums.")] = 0,
    keys: Annotated[str | None, typer.Option(help="Which keys: 36-84, or 36,38,42. All by default.")] = None,
    every: Annotated[int | None, typer.Option(min=1, help="Steps in a range of keys; 3 in a SoundFont.")] = None,
    velocities: Annotated[str | None, typer.Option(help="A SoundFont's, 20,40,60,80,100,120 by default.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.5, help="Longest part of each recording; 10, in a SoundFont 6, drums 3.")
    ] = None,
    undamped_from: Annotated[int, typer.Option(min=0, max=128, help="First key without a damper (piano: 89).")] = 128,
    damper_ms: Annotated[
        float | None, typer.Option(min=1, help="How fast a released note ends; measured, or 60.")
    ] = None,
    sustained: Annotated[
        bool | None, typer.Option(help="Whether held notes keep their level (strings, flute); measured.")
    ] = None,
    stiff: Annotated[
        bool | None, typer.Option(help="Whether strings are stiff (struck, plucked); those that do not sustain.")
    ] = None,
    tempered: Annotated[
        bool, typer.Option("--tempered", help="Bring every recording to the pitch of its key, up to 60 cents away.")
    ] = False,
) -> None:
    """Make a corpus from recordings.

    \b
    Examples:
      rtwave prepare recordings/ --out corpora/bell
      rtwave prepare piano/ flute/ choir/ --out corpora/morph
      rtwave prepare --soundfont general.sf2 --program 48 --program 52
      rtwave prepare song.wav --midi song.mid
    """
    from ..training.gather import SOUNDFONTS, Request, gather
    from ..training.prepare import prepare as prepare_corpus
    from ..training.shards import require_own
    from ..training.soundfont import EVERY
    from ..training.unlabelled import LABELS, write_labels
    from .progress import progress_bar

    sources = sources or []
    if soundfont is None and len(sources) == 1 and sources[0].suffix.lower() in SOUNDFONTS:
        soundfont, sources = sources[0], []
    if not sources and soundfont is None:
        raise RtwaveError("nothing to prepare; name a folder of recordings, an SFZ file, or a --soundfont")
    if sources and soundfont is not None:
        raise RtwaveError(f"{sources[0]}: beside --soundfont, expected one or the other")
    request = Request(
        sources,
        kind=kind.value,
        manifest=manifest,
        labels=labels,
        midi=midi,
        soundfont=soundfont,
        programs=program or [0],
        bank=bank,
        keys=None if keys is None else options.keys(keys, every or (EVERY if soundfont else 1)),
        every=every or EVERY,
        seconds=seconds,
        **({} if velocities is None else {"velocities": options.numbers("--velocities", velocities, 1)}),
    )
    out = out or Path("corpora") / (soundfont.stem if soundfont else sources[0].resolve().stem)
    require_own(out)  # before minutes of rendering
    own_labels = labels is not None and labels.resolve() == (out / LABELS).resolve()
    if kind is Source.unlabelled and not own_labels and (out / LABELS).exists():
        raise RtwaveError(f"{out / LABELS}: is there, perhaps corrected; say --labels {out / LABELS}, or delete it")
    with progress_bar("rendering" if soundfont else "reading", 1.0) as advance:
        found = gather(request, lambda done, total: advance(done / total))
    with progress_bar("preparing", 1.0) as advance:
        index = prepare_corpus(
            found,
            out,
            sample_rate=sample_rate,
            seconds=seconds or 10.0,
            undamped_from=undamped_from,
            stiff=stiff,
            damper_s=None if damper_ms is None else damper_ms / 1000.0,
            sustained=sustained,
            tempered=tempered,
            progress=lambda done, total: advance(done / total),
        )
    if kind is Source.unlabelled and not own_labels:
        write_labels(out / LABELS, found.recordings)
    _tell(out, index)
    _judge(out)


def _judge(out: Path) -> None:
    """Say what to look at in a corpus, and what comes next; RtwaveError where it cannot work."""
    from ..training.corpus import Corpus
    from ..training.report import write as write_report
    from ..training.soundness import judge

    corpus, warnings, fault = Corpus(out), [], None
    try:
        warnings = judge(corpus)
    except RtwaveError as error:
        fault = str(error)
    warnings += corpus.index.warnings
    for warning in warnings:
        print(f"look at this: {warning}")
    print(f"{write_report(corpus, warnings, fault)} shows it")
    if fault:
        raise RtwaveError(fault)
    print(f"train a network on it with `rtwave train {out}`")


def _tell(out: Path, index: "CorpusIndex") -> None:
    """What is in the corpus, and what was left out."""
    from ..wavenet.keys import key_name

    minutes = sum(entry.samples for entry in index.entries) / index.sample_rate / 60.0
    keys, texture = {entry.note for entry in index.entries}, index.kind == "texture"
    held_out = sum(entry.held_out for entry in index.entries)
    what = "pieces" if texture else f"recordings, {len(keys)} keys"
    print(f"{out}: {len(index.entries)} {what}, {minutes:.1f} minutes; {held_out} held out")
    if index.kind == "notes":
        holds = "keep their level" if index.sustained else "die away"
        print(f"held notes {holds}; released ones end with a time constant of {1000 * index.damper_s:.0f} ms")
    several = len(index.timbres) > 1
    for timbre, name in enumerate(index.timbres if several else [""]):
        own = [entry for entry in index.entries if not several or entry.timbre == timbre]
        if several:
            print(f" {name}: {len(own)} pieces" if texture else f" {name}:")
        for key in [] if texture else sorted({entry.note for entry in own}):
            same = [entry for entry in own if entry.note == key]
            tuning = f", {same[0].cents:+6.1f} cents" if index.partials else ""
            tuning += f", stiffness {same[0].stiffness:.1e}" if same[0].stiffness else ""
            print(f"  {key_name(key):>4}: {len(same):3} recording{'s' * (len(same) > 1)}{tuning}")
    print(f"skipped {len(index.skipped)} files" + (":" if index.skipped else ""))
    for path, reason in index.skipped:
        print(f"  {path}: {reason}")
