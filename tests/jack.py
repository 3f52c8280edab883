"""A private JACK server on the dummy driver, and a client that sends MIDI and records audio: the world outside rtwave.

    with server(rate=48_000, period=128) as jackd:
        player = subprocess.Popen([...], env=jackd.environment)
        with Client(jackd) as client:
            client.hear("rtwave:out_0")
            client.play_into("rtwave:input")
            client.send([(1000, b"\\x90\\x3c\\x40")])   # at the client's frame 1000
            client.wait_for_frames(48_000)
            client.recording()                         # float32, from the client's frame 0

One client does both, for the order of separate ones is not defined. Tests are skipped where JACK is missing.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

SHARED_MEMORY = Path("/dev/shm")

NAMES = [f"rtwave-test-{os.getuid()}-{number}" for number in range(4)]
"""JACK's registry has eight places; one left by a server that was killed is only ever given to the same name again."""


class Server:
    """A running jackd: its name, rate in Hz, period in frames, and the environment in which programs find it."""

    def __init__(self, name: str, rate: int, period: int, lock: int, log: Path) -> None:
        self.name, self.rate, self.period = name, rate, period
        self.environment = {**os.environ, "JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
        self._lock, self._log = lock, log
        self.start()

    def start(self) -> None:
        """Start it, for the first time or again after `kill`."""
        priority = ["-R", "-P", "70"] if _may_run_in_real_time() else ["-r"]
        driver = ["-d", "dummy", "-r", str(self.rate), "-p", str(self.period)]
        with self._log.open("w") as output:
            # jackd inherits the lock, so that the name is taken for as long as it lives, even after its test
            self.process = subprocess.Popen(
                ["jackd", "-n", self.name, *priority, "-S", *driver],
                stdout=output,
                stderr=output,
                pass_fds=[self._lock],
            )
        try:
            _wait_until_ready(self.name, self.process, self._log)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """Let it die at once, as by a crash."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it properly."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


def _may_run_in_real_time() -> bool:
    chrt = shutil.which("chrt")
    return bool(chrt) and subprocess.run([chrt, "-f", "10", "true"], capture_output=True).returncode == 0


@contextlib.contextmanager
def _free_name(limit_s: float = 120.0) -> Iterator[tuple[str, int]]:
    """One of NAMES that no living server has, and the file whose lock says so; waits while all are taken."""
    deadline_s = time.monotonic() + limit_s
    while True:
        for name in NAMES:
            with open(Path(tempfile.gettempdir()) / f"{name}.lock", "w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                _forget(name)
                yield name, file.fileno()
                return
        assert time.monotonic() < deadline_s, f"other tests keep all of {', '.join(NAMES)}"
        time.sleep(0.1)


def _forget(name: str) -> None:
    """Remove what a server of that name left behind when it was killed."""
    for pattern in (f"jack_{name}_*", f"jack_sem.*_{name}_*"):
        for left in SHARED_MEMORY.glob(pattern):
            left.unlink(missing_ok=True)


def _wait_until_ready(name: str, process: subprocess.Popen, log: Path, limit_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while process.poll() is None and time.monotonic() < deadline_s:
        checked = subprocess.run(["jack_wait", "-s", name, "-c"], capture_output=True, text=True)
        if checked.stdout.split() == ["running"]:
            return
        time.sleep(0.02)
    pytest.fail(f"jackd {name} does not start:\n{log.read_text(errors='replace')}", pytrace=False)


@contextlib.contextmanager
def server(rate: int = 48_000, period: int = 128) -> Iterator[Server]:
    """A JACK server of one's own; synchronous, so that recordings are exact to the bit."""
    for program in ("jackd", "jack_wait"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: apt-get install jackd2)")
    with _free_name() as (name, lock), tempfile.TemporaryDirectory() as folder:
        jackd = Server(name, rate, period, lock, Path(folder) / "jackd.log")
        try:
            yield jackd
        finally:
            jackd.stop()


def _open_client(server: Server, tries: int = 5):
    """A client of JACK-Client's. Tries again: all servers share one database, and one that just starts or ends may have
    it in hand."""
    jack = pytest.importorskip("jack")
    for _ in range(tries - 1):
        with contextlib.suppress(jack.JackOpenError):
            return jack.Client("listener", servername=server.name, no_start_server=True)
        time.sleep(0.2)
    return jack.Client("listener", servername=server.name, no_start_server=True)


class Client:
    """Records what it hears and sends MIDI, both counted in frames since it opened."""

    def __init__(self, server: Server, seconds: float = 90.0) -> None:
        self.rate = server.rate
        self._audio = np.zeros(int(seconds * server.rate), np.float32)
        self._frames = 0
        self._start: int | None = None
        self._events: list[tuple[int, bytes]] = []
        self.missed_frames = 0
        self._client = _open_client(server)
        self._ear = self._client.inports.register("ear")
        self._keys = self._client.midi_outports.register("keys")
        self._client.set_process_callback(self._process)

    def _process(self, frames: int) -> None:
        now = self._client.last_frame_time
        if self._start is None:
            self._start = now
        position = now - self._start
        self.missed_frames += position - self._frames
        room = max(0, min(frames, len(self._audio) - position))
        self._audio[position : position + room] = self._ear.get_array()[:room]
        self._keys.clear_buffer()
        while self._events and self._events[0][0] < position + frames:
            at, message = self._events.pop(0)
            self._keys.write_midi_event(max(at - position, 0), message)
        self._frames = position + frames

    def __enter__(self) -> "Client":
        self._client.activate()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.deactivate()
        self._client.close()

    @property
    def frame(self) -> int:
        """Frames since the client opened."""
        return self._frames

    def _port(self, name: str, limit_s: float = 30.0) -> str:
        """The full name of the port whose name contains `name`, once there is one."""
        deadline_s = time.monotonic() + limit_s
        while True:
            names = [port.name for port in self._client.get_ports() if name in port.name]
            if names:
                return names[0]
            assert time.monotonic() < deadline_s, f"no JACK port {name!r} came up"
            time.sleep(0.01)

    def hear(self, port: str) -> None:
        """Record the audio output whose name contains `port`, once it is there."""
        self._client.connect(self._port(port), self._ear)

    def play_into(self, port: str) -> None:
        """Send MIDI to the input whose name contains `port`, once it is there."""
        self._client.connect(self._keys, self._port(port))

    def send(self, events: list[tuple[int, bytes]]) -> None:
        """Send each message at its frame, or at once when that has passed; frames must rise."""
        self._events += events

    def wait_for_frames(self, frames: int, limit_s: float = 120.0) -> None:
        """Return once `frames` in all have gone by."""
        deadline_s = time.monotonic() + limit_s
        while self._frames < frames:
            assert time.monotonic() < deadline_s, f"JACK stood still at frame {self._frames} of {frames}"
            time.sleep(0.01)

    def recording(self) -> np.ndarray:
        """What was heard so far, float32, from the client's first frame."""
        return self._audio[: self._frames].copy()


def first_sound(samples: np.ndarray) -> int:
    """Index of the first sample that is not zero; an AssertionError when all are silent."""
    sounding = np.flatnonzero(samples)
    assert len(sounding), "all was silent"
    return int(sounding[0])
