"""One recording, as it goes into a corpus: from its onset on, at the model's rate, with its pitch and level read."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import soxr

from ..errors import RtwaveError
from ..wavenet.features import note_frequency
from .corpus import Kind
from .loudness import LOUDNESS_WINDOW_S, measure_loudness
from .modes import merged, mode_places
from .partials import fit_pitch, track_partials
from .recordings import SILENT_PEAK
from .sources import Recording
from .strokes import ROOM_S

TEXTURE_WINDOW_S = 1.0
"""Of a texture's level, only the slow part is divided out."""
ONSET_DB = -40.0
STRIKE_DB, STRUCK_DB, STRIKE_S = -15.0, -4.0, 0.008
"""What rises from the one to the other (against the loudest of 50 ms) within that time is struck, not blown."""
LOOK_S, STRIKE_AT_S = 0.05, 0.003
GROWTH = 4.0
FADE_IN_S = 0.001
SHORTEST_S, SHORTEST_DRUM_S = 0.3, 0.03
DRUM_S, DRUM_END_DB = 1.0, -80.0
"""A drum ends where it stays this far below its peak; silence follows up to 1 s, so that its end is learned too."""
FULL_SCALE, MOST_CLIPPED = 0.99, 0.001
PHASE_PERIODS = 4


@dataclass(frozen=True)
class Settings:
    """How recordings are cut: `seconds` the longest part of each, `stiff` whether strings may be (None: see),
    `tempered` whether they are brought to the pitch of their keys."""

    kind: Kind = "notes"
    sample_rate: int = 16_000
    seconds: float = 10.0
    partials: int = 64
    control_period: int = 32
    stiff: bool | None = None
    tempered: bool = False

    @property
    def pitched(self) -> bool:
        return self.kind == "notes"

    def early(self, sample_rate: int) -> int:
        """Samples before its onset with which a recording is kept until those of its key are aligned."""
        return round(ROOM_S * sample_rate) if self.pitched else 0

    @property
    def phase_stride(self) -> int:
        """Samples between two frames of phases."""
        return PHASE_PERIODS * self.control_period


@dataclass
class Cut:
    """What is known of a recording, whose `samples` lie at `place`: a shard, and a sample in it.

    `fits` are the cents of a stiff string and of a harmonic tone; `level` its dB every phase stride.
    """

    recording: Recording
    samples: int
    peak: float
    level: np.ndarray
    fits: tuple[float, float] = (0.0, 0.0)
    cents: float = 0.0
    stiffness: float = 0.0
    modes_hz: tuple[float, ...] = ()
    place: tuple[int, int] = (0, 0)

    @property
    def f0(self) -> float:
        """Hz of its first partial."""
        return float(note_frequency(self.recording.note, self.cents))

    def begin(self, later: int) -> None:
        """Leave out so many samples of its beginning."""
        shard, start = self.place
        self.place, self.samples = (shard, start + later), self.samples - later


def find_onset(samples: np.ndarray, sample_rate: int) -> int:
    """The sample at which a note begins: where 2 ms of level first come within 40 dB of the loudest, less 2 ms.

    Recorded room noise may lie above that in soft notes, so the threshold never falls below 12 dB over the first
    5 ms, or over the first 2 ms where the level grows on and on from there: that is no noise but a slow attack.
    What is struck, within 50 ms from there, begins 3 ms before the stroke: the noises of keys and hammers come before
    it now earlier and now later, and an attack that has no time of its own cannot be learned.
    """
    power = _power(samples, window := max(1, int(0.002 * sample_rate)))
    bounds = (window - 1, window, int(0.005 * sample_rate), int(0.01 * sample_rate))
    first, second, third = (power[low:high].mean() for low, high in pairwise(bounds))
    noise = first if second > GROWTH * first and third > GROWTH * second else second
    threshold = max(power.max() * 10.0 ** (ONSET_DB / 10.0), min(noise * 10.0**1.2, power.max() * 0.1))
    onset = max(0, int(np.argmax(power >= threshold)) - 2 * window)
    return onset + max(0, _strike(samples[onset : onset + int(LOOK_S * sample_rate)], sample_rate))


def _strike(samples: np.ndarray, sample_rate: int) -> int:
    """How much later than the first of these samples a note begins that is struck within them; 0 where none is."""
    power = _power(samples, max(1, int(0.001 * sample_rate)))
    strike, struck = (int(np.argmax(power >= power.max() * 10.0 ** (level / 10.0))) for level in (STRIKE_DB, STRUCK_DB))
    return strike - int(STRIKE_AT_S * sample_rate) if struck - strike <= STRIKE_S * sample_rate else 0


def _power(samples: np.ndarray, window: int) -> np.ndarray:
    """Mean square of the `window` samples that end at each, (T,)."""
    total = np.cumsum(np.pad(samples.astype(np.float64) ** 2, (window, 0)))
    return np.maximum(total[window:] - total[:-window], 0.0) / window


def cut(recording: Recording, settings: Settings) -> tuple[np.ndarray, Cut]:
    """A recording's sound, float32 (T,), and what is known of it; RtwaveError with the reason to skip it."""
    samples = _sound(recording, settings)
    if settings.tempered and settings.pitched:
        samples = _in_tune(samples, recording.note, settings)
    rate, f0 = settings.sample_rate, float(note_frequency(recording.note, 0.0)) if settings.pitched else np.inf
    level = measure_loudness(samples, rate, settings.phase_stride, f0)
    known = Cut(recording, len(samples), float(np.abs(samples).max()), level)
    if settings.pitched:
        fits = (fit_pitch(samples, rate, recording.note, settings.partials, stiff) for stiff in (True, False))
        known.fits = tuple(cents for cents, _ in fits)
    return samples, known


def read_levels(samples: np.ndarray, cut: Cut, settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loudness (periods,), phases and levels (frames, partials) of a sound, at the tuning that its key agreed on."""
    rate = settings.sample_rate
    if not settings.pitched:
        window_s = TEXTURE_WINDOW_S if settings.kind == "texture" else LOUDNESS_WINDOW_S
        loudness = measure_loudness(samples, rate, settings.control_period, np.inf, window_s)
        return loudness, *track_partials(samples, rate, np.zeros(0), settings.phase_stride)
    modes_hz = mode_places(cut.modes_hz, settings.partials, settings.partials)
    frequencies = merged(cut.f0, cut.stiffness, modes_hz, rate)
    loudness = measure_loudness(samples, rate, settings.control_period, cut.f0)
    return loudness, *track_partials(samples, rate, frequencies, settings.phase_stride)


def _sound(recording: Recording, settings: Settings) -> np.ndarray:
    """A tone from a little before its onset on; a texture as it is; a drum from its onset until it is over."""
    samples, rate = recording.load()
    texture, drum = settings.kind == "texture", settings.kind == "drums"
    shortest = SHORTEST_DRUM_S if drum else SHORTEST_S
    _require_length(samples, rate, shortest)
    if not texture:
        onset = find_onset(samples, round(rate))
        _require_length(samples[onset:], rate, shortest)
        early = settings.early(rate)
        samples = np.pad(samples, (early, 0))[onset:][: early + int(settings.seconds * rate)]
    if _clipped_share(samples) > MOST_CLIPPED:
        raise RtwaveError("clipped (flat at full scale); record it again at a lower level")
    samples = soxr.resample(samples, rate, settings.sample_rate, quality="VHQ")
    if np.abs(samples).max() < SILENT_PEAK:
        raise RtwaveError("silent (peak below -80 dBFS)")
    if drum:
        fade_in(samples, settings.sample_rate)
        heard = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10.0 ** (DRUM_END_DB / 20.0))
        samples = samples[: heard[-1] + 1]
        samples = np.pad(samples, (0, max(0, int(DRUM_S * settings.sample_rate) - len(samples))))
    return samples


def fade_in(samples: np.ndarray, sample_rate: int) -> None:
    """Let a sound (T,) begin from silence, in place."""
    fade = int(FADE_IN_S * sample_rate)
    samples[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)


def _in_tune(samples: np.ndarray, note: float, settings: Settings) -> np.ndarray:
    """A sound as it would be at the pitch of its key, by resampling."""
    cents, _ = fit_pitch(samples, settings.sample_rate, note, settings.partials, settings.stiff is not False)
    return soxr.resample(samples, settings.sample_rate * 2.0 ** (-cents / 1200.0), settings.sample_rate, "VHQ")


def _require_length(samples: np.ndarray, rate: int, shortest: float) -> None:
    if len(samples) < shortest * rate:
        raise RtwaveError(f"too short ({len(samples) / rate:.2f} s from its onset on, expected {shortest} s)")


def _clipped_share(samples: np.ndarray) -> float:
    """Share of samples that stand at full scale beside an equal neighbour."""
    level = np.abs(samples)
    return float(np.mean((level[1:] == level[:-1]) & (level[1:] >= FULL_SCALE)))
