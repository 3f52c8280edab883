"""How far apart two sounds are to the ear: the mel-weighted multi-resolution STFT distance, in NumPy.

It equals auraloss.freq.MultiResolutionSTFTLoss(fft_sizes=(1024, 2048, 8192), hop_sizes=(256, 512, 2048),
win_lengths=fft_sizes, scale="mel", n_bins=128) at 16 kHz; at other rates the windows keep their 64, 128 and 512 ms, and
their magnitudes the scale that they have at 16 kHz.
Each window size adds a spectral convergence (Frobenius norm of the difference over that of the reference) and the mean
difference of the log magnitudes (nats); their sum is averaged over the three. Arik et al., arXiv 1808.06719; Yamamoto
et al., arXiv 1910.11480. 0 is the same sound; 1 in the second part alone is 8.7 dB in every band at every moment.

Both sounds begin at their onset, and are cut to the same length (`COMPARED_S`, or the recording where that is shorter).
Their level is NOT normalised: a note that is too loud is too far. On the Salamander piano at 16 kHz, the next softer of
16 layers is 0.48 away, the one after it 0.83, another piano 1.76, the same recording two semitones higher 2.16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

COMPARED_S = 2.0
WINDOWS_S = (0.064, 0.128, 0.512)
MEL_BINS = 128
FLOOR_POWER = 1e-8
AUDIBLE_POWER = 1e-4
UNIT_RATE = 16_000


@dataclass(frozen=True)
class Difference:
    """One window size: both magnitudes (MEL_BINS, frames) float64, `hop_s` apart."""

    sound: np.ndarray
    reference: np.ndarray
    hop_s: float

    @property
    def convergence(self) -> float:
        """Frobenius norm of the difference over that of the reference: the loudest partials decide."""
        return float(np.linalg.norm(self.sound - self.reference) / np.linalg.norm(self.reference))

    @property
    def log_ratio(self) -> np.ndarray:
        """ln(sound / reference), (MEL_BINS, frames)."""
        return np.log(self.sound / self.reference)

    @property
    def log_difference(self) -> float:
        """Mean difference of the log magnitudes, in nats: quiet bands count as much as loud ones."""
        return float(np.abs(self.log_ratio).mean())

    @property
    def distance(self) -> float:
        """Both together."""
        return self.convergence + self.log_difference


def stft_distance(sound: np.ndarray, reference: np.ndarray, sample_rate: int) -> float:
    """Distance of a sound (T,) from a reference (T,); see above."""
    return _distance(differences(sound, reference, sample_rate))


def audible_distance(sound: np.ndarray, reference: np.ndarray, sample_rate: int) -> float:
    """The same, of what can be heard."""
    return _distance(differences(sound, reference, sample_rate, AUDIBLE_POWER))


def _distance(found: list[Difference]) -> float:
    return float(np.mean([each.distance for each in found]))


def both_distances(sounds: Sequence[np.ndarray], reference: np.ndarray, sample_rate: int) -> np.ndarray:
    """Strict and audible distance of several sounds (T,) from one reference (T,), float64 (sounds, 2)."""
    found = np.zeros((len(sounds), 2))
    for window_s in WINDOWS_S:
        size = round(window_s * sample_rate)
        powers = [_powers(each, sample_rate, size, size // 4) for each in (reference, *sounds)]
        for column, floor_power in enumerate((FLOOR_POWER, AUDIBLE_POWER)):
            its, *theirs = (_to_mel(each, sample_rate, floor_power) for each in powers)
            found[:, column] += [Difference(each, its, window_s / 4.0).distance for each in theirs]
    return found / len(WINDOWS_S)


def differences(
    sound: np.ndarray, reference: np.ndarray, sample_rate: int, floor_power: float = FLOOR_POWER
) -> list[Difference]:
    """Both sounds (T,) in every window size, filled with silence to the longest window."""
    found = []
    for window_s in WINDOWS_S:
        size = round(window_s * sample_rate)
        hop = size // 4
        both = (mel_magnitudes(each, sample_rate, size, hop, floor_power) for each in (sound, reference))
        found.append(Difference(*both, hop / sample_rate))
    return found


def mel_magnitudes(
    sound: np.ndarray, sample_rate: int, size: int, hop: int, floor_power: float = FLOOR_POWER
) -> np.ndarray:
    """Hann-windowed magnitudes in mel bands, (MEL_BINS, frames) float64; frames are centred, the ends mirrored."""
    return _to_mel(_powers(sound, sample_rate, size, hop), sample_rate, floor_power)


def _powers(sound: np.ndarray, sample_rate: int, size: int, hop: int) -> np.ndarray:
    """(frames, size // 2 + 1) float64."""
    longest = round(max(WINDOWS_S) * sample_rate)
    filled = np.pad(sound.astype(np.float64), (0, max(0, longest - len(sound))))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(filled, size // 2, mode="reflect"), size)[::hop]
    shape = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
    return np.abs(np.fft.rfft(windows * shape)) ** 2 * (UNIT_RATE / sample_rate) ** 2


def _to_mel(powers: np.ndarray, sample_rate: int, floor_power: float) -> np.ndarray:
    filters = mel_filters(sample_rate, 2 * (powers.shape[1] - 1))
    return filters @ np.sqrt(np.maximum(powers, floor_power)).T


@lru_cache
def mel_filters(sample_rate: int, size: int) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale, (MEL_BINS, size // 2 + 1): librosa.filters.mel's."""
    edges = band_edges_hz(sample_rate)
    bins = np.arange(size // 2 + 1) * sample_rate / size
    rising = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]


def band_edges_hz(sample_rate: int) -> np.ndarray:
    """Hz where the bands begin, peak and end, (MEL_BINS + 2,): linear to 1 kHz, then logarithmic."""
    step = np.log(6.4) / 27.0
    highest = 15.0 + np.log(sample_rate / 2000.0) / step
    mels = np.linspace(0.0, highest, MEL_BINS + 2)
    return np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * np.exp(step * (mels - 15.0)))
