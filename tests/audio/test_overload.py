"""More voices than this machine can render, played for real: the governor's limit keeps the sound whole."""

import threading
import time

import numpy as np
import pytest

from rtwave._stream import NativeStream
from rtwave.engine.commands import AllNotesOff, NoteOn
from rtwave.engine.engine import Engine
from rtwave.engine.rack import Rack
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights
from tests.audio.source import wait_until

RATE, BLOCK, TARGET, VOICES = 48_000, 128, 768, 16
CHORD = range(40, 40 + VOICES)


def make_engine(model_rate):
    config = WaveNetConfig(
        sample_rate=model_rate,
        dilations=(1, 2, 4, 8, 16, 32),
        residual_channels=16,
        skip_channels=32,
        head_channels=32,
        excitation="partials",
        partials=4,
        conditioning=("pitch", "gate"),
    )
    weights = Weights.random(config, scale=0.5)
    weights.tensors["head.output.bias"] = np.array([0.0, -4.0], np.float32)
    return Engine(weights, voices=VOICES)


def rate_of_load(load):
    """The model rate, in whole kHz, at which all voices take `load` of this machine's real time."""
    engine = make_engine(16_000)
    for note in CHORD:
        engine.note_on(note, 80)
    engine.render(512)
    step_ns = np.median(engine.native.time_blocks(100, 32)) / 32
    return int(load * 1e6 / step_ns) * 1000


def play_chord(load):
    """Counters half a second after the chord was struck, one second later, and the rack."""
    rack = Rack(make_engine(rate_of_load(load)), RATE)
    native = NativeStream(rack.native, sample_rate=RATE, channels=2, target_frames=TARGET)
    threads = [threading.Thread(target=native.produce), threading.Thread(target=native.clock, args=(BLOCK,))]
    for thread in threads:
        thread.start()
    wait_until(lambda: native.counters()["frames"] > 4 * TARGET)
    rack.submit([NoteOn(note, 80) for note in CHORD])
    time.sleep(0.5)
    first = native.counters()
    time.sleep(1.0)
    then = native.counters()
    voices = rack.active_voices
    rack.submit([AllNotesOff()])
    native.stop()
    for thread in threads:
        thread.join()
    return first, then, voices, rack


def test_overload_lowers_the_voices_and_the_sound_goes_on():
    for _ in range(3):  # something else may keep this computer busy just now
        first, then, voices, rack = play_chord(1.4)
        if then["starved_frames"] == first["starved_frames"]:
            break
    assert first["limited"] > 0
    assert 1 <= voices < VOICES
    limits = rack.limits()
    assert limits[0][1] < VOICES
    assert all(number == 0 for number, _, _ in limits)
    assert then["starved_frames"] - first["starved_frames"] <= 0.01 * RATE
    assert then["load"] < 1.0


def test_limits_told_while_playing_are_heard_again_on_replay():
    first, _, _, rack = play_chord(1.4)
    limits = rack.limits()
    assert first["limited"] > 0
    again = Rack(make_engine(rack.engine.model_rate), RATE)
    again.submit([NoteOn(note, 80) for note in CHORD], at_s=0.0)
    for number, voices, second in limits:
        again.limit(number, voices, second)
    again.render(round((limits[0][2] + 0.01) * RATE))
    assert again.engine.limit == limits[0][1]
    assert again.active_voices == pytest.approx(limits[0][1], abs=1)
