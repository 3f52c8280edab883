"""What MIDI systems of every kind have in common: the names of ports, and what comes from them."""

from typing import NamedTuple

CLIENT_NAME = "rtwave-midi"
VIRTUAL = f"the virtual port {CLIENT_NAME}:in"
"""Stands for the port that other programs connect to, where a name is asked for."""


class Event(NamedTuple):
    """Bytes from the port `source`, and when they came by time.monotonic_ns()."""

    source: str
    data: bytes | list[int]
    time_ns: int


def is_instrument(name: str) -> bool:
    """Whether a port is someone's instrument, and neither a loop of the system's nor our own."""
    return "midi through" not in name.lower() and CLIENT_NAME not in name


def choose(
    there: dict[str, list[str]], wanted: list[str] | None, heard: set[tuple[str, str]] = frozenset()
) -> list[tuple[str, str]]:
    """Which ports, as (system, name), to listen to of those `there`: {system: names}.

    All that contain one of `wanted` (any case), or without it all instruments'. A port often shows in two systems and
    would play each note twice, so they are of one system only: that of the ports `heard` already, or else the first.
    """
    fits = [is_instrument] if wanted is None else [lambda name, word=word: _contains(name, word) for word in wanted]
    chosen: dict[tuple[str, str], None] = {}
    for fit in fits:
        found = [[(system, name) for name in names if fit(name)] for system, names in there.items()]
        found = sorted(filter(None, found), key=lambda ports: heard.isdisjoint(ports))
        chosen.update(dict.fromkeys(found[0] if found else []))
    return list(chosen)


def missing(there: dict[str, list[str]], wanted: list[str]) -> str | None:
    """The first of `wanted` that no port contains."""
    names = [name for names in there.values() for name in names]
    return next((word for word in wanted if not any(_contains(name, word) for name in names)), None)


def _contains(name: str, word: str) -> bool:
    return bool(word) and word.lower() in name.lower()
