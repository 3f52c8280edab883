"""Which segments to learn from: drawn evenly from a corpus, detuned between its keys, let go at a drawn note-off."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise

import msgspec
import numpy as np

from ..errors import RtwaveError
from ..wavenet.config import WaveNetConfig
from .checkpoint import TrainingOptions
from .corpus import Corpus, Entry
from .envelopes import held_s
from .segments import SILENCE_S, SINC_TAPS, Batch, Cut, Cutter

RELEASE_SHARE, RELEASE_BEFORE_S, EARLIEST_RELEASE_S = 0.2, 0.45, 0.05
ONSET_SHARE = 0.25
SHORTEST_S = 0.02
DRUM_REACH = 0.3
"""Semitones either way: a hit is never the same twice, and each key has its own sound."""
FITTING_SHARE = 0.85
"""Of a recording, a segment from the onset that fits however it is detuned."""
BATCHES_AHEAD = 2
MOST_HELD_OUT = 64
"""Segments to judge by."""
TEXTURE_FEATURES = {"loudness", "gate", "release_age", "timbre", "knob1", "knob2", "knob3", "knob4"}
"""A texture has neither pitch nor age: it goes on."""


class Dataset:
    """Draws batches from a corpus for one network configuration."""

    def __init__(
        self,
        corpus: Corpus,
        config: WaveNetConfig,
        *,
        batch: int = 8,
        length: int = 4096,
        noise: float = 0.015,
        swing: float = 0.0,
    ) -> None:
        """`length` counted samples a segment, fewer where no recording is as long; `noise` highest input noise, `swing`
        highest slow one (below 125 Hz), shares of the local level.

        `left_out` holds the recordings that cannot be used, (name, reason). RtwaveError where none is left, or where
        the corpus was not made for such a network.
        """
        _require_fit(corpus, config)
        self.corpus, self.config, self.batch = corpus, config, batch
        self.noise, self.swing = noise, swing
        entries, shortest = _while_held(corpus), int(SHORTEST_S * config.sample_rate)
        self.left_out = [
            (entry.name, f"{entry.samples} samples, expected {shortest} or more")
            for entry in entries
            if entry.samples < shortest
        ]
        self.train = [entry for entry in entries if entry.samples >= shortest and not entry.held_out]
        self.held_out = [entry for entry in entries if entry.samples >= shortest and entry.held_out]
        if not self.train:
            raise RtwaveError(f"{corpus.folder}: no recording of {SHORTEST_S} s or more to learn from; prepare others")
        longest = max(entry.samples for entry in self.train) + int(SILENCE_S * config.sample_rate)
        self._cutter = Cutter(corpus, config, min(length, longest))
        self.context, self.length = self._cutter.context, self._cutter.length
        self._reach = _reach(corpus, self.train)
        self._chances = np.cumsum(_chances(corpus, self.train))

    @classmethod
    def standard(cls, corpus: Corpus, config: WaveNetConfig) -> "Dataset":
        """Segments to judge by: as long as they usually are in training, or as short recordings allow."""
        splits = ([each.samples for each in corpus.index.entries if each.held_out == side] for side in (False, True))
        longest = min(max(split) for split in splits if split)
        return cls(corpus, config, length=min(TrainingOptions().length, int(FITTING_SHARE * longest)))

    def draw(self, generator: np.random.Generator) -> Batch:
        """One training batch."""
        return self._draw(generator.spawn(self.batch), 1.0)

    def batches(
        self,
        seed: int,
        skip: int = 0,
        rank: int = 0,
        world: int = 1,
        noise_share: Callable[[int], float] = lambda number: 1.0,
    ) -> Iterator[Batch]:
        """Training batches without end, drawn ahead of need by a thread; segment i of batch n depends on (seed, n, i).

        Of `world` processes that share each batch this is number `rank`, and draws its part alone. `noise_share`
        gives the share of noise and swing in batch n.
        """
        mine = range(rank * self.batch // world, (rank + 1) * self.batch // world)
        with ThreadPoolExecutor(1) as pool:
            ahead = deque()
            for number in count(skip):
                generators = [np.random.default_rng((seed, number, segment)) for segment in mine]
                ahead.append(pool.submit(self._draw, generators, noise_share(number)))
                if len(ahead) > BATCHES_AHEAD:
                    yield ahead.popleft().result()

    def validation(self) -> "HeldOut":
        """The held-out recordings as they are: one segment from the onset and one a second later, at most 64 in all.

        Of a texture one each second.
        """
        second = self.config.sample_rate // self.config.control_period * self.config.control_period
        texture = self.corpus.index.kind == "texture"
        cuts = [
            Cut(entry, start)
            for entry in self.held_out
            for start in (-self.context, *range(second, entry.samples if texture else second + 1, second))
            if start < 0 or start + self.length <= entry.samples
        ]
        chosen = np.linspace(0, len(cuts) - 1, min(len(cuts), MOST_HELD_OUT)).round().astype(int)
        return HeldOut(self._cutter, [cuts[index] for index in chosen], self.batch)

    def segment(self, cut: Cut, generator: np.random.Generator) -> Batch:
        """A batch of one, cut as asked."""
        return self._cutter.cut([cut], [generator])

    def _draw(self, generators: list[np.random.Generator], noise_share: float) -> Batch:
        return self._cutter.cut([self._choose(generator, noise_share) for generator in generators], generators)

    def _choose(self, generator: np.random.Generator, noise_share: float) -> Cut:
        entry = self.train[np.searchsorted(self._chances, generator.random() * self._chances[-1], side="right")]
        below, above = self._reach[entry.timbre, entry.note]
        detune = generator.uniform(-below, above)
        start, origin = self._place(entry, detune, generator)
        rate, period, release = self.config.sample_rate, self.config.control_period, None
        if generator.random() < RELEASE_SHARE:
            earliest = max(start - int(RELEASE_BEFORE_S * rate), int(EARLIEST_RELEASE_S * rate))
            release = int(generator.uniform(earliest, max(earliest, start + self.length))) // period * period
        noise, swing = (noise_share * highest * generator.random() for highest in (self.noise, self.swing))
        return Cut(entry, start, detune, release, noise, swing, origin)

    def _place(self, entry: Entry, detune: float, generator: np.random.Generator) -> tuple[int, int]:
        """(start, origin) of a cut: often at the onset, where a recording is short always, and else rather early.

        A texture has no onset, so its notes begin anywhere in it, and are cut anywhere.
        """
        period, texture = self.config.control_period, self.corpus.index.kind == "texture"
        room = entry.samples / 2.0 ** (detune / 12.0) - self.length - SINC_TAPS
        if generator.random() < ONSET_SHARE or room < 0:
            origin = int(generator.random() * max(entry.samples - self.length + self.context, 0)) if texture else 0
            return -self.context, origin
        return int(room * generator.random() ** (1 if texture else 2)) // period * period, 0


class HeldOut(Sequence[Batch]):
    """Batches to judge by: always the same, cut anew whenever they are read, so that none stays in memory."""

    def __init__(self, cutter: Cutter, cuts: list[Cut], batch: int) -> None:
        self._cutter = cutter
        self._parts = [cuts[at : at + batch] for at in range(0, len(cuts), batch)]

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> Batch:
        part = self._parts[index]
        return self._cutter.cut(part, [np.random.default_rng(0)] * len(part))


def _require_fit(corpus: Corpus, config: WaveNetConfig) -> None:
    index = corpus.index
    if (config.sample_rate, config.control_period) != (index.sample_rate, index.control_period):
        raise RtwaveError(
            f"{corpus.folder}: {index.sample_rate} Hz in periods of {index.control_period}, "
            f"but the network has {config.sample_rate} Hz and {config.control_period}; prepare it again"
        )
    if config.excitation_channels and config.partials > index.partials:
        raise RtwaveError(
            f"{corpus.folder}: {index.partials} partials, expected {config.partials}; "
            + ("prepare it again" if index.kind == "notes" else f"{index.kind} take a network with excitation none")
        )
    unknown = sorted(set(config.conditioning) - TEXTURE_FEATURES) if index.kind == "texture" else []
    if unknown:
        raise RtwaveError(f"{corpus.folder}: a texture has no {unknown[0]}; leave it out of the network's conditioning")


def _while_held(corpus: Corpus) -> list[Entry]:
    """The recordings; of a sustained instrument, until they were let go: dampers are drawn, and end them all alike.

    A texture is never let go: where it becomes softer, that is how it sounds.
    """
    index = corpus.index
    if not index.sustained or index.kind == "texture":
        return index.entries
    held = [(entry, int(held_s(corpus, entry) * index.sample_rate)) for entry in index.entries]
    return [msgspec.structs.replace(entry, samples=min(entry.samples, samples)) for entry, samples in held]


def _reach(corpus: Corpus, entries: list[Entry]) -> dict[tuple[float, float], tuple[float, float]]:
    """How far (semitones down, up) the recordings of each (timbre, note) are detuned: half-way to the next of them."""
    kind = corpus.index.kind
    if kind != "notes":
        reach = (DRUM_REACH, DRUM_REACH) if kind == "drums" else (0.0, 0.0)
        return {(entry.timbre, entry.note): reach for entry in entries}
    found = {}
    for timbre in {entry.timbre for entry in entries}:
        notes = sorted({entry.note for entry in entries if entry.timbre == timbre})
        gaps = np.clip(np.diff(notes) / 2.0, 0.5, 2.0) if len(notes) > 1 else np.array([0.5])
        edges = pairwise([gaps[0], *gaps, gaps[-1]] if len(notes) > 1 else [0.5, 0.5])
        found |= {(timbre, note): reach for note, reach in zip(notes, edges, strict=True)}
    return found


def _chances(corpus: Corpus, entries: list[Entry]) -> np.ndarray:
    """How often each recording is drawn: timbres alike, keys of drums alike, moments of a texture alike."""
    kind = corpus.index.kind
    if kind == "texture":
        return np.array([float(entry.samples) for entry in entries])
    groups = [entry.note if kind == "drums" else entry.timbre for entry in entries]
    sizes = Counter(groups)
    return np.array([1.0 / sizes[group] for group in groups])
