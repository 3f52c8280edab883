"""What rings in a struck instrument beside its partials: the strongest lines between them, the same at every velocity.

Much of a piano's highest notes is knock: its frame, its soundboard and its undamped strings ring with them, hardly
less alike from stroke to stroke than the tone itself. Networks take it for noise unless they are told of its phases.
Where a key has fewer partials than the excitation has places for, the last of these are given to its modes: frequencies
of their own, that stay where they are when the key is bent.
"""

from collections.abc import Sequence

import numpy as np

from ..wavenet.features import NYQUIST_SHARE, emphasis, note_frequency, partial_frequencies
from .corpus import Entry

MOST_MODES = 64
FIRST_S = 0.5
LOWEST_HZ, APART_HZ = 40.0, 25.0
FROM_PARTIALS_HZ, FROM_PARTIALS = 60.0, 0.2
"""Or so much of the way from one partial to the next."""
FAINTEST_DB = -60.0
"""Against the strongest line of the whole sound."""

ROOM = 1.2
"""Places for a key's partials, so many times their number: a key bent down has more of them."""

COMMON_EMPHASIS = 0.85


def find_modes(sounds: Sequence[np.ndarray], sample_rate: int, f0: float, stiffness: float, places: int) -> np.ndarray:
    """Frequencies in Hz, float64 (modes,), weakest first, of the modes of a key whose recordings are `sounds` (T,).

    At most 64, and no more than are left of `places` beside the partials; chosen by what pre-emphasis makes of them,
    25 Hz apart from each other, and from partials 60 Hz, so far does the stroke itself spread them.
    """
    own = partial_frequencies(f0, stiffness, places)
    own = own[own <= NYQUIST_SHARE * sample_rate]
    most = min(MOST_MODES, places - int(np.ceil(ROOM * len(own))))
    heard_hz, power = _spectrum(sounds, sample_rate)
    faintest = power.max() * 10.0 ** (FAINTEST_DB / 10.0)
    power[(heard_hz < LOWEST_HZ) | (heard_hz > NYQUIST_SHARE * sample_rate)] = 0.0
    for frequency in own:
        power[np.abs(heard_hz - frequency) < min(FROM_PARTIALS_HZ, FROM_PARTIALS * f0)] = 0.0
    found: list[float] = []
    while len(found) < most and power.max() > faintest:
        found.append(float(heard_hz[power.argmax()]))
        power[np.abs(heard_hz - found[-1]) < APART_HZ] = 0.0
    return np.array(found[::-1])


def _spectrum(sounds: Sequence[np.ndarray], sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Hz, and the sounds' mean power there after pre-emphasis, each as loud as the others, (bins,) float64 both."""
    length = int(FIRST_S * sample_rate)
    size = 4 * 2 ** int(np.ceil(np.log2(length)))
    falling = np.hanning(2 * length)[length:]
    heard = [np.pad(sound[:length], (0, max(0, length - len(sound)))) for sound in sounds]
    powers = [np.abs(np.fft.rfft(each * falling, size)) ** 2 for each in heard]
    turns = np.arange(size // 2 + 1) / size
    power = np.mean([each / (each.sum() + 1e-20) for each in powers], axis=0)
    return turns * sample_rate, power * np.abs(emphasis(turns, COMMON_EMPHASIS)) ** 2


def mode_places(modes_hz: Sequence[float], places: int, all_places: int) -> np.ndarray:
    """Frequency in Hz of the mode at each of the first `places` of `all_places`, float64; 0 where there is none."""
    table = np.zeros(all_places)
    table[all_places - len(modes_hz) :] = modes_hz
    return table[:places]


def frequencies(entry: Entry, places: int, all_places: int, sample_rate: int) -> np.ndarray:
    """Hz, float64 (places,), of what excites a network in a recording's place: partials, then modes; 0 where masked."""
    f0 = float(note_frequency(entry.note, entry.cents))
    return merged(f0, entry.stiffness, mode_places(entry.modes_hz, places, all_places), sample_rate)


def merged(f0: float, stiffness: float, modes_hz: np.ndarray, sample_rate: int) -> np.ndarray:
    """The same of any tone."""
    own = partial_frequencies(f0, stiffness, len(modes_hz))
    found = np.where(modes_hz > 0.0, modes_hz, own)
    return np.where(found <= NYQUIST_SHARE * sample_rate, found, 0.0)
