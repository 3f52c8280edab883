"""SFZ instruments (sfzformat.com): text files that say which sample sounds at which key and velocity."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import RtwaveError
from ..wavenet.keys import key_number
from .recordings import read_samples
from .sources import Found, Recording, Skipped

USED = {
    *("sample", "default_path", "note_offset", "octave_offset", "key", "lokey", "hikey", "pitch_keycenter"),
    *("lovel", "hivel", "tune", "pitch", "transpose", "volume", "offset", "end", "ampeg_release", "trigger"),
    *("seq_position", "seq_length", "lorand", "hirand", "sw_default", "sw_last", "sw_lokey", "sw_hikey", "sw_label"),
    *("region_label", "group_label", "master_label", "global_label"),
}
"""Opcodes that say something here; the others shape what a sampler makes of a recording, and are listed as unused."""
ASSUMED = {("amp_veltrack", "0"), ("loop_mode", "no_loop"), ("loop_mode", "one_shot")}
"""What is taken for granted: a recording sounds at its own level, once."""
SCOPES = ("control", "global", "master", "group", "region")
MOST_INCLUDES = 1000
MOST_DB, MOST_CENTS, MOST_SAMPLES = 200.0, 2400.0, 2**40
"""Either way; what an opcode says beyond these is a mistake."""
RELEASE_TIME_CONSTANTS = 9.0
"""In an ampeg_release, as sfizz and ARIA have it: its envelope ends 78 dB down."""

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_INCLUDE = re.compile(r'#include\s+"([^"]+)"')
_DEFINE = re.compile(r"#define\s+(\$\w+)\s+(\S+)")
_TOKEN = re.compile(r"<(\w+)>|(\w+)=(.*?)(?=\s+\w+=|\s*<\w+>|\s*$)")


def find_regions(path: Path, timbre: float = 0.0) -> Found:
    """The recordings of an SFZ file: each region's sample at its pitch_keycenter and the middle of its velocities."""
    regions = list(read_regions(path))
    found = Found([], timbres=[path.stem])
    articulation = next((region["sw_default"] for region in regions if "sw_default" in region), None)
    if articulation is None:
        articulation = next((region["sw_last"] for region in regions if "sw_last" in region), None)
    seen: set[tuple] = set()
    releases = []
    for number, region in enumerate(regions, start=1):
        place = f"{path}, region {number}"
        try:
            if region.get("sw_last", articulation) != articulation:
                raise RtwaveError(f"another articulation (keyswitch {region['sw_last']}, not {articulation})")
            recording = _recording(path, region, place, timbre)
            releases.append(_number(region, "ampeg_release", 0.0))
        except RtwaveError as error:
            found.skipped.append(Skipped(place, str(error)))
            continue
        same = (recording.name, recording.note, recording.velocity, region.get("offset"), region.get("end"))
        if same not in seen:
            found.recordings.append(recording)
        seen.add(same)
    if positive := [release for release in releases if release > 0.0]:
        found.damper_s = float(np.median(positive)) / RELEASE_TIME_CONSTANTS
    unused = Counter(name for region in regions for name in {*region} - USED if (name, region[name]) not in ASSUMED)
    if unused:
        listed = ", ".join(f"{opcode} ({count})" for opcode, count in sorted(unused.items()))
        found.warnings.append(f"{path.name}: opcodes that were not used, with how many regions have them: {listed}")
    if not found.recordings:
        why = f"; first: {found.skipped[0].reason}" if found.skipped else ""
        raise RtwaveError(f"{path}: none of {len(regions)} regions can be used{why}")
    return found


def read_regions(path: Path) -> Iterator[dict[str, str]]:
    """Every region's opcodes, with those of the scopes around it."""
    scopes: dict[str, dict[str, str]] = {scope: {} for scope in SCOPES}
    current = None
    for line in _lines(path, path.parent, (), {}, Counter()):
        for header, opcode, value in _TOKEN.findall(line):
            if header:
                if current == "region":
                    yield _merged(scopes)
                current = header if header in SCOPES else None
                if current == "control":
                    continue
                for inner in SCOPES[SCOPES.index(current) :] if current else ():
                    scopes[inner] = {}
            elif current:
                scopes[current][opcode] = value.strip()
    if current == "region":
        yield _merged(scopes)


def _merged(scopes: dict[str, dict[str, str]]) -> dict[str, str]:
    return {opcode: value for scope in SCOPES for opcode, value in scopes[scope].items()}


def _lines(path: Path, root: Path, inside: tuple[Path, ...], defined: dict[str, str], count: Counter) -> Iterator[str]:
    """Lines of a file and of those it includes, comments taken out, defined names put in."""
    count["includes"] += 1
    if path.resolve() in inside or count["includes"] > MOST_INCLUDES:
        raise RtwaveError(f"{inside[-1]}: #include of {path.name} goes in a circle; take it out")
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        place = f"{inside[-1]}: #include" if inside else str(path)
        raise RtwaveError(f"{place}: {path.name} cannot be read ({error.strerror}); expected an SFZ file") from None
    if "\0" in text:
        raise RtwaveError(f"{path}: holds binary data, expected the text of an SFZ file")
    for line in _COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text).splitlines():
        if define := _DEFINE.search(line):
            defined[define[1]] = define[2]
            line = line[: define.start()] + line[define.end() :]
        for name in sorted(defined, key=len, reverse=True):
            line = line.replace(name, defined[name])
        if include := _INCLUDE.search(line):
            yield line[: include.start()]
            yield from _lines(root / include[1].replace("\\", "/"), root, (*inside, path.resolve()), defined, count)
            line = line[include.end() :]
        yield line


def _recording(path: Path, region: dict[str, str], place: str, timbre: float) -> Recording:
    """One region as a recording; RtwaveError with the reason to skip it."""
    if region.get("trigger", "attack") not in ("attack", "first"):
        raise RtwaveError(f"sounds at another moment than a key's start (trigger={region['trigger']})")
    if "sample" not in region:
        raise RtwaveError("has no sample")
    if region["sample"].startswith("*"):
        raise RtwaveError(f"is made by the sampler ({region['sample']}), not recorded")
    name = (region.get("default_path", "") + region["sample"]).replace("\\", "/")
    sample = _existing(path.parent / name)
    low, high = _number(region, "lovel", 0.0), _number(region, "hivel", 127.0)
    if not 0.0 <= low <= high <= 127.0:
        raise RtwaveError(f"velocities are {low:g} to {high:g}, expected 0 to 127")
    start, end = (int(_number(region, opcode, usual)) for opcode, usual in (("offset", 0.0), ("end", -1.0)))
    gain = 10.0 ** (_number(region, "volume", 0.0, MOST_DB) / 20.0)
    cents = _number(region, "tune", _number(region, "pitch", 0.0, MOST_CENTS), MOST_CENTS)
    load = partial(_load, sample, max(start, 0), end + 1 if end > 0 else None, gain, 2.0 ** (cents / 1200.0))
    velocity = max(1.0, (low + high) / 2.0)
    return Recording(name, f"{place}, {sample}", _note(region), velocity, load, timbre=timbre)


def _note(region: dict[str, str]) -> float:
    """The note at which a region's sample sounds as it was recorded."""
    shift = int(_number(region, "note_offset", 0.0)) + 12 * int(_number(region, "octave_offset", 0.0))
    written = region.get("pitch_keycenter", region.get("key"))
    if written is None:
        written = "60"
    note = _key(written) + shift - int(_number(region, "transpose", 0.0))
    if not 0 <= note <= 127:
        raise RtwaveError(f"pitch_keycenter is {written} (note {note}), expected a note of 0 to 127")
    return float(note)


def _key(text: str) -> int:
    """A key by number or by name (c4 = 60)."""
    try:
        return int(key_number(text))
    except (ValueError, OverflowError):
        raise RtwaveError(f"pitch_keycenter is {text!r}, expected a number or a name such as c#4") from None


def _number(region: dict[str, str], opcode: str, default: float, most: float = MOST_SAMPLES) -> float:
    """What an opcode says, from −most to most."""
    try:
        value = float(region.get(opcode, default))
    except ValueError:
        raise RtwaveError(f"{opcode} is {region[opcode]!r}, expected a number") from None
    if not abs(value) <= most:
        raise RtwaveError(f"{opcode} is {region[opcode]}, expected a number of {-most:g} to {most:g}")
    return value


def _existing(path: Path) -> Path:
    """The file at `path`, however its letters are cased: many of these files come from systems that do not care."""
    if path.is_file():
        return path
    place = Path(path.anchor or ".")
    for part in path.parts[1:] if path.anchor else path.parts:
        if not (place / part).exists():
            names = [other.name for other in place.iterdir()] if place.is_dir() else []
            part = next((name for name in names if name.lower() == part.lower()), part)
        place /= part
    if not place.is_file():
        raise RtwaveError(f"its sample {path} is missing")
    return place


def _load(path: Path, start: int, stop: int | None, gain: float, ratio: float) -> tuple[np.ndarray, float]:
    """A region's samples at its volume; `ratio` retunes by the rate at which they are taken to be recorded."""
    samples, rate = read_samples(path)
    return samples[start:stop] * np.float32(gain), rate * ratio
