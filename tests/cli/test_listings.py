"""`devices`, `presets` and `doctor`: what is there, in words and in JSON."""

import json

import numpy as np
import pytest

from rtwave import presets
from rtwave.cli.doctor import measure_voices
from rtwave.instrument.midi import Port
from rtwave.presets import load_preset, write_preset
from rtwave.wavenet.instrument import BY_TIMBRE

from ..jack import Client, server
from ..small_preset import small_weights, write_small_preset
from .programs import started


@pytest.fixture
def at_home(bell, monkeypatch):
    """The small preset among the user's own, and another that is broken."""
    (bell.parent / "broken").mkdir()
    (bell.parent / "broken" / "preset.toml").write_text("name = 'broken'\n")
    monkeypatch.setattr(presets, "user_presets_folder", lambda: bell.parent)
    return bell


def test_presets_tell_what_plays_and_what_does_not(rtwave, at_home):
    code, out, _ = rtwave("presets")
    assert code == 0
    assert "bell: a random network" in out
    assert "licence CC0-1.0" in out
    assert "broken: cannot be played: " in out


def test_presets_tell_their_program_and_what_their_controllers_move(rtwave, at_home):
    write_small_preset(at_home, program=300, controls={"knob1": 21, "vibrato": 22})
    _, out, _ = rtwave("presets")
    assert "  program 300 (bank 2, program 44), knob1 on CC 21, vibrato on CC 22\n" in out
    listing = {entry["name"]: entry for entry in json.loads(rtwave("presets", "--json")[1])}
    assert (listing["bell"]["program"], listing["bell"]["controls"]) == (300, {"knob1": 21, "vibrato": 22})


def test_presets_tell_between_how_many_timbres_a_control_moves(rtwave, at_home):
    weights = small_weights()
    tables = weights.instrument
    for name in BY_TIMBRE:
        setattr(tables, name, np.stack([getattr(tables, name)] * 3))
    write_small_preset(at_home, weights, program=90)
    assert "  program 90, timbre moves between 3\n" in rtwave("presets")[1]


def test_presets_and_doctor_tell_the_precision_that_will_be_played(rtwave, at_home, monkeypatch):
    monkeypatch.setenv("RTWAVE_INSTRUCTION_SET", "portable")
    assert "16000 Hz, played in float32; " in rtwave("presets")[1]
    preset = load_preset(at_home)
    write_preset(at_home, preset.weights, name="bell", precision={"bfloat16": 5.0, "float32": 5.0})
    monkeypatch.setattr("rtwave.engine.engine.precisions", lambda instruction_set: ["bfloat16", "float32"])
    assert "16000 Hz, played in bfloat16; " in rtwave("presets")[1]
    assert "in real time on one core, bfloat16" in rtwave("doctor")[1]


def test_presets_as_json(rtwave, at_home):
    code, out, _ = rtwave("presets", "--json")
    listing = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0
    assert listing["bell"]["problem"] is None
    assert listing["bell"]["playing"]["polyphony"] == 6
    assert (listing["bell"]["precision"], listing["bell"]["bits_per_sample"]) == ("float32", {})
    assert listing["bell"]["parameters"] == load_preset(at_home).weights.parameters
    assert "missing required field" in listing["broken"]["problem"]


def test_devices_always_answer(rtwave):
    code, out, _ = rtwave("devices")
    assert code == 0
    assert "Audio outputs:" in out
    assert "MIDI inputs:" in out
    code, out, _ = rtwave("devices", "--json")
    assert code == 0
    assert json.loads(out).keys() == {"audio", "audio_problem", "midi", "midi_problem"}


def test_devices_name_what_a_jack_server_has():
    with server() as jackd, Client(jackd), started("devices", "--json", env=jackd.environment) as program:
        listing = json.loads(program.output())
        assert program.end() == 0
    assert any("JACK" in device["host_api"] for device in listing["audio"])
    assert {"name": "listener:keys", "api": "JACK", "default": True} in listing["midi"]


def test_devices_and_doctor_mark_the_ports_that_play_listens_to(rtwave, monkeypatch):
    ports = [Port("ALSA", "Midi Through 14:0", False), Port("ALSA", "Keys 20:0", True), Port("JACK", "keys:out", False)]
    monkeypatch.setattr("rtwave.cli.devices.list_ports", lambda: (ports, None))
    monkeypatch.setattr("rtwave.cli.doctor.list_ports", lambda: (ports, None))
    listed = rtwave("devices")[1].splitlines()
    assert listed[-3:] == ["   ALSA: Midi Through 14:0", " * ALSA: Keys 20:0", "   JACK: keys:out"]
    assert "ok  MIDI: play listens to Keys 20:0\n" in rtwave("doctor")[1]
    monkeypatch.setattr("rtwave.cli.doctor.list_ports", lambda: (ports[:1], None))
    assert "!!  MIDI: no keyboard is there: connect one" in rtwave("doctor")[1]


def test_doctor_warns_and_does_not_fail(rtwave, at_home):
    code, out, _ = rtwave("doctor")
    assert code == 0
    for subject in ("sound", "MIDI", "priority", "processor", "preset bell"):
        assert f" {subject}: " in out
    assert "!!  preset broken: " in out


def test_doctor_counts_on_realtimekit_where_the_system_refuses(rtwave, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "refused")

    monkeypatch.setattr("os.sched_setscheduler", refuse)
    for answer, words in ((None, "ok  priority: real-time priority is granted by RealtimeKit"), ("no", "!!  priority")):
        monkeypatch.setattr("rtwave.audio.rtkit.make_realtime", lambda thread, answer=answer: answer)
        assert words in rtwave("doctor")[1]


def test_doctor_as_json(rtwave, at_home):
    code, out, _ = rtwave("doctor", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(out)}
    assert code == 0
    assert "voices in real time" in findings["preset bell"]["words"]
    assert not findings["preset broken"]["good"]


def test_voices_are_measured_on_notes_that_sound(bell):
    assert measure_voices(load_preset(bell)) > 0
