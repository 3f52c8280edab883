"""Voices that a device renders: what it is told, what becomes of what it draws, and what happens when it fails."""

import ctypes
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave import _engine
from rtwave.engine import devices
from rtwave.engine.commands import NoteOn
from rtwave.engine.engine import Engine
from rtwave.engine.rack import Rack
from rtwave.errors import RtwaveError

from .networks import quiet_network, sustained
from .stand_in import Failing, StandIn, drawn
from .test_engine import FRAMES, WEIGHTS, play

PERIOD = WEIGHTS.config.control_period


def stand_in_engine(weights=WEIGHTS, **fields):
    device = StandIn()
    return Engine(weights, **({"voices": 3, "seed": 5} | fields), device=device), device


def told_to(device, slot):
    return [(int(frame), telling) for frame, telling in device.tellings if telling["slot"] == slot]


# What a device is told.


def test_periods_begin_with_the_note_and_anew_with_its_release():
    engine, device = stand_in_engine()
    engine.note_on(40, 100)
    engine.note_on(60, 100, at=37)
    engine.note_on(64, 100, at=41)
    engine.note_off(60, at=37 + 100)
    engine.render(300)
    first, second = told_to(device, 1), told_to(device, 2)
    released = [100 + PERIOD * i for i in range(6)]
    assert [frame - 37 for frame, _ in first] == [0, 32, 64, 96, *released][: len(first)]
    assert [frame - 41 for frame, _ in second] == list(range(0, 300 - 41, PERIOD))
    assert first[-1][0] > 250
    for born, told in ((37, first), (41, second)):
        assert [int(telling["age"]) for _, telling in told] == [frame - born for frame, _ in told]


def test_a_note_starts_once_from_silence_with_a_stream_of_its_own():
    engine, device = stand_in_engine()
    engine.note_on(60, 100)
    engine.note_on(64, 100, at=20)
    engine.note_on(60, 100, at=150)  # the same key again: another note, in another slot
    engine.render(300)
    starting = [(int(frame), telling) for frame, telling in device.tellings if telling["starts"]]
    told = [(frame, telling["slot"], telling["ordinal"], telling["starts"]) for frame, telling in starting]
    assert told == [
        (0, 0, 0, _engine.STARTS_SILENT),
        (20, 1, 1, _engine.STARTS_SILENT),
        (150, 2, 2, _engine.STARTS_SILENT),
    ]
    assert all(telling["frame"] == telling["age"] == 0 for _, telling in starting)


@pytest.mark.parametrize("period", [1, 7, 32, 300])
def test_chunks_are_as_long_as_tellings_and_commands_allow(period):
    engine, device = stand_in_engine(quiet_network(control_period=period), voices=8)
    for at in (0, 600, 611):
        engine.submit([NoteOn(note, 100) for note in range(50, 53)], at=at)
    engine.render(1000)
    longest = min(_engine.LONGEST_CHUNK, _engine.MOST_TELLINGS * period)
    assert max(chunk.frames for chunk in device.chunks) == longest
    assert {600, 611} <= {chunk.first for chunk in device.chunks}
    for chunk in device.chunks:
        assert 1 <= chunk.frames <= longest
        assert np.bincount(chunk.tellings["slot"], minlength=12).max() <= _engine.MOST_TELLINGS


def test_tellings_stand_in_order_of_slot_then_frame_and_of_active_voices_alone():
    engine, device = stand_in_engine()
    play(engine)
    engine.render(FRAMES)
    assert len({len(chunk.slots) for chunk in device.chunks}) > 2
    for chunk in device.chunks:
        places = list(zip(chunk.tellings["slot"], chunk.tellings["frame"], strict=True))
        assert places == sorted(set(places))
        assert list(chunk.slots) == sorted(set(chunk.slots))
        assert set(chunk.tellings["slot"]) <= set(chunk.slots)
        assert (chunk.tellings["frame"] < chunk.frames).all()
        assert chunk.seed == 5


def test_phasors_and_rotation_are_those_of_the_note_s_partials():
    engine, device = stand_in_engine()
    engine.note_on(57, 100)
    engine.render(200)
    turns = 220.0 * np.arange(1, WEIGHTS.config.partials + 1) / 16_000
    for chunk in device.chunks:
        for telling, phasors, rotation in zip(chunk.tellings, chunk.phasors, chunk.rotation, strict=True):
            for gone in (0, 5):
                found = cosine_and_sine(phasors) * cosine_and_sine(rotation) ** gone
                expected = np.exp(2j * np.pi * turns * (telling["age"] + gone))
                np.testing.assert_allclose(found, expected, atol=1e-5)
    assert device.tellings[-1][1]["age"] > 150


def cosine_and_sine(turns):
    """Sines, then cosines, as complex numbers."""
    sines, cosines = np.split(turns, 2)
    return cosines + 1j * sines


def test_temperature_and_conditioning_change_at_the_period_that_hears_of_it():
    engine, device = stand_in_engine(quiet_network(conditioning=("knob1", "velocity")))
    engine.control("temperature", 0.5)
    engine.note_on(60, 127)
    engine.control("knob1", 1.0, at=100)
    engine.control("temperature", 0.0, at=100)
    engine.render(2000)
    ages = np.concatenate([chunk.tellings["age"] for chunk in device.chunks])
    conditioning = np.concatenate([chunk.conditioning for chunk in device.chunks])
    temperatures = np.concatenate([chunk.tellings["temperature"] for chunk in device.chunks])
    assert (conditioning[:, 1] == 1.0).all()
    assert (temperatures[ages < 100] == 0.5).all()
    np.testing.assert_allclose(temperatures[-10:], 0.0, atol=1e-6)
    assert (conditioning[ages < 100, 0] == 0.0).all()
    assert (np.diff(conditioning[(ages > 100) & (ages < 400), 0]) > 0.0).all()
    np.testing.assert_allclose(conditioning[-10:, 0], 1.0, atol=1e-6)


# What becomes of what it draws.


def test_what_is_drawn_is_heard():
    engine, _ = stand_in_engine()
    engine.note_on(60, 100, at=20)
    sound = engine.render(400)
    assert not sound[:20].any()
    np.testing.assert_allclose(sound[20:], drawn(0, np.arange(380)), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=20))
def test_block_size_does_not_change_output(blocks):
    engine, whole = stand_in_engine()[0], stand_in_engine()[0]
    for either in (engine, whole):
        play(either)
    pieces = [engine.render(block) for block in blocks]
    rest = max(FRAMES - sum(map(len, pieces)), 0)
    np.testing.assert_array_equal(np.concatenate([*pieces, engine.render(rest)])[:FRAMES], whole.render(FRAMES))


def test_number_of_threads_does_not_change_output():
    def render(threads):
        engine = stand_in_engine(voices=40, threads=threads)[0]
        for i in range(40):
            engine.note_on(30 + i, 100, at=3 * i)
        engine.all_notes_off(at=333)
        return engine.render(700)

    np.testing.assert_array_equal(render(1), render(3))


@pytest.mark.parametrize("leveling", ["none", "loudness"])
def test_gain_level_filter_and_fades_are_those_of_the_engine_s_own_voices(leveling):
    class Hum:
        def render(self, chunk):
            chunk.drawn[chunk.slots, : chunk.frames] = np.float32(0.3)

    weights = sustained(0.3, leveling=leveling, pre_emphasis=0.5 if leveling == "loudness" else 0.0)
    sounds = []
    for device in ("cpu", Hum()):
        engine = Engine(weights, voices=2, device=device)
        engine.control("temperature", 0.0)
        for at, note in ((5, 60), (40, 64), (90, 67)):
            engine.note_on(note, 100, at=at)  # the third takes the place of another
        engine.control("gain_db", -6.0, at=333)
        engine.control("timbre", 0.9, at=200)
        engine.control("expression", 0.5, at=400)
        engine.note_off(67, at=500)
        engine.all_sound_off(at=900)
        sounds.append(engine.render(1200))
    assert np.ptp(sounds[0]) > 0.01
    np.testing.assert_array_equal(sounds[0], sounds[1])


def test_voices_apart_are_those_that_are_summed():
    engine, apart = stand_in_engine()[0], stand_in_engine()[0]
    for either in (engine, apart):
        either.control("gain_db", -12.0)
        for at, note in ((0, 60), (50, 64), (90, 67)):
            either.note_on(note, 100, at=at)
        either.note_off(60, at=300)
    rows = apart.render_voices(10_000)
    assert rows.shape == (3 + _engine.SPARE_SLOTS, 10_000)
    assert (np.abs(rows).max(axis=1) > 0.01).tolist() == [True] * 3 + [False] * _engine.SPARE_SLOTS
    np.testing.assert_array_equal(rows.sum(axis=0), engine.render(10_000))
    assert apart.frame == engine.frame


def test_the_engine_s_own_voices_can_be_had_apart_too():
    engine, apart = Engine(WEIGHTS, voices=3, seed=5), Engine(WEIGHTS, voices=3, seed=5)
    for either in (engine, apart):
        play(either)
    sound, rows = engine.render(FRAMES), apart.render_voices(FRAMES)
    quiet = slice(0, 300)  # before a voice loses its slot in mid-fade
    np.testing.assert_allclose(rows.sum(axis=0)[quiet], sound[quiet], atol=1e-6)


@pytest.mark.parametrize("output", ["gaussian", "mulaw"])
def test_a_frame_left_unwritten_cuts_that_voice_and_no_other(output):
    class Forgetful(StandIn):
        def render(self, chunk):
            before = chunk.drawn[1, 7]
            super().render(chunk)
            if output == "mulaw":
                chunk.drawn[:] = np.where(np.isnan(chunk.drawn), np.nan, np.float32(180.0))
            if len(self.chunks) == 3:
                chunk.drawn[1, 7] = before

    engine = Engine(quiet_network(output=output), voices=3, device=Forgetful())
    for note in (60, 64, 67):
        engine.note_on(note, 100)
    rows = engine.render_voices(2000)
    cut = 2 * _engine.LONGEST_CHUNK + 7
    assert engine.counters()["faults"] == 1
    assert rows[1, cut - 1] != 0.0
    assert not rows[1, cut + 200 :].any()
    assert np.abs(rows[[0, 2], -100:]).max() > 0.01


@pytest.mark.parametrize("number", [-1.0, 256.0, 1e9, np.inf])
def test_a_class_that_there_is_not_is_a_fault(number):
    class Wild:
        def render(self, chunk):
            chunk.drawn[:] = number

    engine = Engine(quiet_network(output="mulaw"), device=Wild())
    engine.note_on(60, 100)
    assert not engine.render(500).any()
    assert engine.counters()["faults"] == 1


def test_a_native_device_is_called_by_its_address():
    function = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p)

    class Native(ctypes.Structure):
        _fields_ = (("render", function), ("context", ctypes.c_void_p))

    class Renderer:
        problem = "it was told to"

        def __init__(self):
            self.calls = 0
            self.native = Native(function(self.render), None)
            self.address = ctypes.addressof(self.native)

        def render(self, device, chunk):
            assert device == self.address
            self.calls += 1
            return False

    renderer = Renderer()
    engine = Engine(WEIGHTS, device=renderer)
    engine.note_on(60, 100)
    with pytest.raises(RtwaveError, match=r"engine Renderer failed \(it was told to\)"):
        engine.render(100)
    assert renderer.calls == 1


# When it fails.


def test_a_device_that_fails_in_mid_note_falls_silent_softly():
    device = Failing(last=2)
    engine = Engine(WEIGHTS, voices=3, device=device)
    engine.note_on(60, 100)
    before = engine.render(200)
    with pytest.raises(RtwaveError) as raised:
        engine.render(100)
    assert str(raised.value).startswith("engine Failing failed (RtwaveError: the GPU fell off the bus), ")
    assert "\n" not in str(raised.value)
    assert np.abs(before).max() > 0.01
    engine.note_on(64, 100)
    assert not engine.render(1000).any()  # raises no more, and what is struck says nothing
    assert len(device.chunks) == 2  # nor is it asked again
    assert engine.active_voices == 0
    assert engine.frame == 1300


def test_the_last_sample_before_a_failure_dies_away_without_a_step():
    device = Failing(last=2)
    rack = Rack(Engine(WEIGHTS, device=device))
    rack.submit([NoteOn(60, 100)])
    sound = np.concatenate(
        [rack.native.render(256), rack.native.render(400)]
    )  # as a stream renders, who raises nothing
    assert np.abs(np.diff(sound)).max() < 0.02
    assert np.abs(sound[256:300]).max() > 0.001
    assert not sound[256 + 100 :].any()
    assert rack.counters()["faults"] == 0
    [problem] = rack.take_problems()
    assert "the GPU fell off the bus" in problem
    assert rack.take_problems() == []


def test_a_rack_tells_of_a_failure_once():
    rack = Rack(Engine(WEIGHTS, device=Failing(last=1)))
    rack.submit([NoteOn(60, 100)])
    with pytest.raises(RtwaveError, match="the GPU fell off the bus"):
        rack.render(100)
    assert not rack.render(100).any()


@pytest.fixture
def interruptible():
    """A process that hears Ctrl-C: one that a shell began in the background does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_in_a_python_device_ends_the_rendering(interruptible):
    engine = Engine(WEIGHTS, device=Failing(last=1, how=KeyboardInterrupt()))
    engine.note_on(60, 100)
    with pytest.raises(KeyboardInterrupt):
        engine.render(100)


# How it is had.


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"device": "abacus"}, "engine is 'abacus', expected one of cpu, cuda, cuda-graph, torch"),
        (
            {"device": "torch", "precision": "int8"},
            "precision is int8, which is the CPU's own; engine torch has auto, ",
        ),
        (
            {"device": "torch", "precision": "int4"},
            "precision is 'int4', engine torch has auto, float32, bfloat16, float16",
        ),
        ({"device": "torch", "voices": 4097}, "voices is 4097, expected a whole number from 1 to 4096"),
        ({"device": "cpu", "voices": 257}, "voices is 257, expected a whole number from 1 to 256"),
        ({"device": "cpu", "precision": "float16"}, "precision is 'float16', .* has auto, "),
    ],
)
def test_what_cannot_be_had_is_told(fields, told):
    with pytest.raises(RtwaveError, match=told):
        Engine(WEIGHTS, **fields)


def test_a_machine_without_torch_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name, package=None: None)
    with pytest.raises(RtwaveError, match=r"engine torch needs torch, .* pip install 'rtwave\[train\]'"):
        Engine(WEIGHTS, device="torch")


def test_automatic_precision_is_the_device_s():
    assert devices.choose_device_precision("auto", "cuda") == "float16"
    assert devices.choose_device_precision("auto", "cuda-graph") == "float32"
    assert Engine(WEIGHTS, device=StandIn()).precision == "float32"


def test_thousands_of_voices_sound_at_once():
    engine, device = stand_in_engine(voices=2000, threads=2)
    for channel in range(16):
        engine.submit([NoteOn(note, 100, channel=channel) for note in range(125)])
    engine.render(64)
    assert engine.active_voices == len(device.chunks[0].slots) == 2000
    assert engine.counters()["faults"] == 0
