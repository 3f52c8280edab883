"""Segments cut from recordings: inputs, targets, conditioning and excitation of a network, a batch at a time."""

from dataclasses import dataclass

import numpy as np

from .._segments import excite, resample_at, running_level
from ..wavenet.codec import emphasize, encode
from ..wavenet.config import WaveNetConfig
from ..wavenet.features import (
    LOUDNESS_FLOOR_DB,
    NYQUIST_SHARE,
    STEADY_DB,
    NoteState,
    conditioning,
    partial_weights,
)
from .corpus import Corpus, Entry
from .modes import frequencies

DECIBELS = 20.0 / np.log(10.0)
SINC_TAPS = 16
NOISE_WINDOW_S = 0.02
SWING_S = 0.004
"""Between the moments that a swing is drawn at: it lies below 125 Hz."""
SWING_POWER = 2.0 / 3.0
"""Of straight lines between independent normal values."""
DIED_AWAY_DB = 40.0
"""A recording that ends this far below its loudest moment ended by itself: what follows is silence."""
SILENCE_S = 0.1
"""Of the silence after such an end, so much counts: enough to learn it, too little to drown the sound."""


@dataclass(frozen=True)
class Cut:
    """A segment to be: `start` the time after note-on of its first sample, context and all, in samples.

    `detune` in semitones, by resampling; `release` the sample of note-off, or None while it is held; `noise` and
    `swing` on the inputs, white and slow, shares of the local level; `origin` the sample of the recording that note-on
    falls on.
    """

    entry: Entry
    start: int
    detune: float = 0.0
    release: int | None = None
    noise: float = 0.0
    swing: float = 0.0
    origin: int = 0


@dataclass
class Batch:
    """B segments of T samples, all aligned with control periods.

    inputs and targets (B, T) float32, or classes int64; conditioning (B, T / control_period, C); excitation
    (B, T, 2K) or None; gain (B, T) from targets to recorded sound; weights (B, T) float32, 1 where a sample counts
    and 0 where none was recorded. The first `context` columns only warm the network up and do not count either.
    """

    inputs: np.ndarray
    targets: np.ndarray
    conditioning: np.ndarray
    excitation: np.ndarray | None
    gain: np.ndarray
    weights: np.ndarray
    context: int


def died_away(loudness_db: np.ndarray) -> bool:
    """Whether a recording with these levels (dBFS) was let ring to its end."""
    return bool(loudness_db[-1] <= loudness_db.max() - DIED_AWAY_DB)


class Cutter:
    """Cuts segments of `context` + `counted` samples out of a corpus, for one network."""

    def __init__(self, corpus: Corpus, config: WaveNetConfig, counted: int) -> None:
        self.corpus, self.config, period = corpus, config, config.control_period
        self.context = -(-config.receptive_field // period) * period
        self.length = self.context + counted // period * period

    def cut(self, cuts: list[Cut], generators: list[np.random.Generator]) -> Batch:
        """A batch of segments; generators draw the noise of each."""
        count, length, config = len(cuts), self.length, self.config
        kind = np.int64 if config.output == "mulaw" else np.float32
        channels = config.excitation_channels
        batch = Batch(
            inputs=np.empty((count, length), kind),
            targets=np.empty((count, length), kind),
            conditioning=np.empty((count, length // config.control_period, config.conditioning_channels), np.float32),
            excitation=np.empty((count, length, channels), np.float32) if channels else None,
            gain=np.empty((count, length), np.float32),
            weights=np.zeros((count, length), np.float32),
            context=self.context,
        )
        for row, (cut, generator) in enumerate(zip(cuts, generators, strict=True)):
            self._fill(batch, row, cut, generator)
        return batch

    def _fill(self, batch: Batch, row: int, cut: Cut, generator: np.random.Generator) -> None:
        config, entry, period, rate = self.config, cut.entry, self.config.control_period, self.config.sample_rate
        ratio = 2.0 ** (cut.detune / 12.0)
        times = np.arange(cut.start - 2, cut.start + self.length)
        samples = self._sound(cut, times, ratio)
        loudness_db, ends = self._loudness(cut, times, ratio)
        since_release_s = np.full(len(times), -1.0) if cut.release is None else (times - cut.release) / rate
        if (damping_db := self._damping_db(cut, times)) is not None:
            samples *= _factor(-damping_db)
            loudness_db = loudness_db - damping_db
        gain = _level(loudness_db) if config.leveling == "loudness" else np.ones(len(times), np.float32)
        signal = emphasize(samples / gain, config.pre_emphasis)[1:]
        moments = slice(2, None, period)
        state = NoteState(
            note=entry.note + cut.detune,
            velocity=entry.velocity,
            loudness_db=loudness_db[moments],
            age_s=times[moments] / rate,
            release_age_s=since_release_s[moments],
            knobs=entry.knobs,
            timbre=entry.timbre,
        )
        batch.conditioning[row] = conditioning(config, state).T
        if batch.excitation is not None:
            self._excite(cut, ratio, batch.excitation[row])
        self._hear(signal, cut, generator, batch.inputs[row], batch.targets[row])
        batch.gain[row] = gain[2:]
        batch.weights[row, self.context : max(self.context, ends - cut.start)] = 1.0

    def _sound(self, cut: Cut, times: np.ndarray, ratio: float) -> np.ndarray:
        """The recording at `times` after note-on; 0 before it and after the recording's end."""
        first = max(int(max(times[0], 0) * ratio) + cut.origin - SINC_TAPS, 0)
        stop = min(int(times[-1] * ratio) + cut.origin + SINC_TAPS, cut.entry.samples)
        near = self.corpus.sound(cut.entry, first, max(stop, first))
        samples = resample_at(near, times * ratio + (cut.origin - first))
        samples[times < 0] = 0.0
        return samples

    def _loudness(self, cut: Cut, times: np.ndarray, ratio: float) -> tuple[np.ndarray, int]:
        """Its level (dBFS) at `times`, and the time after note-on from which on nothing counts."""
        period, rate = self.config.control_period, self.config.sample_rate
        loudness = self.corpus.loudness_db(cut.entry)
        ends = int((cut.entry.samples - cut.origin) / ratio)
        if times[-1] >= ends and died_away(loudness):
            loudness = np.concatenate([loudness, loudness[-1:], np.float32([LOUDNESS_FLOOR_DB])])
            ends += int(SILENCE_S * rate)
        places = (times * ratio + cut.origin) / period
        return np.interp(places, np.arange(len(loudness)), loudness), ends

    def _damping_db(self, cut: Cut, times: np.ndarray) -> np.ndarray | None:
        """What the damper has taken at `times` (samples after note-on), dB; None where it does not fall."""
        if cut.release is None or not self.corpus.index.is_damped(cut.entry.note + cut.detune):
            return None
        since_release_s = (times - cut.release) / self.config.sample_rate
        return DECIBELS / self.corpus.index.damper_s * np.maximum(since_release_s, 0.0)

    def _excite(self, cut: Cut, ratio: float, out: np.ndarray) -> None:
        """e (T, 2K) into `out`, read off the recording's own phases."""
        entry, index, config = cut.entry, self.corpus.index, self.config
        turns = frequencies(entry, config.partials, index.partials, config.sample_rate) * (ratio / config.sample_rate)
        turns[turns > NYQUIST_SHARE] = 0.0
        pace, first, weights = ratio / index.phase_stride, 0, None
        if config.excitation == "weighted":
            first, weights = self._weights(cut, turns, pace)
        elif not turns.all():
            turns = turns[: int(np.argmin(turns))]
        excite(self.corpus.phases_of(entry), turns, pace, cut.start, out, weights, first)

    def _weights(self, cut: Cut, turns: np.ndarray, pace: float) -> tuple[int, np.ndarray]:
        """The first frame that a segment hears, and from there on what each partial is multiplied by.

        complex64 (frames, partials): features.partial_weights of the levels in the recording; of a network that is not
        levelled they fall with the damper, as the engine's do.
        """
        entry, index = cut.entry, self.corpus.index
        periods_a_frame = index.phase_stride // self.config.control_period
        frames = -(-entry.samples // index.phase_stride)
        first = min(int(max(cut.start, 0) * pace), frames - 1)
        stop = max(min(int(max(cut.start + self.length, 0) * pace) + 2, frames), first + 1)
        levels_db = self.corpus.partials_db(entry, first, stop)[:, : len(turns)]
        loudness_db = self.corpus.loudness_db(entry)[first * periods_a_frame :: periods_a_frame][: len(levels_db)]
        loudness_db = np.maximum(loudness_db, LOUDNESS_FLOOR_DB)
        if self.config.leveling == "loudness":
            levels_db -= loudness_db[:, None] - STEADY_DB
        elif (damping_db := self._damping_db(cut, np.arange(first, stop) / pace)) is not None:
            levels_db += (np.maximum(loudness_db - damping_db, LOUDNESS_FLOOR_DB) - loudness_db)[:, None]
        weights = partial_weights(_factor(levels_db), turns, self.config.pre_emphasis) * (turns > 0.0)
        return first, weights.astype(np.complex64)

    def _hear(
        self,
        signal: np.ndarray,
        cut: Cut,
        generator: np.random.Generator,
        inputs: np.ndarray,
        targets: np.ndarray,
    ) -> None:
        """`targets`, and as `inputs` what came one sample before, with noise, a share of its level over 20 ms."""
        config = self.config
        noise = self._noise(cut, generator)
        if config.output == "mulaw":
            classes = encode(signal, config.quantization_channels)
            inputs[:] = np.clip(np.rint(classes[:-1] + 100.0 * noise), 0, config.quantization_channels - 1)
            targets[:] = classes[1:]
            return
        inputs[:], targets[:] = signal[:-1], signal[1:]
        inputs += noise * running_level(signal[:-1], round(NOISE_WINDOW_S * config.sample_rate))

    def _noise(self, cut: Cut, generator: np.random.Generator) -> np.ndarray:
        """White noise and swing, float32 (T,), 1 the local level.

        White noise makes a network that plays by itself forgive its own errors from sample to sample. What wanders
        slowly it forgives only if it heard such as well: the attack of a high note may else fall into a swing far
        below it, which each sample confirms to the next.
        """
        noise = np.float32(cut.noise) * generator.standard_normal(self.length, np.float32)
        if cut.swing:
            places = np.arange(self.length) / (SWING_S * self.config.sample_rate)
            drawn = generator.standard_normal(int(places[-1]) + 2)
            noise += np.float32(cut.swing / SWING_POWER**0.5) * np.interp(places, np.arange(len(drawn)), drawn)
        return noise


def _factor(decibels: np.ndarray) -> np.ndarray:
    """10^(decibels / 20), float32: as features.level, with an exponential ten times as fast and right to 1e-6."""
    return np.exp((decibels / DECIBELS).astype(np.float32))


def _level(loudness_db: np.ndarray) -> np.ndarray:
    return _factor(np.maximum(loudness_db, LOUDNESS_FLOOR_DB) - STEADY_DB)
