"""JACK by its own library: PortAudio hangs for ever once its JACK server has died, this comes back."""

import ctypes
import ctypes.util
import functools
import os
import sys
import time

from .. import _outlet
from .._outlet import Outlet

HOST_API = "JACK Audio Connection Kit"

_CLIENT_NAME = b"rtwave"
_AUDIO = b"32 bit float mono audio"  # JACK_DEFAULT_AUDIO_TYPE
_NO_START_SERVER = 1
_SERVER_FAILED = 0x10  # JackServerFailed: there is none
_OPEN_TRIES, _OPEN_AGAIN_S = 5, 0.1
_IS_INPUT, _IS_OUTPUT, _IS_PHYSICAL = 1, 2, 4
_PLAYBACK_LATENCY = 1

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_FUNCTIONS = {
    "jack_client_open": (_POINTER, _TEXT, _INT, _POINTER),
    "jack_client_close": (_INT, _POINTER),
    "jack_activate": (_INT, _POINTER),
    "jack_get_sample_rate": (ctypes.c_uint32, _POINTER),
    "jack_get_buffer_size": (ctypes.c_uint32, _POINTER),
    "jack_get_ports": (ctypes.POINTER(_TEXT), _POINTER, _TEXT, _TEXT, ctypes.c_ulong),
    "jack_free": (None, _POINTER),
    "jack_port_register": (_POINTER, _POINTER, _TEXT, _TEXT, ctypes.c_ulong, ctypes.c_ulong),
    "jack_port_name": (_TEXT, _POINTER),
    "jack_port_get_latency_range": (None, _POINTER, _INT, _POINTER),
    "jack_connect": (_INT, _POINTER, _TEXT, _TEXT),
    "jack_set_process_callback": (_INT, _POINTER, _POINTER, _POINTER),
    "jack_set_xrun_callback": (_INT, _POINTER, _POINTER, _POINTER),
    "jack_on_shutdown": (None, _POINTER, _POINTER, _POINTER),
    "jack_get_cycle_times": (_INT, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER),
    "jack_get_time": (ctypes.c_uint64,),
    "jack_set_error_function": (None, _POINTER),
    "jack_set_info_function": (None, _POINTER),
}

_playing: set["JackOutput"] = set()


@functools.cache
def _library() -> ctypes.CDLL | None:
    """JACK's library with its functions declared, or None where it is not installed."""
    names = {"linux": "libjack.so.0", "win32": "libjack64.dll"}
    try:
        library = ctypes.CDLL(names.get(sys.platform) or ctypes.util.find_library("jack") or "libjack.dylib")
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library


def _open_client() -> tuple[ctypes.CDLL, int]:
    """The library and a new client; OSError where no server answers."""
    library = _library()
    if library is None:
        raise OSError("JACK is not installed")
    # Opening one client after the server's death would make libjack free all others, under those who close them.
    if any(output.ended for output in list(_playing)):
        raise OSError("the JACK server has died, and is still being left")
    os.environ.setdefault("JACK_NO_START_SERVER", "1")  # looking for a server must not start one
    library.jack_set_error_function(_outlet.JACK_HUSH)
    library.jack_set_info_function(_outlet.JACK_HUSH)
    for _ in range(_OPEN_TRIES):
        status = ctypes.c_int()
        client = library.jack_client_open(_CLIENT_NAME, _NO_START_SERVER, ctypes.byref(status))
        if client:
            return library, client
        if status.value & _SERVER_FAILED:
            raise OSError("no JACK server is running")
        time.sleep(_OPEN_AGAIN_S)  # it is busy with others who come or go
    raise OSError("the JACK server takes no more clients")


def _ports(library: ctypes.CDLL, client: int, flags: int) -> list[str]:
    """Full names of the audio ports that have all of `flags`."""
    names = library.jack_get_ports(client, None, _AUDIO, flags)
    if not names:
        return []
    found = []
    while (name := names[len(found)]) is not None:
        found.append(name.decode(errors="replace"))
    library.jack_free(ctypes.cast(names, _POINTER))
    return found


def outputs() -> list[tuple[str, int, int]]:
    """(client, channels, sample rate in Hz) of everything the server can send sound to, sound cards first."""
    try:
        library, client = _open_client()
    except OSError:
        return []
    try:
        channels: dict[str, int] = {}
        physical = _ports(library, client, _IS_INPUT | _IS_PHYSICAL)
        others = [port for port in _ports(library, client, _IS_INPUT) if port not in physical]
        for port in physical + others:
            name = port.partition(":")[0]
            channels[name] = channels.get(name, 0) + 1
        rate = library.jack_get_sample_rate(client)
        return [(name, count, rate) for name, count in channels.items()]
    finally:
        library.jack_client_close(client)


class JackOutput:
    """A client of the JACK server, named rtwave, whose ports out_0, out_1 … play into those of client `name`.

    It runs from the start on. Raises OSError with the reason in words. One thread at a time.
    """

    def __init__(self, name: str, outlet: Outlet, sample_rate: int) -> None:
        self._outlet = outlet
        self._library, self._client = _open_client()
        _playing.add(self)
        try:
            self._run(name, sample_rate)
        except BaseException:
            self.close()
            raise

    def _run(self, name: str, sample_rate: int) -> None:
        library, client, outlet = self._library, self._client, self._outlet
        rate = library.jack_get_sample_rate(client)
        if rate != sample_rate:
            raise OSError(f"the JACK server runs at {rate} Hz")
        self.block_frames: int = library.jack_get_buffer_size(client)
        library.jack_set_process_callback(client, _outlet.JACK_PROCESS, outlet.address)
        library.jack_set_xrun_callback(client, _outlet.JACK_LATE, outlet.address)
        library.jack_on_shutdown(client, _outlet.JACK_DOWN, outlet.address)
        if library.jack_activate(client):
            raise OSError("the JACK server does not take another client")
        # Only now, for who sees a port of a client that is not active yet cannot connect to it.
        ports = self._ports = [
            library.jack_port_register(client, b"out_%d" % channel, _AUDIO, _IS_OUTPUT, 0)
            for channel in range(outlet.channels)
        ]
        if not all(ports):
            raise OSError("the JACK server gives no ports")
        called = (library.jack_port_get_buffer, library.jack_get_cycle_times, library.jack_get_time)
        outlet.set_jack(client, *(ctypes.cast(function, _POINTER).value for function in called), ports)
        targets = [port for port in _ports(library, client, _IS_INPUT) if port.partition(":")[0] == name]
        for port, target in zip(ports, targets, strict=False):
            library.jack_connect(client, library.jack_port_name(port), target.encode())

    @property
    def latency_s(self) -> float:
        """From the callback to the sound, as the server knows it."""
        if self._outlet.down:
            return 0.0
        frames = (ctypes.c_uint32 * 2)()
        self._library.jack_port_get_latency_range(self._ports[0], _PLAYBACK_LATENCY, frames)
        return frames[0] / self._library.jack_get_sample_rate(self._client)

    @property
    def ended(self) -> bool:
        """Whether the server has gone, or has put the client out."""
        return self._outlet.down

    def close(self) -> None:
        """Leave the server; returns at once when it is dead, and waits for one that sleeps."""
        self._library.jack_client_close(self._client)
        _playing.discard(self)
