"""Every instrument is heard, on a real JACK server: ports and servers come, go and come back."""

import contextlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from rtwave.errors import RtwaveError
from rtwave.instrument import midi, rtmidi_ports
from rtwave.instrument.messages import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, Message

from ..jack import Client, server

needs_jack = pytest.mark.skipif(shutil.which("jackd") is None, reason="jackd is not installed")
LIMIT_S = 20.0
NOTICED_S = 2.0
C4_DOWN, C4_UP, PEDAL_DOWN = b"\x90\x3c\x40", b"\x80\x3c\x40", b"\xb0\x40\x7f"


class Heard:
    """What inputs heard and told, and how to wait for it."""

    def __init__(self):
        self.events, self.lines = [], []

    def hear(self, message, time_ns):
        self.events.append((message, time_ns))

    @property
    def messages(self):
        return [message for message, _ in self.events]

    def wait_for(self, condition, limit_s=LIMIT_S):
        """Seconds until `condition()`."""
        start_s = time.monotonic()
        while not condition():
            assert time.monotonic() - start_s < limit_s, (self.lines, self.events[-5:])
            time.sleep(0.005)
        return time.monotonic() - start_s

    def told(self, line, times=1):
        return self.wait_for(lambda: self.lines.count(line) == times)


@contextlib.contextmanager
def listening(*arguments, **options):
    heard = Heard()
    inputs = midi.MidiInputs(heard.hear, *arguments, tell=heard.lines.append, **options)
    try:
        heard.inputs = inputs
        yield heard
    finally:
        inputs.close()


@pytest.fixture
def find(monkeypatch):
    """Let a server be the one that MIDI is looked for on."""
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    return lambda jackd: monkeypatch.setenv("JACK_DEFAULT_SERVER", jackd.name)


def play(client, *messages):
    client.send([(client.frame + 500, message) for message in messages])


@needs_jack
def test_every_note_is_heard_with_its_moment(find):
    with server(period=64) as jackd, Client(jackd) as client:
        find(jackd)
        with listening() as heard:
            assert heard.inputs.names == ["listener:keys"]
            random = np.random.default_rng(1)
            frames = client.frame + 2_000 + np.cumsum(random.integers(0, 60, 1_000))
            client.send([(int(frame), bytes([0x90, n % 128, 1 + n // 128])) for n, frame in enumerate(frames)])
            heard.wait_for(lambda: len(heard.events) == 1_000)
        assert heard.messages == [Message(NOTE_ON, 0, n % 128, 1 + n // 128) for n in range(1_000)]
        times = np.array([time_ns for _, time_ns in heard.events])
        assert (np.diff(times) >= 0).all()
        # most pairs lie in one period, and there the moments are as far apart as the frames
        apart = np.diff(times) / 1e9 * jackd.rate - np.diff(frames)
        assert np.median(np.abs(apart)) < 1.0


@needs_jack
def test_long_system_exclusive_does_no_harm(find):
    with server() as jackd, Client(jackd) as client, contextlib.nullcontext(find(jackd)), listening() as heard:
        play(client, C4_DOWN, b"\xf0" + bytes(5_000) + b"\xf7", C4_UP)
        heard.wait_for(lambda: len(heard.events) == 2)
    assert [message.kind for message in heard.messages] == [NOTE_ON, NOTE_OFF]


@needs_jack
def test_ports_come_go_and_come_back(find):
    with server() as jackd, contextlib.nullcontext(find(jackd)), listening() as heard:
        assert heard.inputs.names == []
        for times in (1, 2):
            with Client(jackd) as client:
                assert heard.told("MIDI port listener:keys has come", times) < NOTICED_S
                assert heard.inputs.names == ["listener:keys"]
                play(client, C4_DOWN, PEDAL_DOWN)
                heard.wait_for(lambda: len(heard.events) == 2)
            assert heard.told("MIDI port listener:keys has gone", times) < NOTICED_S
            # what was held is let go
            assert heard.messages[2:] == [Message(NOTE_OFF, 0, 60, 64), Message(CONTROL_CHANGE, 0, 64, 0)]
            heard.events.clear()
        assert len(heard.lines) == 4


@needs_jack
def test_two_instruments_play_at_once(find):
    jack = pytest.importorskip("jack")
    with server() as jackd, contextlib.nullcontext(find(jackd)), Client(jackd) as client, listening() as heard:
        other = jack.Client("pads", servername=jackd.name, no_start_server=True)
        out = other.midi_outports.register("out")
        pending = [C4_DOWN]

        @other.set_process_callback
        def process(frames):
            out.clear_buffer()
            while pending:
                out.write_midi_event(0, pending.pop())

        other.activate()
        heard.told("MIDI port pads:out has come")
        assert heard.inputs.names == ["listener:keys", "pads:out"]
        pending.append(C4_DOWN)
        play(client, C4_DOWN)
        heard.wait_for(lambda: len(heard.events) >= 2)
        other.deactivate()
        other.close()
        heard.told("MIDI port pads:out has gone")
        # the other instrument holds the same key
        assert NOTE_OFF not in [message.kind for message in heard.messages]


@needs_jack
def test_connection_that_was_cut_is_made_again(find):
    with server() as jackd, contextlib.nullcontext(find(jackd)), Client(jackd) as client, listening() as heard:
        client._client.disconnect("listener:keys", "rtwave-midi:in")
        assert heard.told("MIDI port listener:keys has come") < NOTICED_S
        play(client, C4_DOWN)
        heard.wait_for(lambda: heard.events)


@needs_jack
def test_server_that_dies_and_returns_is_survived(find, monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    with listening() as heard:
        for times in (1, 2, 3):
            with server() as jackd:
                find(jackd)
                with Client(jackd) as client:
                    assert heard.told("MIDI port listener:keys has come", times) < NOTICED_S
                    play(client, C4_DOWN)
                    heard.wait_for(lambda: heard.messages == [Message(NOTE_ON, 0, 60, 64)])
                    jackd.kill()
                assert heard.told("MIDI port listener:keys has gone", times) < NOTICED_S
                assert heard.messages[1:] == [Message(NOTE_OFF, 0, 60, 64)]
                heard.events.clear()


@needs_jack
def test_server_may_start_after_the_player(find, monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    with listening() as heard:
        assert "JACK: no server runs" in (heard.inputs.problem or "JACK: no server runs")
        with server() as jackd, Client(jackd):
            find(jackd)
            assert heard.told("MIDI port listener:keys has come") < NOTICED_S
            assert heard.inputs.problem is None


@needs_jack
def test_virtual_port_outlives_its_server(find):
    with server() as jackd:
        find(jackd)
        with listening(virtual=True) as heard:
            assert heard.inputs.names == ["the virtual port rtwave-midi:in"]
            jackd.kill()
            heard.told("the virtual port rtwave-midi:in has gone")
            with server() as again, Client(again) as client:
                find(again)
                client.play_into("rtwave-midi:in")
                play(client, C4_DOWN)
                heard.wait_for(lambda: heard.events)
            assert heard.lines[1] == "the virtual port rtwave-midi:in has come"


@needs_jack
def test_wanted_word_that_no_port_has_is_an_error_and_later_is_waited_for(find):
    with server() as jackd, contextlib.ExitStack() as stack:
        find(jackd)
        with Client(jackd):
            with pytest.raises(RtwaveError, match=r"no MIDI port 'nosuch'; there are: listener:keys$"):
                midi.MidiInputs(print, ["keys", "nosuch"])
            heard = stack.enter_context(listening(["KEYS"]))
        heard.told("MIDI port listener:keys has gone")
        with Client(jackd):
            heard.told("MIDI port listener:keys has come")


@needs_jack
def test_server_that_stands_still_does_not_hold_up_the_end(find):
    with server() as jackd:
        find(jackd)
        try:
            with listening(virtual=True):
                jackd.process.send_signal(signal.SIGSTOP)
                start_s = time.monotonic()
            assert time.monotonic() - start_s < 2 * midi.CLOSING_S
        finally:
            jackd.process.send_signal(signal.SIGCONT)


@needs_jack
def test_player_that_was_suspended_hears_on(find):
    code = (
        "import time\n"
        "from rtwave.instrument.midi import MidiInputs\n"
        "inputs = MidiInputs(lambda message, time_ns: print(message.data1, flush=True))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with server() as jackd, Client(jackd) as client:
        program = subprocess.Popen(
            [sys.executable, "-c", code], env=jackd.environment, stdout=subprocess.PIPE, text=True
        )
        try:
            assert program.stdout.readline() == "ready\n"
            program.send_signal(signal.SIGSTOP)
            time.sleep(1.0)
            play(client, C4_DOWN)
            program.send_signal(signal.SIGCONT)
            assert program.stdout.readline() == "60\n"
        finally:
            program.kill()
            program.communicate()


@pytest.fixture
def without_libraries(monkeypatch):
    """The module where neither python-rtmidi nor JACK is installed."""
    monkeypatch.setattr(rtmidi_ports, "rtmidi", None)
    monkeypatch.setattr("rtwave.instrument.jack_ports._library", lambda: None)
    return midi


def test_without_libraries_there_are_no_ports_and_one_line_says_why(without_libraries):
    ports, problem = without_libraries.list_ports()
    assert ports == []
    assert problem == f"no MIDI system answers ({rtmidi_ports.MISSING}; JACK: not installed)"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"wanted": ["key"]}, "no MIDI port 'key'; there are: none"), ({"virtual": True}, "no virtual MIDI port")],
)
def test_without_libraries_nothing_opens(without_libraries, options, words):
    with pytest.raises(RtwaveError, match=rf"{words}.*python-rtmidi is not installed"):
        without_libraries.MidiInputs(print, **options)


def test_modules_import_where_the_libraries_are_missing():
    code = (
        "import sys\n"
        "sys.modules['rtmidi'] = sys.modules['rtwave._jack_midi'] = None\n"
        "from rtwave.instrument.midi import list_ports\n"
        "print(list_ports())"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("([], 'no MIDI system answers (python-rtmidi is not installed")
