"""Ports through python-rtmidi, on a real server: JACK's, for it needs no sound card; other systems' are read alike."""

import contextlib
import time

import numpy as np
import pytest

from rtwave.instrument.messages import Parser
from rtwave.instrument.port_names import VIRTUAL
from rtwave.instrument.rtmidi_ports import RtMidiPorts

from ..jack import Client, server

rtmidi = pytest.importorskip("rtmidi")


@contextlib.contextmanager
def connected(monkeypatch):
    """A client and the ports of its server."""
    with server(period=64) as jackd:
        monkeypatch.setenv("JACK_DEFAULT_SERVER", jackd.name)
        with Client(jackd) as client:
            ports = RtMidiPorts(rtmidi.API_UNIX_JACK)
            yield client, ports
            ports.end()


def read(ports, count, limit_s=20.0):
    """So many events, fetched now and then."""
    events, deadline_s = [], time.monotonic() + limit_s
    while len(events) < count:
        assert time.monotonic() < deadline_s, len(events)
        time.sleep(0.01)
        events += ports.read()
    return events


def test_notes_are_heard_with_their_moments(monkeypatch):
    with connected(monkeypatch) as (client, ports):
        assert ports.names() == ["listener:keys"]
        ports.open("listener:keys")
        assert ports.hears("listener:keys")
        frames = client.frame + 5_000 + np.arange(100) * 640
        client.send([(int(frame), bytes([0x90, n, 1])) for n, frame in enumerate(frames)])
        events = read(ports, 100)
    assert [bytes(event.data) for event in events] == [bytes([0x90, n, 1]) for n in range(100)]
    times = np.array([event.time_ns for event in events])
    # fetched 10 ms apart, yet known far better
    assert np.median(np.abs(np.diff(times) / 1e9 - 640 / 48_000)) < 0.002


def test_clock_and_long_messages_come_through(monkeypatch):
    with connected(monkeypatch) as (client, ports):
        ports.open("listener:keys")
        sent = [b"\xf8", b"\xf0" + bytes(500) + b"\xf7", b"\x90\x3c\x40"]
        client.send([(client.frame + 500, message) for message in sent])
        events = read(ports, 3)
    parser = Parser()
    assert [message.kind for event in events for message in parser.feed(event.data)] == [0xF8, 0x90]


def test_closed_port_is_heard_no_more_and_opens_again(monkeypatch):
    with connected(monkeypatch) as (client, ports):
        for _ in range(2):
            ports.open("listener:keys")
            client.send([(client.frame + 500, b"\x90\x3c\x40")])
            read(ports, 1)
            ports.close("listener:keys")
            assert not ports.hears("listener:keys")
            assert ports.read() == []


def test_port_that_went_does_not_open(monkeypatch):
    with connected(monkeypatch) as (_, ports):
        with pytest.raises(OSError, match="it has gone"):
            ports.open("piano:keys")
        ports.open(VIRTUAL)
        assert ports.hears(VIRTUAL)


def test_without_a_server_one_line_says_why(monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    with pytest.raises(ConnectionError, match="Jack: JACK server not running"):
        RtMidiPorts(rtmidi.API_UNIX_JACK)
