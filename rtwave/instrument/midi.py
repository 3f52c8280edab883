"""MIDI input: every instrument that is connected, while it is, from whatever system has it."""

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from ..errors import RtwaveError
from . import rtmidi_ports
from .held import Held
from .jack_ports import JackPorts
from .messages import Message, Parser
from .port_names import VIRTUAL, Event, choose, missing
from .rtmidi_ports import RtMidiPorts

POLL_INTERVAL_S = 0.000_5
"""Between two looks into the ports of systems that cannot wake a thread."""

IDLE_INTERVAL_S = 0.05
SCAN_INTERVAL_S = 0.5
"""Between two looks for ports that have come or gone, and for a JACK server."""

CLOSING_S = 2.0
PRIORITY = 40
"""SCHED_FIFO, below that of the threads that make and play the sound."""


class Port(NamedTuple):
    """A MIDI port that can be listened to, the system it belongs to, ALSA, JACK, CoreMIDI …, and whether it is listened
    to where no port is named."""

    api_name: str
    name: str
    default: bool


class MidiInputs:
    """Open input ports and the threads that read and watch them.

    Without `wanted` every instrument's port is listened to, else every one that contains one of these words; a word
    that none contains is an RtwaveError. `virtual` opens one that other programs connect to, without `wanted` only it.
    Ports may come and go, and so may the JACK server: `tell` gets a line of it, and what a port that goes held down is
    let go. `hear` is called with each message and when it came, by time.monotonic_ns(): never falling, and for JACK's
    ports as much as a period ahead. Both are called in threads of their own, `hear` never twice at a time.
    """

    def __init__(
        self,
        hear: Callable[[Message, int], None],
        wanted: list[str] | None = None,
        virtual: bool = False,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._hear = hear
        self._wanted = [] if virtual and wanted is None else wanted
        self._virtual = virtual
        self._tell = tell
        self._systems, self._problems = _systems()
        self._players: dict[tuple[str, str], _Player] = {}
        self._refused: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._passed_ns = 0
        self._closing = threading.Event()
        try:
            self._begin()
        except RtwaveError:
            self._end()
            raise
        self._reader = threading.Thread(target=self._read, name="rtwave-midi", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="rtwave-midi-ports", daemon=True)
        self._reader.start()
        self._watcher.start()

    @property
    def names(self) -> list[str]:
        """The ports that are open now."""
        return list(dict.fromkeys(name for _, name in list(self._players)))

    @property
    def problem(self) -> str | None:
        """One line on why no MIDI system answers, where none does."""
        return None if self._systems else _no_system(self._problems)

    def close(self) -> None:
        """Stop listening; returns when all is closed, or when a server that stands still has had its time."""
        self._closing.set()
        self._reader.join(CLOSING_S)
        self._watcher.join(CLOSING_S)

    def _begin(self) -> None:
        there = self._names_there()
        problem = f"; {self.problem}" if self.problem else ""
        if (word := missing(there, self._wanted or [])) is not None:
            names = ", ".join(name for names in there.values() for name in names) or "none"
            raise RtwaveError(f"no MIDI port {word!r}; there are: {names}{problem}")
        if self._virtual and not there:
            raise RtwaveError(f"no virtual MIDI port can be opened{problem}")
        _, refused = self._open_chosen(there, patience=1)
        if (self._wanted or self._virtual) and not self._players:
            raise RtwaveError(refused[0])
        for line in refused:
            self._tell(line)

    def _names_there(self) -> dict[str, list[str]]:
        return {name: system.names() for name, system in self._systems.items()}

    def _open_chosen(self, there: dict[str, list[str]], patience: int) -> tuple[list[str], list[str]]:
        """Open what shall be heard and is not yet; gives a line on each that opened, and on each refused for the
        `patience`-th time."""
        chosen = choose(there, self._wanted, set(self._players))
        chosen += [(system, VIRTUAL) for system in there if self._virtual]
        opened, refused = [], []
        for system, name in (key for key in chosen if key not in self._players):
            try:
                self._systems[system].open(name)
            except OSError as error:
                self._refused[system, name] += 1
                if self._refused[system, name] == patience:
                    refused.append(f"{_called(name)} does not open ({error}); is another program using it?")
                continue
            del self._refused[system, name]
            with self._lock:
                self._players[system, name] = _Player()
            opened.append(f"{_called(name)} has come")
        return opened, refused

    def _close_gone(self) -> list[str]:
        """Let go what was held on ports that are there no more; gives a line on each."""
        lines = []
        for system, name in list(self._players):
            known = self._systems.get(system)
            if known and known.hears(name):
                continue
            if known:
                known.close(name)
            with self._lock:
                player = self._players.pop((system, name))
                for message in player.held.release([other.held for other in self._players.values()]):
                    self._pass(message, time.monotonic_ns())
            lines.append(f"{_called(name)} has gone")
        return lines

    def _watch(self) -> None:
        while not self._closing.wait(SCAN_INTERVAL_S):
            self._renew_jack()
            gone = self._close_gone()
            # one that has come just now may not take connections yet
            opened, refused = self._open_chosen(self._names_there(), patience=2)
            for line in gone + opened + refused:
                self._tell(line)
        self._reader.join()
        self._end()

    def _renew_jack(self) -> None:
        """Leave a server that has died, and join one that has come. The reader sees the old systems or the new."""
        others = {name: system for name, system in self._systems.items() if name != JackPorts.name}
        jack = self._systems.get(JackPorts.name)
        if jack and not jack.alive:
            self._systems = others
            jack.end()
            jack = None
        if jack is None:
            with contextlib.suppress(ConnectionError):
                self._systems = others | {JackPorts.name: JackPorts()}

    def _end(self) -> None:
        for system in self._systems.values():
            system.end()

    def _read(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_FIFO, os.sched_param(PRIORITY))
        while not self._closing.is_set():
            systems = self._systems
            events = [(system, event) for system in list(systems) for event in systems[system].read()]
            if events:
                self._deliver(sorted(events, key=lambda pair: pair[1].time_ns))
                continue
            polled = any(system != JackPorts.name for system, _ in list(self._players))
            pause_s = POLL_INTERVAL_S if polled else IDLE_INTERVAL_S
            jack = systems.get(JackPorts.name)
            jack.wait(pause_s) if jack else time.sleep(pause_s)

    def _deliver(self, events: list[tuple[str, Event]]) -> None:
        with self._lock:
            for system, event in events:
                player = self._players.get((system, event.source))
                for message in player.parser.feed(event.data) if player else ():
                    player.held.note(message)
                    self._pass(message, event.time_ns)

    def _pass(self, message: Message, time_ns: int) -> None:
        # a key must not come up before it went down because two periods' clocks disagree
        self._passed_ns = max(self._passed_ns, time_ns)
        self._hear(message, self._passed_ns)


class _Player:
    """Who plays through one port: bytes in the midst of a message, and what is held down."""

    def __init__(self) -> None:
        self.parser = Parser()
        self.held = Held()


def list_ports() -> tuple[list[Port], str | None]:
    """Every input port of every MIDI system that answers; and when none does, one line on what was tried."""
    systems, problems = _systems()
    there = {system.name: system.names() for system in systems.values()}
    for system in systems.values():
        system.end()
    chosen = choose(there, None)
    ports = [Port(system, name, (system, name) in chosen) for system, names in there.items() for name in names]
    return ports, None if systems else _no_system(problems)


def _systems() -> tuple[dict[str, RtMidiPorts | JackPorts], list[str]]:
    """Every MIDI system that answers, by name, and why others do not."""
    answering, problems = rtmidi_ports.systems()
    systems = {system.name: system for system in answering}
    try:
        systems[JackPorts.name] = JackPorts()
    except ConnectionError as error:
        problems.append(str(error))
    return systems, problems


def _no_system(problems: list[str]) -> str:
    return f"no MIDI system answers ({'; '.join(problems)})"


def _called(name: str) -> str:
    return name if name == VIRTUAL else f"MIDI port {name}"
