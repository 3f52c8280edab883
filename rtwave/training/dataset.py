"""Segments to learn from: drawn from a corpus, detuned between its keys, damped at a drawn note-off."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np

from ..errors import RtwaveError
from ..wavenet.codec import emphasize, encode
from ..wavenet.config import WaveNetConfig
from ..wavenet.features import (
    NYQUIST_SHARE,
    NoteState,
    conditioning,
    excitation,
    level,
    note_frequency,
    partial_frequencies,
)
from .checkpoint import TrainingOptions
from .corpus import Corpus, Entry

DAMPER_S = 0.06
"""Time constant with which a damper ends a string: what a held recording needs to sound released."""
DECIBELS = 20.0 / np.log(10.0)
RELEASE_SHARE, RELEASE_BEFORE_S, EARLIEST_RELEASE_S = 0.2, 0.45, 0.05
ONSET_SHARE = 0.25
SINC_TAPS = 16
FITTING_SHARE = 0.85
"""Of a recording, a segment from the onset that fits however it is detuned."""
BATCHES_AHEAD = 2
NOISE_WINDOW = 320


@dataclass
class Batch:
    """B segments of T samples, all aligned with control periods.

    inputs and targets (B, T) float32, or classes int64; conditioning (B, T / control_period, C); excitation
    (B, T, 2K) or None; gain (B, T) from targets to recorded sound. The first `context` columns
    only warm the network up and do not count.
    """

    inputs: np.ndarray
    targets: np.ndarray
    conditioning: np.ndarray
    excitation: np.ndarray | None
    gain: np.ndarray
    context: int


def _sinc_table(taps: int = SINC_TAPS, phases: int = 512) -> np.ndarray:
    offsets = np.arange(taps) - (taps // 2 - 1)
    delay = np.arange(phases + 1)[:, None] / phases
    x = offsets[None, :] - delay
    window = np.cos(np.pi * x / (taps + 2)) ** 2
    table = np.sinc(0.96 * x) * window
    return (table / table.sum(axis=1, keepdims=True)).astype(np.float32)


_SINC = _sinc_table()


def resample_at(samples: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Band-limited samples (float32) at fractional `positions`; zero outside the recording."""
    low = int(np.floor(positions[0])) - SINC_TAPS
    high = int(np.ceil(positions[-1])) + SINC_TAPS
    padded = np.zeros(high - low, np.float32)
    inside = slice(max(low, 0), max(min(high, len(samples)), 0))
    if inside.stop > inside.start:
        padded[inside.start - low : inside.stop - low] = samples[inside]
    whole = np.floor(positions).astype(np.int64)
    rows = _SINC[np.rint((positions - whole) * (len(_SINC) - 1)).astype(np.int64)]
    first = whole - low - (SINC_TAPS // 2 - 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, SINC_TAPS)[first]
    return np.einsum("tk,tk->t", windows, rows)


class Dataset:
    """Draws batches from a corpus for one network configuration."""

    def __init__(
        self, corpus: Corpus, config: WaveNetConfig, *, batch: int = 8, length: int = 4096, noise: float = 0.015
    ) -> None:
        """`length` counted samples a segment; `noise` highest input noise, a share of the local level.

        Recordings that end before a segment does are left out: `too_short`. RtwaveError where none is left, or where
        the corpus was not made for such a network.
        """
        if (config.sample_rate, config.control_period) != (corpus.index.sample_rate, corpus.index.control_period):
            raise RtwaveError(
                f"{corpus.folder}: {corpus.index.sample_rate} Hz in periods of {corpus.index.control_period}, "
                f"but the network has {config.sample_rate} Hz and {config.control_period}; prepare it again"
            )
        if config.excitation_channels and config.partials > corpus.index.partials:
            raise RtwaveError(
                f"{corpus.folder}: {corpus.index.partials} partials, expected {config.partials}; prepare it again"
            )
        self.corpus, self.config, self.batch, self.noise = corpus, config, batch, noise
        period = config.control_period
        self.context = -(-config.receptive_field // period) * period
        self.length = self.context + length // period * period
        notes = corpus.notes()
        gaps = np.clip(np.diff(notes) / 2.0, 0.5, 2.0) if len(notes) > 1 else np.array([])
        reach = np.concatenate([gaps[:1], gaps, gaps[-1:]]) if len(notes) > 1 else np.array([0.5, 0.5])
        self._reach = dict(zip(notes, pairwise(reach), strict=True))
        usable = [entry for entry in corpus.index.entries if entry.samples >= self._needed(entry)]
        self.too_short = [entry for entry in corpus.index.entries if entry.samples < self._needed(entry)]
        self.train = [entry for entry in usable if not entry.held_out]
        self.held_out = [entry for entry in usable if entry.held_out]
        if not self.train:
            longest = max((entry.samples for entry in corpus.index.entries if not entry.held_out), default=0)
            raise RtwaveError(
                f"{corpus.folder}: no recording is as long as a segment of {length} samples "
                f"(the longest has {longest}); choose a --length of less than {int(longest * FITTING_SHARE)}"
            )

    @classmethod
    def standard(cls, corpus: Corpus, config: WaveNetConfig) -> "Dataset":
        """Segments to judge by: as long as they usually are in training, or as short recordings allow."""
        splits = ([each.samples for each in corpus.index.entries if each.held_out == side] for side in (False, True))
        longest = min(max(split) for split in splits if split)
        return cls(corpus, config, length=min(TrainingOptions().length, int(FITTING_SHARE * longest)))

    def draw(self, generator: np.random.Generator) -> Batch:
        """One training batch."""
        return self._stack([self._draw_one(generator) for _ in range(self.batch)])

    def validation(self) -> list[Batch]:
        """The held-out recordings as they are: one segment from the onset and one a second later, of each."""
        rate, period = self.config.sample_rate, self.config.control_period
        segments = [
            self.segment(entry, start, 0.0, None, 0.0, np.random.default_rng(0))
            for entry in self.held_out
            for start in (-self.context, rate // period * period)
            if start + self.length <= entry.samples
        ]
        return [self._stack(segments[i : i + self.batch]) for i in range(0, len(segments), self.batch)]

    def batches(self, seed: int, skip: int = 0) -> Iterator[Batch]:
        """Training batches without end, drawn ahead of need by a thread; batch n depends on (seed, n) alone."""
        with ThreadPoolExecutor(1) as pool:
            ahead = deque()
            for number in count(skip):
                ahead.append(pool.submit(self.draw, np.random.default_rng((seed, number))))
                if len(ahead) > BATCHES_AHEAD:
                    yield ahead.popleft().result()

    def _needed(self, entry: Entry) -> float:
        """Recorded samples that a segment from the onset reads when it is detuned upwards as far as it may be."""
        above = self._reach[entry.note][1]
        return (self.length - self.context) * 2.0 ** (above / 12.0) + SINC_TAPS

    def _draw_one(self, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        entry = self.train[generator.integers(len(self.train))]
        below, above = self._reach[entry.note]
        detune = generator.uniform(-below, above)
        period = self.config.control_period
        room = entry.samples / 2.0 ** (detune / 12.0) - self.length - SINC_TAPS
        if generator.random() < ONSET_SHARE or room < 0:
            start = -self.context
        else:
            start = int(room * generator.random() ** 2) // period * period
        release = None
        if generator.random() < RELEASE_SHARE:
            rate = self.config.sample_rate
            earliest = max(start - int(RELEASE_BEFORE_S * rate), int(EARLIEST_RELEASE_S * rate))
            release = int(generator.uniform(earliest, max(earliest, start + self.length))) // period * period
        return self.segment(entry, start, detune, release, self.noise * generator.random(), generator)

    def segment(
        self,
        entry: Entry,
        start: int,
        detune: float,
        release: int | None,
        noise: float,
        generator: np.random.Generator,
    ) -> tuple[np.ndarray, ...]:
        """(inputs, targets, conditioning (P, C), excitation (T, 2K), gain) from sample `start` after note-on.

        `detune` in semitones, by resampling; `release` the sample of note-off, or None while it is held.
        """
        config, period, rate = self.config, self.config.control_period, self.config.sample_rate
        ratio = 2.0 ** (detune / 12.0)
        times = np.arange(start - 2, start + self.length)
        samples = resample_at(self.corpus.sound(entry), times * ratio)
        samples[times < 0] = 0.0
        since_release_s = np.full(len(times), -1.0) if release is None else (times - release) / rate
        loudness = self.corpus.loudness_db(entry)
        loudness_db = np.interp(times * (ratio / period), np.arange(len(loudness)), loudness)
        if entry.note + detune < self.corpus.index.undamped_from - 0.5:
            damping_db = DECIBELS * np.maximum(since_release_s, 0.0) / DAMPER_S
            samples *= 10.0 ** (-damping_db / 20.0).astype(np.float32)
            loudness_db = loudness_db - damping_db
        gain = level(loudness_db).astype(np.float32) if config.leveling == "loudness" else np.ones(1, np.float32)
        signal = emphasize(samples / gain, config.pre_emphasis)[1:]
        gain = np.broadcast_to(gain, times.shape)[2:]

        moments = slice(2, None, period)
        state = NoteState(
            note=entry.note + detune,
            velocity=entry.velocity,
            loudness_db=loudness_db[moments],
            age_s=times[moments] / rate,
            release_age_s=since_release_s[moments],
            knobs=entry.knobs,
        )
        features = conditioning(config, state).T
        partials = self._excite(entry, times[2:], ratio) if config.excitation_channels else np.zeros((0, 0), np.float32)
        if config.output == "mulaw":
            classes = encode(signal, config.quantization_channels)
            heard = np.rint(classes[:-1] + noise * 100.0 * generator.standard_normal(self.length)).astype(np.int64)
            return np.clip(heard, 0, config.quantization_channels - 1), classes[1:], features, partials, gain
        power = np.cumsum(np.concatenate([np.zeros(NOISE_WINDOW), signal[:-1].astype(np.float64) ** 2]))
        local = np.sqrt(np.maximum(power[NOISE_WINDOW:] - power[:-NOISE_WINDOW], 0.0) / NOISE_WINDOW)
        heard = signal[:-1] + (noise * local * generator.standard_normal(self.length)).astype(np.float32)
        return heard, signal[1:], features, partials, gain

    def _excite(self, entry: Entry, times: np.ndarray, ratio: float) -> np.ndarray:
        """e (T, 2K) at `times` after note-on, read off the recording's own phases."""
        index, rate = self.corpus.index, self.config.sample_rate
        count = self.config.partials
        frames = -(-entry.samples // index.phase_stride)
        deviations = self.corpus.phases[entry.phases_start : entry.phases_start + frames, :count]
        frequencies = partial_frequencies(note_frequency(entry.note, entry.cents), entry.stiffness, count)
        positions = np.clip(times * ratio / index.phase_stride, 0, frames - 1)
        low = np.minimum(positions.astype(np.int64), frames - 2)
        share = (positions - low).astype(np.float32)[:, None]
        first, last = int(low[0]), int(low[-1]) + 2
        near = np.asarray(deviations[first:last])
        phases = near[low - first] * (1.0 - share) + near[low - first + 1] * share
        cycles = times[:, None] * (frequencies[None, :] * ratio / rate)
        phases += (2.0 * np.pi * (cycles - np.floor(cycles))).astype(np.float32)
        audible = (times >= 0)[:, None] & (frequencies * ratio <= NYQUIST_SHARE * rate)[None, :]
        return excitation(phases.T, audible.T).T

    def _stack(self, segments: list[tuple[np.ndarray, ...]]) -> Batch:
        inputs, targets, features, partials, gain = (np.stack(column) for column in zip(*segments, strict=True))
        excitation = partials if self.config.excitation_channels else None
        return Batch(inputs, targets, features, excitation, gain, self.context)
