"""MIDI input through python-rtmidi: the one file that knows it.

Messages are polled from a thread of our own. RtMidi's callback would run Python inside JACK's real-time thread and
stall the whole graph.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

try:
    import rtmidi
except ImportError:  # python-rtmidi has no wheels beyond Python 3.12
    rtmidi = None

from ..errors import RtwaveError
from ..quiet import quiet_stderr
from .messages import Message, Parser

CLIENT_NAME = "rtwave-midi"
POLL_INTERVAL_S = 0.001
QUEUE_MESSAGES = 16_384
MISSING = "no MIDI ports, for python-rtmidi is not installed (pip has it ready-made for Python 3.11 and 3.12)"


class Port(NamedTuple):
    """A MIDI port that can be listened to."""

    api: int
    index: int
    name: str

    @property
    def api_name(self) -> str:
        """The system it belongs to: ALSA, JACK, CoreMIDI …"""
        return rtmidi.get_api_display_name(self.api)


def list_ports() -> tuple[list[Port], str | None]:
    """Every input port of every MIDI system that answers; and when none does, one line on what was tried."""
    clients, problem = _clients()
    ports = [Port(api, index, name) for api, client in clients for index, name in enumerate(client.get_ports())]
    for _, client in clients:
        client.delete()
    return ports, problem


def choose_port(wanted: str | None) -> Port | None:
    """The first port whose name contains `wanted` (any case), or without one the first that is an instrument's.

    A wanted port that is not there raises RtwaveError listing those that are.
    """
    ports, problem = list_ports()
    if wanted is None:
        return next((port for port in ports if "midi through" not in port.name.lower()), None)
    for port in ports:
        if wanted.lower() in port.name.lower():
            return port
    there = ", ".join(port.name for port in ports) or "none"
    raise RtwaveError(f"no MIDI port {wanted!r}; there are: {there}" + (f"; {problem}" if problem else ""))


class MidiInput:
    """An open input port and the thread that polls it; `hear` is called there with every channel message.

    Give a `port`, or None for a virtual port that other programs connect to.
    """

    def __init__(self, port: Port | None, hear: Callable[[Message], None]) -> None:
        self._hear = hear
        self._client = _client(port.api) if port else _virtual_client()
        self.name = port.name if port else f"the virtual port {CLIENT_NAME}:in"
        try:
            if port:
                self._client.open_port(port.index, "in")
            else:
                self._client.open_virtual_port("in")
        except (rtmidi.RtMidiError, NotImplementedError, ValueError) as error:
            raise RtwaveError(
                f"MIDI port {self.name!r} does not open ({error}); is another program using it?"
            ) from None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="rtwave-midi", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; returns when the thread has ended."""
        self._closing.set()
        self._thread.join()
        self._client.close_port()
        self._client.delete()

    def _poll(self) -> None:
        parser = Parser()
        while not self._closing.is_set():
            received = self._client.get_message()
            if received is None:
                self._closing.wait(POLL_INTERVAL_S)
                continue
            for message in parser.feed(received[0]):
                self._hear(message)


def _clients() -> tuple[list[tuple[int, "rtmidi.MidiIn"]], str | None]:
    """A client in every MIDI system that answers, and one line on what was tried when there is none."""
    if rtmidi is None:
        return [], MISSING
    clients, tried = [], []
    for api in rtmidi.get_compiled_api():
        try:
            clients.append((api, _client(api)))
        except rtmidi.SystemError as error:
            reason = str(error).rpartition("::initialize: ")[2].rstrip(".")
            tried.append(f"{rtmidi.get_api_display_name(api)}: {reason}")
    return clients, None if clients else f"no MIDI system answers (tried {'; '.join(tried)})"


def _client(api: int) -> "rtmidi.MidiIn":
    if rtmidi is None:
        raise RtwaveError(MISSING)
    with quiet_stderr():
        return rtmidi.MidiIn(api, CLIENT_NAME, QUEUE_MESSAGES)


def _virtual_client() -> "rtmidi.MidiIn":
    clients, problem = _clients()
    if problem:
        raise RtwaveError(f"no virtual MIDI port can be opened: {problem}")
    for _, client in clients[1:]:
        client.delete()
    return clients[0][1]
