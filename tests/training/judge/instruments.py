"""An instrument of known pitch, decay and brightness, its corpus, and players that copy it with a fault."""

from pathlib import Path

import numpy as np
import soundfile

from rtwave.training.corpus import Corpus
from rtwave.training.judge.player import Player, nearest, recorded
from rtwave.training.prepare import prepare
from rtwave.training.tables import measure_tables
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

RATE = 16_000
KEYS, VELOCITIES = (48, 57, 66, 75), (20, 50, 80, 110)
SECONDS = 4.4
CONFIG = WaveNetConfig(
    dilations=(1, 2), residual_channels=8, skip_channels=8, head_channels=8, excitation="partials", partials=12
)


def struck(key: int, velocity: float, seconds: float = SECONDS, rate: int = RATE, cents: float = 0.0) -> np.ndarray:
    """A string, float32: it falls 6 dB/s, 2 dB/s more with each octave above key 48; brighter when struck harder."""
    time = np.arange(int(seconds * rate)) / rate
    f0 = 440.0 * 2.0 ** ((key - 69 + cents / 100.0) / 12.0)
    softness = 1.0 + 2.0 * (1.0 - velocity / 127.0)
    fall = 10.0 ** (-(6.0 + (key - 48) / 6.0) * time / 20.0)
    count = int(min(12, 0.45 * rate / f0))
    sound = sum(np.sin(2.0 * np.pi * k * f0 * time + k) / k**softness for k in range(1, count + 1))
    hiss = 3e-4 * np.random.default_rng(key * 128 + int(velocity)).standard_normal(len(time))
    return (0.3 * (velocity / 127.0) ** 1.5 * fall * (sound + hiss)).astype(np.float32)


def make_corpus(folder: Path) -> Corpus:
    """A corpus of KEYS at VELOCITIES."""
    recordings = folder / "struck"
    recordings.mkdir()
    for key in KEYS:
        for velocity in VELOCITIES:
            soundfile.write(recordings / f"{key}_v{velocity}.wav", struck(key, velocity), RATE, subtype="FLOAT")
    lines = [f"{key}_v{velocity}.wav,{key},{velocity}" for key in KEYS for velocity in VELOCITIES]
    (recordings / "manifest.csv").write_text("file,note,velocity\n" + "\n".join(lines) + "\n")
    prepare(recordings, folder / "corpus", sample_rate=RATE, partials=12, stiff=False)
    return Corpus(folder / "corpus")


class Copyist(Player):
    """Plays what was recorded, damped as the corpus says, and passes every note through a fault.

    `fault(sound, key, velocity)` gives the faulty sound; `deaf` takes every key for struck at 80; `undamped` forgets
    to end.
    """

    def __init__(self, corpus: Corpus, fault=None, deaf: bool = False, undamped: bool = False) -> None:
        weights = Weights.random(CONFIG)
        weights.instrument = measure_tables(corpus, CONFIG)
        super().__init__(weights)
        for name, value in (("corpus", corpus), ("fault", fault), ("deaf", deaf), ("undamped", undamped)):
            object.__setattr__(self, name, value)

    def note(self, key, velocity, seconds, held_s=None, timbre=0.0, knobs=(), **controls):
        frames = int(seconds * RATE)
        entry = nearest(self.corpus, key, 80.0 if self.deaf else velocity)
        sound = recorded(self.corpus, entry, seconds, key)
        sound = np.pad(sound, (0, frames - len(sound)))
        if held_s is not None and not self.undamped:
            after_s = np.maximum(np.arange(frames) / RATE - held_s, 0.0)
            sound = sound * np.exp(-after_s / self.corpus.index.damper_s)
        if self.fault:
            sound = self.fault(sound, key, velocity)
        return sound.astype(np.float32)
