"""MIDI ports of a JACK server, through a client of our own: the one file that knows it.

It tells when each event came, to the frame, and when the server has gone.
"""

import functools
import os
from pathlib import Path

from .port_names import CLIENT_NAME, VIRTUAL, Event

try:
    from .. import _jack_midi
except ImportError:  # it is built on Linux only
    _jack_midi = None


class JackPorts:
    """What can be heard of a JACK server, and what is. ConnectionError where none runs.

    `wait` and `read` belong to one thread, all else to another.
    """

    name = "JACK"

    def __init__(self) -> None:
        library = _library()
        if library is None:
            raise ConnectionError("JACK: not installed")
        try:
            self._client = _jack_midi.JackMidi(library, CLIENT_NAME)
        except ConnectionError:
            raise ConnectionError("JACK: no server runs") from None
        self._sources: list[str | None] = []  # of each input port of ours; None where it is free

    @property
    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._client.alive

    def names(self) -> list[str]:
        """Names of all ports that can be heard."""
        return self._client.sources()

    def open(self, name: str) -> None:
        """Listen to a port, or as VIRTUAL have one that others connect to; OSError where that fails."""
        if None not in self._sources:
            number = len(self._sources) + 1
            self._client.add_port("in" if number == 1 else f"in-{number}")
            self._sources.append(None)
        port = self._sources.index(None)
        if name != VIRTUAL and not self._client.connect(port, name):
            raise OSError("JACK does not connect it")
        self._sources[port] = name

    def close(self, name: str) -> None:
        """Listen to a port no more."""
        if name not in self._sources:
            return
        port = self._sources.index(name)
        self._sources[port] = None
        if name != VIRTUAL and self.alive:
            self._client.disconnect(port, name)

    def hears(self, name: str) -> bool:
        """Whether a port is open and still there."""
        return name in self._sources and (name == VIRTUAL or self._client.connected(self._sources.index(name), name))

    def wait(self, timeout_s: float) -> None:
        """Return when events have come, or after `timeout_s`."""
        self._client.wait(timeout_s)

    def read(self) -> list[Event]:
        """What has come since the last call, the order of each port kept."""
        events = [(self._sources[port], data, time_ns) for port, data, time_ns in self._client.read()]
        return [Event(*event) for event in events if event[0] is not None]

    def end(self) -> None:
        """Leave the server."""
        self._client.close()


@functools.cache
def _library() -> str | None:
    """A copy of libjack for this file alone.

    libjack clears away every client of a server that died as soon as one is opened anew, and PortAudio's may still be
    in use.
    """
    path = _jack_midi and _jack_midi.library_path()
    if not path:
        return None
    copy = os.memfd_create("libjack")
    os.write(copy, Path(path).read_bytes())
    return f"/proc/self/fd/{copy}"
