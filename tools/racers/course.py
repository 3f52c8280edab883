"""What every contestant is given: one network, one held note, one sequence to be checked by."""

from dataclasses import dataclass

import numpy as np

from rtwave.wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN
from rtwave.wavenet.features import (
    NYQUIST_SHARE,
    NoteState,
    conditioning,
    excitation,
    note_frequency,
    partial_frequencies,
)
from rtwave.wavenet.weights import Weights

PERIOD = 2048
"""Samples after which excitation and random numbers come round again."""

CHECKED_FRAMES = 600
"""Beyond the longest dilation of a random network, so that every ring has turned."""

KEY, VELOCITY, LOUDNESS_DB, AGE_S = 60, 80, -20.0, 0.5


@dataclass
class Course:
    """A network and the note it plays; temperature 1, so that a sample is drawn from the distribution as it stands.

    conditioning (C,); excitation (2K, PERIOD); noise (PERIOD, Q) standard Gumbel or (PERIOD, 1) standard normal;
    samples (CHECKED_FRAMES,) classes int64 or float32.
    """

    weights: Weights
    conditioning: np.ndarray
    excitation: np.ndarray
    noise: np.ndarray
    samples: np.ndarray

    @classmethod
    def of(cls, weights: Weights) -> "Course":
        """Middle C, half a second after it was struck, and random samples."""
        config, generator = weights.config, np.random.default_rng(0)
        state = NoteState(note=KEY, velocity=VELOCITY, loudness_db=LOUDNESS_DB, age_s=AGE_S, release_age_s=-1.0)
        frequencies = partial_frequencies(float(note_frequency(KEY, 0.0)), 0.0, config.excitation_channels // 2)
        turns = 2.0 * np.pi * frequencies / config.sample_rate
        audible = frequencies <= NYQUIST_SHARE * config.sample_rate
        if config.output == "mulaw":
            noise = generator.gumbel(size=(PERIOD, config.outputs))
            samples = generator.integers(0, config.quantization_channels, CHECKED_FRAMES)
        else:
            noise = generator.standard_normal((PERIOD, 1))
            samples = generator.uniform(-0.5, 0.5, CHECKED_FRAMES).astype(np.float32)
        return cls(
            weights=weights,
            conditioning=conditioning(config, state)[:, 0],
            excitation=excitation(turns[:, None] * np.arange(PERIOD), audible[:, None]),
            noise=noise.astype(np.float32),
            samples=samples,
        )

    def checked_inputs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples (T,), conditioning (C, T) and excitation (2K, T) of the sequence to be checked by."""
        frames = len(self.samples)
        held = np.repeat(self.conditioning[:, None], frames, axis=1)
        return self.samples, held, np.ascontiguousarray(self.excitation[:, :frames])

    def draw(self, outputs: np.ndarray) -> np.ndarray:
        """The samples (T,) that outputs (T, outputs) of the first T steps lead to; for classes by Gumbel's maximum."""
        noise = self.noise[: len(outputs)]
        if self.weights.config.output == "mulaw":
            return (outputs + noise).argmax(axis=1)
        return outputs[:, 0] + np.exp(np.clip(outputs[:, 1], LOG_SCALE_MIN, LOG_SCALE_MAX)) * noise[:, 0]
