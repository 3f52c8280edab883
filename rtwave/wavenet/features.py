"""Conditioning and excitation: the one definition that training, reference and engine share.

Everything here is a pure function of a note's state at one moment, evaluated once every `control_period` samples.
Silence before a note is the zero vector, whatever the features are, so one primed state serves every note.
`extensions/conditioning.h` is the same arithmetic in C; tests/engine/test_features.py holds the two together.
"""

from dataclasses import dataclass, field

import numpy as np

from .config import FEATURE_SIZES, WaveNetConfig

LOUDNESS_FLOOR_DB = -90.0
"""RMS level (dBFS) that counts as silence; the loudness feature is 0 there."""

STEADY_DB = -20.0
"""RMS level (dBFS) that a levelled network works at."""

NYQUIST_SHARE = 0.47
"""Partials above this share of the sample rate are masked."""

WEIGHT, LARGEST_PARTIAL = 8.0, 0.5
"""Factor of the weighted excitation: a levelled, pre-emphasised sound stands near 1/32; and what bounds a partial."""

AGE_TAUS_S = (0.02, 0.1, 0.5)
FINE_AGE_TAUS_S = (0.005, 0.02, 0.06, 0.2, 0.6, 2.0, 6.0)
"""Time constants that an age is told by."""


@dataclass
class NoteState:
    """A note at T moments: every field an array (T,) or a scalar.

    `note` fractional MIDI; `velocity` 0..127; `loudness_db` RMS dBFS; `age_s` seconds since note-on, negative
    before it; `release_age_s` seconds since note-off, negative before it; `knobs` four values 0..1; `timbre` place
    among the instrument's timbres, 0..15.
    """

    note: np.ndarray
    velocity: np.ndarray
    loudness_db: np.ndarray
    age_s: np.ndarray
    release_age_s: np.ndarray
    knobs: tuple[float, float, float, float] = field(default=(0.0, 0.0, 0.0, 0.0))
    timbre: float | np.ndarray = 0.0


def _pitch(note: np.ndarray, waves: int) -> list[np.ndarray]:
    angle = np.pi * (note - 66.0) / 60.0
    return [wave(j * angle) for j in range(1, waves + 1) for wave in (np.sin, np.cos)]


def _ages(age_s: np.ndarray, taus_s: tuple[float, ...]) -> list[np.ndarray]:
    since = np.maximum(age_s, 0.0)
    bases = [np.exp(-since / tau_s) for tau_s in taus_s] + [np.log1p(10.0 * since)]
    return [np.where(age_s >= 0.0, basis, 0.0) for basis in bases]


def _feature(name: str, state: NoteState) -> list[np.ndarray]:
    match name:
        case "pitch":
            return _pitch(state.note, 4)
        case "velocity":
            return [state.velocity / 127.0]
        case "loudness":
            return [np.clip((state.loudness_db - LOUDNESS_FLOOR_DB) / 30.0, 0.0, 4.0)]
        case "gate":
            return [np.where(state.release_age_s < 0.0, 1.0, 0.0)]
        case "age":
            return _ages(state.age_s, AGE_TAUS_S)
        case "release_age":
            return _ages(state.release_age_s, AGE_TAUS_S)
        case "timbre":
            return [np.maximum(0.0, 1.0 - np.abs(state.timbre - place)) for place in range(FEATURE_SIZES["timbre"])]
        case "pitch_fine":
            return _pitch(state.note, 12)
        case "age_fine":
            return _ages(state.age_s, FINE_AGE_TAUS_S)
        case _:
            return [state.knobs[int(name.removeprefix("knob")) - 1]]


def conditioning(config: WaveNetConfig, state: NoteState) -> np.ndarray:
    """The conditioning vectors c, float32 (C, T), of a note's states; zero where `age_s` is negative."""
    age_s = np.atleast_1d(np.asarray(state.age_s, np.float64))
    result = np.zeros((config.conditioning_channels, len(age_s)), np.float32)
    row = 0
    for name in config.conditioning:
        for channel in _feature(name, state):
            result[row] = channel
            row += 1
    assert row == sum(FEATURE_SIZES[name] for name in config.conditioning)
    return np.where(age_s >= 0.0, result, np.float32(0.0))


def level(loudness_db: np.ndarray) -> np.ndarray:
    """Factor from a levelled network's steady output to `loudness_db` (dBFS); ramped in dB between control periods."""
    return 10.0 ** ((np.maximum(loudness_db, LOUDNESS_FLOOR_DB) - STEADY_DB) / 20.0)


def note_frequency(note: float | np.ndarray, cents: float | np.ndarray) -> np.ndarray:
    """f0 in Hz of a fractional MIDI note, with the stretch `cents`: one value, or (128,) interpolated between keys."""
    stretch = np.interp(note, np.arange(128), np.broadcast_to(cents, 128))
    return 440.0 * 2.0 ** ((np.asarray(note, np.float64) - 69.0 + stretch / 100.0) / 12.0)


def partial_frequencies(f0: float, stiffness: float, partials: int) -> np.ndarray:
    """f_k in Hz, float64 (K,), of a stiff string whose first partial is exactly f0."""
    k = np.arange(1, partials + 1, dtype=np.float64)
    return k * f0 * np.sqrt((1.0 + stiffness * k * k) / (1.0 + stiffness))


def excitation(phases: np.ndarray, audible: np.ndarray) -> np.ndarray:
    """e, float32 (2K, T): sines then cosines of `phases` (K, T) in radians, 0 where `audible` (K, T) is false."""
    return np.concatenate([np.sin(phases) * audible, np.cos(phases) * audible]).astype(np.float32, copy=False)


def emphasis(turns: np.ndarray, pre_emphasis: float) -> np.ndarray:
    """What pre-emphasis makes of a wave of `turns` cycles a sample: a complex factor, same shape."""
    return 1.0 - pre_emphasis * np.exp(-2j * np.pi * np.asarray(turns, np.float64))


def partial_weights(levels: np.ndarray, turns: np.ndarray, pre_emphasis: float) -> np.ndarray:
    """What the phasors of partials are multiplied by, complex: `levels` amplitudes of the levelled sound, `turns` as in
    `emphasis`; they broadcast together.
    """
    return WEIGHT * np.minimum(levels, LARGEST_PARTIAL) * emphasis(turns, pre_emphasis)


def weighted_excitation(
    phases: np.ndarray, levels: np.ndarray, turns: np.ndarray, pre_emphasis: float, audible: np.ndarray
) -> np.ndarray:
    """e, float32 (2K, T), of partials as strong as the instrument's: what the network is to predict, WEIGHT-fold.

    phases (K, T) radians; levels (K, T) amplitudes of the levelled sound; turns (K, T) or (K, 1) cycles a sample;
    audible (K, T).
    """
    phasors = np.exp(1j * phases) * partial_weights(levels, turns, pre_emphasis)
    return np.concatenate([phasors.imag * audible, phasors.real * audible]).astype(np.float32)
