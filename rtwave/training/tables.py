"""The instrument's tables, measured from a corpus: envelope, stretch, stiffness, damping, onset phases."""

import numpy as np

from ..wavenet.config import WaveNetConfig
from ..wavenet.features import LOUDNESS_FLOOR_DB
from ..wavenet.instrument import KEYS, Instrument
from .corpus import Corpus, Entry
from .dataset import DAMPER_S

ENVELOPE_AGES_S = np.float32(
    [
        *(0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32),
        *(0.48, 0.64, 0.96, 1.28, 1.9, 2.6, 3.8, 5.2, 7.0, 9.5, 14.0, 20.0, 30.0),
    ]
)
SLOWEST_DECAY_DB_PER_S = 1.0
REFERENCE_VELOCITY = 80.0


def measure_tables(corpus: Corpus, config: WaveNetConfig) -> Instrument:
    """Every table of `Instrument`, from all recordings of a corpus."""
    entries = corpus.index.entries
    keys = np.array(corpus.notes())
    velocities = np.array(sorted({entry.velocity for entry in entries}))
    if len(velocities) > 32:
        velocities = np.linspace(velocities[0], velocities[-1], 32)
    envelope = np.empty((len(keys), len(velocities), len(ENVELOPE_AGES_S)), np.float32)
    tuned = {}
    for row, key in enumerate(keys):
        same = sorted((entry for entry in entries if entry.note == key), key=lambda entry: entry.velocity)
        curves = np.array([_envelope(corpus, entry) for entry in same])
        known = np.array([entry.velocity for entry in same])
        for column in range(len(ENVELOPE_AGES_S)):
            envelope[row, :, column] = np.interp(velocities, known, curves[:, column])
        tuned[key] = min(same, key=lambda entry: abs(entry.velocity - REFERENCE_VELOCITY))
    every_key = np.arange(KEYS)
    cents = np.interp(every_key, keys, [tuned[key].cents for key in keys])
    stiffness = np.array([tuned[key].stiffness for key in keys])
    if stiffness.any():
        stiffness = np.exp(np.interp(every_key, keys, np.log(np.maximum(stiffness, 1e-6))))
    else:
        stiffness = np.zeros(KEYS)
    onset_phases = np.zeros((KEYS, config.partials), np.float32)
    for key in every_key if config.excitation_channels else ():
        nearest = tuned[min(keys, key=lambda other, key=key: abs(other - key))]
        phases = corpus.phases[nearest.phases_start, : config.partials]
        onset_phases[key] = np.angle(np.exp(1j * phases))
    return Instrument(
        envelope_keys=keys.astype(np.float32),
        envelope_velocities=velocities.astype(np.float32),
        envelope_ages_s=ENVELOPE_AGES_S,
        envelope_db=envelope,
        cents=cents.astype(np.float32),
        stiffness=stiffness.astype(np.float32),
        release_s=np.where(every_key < corpus.index.undamped_from, DAMPER_S, 0.0).astype(np.float32),
        onset_phases=onset_phases,
        temperature=np.zeros(KEYS, np.float32),
    )


def _envelope(corpus: Corpus, entry: Entry) -> np.ndarray:
    """Level (dBFS) of one recording at every age of the table; past its end, its last second's slope goes on."""
    period_s = corpus.index.control_period / corpus.index.sample_rate
    level = corpus.loudness_db(entry).astype(np.float64)
    ages = np.arange(len(level)) * period_s
    curve = []
    for age in ENVELOPE_AGES_S[ages[-1] >= ENVELOPE_AGES_S]:
        near = np.abs(ages - age) <= max(0.08 * age, period_s / 2)
        curve.append(level[near].mean())
    late = ages >= ages[-1] - 1.0
    slope = min(np.polyfit(ages[late], level[late], 1)[0] if late.sum() > 2 else 0.0, -SLOWEST_DECAY_DB_PER_S)
    end = level[late].mean() + slope * (ages[-1] - ages[late].mean())
    curve += [end + slope * (age - ages[-1]) for age in ENVELOPE_AGES_S[ages[-1] < ENVELOPE_AGES_S]]
    return np.maximum(curve, LOUDNESS_FLOOR_DB)
