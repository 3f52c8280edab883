"""How loud a sound is at every control period."""

import numpy as np

from ..wavenet.features import LOUDNESS_FLOOR_DB

LOUDNESS_WINDOW_S = 0.02


def measure_loudness(
    samples: np.ndarray, sample_rate: int, control_period: int, f0: float, window_s: float = LOUDNESS_WINDOW_S
) -> np.ndarray:
    """RMS dBFS centred on the start of every control period, float32 (periods,).

    Over `window_s`, or two periods of f0 (Hz) where that is longer, so that a bass note's own wave does not show.
    """
    half = int(max(window_s, 2.0 / f0) / 2 * sample_rate)
    total = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    centres = np.arange(0, len(samples), control_period)
    low, high = np.maximum(centres - half, 0), np.minimum(centres + half, len(samples))
    power = (total[high] - total[low]) / (high - low)
    return np.maximum(10.0 * np.log10(power + 1e-20), LOUDNESS_FLOOR_DB).astype(np.float32)
