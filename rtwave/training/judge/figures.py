"""What `rtwave evaluate --json` prints: everything measured of a preset. A figure that does not apply is null."""

import msgspec

from ..evaluate import Evaluation


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One played note beside the nearest recording, resampled to its key.

    cents                   off the recordings' own tuning, interpolated between their keys, by the comb of partials
    second_cents            off that recording, by yin (to B6) or the strongest peak (above)
    level_db, recorded_…    RMS dBFS, 0.05 to 0.5 s after the onset; late_…: 1.9 to 2.1 s
    brightness_hz, …        centre of gravity of the spectrum, 0.05 to 0.5 s
    decay_db_per_s, …       fall of the held note, from 0.1 s (drums 0.02 s) until the recording is 40 dB down, or 2.5 s
    purity_db, …            harmonic-to-noise ratio, 0.3 to 1.3 s
    noise_dbfs, …           what of that span is not harmonic
    damping_s               time constant with which it ends once let go; expected_damping_s: the corpus's damper's
    released_dbfs           level 1.0 to 1.2 s after it was let go
    full_scale_ms           longest time at full scale
    """

    key: int
    velocity: float
    timbre: float
    recording: str
    level_db: float
    recorded_level_db: float
    late_level_db: float | None = None
    recorded_late_level_db: float | None = None
    brightness_hz: float | None = None
    recorded_brightness_hz: float | None = None
    decay_db_per_s: float | None = None
    recorded_decay_db_per_s: float | None = None
    cents: float | None = None
    second_cents: float | None = None
    purity_db: float | None = None
    recorded_purity_db: float | None = None
    noise_dbfs: float | None = None
    recorded_noise_dbfs: float | None = None
    damping_s: float | None = None
    expected_damping_s: float | None = None
    released_dbfs: float | None = None
    full_scale_ms: float = 0.0


class VelocityCurve(msgspec.Struct, frozen=True, kw_only=True):
    """One key from soft to loud, as played and as recorded: levels (dBFS) and brightness (Hz), as in Note."""

    key: int
    timbre: float
    velocities: list[float]
    level_db: list[float]
    recorded_level_db: list[float]
    brightness_hz: list[float | None]
    recorded_brightness_hz: list[float | None]


class HeldOut(msgspec.Struct, frozen=True, kw_only=True):
    """One recording that training never saw: how far the preset is from it, and others by the same measure.

    distance               mel-weighted multi-resolution STFT distance of the preset (stft_distance.py)
    audible_distance       the same, of what is loud enough to be heard
    softer, audible_softer of the next softer recording of the key
    semitones              of the recording itself, two semitones higher
    other                  of another instrument's recording of the note
    seen                   of the preset from the next louder recording, which training saw
    without_partials, without_rest
                           what `distance` would be if the partials, or all between them, were the recording's
    """

    recording: str
    key: float
    velocity: float
    timbre: float
    distance: float
    audible_distance: float
    softer: float | None = None
    audible_softer: float | None = None
    semitones: float | None = None
    other: float | None = None
    seen: float | None = None
    without_partials: float | None = None
    without_rest: float | None = None


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """Where the distance lies: dB in each band (Hz edges, rows) and stretch of time (s edges, columns), all held-out
    notes together. `off_db` is the mean size of the difference, `louder_db` its mean: above 0, the preset is louder.
    """

    bands_hz: list[float]
    times_s: list[float]
    off_db: list[list[float]]
    louder_db: list[list[float]]


class Texture(msgspec.Struct, frozen=True, kw_only=True):
    """A timbre that plays on, beside the recordings that it was learned from: `spectrum_db` mean difference of the
    long-term spectra in mel bands, levels made equal; level (dBFS) of every second, `drift_db` of its last quarter
    against its first, `swing_db` standard deviation; of the recordings too; level by temperature.
    """

    timbre: float
    spectrum_db: float
    level_db: list[float]
    recorded_level_db: float
    drift_db: float
    swing_db: float
    recorded_swing_db: float
    level_by_temperature: dict[str, float]


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Times real time of each of `voices` voices on `threads` threads, and how many voices keep up."""

    voices: int
    threads: int
    times_real_time: float
    voices_in_real_time: int
    machine: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion: what was wanted and reached, in `unit`; `meaning` is for a musician."""

    name: str
    wanted: str
    reached: float
    unit: str
    met: bool
    meaning: str


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured of one preset against one corpus."""

    model: str
    corpus: str
    kind: str
    sample_rate: int
    precision: str
    instruction_set: str
    thorough: bool
    silence_dbfs: float
    bits: Evaluation
    speed: Speed
    verdicts: list[Verdict]
    notes: list[Note] = []
    velocities: list[VelocityCurve] = []
    held_out: list[HeldOut] = []
    blame: Blame | None = None
    textures: list[Texture] = []
