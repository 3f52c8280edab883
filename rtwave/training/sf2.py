"""What a SoundFont file holds: its presets by bank and program, and the keys they were recorded at (SoundFont 2.04)."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import RtwaveError

_HEADER = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "<u4", 3)])
_INSTRUMENT = np.dtype([("name", "S20"), ("bag", "<u2")])
_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("operator", "<u2"), ("amount", "<u2")])
_SAMPLE = np.dtype(
    [("name", "S20"), ("places", "<u4", 4), ("rate", "<u4"), ("key", "u1"), ("cents", "i1"), ("link", "<u2", 2)]
)
_CHUNKS = {
    b"phdr": _HEADER,
    b"pbag": _BAG,
    b"pgen": _GENERATOR,
    b"inst": _INSTRUMENT,
    b"ibag": _BAG,
    b"igen": _GENERATOR,
    b"shdr": _SAMPLE,
}
_INSTRUMENT_OF, _KEY_RANGE, _SAMPLE_OF, _ROOT_KEY = 41, 43, 53, 58


@dataclass(frozen=True)
class Preset:
    """A preset: its name, and the keys at which its samples were recorded, rising."""

    name: str
    roots: tuple[int, ...]


def read_presets(path: Path) -> dict[tuple[int, int], Preset]:
    """Every preset of a SoundFont by (bank, program); its samples stay unread. RtwaveError where it is none."""
    try:
        with path.open("rb") as file:
            chunks = _read_chunks(file)
        tables = {name: np.frombuffer(chunks[name], dtype) for name, dtype in _CHUNKS.items()}
        return {
            (int(header["bank"]), int(header["program"])): Preset(
                header["name"].split(b"\0")[0].decode("latin-1").strip(), _roots(tables, index)
            )
            for index, header in enumerate(tables[b"phdr"][:-1])
        }
    except OSError as error:
        raise RtwaveError(f"{path}: cannot be read ({error.strerror}); expected a SoundFont (.sf2)") from None
    except (struct.error, KeyError, ValueError, IndexError) as error:
        raise RtwaveError(f"{path}: is not a whole SoundFont ({error}); expected an .sf2 file") from None


def _read_chunks(file: BinaryIO) -> dict[bytes, bytes]:
    """The chunks of the list `pdta`, in which everything but the samples lies."""
    kind, _, form = struct.unpack("<4sI4s", file.read(12))
    if (kind, form) != (b"RIFF", b"sfbk"):
        raise ValueError(f"it begins with {kind + form!r}")
    while True:
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"LIST" and file.read(4) == b"pdta":
            break
        file.seek(size - 4 * (name == b"LIST") + size % 2, 1)
    end, chunks = file.tell() + size - 4, {}
    while file.tell() < end:
        name, size = struct.unpack("<4sI", file.read(8))
        chunks[name] = file.read(size)
        file.seek(size % 2, 1)
    return chunks


def _zones(tables: dict[bytes, np.ndarray], kind: str, index: int) -> list[dict[int, int]]:
    """The zones of a preset ("p") or an instrument ("i"): what each of their generators says.

    The first, where it leads nowhere, says what all others take unless they say otherwise (section 7.3 and 7.7).
    """
    leads_on = _INSTRUMENT_OF if kind == "p" else _SAMPLE_OF
    headers = tables[b"phdr" if kind == "p" else b"inst"]
    bags, generators = tables[f"{kind}bag".encode()], tables[f"{kind}gen".encode()]
    zones = []
    for bag in range(headers[index]["bag"], headers[index + 1]["bag"]):
        own = generators[bags[bag]["generator"] : bags[bag + 1]["generator"]]
        zones.append({int(operator): int(amount) for operator, amount in own})
    shared = zones.pop(0) if zones and leads_on not in zones[0] else {}
    return [shared | zone for zone in zones]


def _roots(tables: dict[bytes, np.ndarray], preset: int) -> tuple[int, ...]:
    """Keys of a preset's samples, where they can sound at all."""
    roots = set()
    for outer in _zones(tables, "p", preset):
        for inner in _zones(tables, "i", outer[_INSTRUMENT_OF]) if _INSTRUMENT_OF in outer else ():
            if _SAMPLE_OF not in inner:
                continue
            root = inner.get(_ROOT_KEY, int(tables[b"shdr"][inner[_SAMPLE_OF]]["key"]))
            low, high = (inner.get(_KEY_RANGE, 127 << 8) >> shift & 255 for shift in (0, 8))
            outer_low, outer_high = (outer.get(_KEY_RANGE, 127 << 8) >> shift & 255 for shift in (0, 8))
            if max(low, outer_low) <= min(high, outer_high):
                roots.add(int(np.clip(root, max(low, outer_low), min(high, outer_high))))
    return tuple(sorted(roots))
