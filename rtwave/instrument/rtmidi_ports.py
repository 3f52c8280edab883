"""MIDI ports of ALSA, CoreMIDI and Windows through python-rtmidi: the one file that knows it.

Messages are fetched by a thread of our own. RtMidi's callback would need the interpreter in the driver's thread.
"""

import threading
import time

try:
    import rtmidi
except ImportError:  # python-rtmidi has no wheels beyond Python 3.12
    rtmidi = None

from ..quiet import quiet_stderr
from .arrival import ArrivalClock
from .port_names import CLIENT_NAME, VIRTUAL, Event

QUEUE_MESSAGES = 16_384
MISSING = "python-rtmidi is not installed (pip has it ready-made for Python 3.11 and 3.12)"


class RtMidiPorts:
    """What can be heard of one MIDI system, and what is. ConnectionError, saying why, where it does not answer.

    `read` may be called in another thread than all else.
    """

    alive = True

    def __init__(self, api: int) -> None:
        self.name: str = rtmidi.get_api_display_name(api)
        self._api = api
        with quiet_stderr():
            self._lister = self._client()
        self._open: dict[str, tuple[rtmidi.MidiIn, ArrivalClock]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of all ports that can be heard."""
        try:
            return self._lister.get_ports()
        except rtmidi.RtMidiError:  # one went while they were listed; the next look will tell
            return list(self._open)

    def open(self, name: str) -> None:
        """Listen to a port, or as VIRTUAL have one that others connect to; OSError where that fails."""
        client = self._client()
        client.ignore_types(sysex=False, timing=False, active_sense=False)  # else the times of what follows were wrong
        try:
            if name == VIRTUAL:
                client.open_virtual_port("in")
            else:
                client.open_port(_index(client.get_ports(), name), "in")
        except (OSError, rtmidi.RtMidiError, NotImplementedError, ValueError) as error:
            client.delete()
            raise OSError(str(error)) from None
        with self._lock:
            self._open[name] = (client, ArrivalClock())

    def close(self, name: str) -> None:
        """Listen to a port no more."""
        with self._lock:
            client, _ = self._open.pop(name)
        client.close_port()
        client.delete()

    def hears(self, name: str) -> bool:
        """Whether a port is open and still there."""
        return name in self._open and (name == VIRTUAL or name in self.names())

    def read(self) -> list[Event]:
        """What has come since the last call, the order of each port kept."""
        events = []
        with self._lock:
            for name, (client, clock) in self._open.items():
                while received := client.get_message():
                    data, delta_s = received
                    events.append(Event(name, data, clock.arrival(delta_s, time.monotonic_ns())))
        return events

    def end(self) -> None:
        """Close everything."""
        for name in list(self._open):
            self.close(name)
        self._lister.delete()

    def _client(self) -> "rtmidi.MidiIn":
        try:
            return rtmidi.MidiIn(self._api, CLIENT_NAME, QUEUE_MESSAGES)
        except rtmidi.SystemError as error:
            reason = str(error).rpartition("::initialize: ")[2].rstrip(".")
            raise ConnectionError(f"{rtmidi.get_api_display_name(self._api)}: {reason}") from None


def _index(names: list[str], name: str) -> int:
    if name not in names:
        raise OSError("it has gone")
    return names.index(name)


def systems() -> tuple[list[RtMidiPorts], list[str]]:
    """Every system that answers, and why others do not. JACK is not among them: jack_ports.py has it."""
    if rtmidi is None:
        return [], [MISSING]
    answering, problems = [], []
    for api in rtmidi.get_compiled_api():
        if api == rtmidi.API_UNIX_JACK:
            continue
        try:
            answering.append(RtMidiPorts(api))
        except ConnectionError as error:
            problems.append(str(error))
    return answering, problems
