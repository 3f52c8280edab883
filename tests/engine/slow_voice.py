"""A voice in plain NumPy: the reference network, features.py and Philox, one sample after another."""

import math

import numpy as np

from rtwave.wavenet.codec import class_values
from rtwave.wavenet.config import LOG_SCALE_MAX, LOG_SCALE_MIN
from rtwave.wavenet.features import (
    LARGEST_PARTIAL,
    LOUDNESS_FLOOR_DB,
    NYQUIST_SHARE,
    STEADY_DB,
    NoteState,
    conditioning,
    excitation,
    level,
    note_frequency,
    partial_frequencies,
    weighted_excitation,
)
from rtwave.wavenet.reference import ReferenceWaveNet
from rtwave.wavenet.weights import Weights

LOWEST_HZ = 10.0
GLIDE_S = 0.005
MUTED_DB = -100.0
ATTACK_S, ATTACK_FROM = 0.06, 0.1


def philox(key: int, low: int, high: int) -> list[int]:
    """Philox4x32-10 in whole numbers."""
    mask = 2**32 - 1
    k0, k1 = key & mask, key >> 32
    c = [low & mask, low >> 32, high & mask, high >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k0, b & mask, (a >> 32) ^ c[3] ^ k1, a & mask]
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return c


def normal(key: int, low: int, high: int) -> float:
    """One standard normal variate by Box and Muller, of the upper 24 bits of two words."""
    u, v = (((word >> 8) + 0.5) / 2**24 for word in philox(key, low, high)[:2])
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)


class SlowVoice:
    """One note from its onset: `render` gives its samples before gain and knee, float64."""

    def __init__(self, weights: Weights, note: int, velocity: int, *, temperature: float = 0.0, seed: int = 0) -> None:
        self.weights, self.config, self.network = weights, weights.config, ReferenceWaveNet(weights)
        self.note, self.velocity, self.asked, self.seed = note, velocity, temperature, seed
        self.released, self.age, self.last, self.centred = None, 0, 0.0, 0.0
        self.bend, self.bent_from, self.bent_at = 0.0, 0.0, 0
        self.centring = math.exp(-2.0 * math.pi * LOWEST_HZ / weights.config.sample_rate)
        config, instrument = self.config, weights.instrument
        self.fed = 0.0 if config.output == "gaussian" else config.quantization_channels // 2
        for _ in range(config.receptive_field):
            self.network.step(self.fed, np.zeros(config.conditioning_channels), np.zeros(config.excitation_channels))
        self.phases = instrument.onset_phases[note].astype(np.float64)
        self.turns = np.zeros(config.partials)
        rows = np.array(
            [  # the envelope at this velocity, key by key
                [np.interp(velocity, instrument.envelope_velocities, table[:, g]) for g in range(table.shape[1])]
                for table in instrument.envelope_db
            ]
        )
        self.curve = np.array([np.interp(note, instrument.envelope_keys, rows[:, g]) for g in range(rows.shape[1])])

    def _ages_s(self, age: int) -> tuple[float, float]:
        rate = self.config.sample_rate
        return age / rate, -1.0 if self.released is None else (age - self.released) / rate

    def _loudness_db(self, age: int) -> float:
        instrument = self.weights.instrument
        age_s, release_age_s = self._ages_s(age)
        ages_s, curve = instrument.envelope_ages_s, self.curve
        held_db = float(np.interp(age_s, ages_s, curve))
        if age_s > ages_s[-1]:
            slope = (curve[-1] - curve[-2]) / (ages_s[-1] - ages_s[-2])
            held_db = curve[-1] + min(slope, 0.0) * (age_s - ages_s[-1])
        release_s = instrument.release_s[self.note]
        if release_age_s >= 0.0 and release_s > 0.0:
            held_db -= 20.0 / math.log(10.0) * release_age_s / release_s
        return max(held_db, LOUDNESS_FLOOR_DB)

    def _begin_period(self) -> None:
        config, rate = self.config, self.config.sample_rate
        age_s, release_age_s = self._ages_s(self.age)
        note = self.note + self._bend_now()
        state = NoteState(note, self.velocity, self._loudness_db(self.age), age_s, release_age_s)
        self.c = conditioning(config, state)[:, 0]
        f0 = note_frequency(note, self.weights.instrument.cents)
        stiffness = np.interp(note, np.arange(128), self.weights.instrument.stiffness)
        modes_hz = self.weights.instrument.modes_hz[self.note]
        partials_hz = partial_frequencies(float(f0), float(stiffness), config.partials)
        frequencies = np.where(modes_hz > 0.0, modes_hz, partials_hz)
        self.turns, self.audible = 2.0 * np.pi * frequencies / rate, frequencies <= NYQUIST_SHARE * rate
        if self.age == 0:
            self.db = self._loudness_db(0)
        self.db_step = (self._loudness_db(self.age + config.control_period) - self.db) / config.control_period
        if config.excitation == "weighted":
            if self.age == 0:
                self.strengths_db = self._strengths_db(0)
            goals_db = self._strengths_db(self.age + config.control_period)
            self.strength_steps_db = (goals_db - self.strengths_db) / config.control_period
        self.temperature = self._temperature(age_s)
        self.left = config.control_period

    def _strengths_db(self, age: int) -> np.ndarray:
        """Amplitudes (K,) of the partials, dB: of a network that is not levelled, as loud as the note."""
        tables = self.weights.instrument
        places = (self.note, self.velocity, age / self.config.sample_rate)
        levels_db = tables.partial_db.astype(np.float64)
        for place, axis in zip(
            places, (tables.partial_keys, tables.partial_velocities, tables.partial_ages_s), strict=True
        ):
            where = float(np.interp(place, axis, np.arange(len(axis))))
            low, high = math.floor(where), math.ceil(where)
            levels_db = levels_db[low] + (where - low) * (levels_db[high] - levels_db[low])
        own_db = 0.0 if self.config.leveling == "loudness" else self._loudness_db(age) - STEADY_DB
        return np.clip(levels_db + own_db, MUTED_DB, 20.0 * math.log10(LARGEST_PARTIAL))

    def _excitation(self) -> np.ndarray:
        """e (2K,) of this sample; what is muted now and when this period ends is 0."""
        phases, audible = self.phases[:, None], self.audible[:, None]
        if self.config.excitation != "weighted":
            return excitation(phases, audible)[:, 0]
        there = (self.strengths_db > MUTED_DB) | (self.strength_steps_db != 0.0)
        turns = self.turns[:, None] / (2.0 * np.pi)
        levels = 10.0 ** (self.strengths_db / 20.0) * there
        return weighted_excitation(phases, levels[:, None], turns, self.config.pre_emphasis, audible)[:, 0]

    def _temperature(self, age_s: float) -> float:
        tables = self.weights.instrument
        onset = tables.onset_temperature[self.note] * math.exp(-age_s / ATTACK_S) * min(self.asked / ATTACK_FROM, 1.0)
        steady = np.interp(self.velocity, tables.envelope_velocities, tables.temperature[self.note])
        return max(self.asked + steady + onset, 0.0)

    def _bend_now(self) -> float:
        left = math.exp(-(self.age - self.bent_at) / (GLIDE_S * self.config.sample_rate))
        return self.bend + (self.bent_from - self.bend) * left

    def bend_to(self, semitones: float) -> None:
        self.bent_from, self.bent_at = self._bend_now(), self.age
        self.bend = semitones

    def release(self) -> None:
        self.released, self.left = self.age, 0

    def render(self, frames: int) -> np.ndarray:
        """The next samples."""
        return np.array([self._sample() for _ in range(frames)])

    left = 0

    def _sample(self) -> float:
        if self.left == 0:
            self._begin_period()
        out = self.network.step(self.fed, self.c, self._excitation() if self.config.excitation_channels else None)
        if self.config.output == "gaussian":
            self.fed = out[0]
            if self.temperature:
                scale = math.exp(min(max(out[1], LOG_SCALE_MIN), LOG_SCALE_MAX))
                self.fed += self.temperature * scale * normal(self.seed, self.age, 0)
            drawn = self.fed
        else:
            self.fed = int(np.argmax(out))
            drawn = class_values(self.config.quantization_channels)[self.fed]
        sample = drawn + self.config.pre_emphasis * self.last
        self.centred = self.centring * self.centred + sample - self.last if self.config.pre_emphasis else sample
        self.last = sample
        self.phases = self.phases + self.turns
        self.age += 1
        self.left -= 1
        heard = self.centred * level(self.db) if self.config.leveling == "loudness" else self.centred
        self.db += self.db_step
        if self.config.excitation == "weighted":
            self.strengths_db = self.strengths_db + self.strength_steps_db
        return heard
