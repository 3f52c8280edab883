"""A library: every key at every velocity as a sound file of its own, many rendered at a time, for any sampler."""

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from ..engine.commands import Command
from ..engine.engine import MAX_THREADS, cores
from ..errors import RtwaveError
from ..wavenet.keys import key_name
from .messages import NOTE_ON, Message
from .performance import style_of
from .performer import Performer
from .programs import load_program
from .render import FADE_S, SUBTYPES
from .sampler_map import sampler_map
from .settings import Settings

BLOCK_FRAMES = 4096
CHANNELS = 16
VOICES_A_THREAD = 8
"""That share one pass over the weights."""
VOICES_ON_A_DEVICE = 512
BATCH_BYTES = 2**28
"""Of sound that is kept until its notes are whole."""
LONGEST_S, LONGEST_RELEASE_S = 600.0, 60.0


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a library; a bad value raises RtwaveError.

    `keys` 0..127 and `velocities` 1..127, rising, as a MIDI file has them; each note is held for `seconds`, 0.05..600,
    and rings on for at most `release_s`, 0..60. `suffix` ".flac" (24 bits) or ".wav" (32-bit float, exact).
    """

    keys: tuple[int, ...]
    velocities: tuple[int, ...]
    seconds: float = 4.0
    release_s: float = 1.0
    suffix: str = ".flac"

    def __post_init__(self) -> None:
        for name, values, lowest in (("keys", self.keys, 0), ("velocities", self.velocities, 1)):
            if not values or list(values) != sorted(set(values)) or not lowest <= values[0] <= values[-1] <= 127:
                listed = ", ".join(map(str, values)) or "none"
                raise RtwaveError(f"{name} are {listed}, expected different ones from {lowest} to 127, rising")
        for name, value, low, high in (
            ("seconds", self.seconds, 0.05, LONGEST_S),
            ("release", self.release_s, 0.0, LONGEST_RELEASE_S),
        ):
            if not isinstance(value, Real) or not low <= value <= high:
                raise RtwaveError(f"{name} is {value!r}, expected {low:g} to {high:g} s")
        if self.suffix not in SUBTYPES:
            raise RtwaveError(f"suffix is {self.suffix!r}, expected {' or '.join(SUBTYPES)}")

    @property
    def notes(self) -> int:
        """How many there are."""
        return len(self.keys) * len(self.velocities)

    def name(self, key: int, velocity: int) -> str:
        """The file of a note: C4_v064.flac."""
        return f"{key_name(key)}_v{velocity:03}{self.suffix}"


class Note(NamedTuple):
    """One note of a batch; `channel` keeps the notes of one key apart."""

    key: int
    velocity: int
    channel: int


def spread_velocities(count: int) -> tuple[int, ...]:
    """So many velocities, evenly up to 127."""
    if not 1 <= count <= 127:
        raise RtwaveError(f"{count} velocities, expected 1 to 127")
    return tuple(round(127 * step / count) for step in range(1, count + 1))


def render_library(
    folder: str | Path,
    library: Library,
    settings: Settings,
    threads: int | None = None,
    device: str = "cpu",
    progress: Callable[[float], None] = lambda done: None,
) -> Path:
    """Write every note of a preset to `folder`, then NAME.sfz, which maps them; returns its path.

    A file holds the very samples (FLAC: rounded to 24 bits) that `render_midi` gives for a MIDI file of that note alone
    with the same settings, up to the last that is not 0: every note draws the random numbers of the first note of
    `settings.seed`. `settings.voices`: notes rendered at a time; `threads` None: all cores, each with an engine of its
    own. On another `device` than "cpu", as in Engine, there is one engine, and the samples are the same but for its
    rounding. `progress` is called with the share done, 0 to 1. What is written is whole, whatever ends it. Raises
    RtwaveError with one line.
    """
    folder, threads = Path(folder), min(cores(), MAX_THREADS) if threads is None else threads
    if not 1 <= threads <= MAX_THREADS:
        raise RtwaveError(f"threads is {threads!r}, expected a whole number from 1 to {MAX_THREADS}")
    for name in ("transpose", "channel", "mpe", "sample_rate"):
        if getattr(settings, name):
            raise RtwaveError(f"{name} is given for a library, which knows only keys and the preset's own rate")
    most, each = (threads, VOICES_A_THREAD) if device == "cpu" else (1, VOICES_ON_A_DEVICE)
    if settings.voices is not None:
        most = max(1, min(most, settings.voices))
        each = settings.voices // most
    asked = msgspec.structs.replace(settings, voices=each)
    work = _Work(library, progress)
    load = partial(_Stage, asked, work, 1 if device == "cpu" else threads, device)
    first = load()
    map_path = folder / f"{first.preset.folder.resolve().name}.sfz"
    _make(folder, [map_path, *(folder / library.name(*note) for note in product(library.keys, library.velocities))])
    free = [first]

    def play(notes: list[Note]) -> None:
        try:
            stage = free.pop()
        except IndexError:
            stage = load()
        paths = [folder / library.name(note.key, note.velocity) for note in notes]
        list(writers.map(partial(_write, sample_rate=stage.sample_rate), paths, stage.render(notes)))
        free.append(stage)

    places = max(1, min(each, BATCH_BYTES // (4 * most * first.frames)))
    with ThreadPoolExecutor(cores()) as writers, ThreadPoolExecutor(most) as players, work:
        list(players.map(play, _batches(library, places)))
    _put(map_path, sampler_map(first.preset, library).encode())
    return map_path


class _Work:
    """What all stages have in common: what is to be done, how far it is, and whether it has been ended."""

    def __init__(self, library: Library, progress: Callable[[float], None]) -> None:
        self.library, self._progress = library, progress
        self._lock, self._done, self._ended = threading.Lock(), 0.0, False

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ended = kind is not None

    def advance(self, notes: float) -> None:
        """So many notes, or parts of one, more are done. Any thread; RtwaveError where nobody waits for them."""
        with self._lock:
            if self._ended:
                raise RtwaveError("the library has been ended")
            self._done += notes
            self._progress(min(self._done / self.library.notes, 1.0))


class _Stage:
    """An engine on which batches of notes are played, each when the one before it has fallen silent. One thread."""

    def __init__(self, settings: Settings, work: _Work, threads: int, device: str) -> None:
        program = load_program(settings, threads, device)
        self.preset, self._engine, self._work = program.preset, program.engine, work
        self.sample_rate = rate = program.engine.model_rate
        self._held, self._ringing = round(work.library.seconds * rate), round(work.library.release_s * rate)
        self.frames = self._held + self._ringing + round(FADE_S * rate)
        """Of a note, at most."""
        self._performer = Performer(program.preset.playing, program.preset.controls, style_of(settings))
        self._engine.submit(self._performer.state())

    def render(self, notes: Sequence[Note]) -> list[np.ndarray]:
        """The sound of each note, float32, without the silence after it."""
        engine = self._engine
        engine.submit([self._strike(note) for note in notes])
        sounds = np.zeros((len(notes), self.frames), np.float32)
        self._hear(sounds[:, : self._held])
        engine.all_notes_off()
        self._hear(sounds[:, self._held : self._held + self._ringing])
        engine.all_sound_off()
        self._hear(sounds[:, self._held + self._ringing :])
        return [sound[: np.flatnonzero(sound).max(initial=0) + 1] for sound in sounds]

    def _hear(self, sounds: np.ndarray) -> None:
        """What the notes say next, into (notes, frames)."""
        notes, frames = sounds.shape
        for start in range(0, frames, BLOCK_FRAMES):
            block = min(BLOCK_FRAMES, frames - start)
            sounds[:, start : start + block] = self._engine.render_voices(block)[:notes]
            self._work.advance(notes * block / self.frames)

    def _strike(self, note: Note) -> Command:
        """What a MIDI message says, as the first note of the engine's seed, on a channel of its own."""
        (command,) = self._performer.perform(Message(NOTE_ON, 0, note.key, note.velocity))
        self._performer.let_go()
        return msgspec.structs.replace(command, channel=note.channel, stream=0)


def _batches(library: Library, places: int) -> Iterator[list[Note]]:
    """All notes, so many at a time, neighbours together; of one key never more than there are channels."""
    for first in range(0, len(library.velocities), CHANNELS):
        layers = library.velocities[first : first + CHANNELS]
        notes = [Note(key, velocity, channel) for key in library.keys for channel, velocity in enumerate(layers)]
        for start in range(0, len(notes), places):
            yield notes[start : start + places]


def _make(folder: Path, paths: list[Path]) -> None:
    """Make the folder; RtwaveError where it cannot be, or where any of the files is there."""
    try:
        folder.mkdir(exist_ok=True)
        there = sorted(set(os.listdir(folder)) & {path.name for path in paths})
    except OSError as error:
        raise RtwaveError(f"{folder}: cannot hold a library ({error.strerror}); name another folder") from None
    if there:
        raise RtwaveError(f"{folder}: holds {there[0]} already; name another folder, or delete what it holds")


def _write(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    import soundfile  # not needed to make a sound, and slow to import

    encoded = io.BytesIO()
    soundfile.write(encoded, samples, sample_rate, format=path.suffix[1:].upper(), subtype=SUBTYPES[path.suffix])
    _put(path, encoded.getvalue())


def _put(path: Path, data: bytes) -> None:
    """Write a file whole, or not at all with RtwaveError."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RtwaveError(
            f"{path}: cannot be written ({error.strerror}); what was written before it is whole"
        ) from None
