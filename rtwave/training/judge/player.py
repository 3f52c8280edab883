"""The two sides of every comparison: a note as the preset plays it, and as the nearest recording has it."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..._segments import resample_at
from ...engine.engine import Engine
from ...presets import Preset
from ...wavenet.features import note_frequency, partial_frequencies
from ...wavenet.weights import Weights
from ..choices import usual_temperature
from ..corpus import Corpus, Entry


@dataclasses.dataclass(frozen=True)
class Player:
    """A model played as it is shipped, in the precision that it plays in, at the recordings' own level.

    `temperature` None is the preset's own, or what export would set.
    """

    model: Preset | Weights
    instruction_set: str = "auto"
    precision: str = "auto"
    temperature: float | None = None

    @property
    def weights(self) -> Weights:
        """Its network and tables."""
        return self.model if isinstance(self.model, Weights) else self.model.weights

    def engine(self, **controls: float) -> Engine:
        """An engine of one voice, with controls set."""
        engine = Engine(self.model, voices=1, instruction_set=self.instruction_set, precision=self.precision)
        temperature = self.temperature
        if temperature is None and isinstance(self.model, Weights):
            temperature = usual_temperature(self.model.config)
        if temperature is not None:
            controls = {"temperature": temperature} | controls
        for name, value in ({"gain_db": 0.0} | controls).items():
            engine.control(name, value, at=0)
        return engine

    def note(
        self,
        key: int,
        velocity: float,
        seconds: float,
        held_s: float | None = None,
        timbre: float = 0.0,
        knobs: tuple[float, ...] = (),
        **controls: float,
    ) -> np.ndarray:
        """A note struck at once and let go after `held_s` (None: held), float32 of `seconds`.

        `timbre` is its place among the instrument's, which an instrument of one does not ask.
        """
        timbres = self.weights.instrument.timbres
        if timbres > 1:
            controls["timbre"] = timbre / (timbres - 1)
        controls |= {f"knob{number}": value for number, value in enumerate(knobs, start=1) if value}
        engine = self.engine(**controls)
        engine.note_on(key, int(np.clip(round(velocity), 1, 127)), at=0)
        if held_s is not None:
            engine.note_off(key, at=int(held_s * engine.sample_rate))
        return engine.render(int(seconds * engine.sample_rate))

    def tuning(self, key: int, timbre: float = 0.0) -> tuple[float, float]:
        """(cents off equal temperament, stiffness) that a key is played with."""
        tables = self.weights.instrument.cents, self.weights.instrument.stiffness
        return tuple(float(table[round(timbre), key] if table.ndim == 2 else table[key]) for table in tables)

    def partials(self, key: int, timbre: float = 0.0, count: int = 200) -> np.ndarray:
        """Frequencies (Hz) at which the partials of a key are played."""
        cents, stiffness = self.tuning(key, timbre)
        return partial_frequencies(float(note_frequency(key, cents)), stiffness, count)

    def entry(self, entry: Entry, seconds: float) -> np.ndarray:
        """What a recording holds, played: its key, velocity, timbre and knobs."""
        return self.note(round(entry.note), entry.velocity, seconds, timbre=entry.timbre, knobs=entry.knobs)


def nearest(corpus: Corpus, key: float, velocity: float, timbre: float = 0.0) -> Entry:
    """The recording nearest in timbre, then in key, then in velocity."""
    timbre = timbre if corpus.index.kind == "notes" else 0.0

    def distance(entry: Entry) -> tuple[float, ...]:
        place = entry.timbre if corpus.index.kind == "notes" else 0.0
        return abs(place - timbre), abs(entry.note - key), abs(entry.velocity - velocity)

    return min(corpus.index.entries, key=distance)


def recorded(corpus: Corpus, entry: Entry, seconds: float, key: float | None = None) -> np.ndarray:
    """A recording's first seconds, float32, resampled to `key` where that is another; it may end earlier."""
    frames, ratio = int(seconds * corpus.index.sample_rate), 1.0
    if key is not None and corpus.index.kind == "notes":
        ratio = 2.0 ** ((key - entry.note) / 12.0)
    if ratio == 1.0:
        return np.array(corpus.sound(entry, 0, frames))
    sound = corpus.sound(entry, 0, int(frames * ratio) + 64)
    return resample_at(sound, np.arange(min(frames, int(entry.samples / ratio))) * ratio)


def in_parallel(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Results in order, from as many threads as there are cores: rendering holds no lock."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(work, items)
