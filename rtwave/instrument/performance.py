"""A performance: everything that fixes its samples, made from settings and shared by `play` and `render`."""

from pathlib import Path

import msgspec

from ..engine.engine import Engine
from ..presets import Preset, load_preset, preset_folders
from .performer import Performer
from .scores import Score, Settings, Take
from .sequencer import Sequencer

DEFAULT_PRESET = "piano"
DEFAULT_TAIL_S = 10.0
"""Seconds that a score's last notes may ring out."""


class Performance:
    """A preset, an engine at frame 0 and a performer.

    `settings` as in a take, None fields standing for the preset's own values, seed 0, no transposition, all channels;
    the attribute `settings` has none left but `channel`. `threads` as in Engine: no setting, for it changes no sample.
    """

    def __init__(self, settings: Settings, threads: int = 1) -> None:
        preset: Preset = load_preset(settings.preset or DEFAULT_PRESET)
        preset = preset.with_playing(temperature=settings.temperature, gain_db=settings.gain_db)
        playing = preset.playing
        voices = playing.polyphony if settings.voices is None else settings.voices
        self.preset = preset
        self.engine = Engine(
            preset,
            voices=voices,
            seed=settings.seed or 0,
            precision=settings.precision or "auto",
            threads=threads,
            sample_rate=settings.sample_rate,
        )
        self.settings = msgspec.structs.replace(
            settings,
            preset=_findable(preset.folder),
            seed=settings.seed or 0,
            voices=voices,
            temperature=playing.temperature,
            gain_db=playing.gain_db,
            transpose=settings.transpose or 0,
            sample_rate=self.engine.sample_rate,
            precision=self.engine.precision,
        )
        self.performer = Performer(
            temperature=playing.temperature,
            temperature_range=playing.temperature_range,
            channel=settings.channel,
            transpose=self.settings.transpose,
            velocity_curve=playing.velocity_curve,
        )

    def sequencer(self, score: Score, tail_s: float = DEFAULT_TAIL_S, take: Take | None = None) -> Sequencer:
        """A sequencer that plays `score` on this engine."""
        return Sequencer(self.engine, self.performer, score, tail_s, take)


def combine(asked: Settings, taken: Settings | None) -> Settings:
    """What is asked for, completed by what a take was played with."""
    if taken is None:
        return asked
    fields = ((name, getattr(asked, name)) for name in Settings.__struct_fields__)
    return Settings(**{name: getattr(taken, name) if value is None else value for name, value in fields})


def _findable(folder: Path) -> str:
    """A preset's name where that is enough to find it, else its path in a form that holds in any folder."""
    named, folder = preset_folders().get(folder.name), folder.resolve()
    return folder.name if named is not None and named.resolve() == folder else str(folder)
