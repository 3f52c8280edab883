"""Whatever comes in, nothing breaks: random bytes through the whole instrument, damaged MIDI files by the thousand."""

import ctypes
import functools
import gc
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mido
import numpy as np
import pytest

from rtwave.engine.rack import MAX_ENGINES
from rtwave.errors import RtwaveError
from rtwave.instrument.live import Live
from rtwave.instrument.messages import Parser
from rtwave.instrument.performance import Performance
from rtwave.instrument.programs import Programs
from rtwave.instrument.scores import read_score
from rtwave.instrument.settings import Settings, VoiceLimit, write_text

from .small_preset import small_weights, write_small_preset

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="watches memory in /proc")

RANDOM_BYTES, PIECE = 1_000_000, 500
FRAMES_A_PIECE = 40
VOICES = 4
LIFT = b"".join(
    bytes([0xB0 | channel, 64, 0, 0xB0 | channel, 66, 0, 0xB0 | channel, 123, 0, 0xB0 | channel, 121, 0])
    + b"".join(bytes([0x80 | channel, key, 0]) for key in range(128))
    for channel in range(16)
)
"""What a player does who goes home: every pedal and every key comes up."""

FILES, PLAYED = 10_000, 300
ROUNDS, ROUND_FRAMES = 40, 100
GROWTH_BYTES = 2 << 20

CHANGES = 400
CHANGES_GROWTH_BYTES = 8 << 20
"""The heaps of threads that load; were every engine kept, it would be many times that."""


def resident_bytes():
    """Memory of this process that is no file's, without what the allocator keeps of what was given back."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:  # glibc's own
        trim(0)
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


def alone(test):
    """Run a test in a process of its own: in one full of other tests' threads and maps, memory grows by itself."""

    @functools.wraps(test)
    def run(**fixtures):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            process.submit(call, test.__name__, fixtures).result()

    return run


def call(name, fixtures):
    globals()[name].__wrapped__(**fixtures)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Folder of a small preset."""
    return write_small_preset(tmp_path_factory.mktemp("presets") / "small").folder


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Folder of another one, of another rate."""
    return write_small_preset(tmp_path_factory.mktemp("presets") / "other", small_weights(1, 22_050)).folder


class Instrument:
    """What plays live: parser, performer and rack, and where `presets` are given, programs."""

    def __init__(self, preset, presets=()):
        self.performance = Performance(Settings(preset=str(preset), voices=VOICES))
        self.rack = self.performance.rack
        self.programs, self.told = None, Counter()
        if presets:
            playing = self.performance
            self.programs = Programs(playing.load, lambda: playing.preset.folder, lambda line: self.told.update([line]))
            self.programs._folders = dict(enumerate(presets))
        self.parser, self.live = Parser(), Live(self.performance, programs=self.programs)
        self.messages = 0

    def play(self, data):
        for message in self.parser.feed(data):
            self.messages += 1
            self.live.hear(message)
        self.live.settle()
        return self.rack.render(FRAMES_A_PIECE)

    def is_silent_at_last(self):
        """Whether nothing sounds any more once every key and pedal is up."""
        self.play(b"\xf7" + LIFT)
        for _ in range(4):
            self.rack.render(16_000 * 5)
            self.live.settle()
        return self.rack.active_voices == 0 and len(self.rack.engines) == 1


def random_bytes(random, shape):
    """PIECE of them: of any value, or such that every third is the status of a note, a controller or the wheel."""
    if shape == "any byte":
        return random.bytes(PIECE)
    data = random.integers(0, 128, PIECE, np.uint8)
    data[::3] = random.choice([0x80, 0x90, 0x90, 0xB0, 0xE0], len(data[::3]))
    return data.tobytes()


@pytest.mark.parametrize("shape", ["any byte", "mostly notes and controllers"])
@alone
def test_a_million_random_bytes_neither_break_nor_hang_a_note_nor_fill_memory(small, shape):
    random, instrument, peak, sounded, before = np.random.default_rng(6), Instrument(small), 0.0, 0, 0
    for piece in range(RANDOM_BYTES // PIECE):
        samples = instrument.play(random_bytes(random, shape))
        assert instrument.rack.active_voices <= VOICES
        peak, sounded = max(peak, float(np.abs(samples).max())), sounded + bool(samples.any())
        if piece == RANDOM_BYTES // PIECE // 4:
            before = resident_bytes()
    assert resident_bytes() - before < GROWTH_BYTES
    assert 0.0 < peak <= 1.0
    assert sounded > 100
    assert instrument.messages > 50_000
    assert instrument.is_silent_at_last()


@alone
def test_changes_of_preset_amid_random_bytes_neither_hang_a_note_nor_fill_memory(small, other):
    random, instrument, before = np.random.default_rng(8), Instrument(small, [small, other]), 0
    for change in range(CHANGES):
        call = bytes([0xB0, 0, 0, 0xB0, 32, 0, 0xC0, random.integers(3)])  # the third program is no preset
        instrument.play(random_bytes(random, "mostly notes and controllers") + call)
        instrument.programs.wait()
        instrument.rack.render(4 * FRAMES_A_PIECE)
        assert len(instrument.rack.engines) <= MAX_ENGINES + 1
        if change == CHANGES // 4:
            before = resident_bytes()
    assert resident_bytes() - before < CHANGES_GROWTH_BYTES
    assert min(instrument.told["program 0: small"], instrument.told["program 1: other"]) > CHANGES // 8
    assert instrument.is_silent_at_last()


def songs(folder, preset, another):
    """A few short files of every kind and a take that changes its preset, as bytes."""
    notes = [mido.Message("note_on", note=40 + 3 * step, velocity=90, time=20 * step) for step in range(8)]
    wheel = [mido.Message("pitchwheel", pitch=500, time=3), mido.Message("control_change", control=64, value=127)]
    meta = [mido.MetaMessage("set_tempo", tempo=300_000, time=5), mido.MetaMessage("key_signature", key="Eb")]
    meta += [mido.MetaMessage("text", text='rtwave {"seed": 3}'), mido.MetaMessage("time_signature", numerator=3)]
    other = [mido.Message("sysex", data=range(12)), mido.Message("program_change", program=9, time=1)]
    kinds = {"one": (0, [notes + wheel]), "two": (1, [meta, notes + other]), "three": (1, [meta, wheel, notes])}
    take = [mido.MetaMessage("text", text=write_text(Settings(preset=str(preset), seed=3)).decode())]
    change = mido.MetaMessage("text", text=write_text(Settings(preset=str(another), voices=2)).decode(), time=30)
    limit = mido.MetaMessage("text", text=write_text(VoiceLimit(1, 2)).decode(), time=30)
    kinds["take"] = (0, [take + notes[:4] + [change, limit] + notes])
    for name, (kind, tracks) in kinds.items():
        path = folder / f"{name}.mid"
        mido.MidiFile(type=kind, tracks=[mido.MidiTrack(track) for track in tracks]).save(path)
        yield path.read_bytes()


def mutate(random, whole):
    """One to four damages: a byte changed, bytes lost, doubled or put in, the end cut off."""
    data = bytearray(whole)
    for _ in range(random.integers(1, 5)):
        at, length = int(random.integers(len(data) + 1)), int(random.integers(1, 9))
        match random.integers(6):
            case 0 | 1 if at < len(data):
                data[at] = random.integers(256)
            case 2 if at < len(data):
                data[at] ^= 1 << random.integers(8)
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = random.bytes(length) if random.random() < 0.5 else data[at : at + length]
            case _:
                del data[max(at, 14) :]
    return bytes(data)


def read(path):
    """The score, or the words with which it was refused."""
    try:
        return read_score(path)
    except RtwaveError as error:
        return str(error)


@alone
def test_ten_thousand_damaged_midi_files_are_read_or_refused_in_one_line(small, other, tmp_path):
    random, path = np.random.default_rng(7), tmp_path / "damaged.mid"
    wholes, scores, refused, before = list(songs(tmp_path, small, other)), 0, 0, 0
    for number in range(FILES):
        path.write_bytes(mutate(random, wholes[number % len(wholes)]))
        result = read(path)
        if isinstance(result, str):
            refused += 1
            assert result.startswith(str(path))
            assert "\n" not in result
        else:
            scores += 1
            if scores <= PLAYED:
                play(result, small)
        if number == FILES // 4:
            before = resident_bytes()
    assert resident_bytes() - before < GROWTH_BYTES
    assert min(scores, refused) > FILES // 10


def play(score, preset):
    """Play the beginning of what could be read, whatever it has become, or have it refused in one line."""
    if not (score.settings and score.settings.preset):
        score = score.played_as(Settings(preset=str(preset)))
    try:
        performance = Performance(score.settings)
        sequencer = performance.sequencer(score)
        for _ in range(ROUNDS):
            sequencer.feed()
            performance.rack.render(ROUND_FRAMES)
        said, faults = "", performance.rack.counters()["faults"]
    except RtwaveError as error:
        said, faults = str(error), 0
    assert "\n" not in said
    assert faults == 0
