"""Keys by their names, C4 being 60, and in names of files."""

import re

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_SHIFTS = {"#": 1, "s": 1, "b": -1, "": 0}
_NAMED = re.compile(r"(?<![A-Za-z])([A-Ga-g])(#|s|b)?(-?\d)(?=$|[^0-9])")


def key_name(note: float) -> str:
    """C4 for 60; fractions as numbers."""
    key = round(note)
    return f"{NAMES[key % 12]}{key // 12 - 1}" if key == note else f"{note:g}"


def find_key(text: str) -> int | None:
    """60 for a text such as `piano_C4_v100`, the last key that it names; None where it names none."""
    named = _NAMED.findall(text)
    if not named:
        return None
    letter, accidental, octave = named[-1]
    return 12 * (int(octave) + 1) + NAMES.index(letter.upper()) + _SHIFTS[accidental]


def key_number(text: str) -> float:
    """60 for C4 or 60; raises ValueError for what is neither."""
    named = find_key(text)
    return float(text) if named is None else float(named)
