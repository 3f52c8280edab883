"""A sitting without a sound card: messages are heard while the clock stands, and the take is kept."""

import numpy as np

from rtwave.instrument.live import Live
from rtwave.instrument.messages import Parser
from rtwave.instrument.performance import Performance
from rtwave.instrument.programs import Programs
from rtwave.instrument.render import render_midi
from rtwave.instrument.take import Take


class Sitting:
    """A performer, a rack and a take, with a clock that stands while messages are heard."""

    def __init__(self, settings, presets=(), constant_s=0.01):
        self.performance = Performance(settings)
        self.take = Take(self.performance.settings)
        self.told = []
        self.programs = Programs(self.performance.load, lambda: self.performance.preset.folder, self.told.append)
        self.programs._folders = dict(enumerate(presets))
        rack = self.performance.rack
        self.live = Live(self.performance, self.take, lambda _: rack.seconds + constant_s, self.programs)
        self.blocks = []

    def hear(self, *bytes_):
        for message in Parser().feed(bytes_):
            self.live.hear(message)
        self.programs.wait()

    def render(self, frames):
        self.blocks.append(self.performance.rack.render(frames))
        self.live.settle()

    def same_from_take(self, path, **options):
        """Whether the take, rendered, is what was played."""
        played = np.concatenate(self.blocks)
        self.take.save(path, self.performance.rack.seconds + 0.1)  # the last samples hear a little of what follows
        rendered = render_midi(path, **options)
        assert np.abs(played).max() > 0.01
        return np.array_equal(played, rendered[: len(played)])
