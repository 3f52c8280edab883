"""Which source gives what `prepare` was asked for; several instruments become timbres, drums one sound a key."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import RtwaveError
from .aligned import find_aligned
from .recordings import SUFFIXES, find_recordings
from .sfz import find_regions
from .soundfont import DRUM_BANK, EVERY, VELOCITIES, find_programs
from .sources import MOST_TIMBRES, Found
from .texture import find_pieces, timbre_names
from .unlabelled import find_notes

SOUNDFONTS = {".sf2", ".sf3"}


@dataclass(frozen=True)
class Request:
    """What a person asks for. `keys` None takes all; `seconds` None is the source's own; the rest is SoundFonts'."""

    paths: Sequence[Path]
    kind: str = "notes"
    manifest: Path | None = None
    labels: Path | None = None
    midi: Path | None = None
    soundfont: Path | None = None
    programs: Sequence[int] = (0,)
    bank: int = 0
    keys: Sequence[int] | None = None
    every: int = EVERY
    velocities: Sequence[int] = VELOCITIES
    seconds: float | None = None


def gather(request: Request, progress: Callable[[int, int], None] = lambda done, total: None) -> Found:
    """What the sources hold; RtwaveError where they cannot be read, or do not fit together."""
    kind = "drums" if request.soundfont and request.bank == DRUM_BANK else request.kind
    if request.soundfont:
        found = find_programs(
            request.soundfont,
            request.programs,
            bank=DRUM_BANK if kind == "drums" else request.bank,
            keys=request.keys,
            every=request.every,
            velocities=request.velocities,
            seconds=request.seconds,
            progress=progress,
        )
    elif kind == "unlabelled":
        found = Found(*find_notes(request.paths, request.labels))
    elif kind == "texture":
        found = Found(*find_pieces(request.paths), timbres=timbre_names(request.paths), kind="texture")
    elif request.midi:
        found = find_aligned(list(request.paths), request.midi)
    elif len(request.paths) == 1:
        found = _instrument(request.paths[0], request)
    else:
        found = _join([_instrument(path, request) for path in request.paths])
    if request.keys is not None:
        found.recordings = [item for item in found.recordings if item.note in request.keys]
        if not found.recordings:
            raise RtwaveError("no recording at any of these --keys; name others")
    return _as_drums(found) if kind == "drums" else found


def _instrument(path: Path, request: Request) -> Found:
    """A folder of labelled recordings or an SFZ file."""
    if path.suffix.lower() == ".sfz":
        return find_regions(path)
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        raise RtwaveError(
            f"{path}: a recording, expected a folder of labelled ones; name that, or add --kind unlabelled, "
            "--kind texture, or the --midi file it was played from"
        )
    recordings, skipped = find_recordings(path, request.manifest, numbers=request.kind == "drums")
    return Found(recordings, skipped, timbres=[path.resolve().name])


def _join(instruments: list[Found]) -> Found:
    """Several instruments as the timbres of one."""
    if len(instruments) > MOST_TIMBRES:
        raise RtwaveError(f"{len(instruments)} instruments, at most {MOST_TIMBRES} make a morph; name fewer")
    joined = Found([])
    for place, found in enumerate(instruments):
        (name,) = found.timbres
        joined.timbres.append(name)
        joined.recordings += [
            replace(item, name=f"{name}/{item.name}", timbre=float(place)) for item in found.recordings
        ]
        joined.skipped += found.skipped
        joined.warnings += found.warnings
    dampers = [found.damper_s for found in instruments if found.damper_s is not None]
    joined.damper_s = sum(dampers) / len(dampers) if dampers else None
    return joined


def _as_drums(found: Found) -> Found:
    """Each key a sound of its own: its timbre is its place among the keys, named as its recordings are."""
    names: dict[float, str] = {}
    for item in found.recordings:
        names.setdefault(item.note, _sound_name(item.name, item.note))
    if len(names) > MOST_TIMBRES:
        raise RtwaveError(f"{len(names)} drums, at most {MOST_TIMBRES}; choose with --keys 36,38,42")
    keys = sorted(names)
    recordings = [replace(item, timbre=float(keys.index(item.note))) for item in found.recordings]
    return replace(found, recordings=recordings, timbres=[names[key] for key in keys], kind="drums")


def _sound_name(name: str, note: float) -> str:
    """What is left of a recording's name without its velocity and key; the key where nothing is."""
    stem = re.sub(r"(v|vel|velocity)_?\d{1,3}(?!\d)", "", Path(name).stem, flags=re.IGNORECASE)
    stem = re.sub(rf"(?<![A-Za-z0-9])({note:g}|[A-Ga-g][#sb]?-?\d)(?!\d)", "", stem)
    return stem.strip(" _-.") or f"{note:g}"
