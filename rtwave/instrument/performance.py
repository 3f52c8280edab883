"""A performance: everything that fixes its samples, made from settings and shared by `play` and `render`."""

from pathlib import Path

import msgspec

from ..engine.engine import Engine
from ..engine.rack import Rack
from ..errors import RtwaveError
from ..presets import Preset
from .performer import Performer
from .programs import Program, load_program
from .scores import Score
from .sequencer import DEFAULT_TAIL_S, Sequencer
from .settings import Settings
from .style import Style
from .take import Take


class Performance:
    """A preset, a rack that plays it from frame 0, and a performer.

    `settings` as in a take, None fields standing for the preset's own values, seed 0 and a Style's defaults; the
    attribute `settings` says what they came to. `threads` and `device` as in Engine, for every preset that is loaded:
    no settings, for they belong to the machine.
    """

    def __init__(self, settings: Settings, threads: int = 1, device: str = "cpu") -> None:
        self._asked, self._threads, self._device = settings, threads, device
        program = load_program(settings, threads, device)
        self.preset: Preset = program.preset
        self.rack = Rack(program.engine, settings.sample_rate)
        self.performer = Performer(self.preset.playing, self.preset.controls, style_of(settings))
        self.settings = msgspec.structs.replace(program.settings, sample_rate=self.rack.sample_rate)
        self.rack.submit(self.performer.state(), at_s=0.0)

    @property
    def engine(self) -> Engine:
        """The engine that takes the notes now."""
        return self.rack.engine

    @property
    def notes(self) -> list[str]:
        """What the player should know before the first sound, one line each."""
        asked, got = self._asked.instruction_set, self.settings.instruction_set
        if asked in (None, "auto", got):
            return []
        return [f"instruction set {asked!r} is not on this machine: with {got} the samples differ in their last bits"]

    def load(self, preset: Path | Settings) -> Program:
        """Make another preset ready to be switched to: played as this one is, or with a take's Settings."""
        if isinstance(preset, Path):
            preset = msgspec.structs.replace(self._asked, preset=str(preset))
        asked = msgspec.structs.replace(preset, sample_rate=self.rack.sample_rate)
        return load_program(asked, self._threads, self._device)

    def switch(self, program: Program, at_s: float, tag: int = 0) -> None:
        """Play a program from second `at_s` on; the controls stay where they are. Raises RtwaveError, having changed
        nothing."""
        before = self.preset
        self._change_preset(program.preset)
        try:
            self.rack.switch(program.engine, at_s, self.performer.state(), tag)
        except RtwaveError:
            self._change_preset(before)
            raise

    def _change_preset(self, preset: Preset) -> None:
        self.performer.change_preset(preset.playing, preset.controls)
        self.preset = preset

    def settle(self, take: Take | None = None) -> None:
        """Let go of engines that have rung out, and tell the take when all was applied. To be called now and then."""
        applied, limits = self.rack.applied(), self.rack.limits()
        if take:
            for tag, seconds in applied:
                take.applied(tag, seconds)
            for engine, voices, seconds in limits:
                take.limited(engine, voices, seconds)

    def sequencer(self, score: Score, tail_s: float = DEFAULT_TAIL_S, take: Take | None = None) -> Sequencer:
        """A sequencer that plays `score` in this performance."""
        return Sequencer(self, score, tail_s, take)


def style_of(settings: Settings) -> Style:
    """The player's style among settings."""
    names = set(Style.__struct_fields__) & set(Settings.__struct_fields__)
    given = {name: getattr(settings, name) for name in names}
    return Style(**{name: value for name, value in given.items() if value is not None})
