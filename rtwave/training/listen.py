"""A note rendered by the engine from weights in training: teacher-forced loss does not predict sound."""

from pathlib import Path

import numpy as np
import soundfile

from ..engine import Engine
from ..wavenet.weights import Weights

HELD_S, RINGING_S = 1.5, 0.7


def render_note(weights: Weights, folder: Path, step: int, velocity: int = 90, temperature: float = 0.3) -> Path:
    """Write a free-running note from the middle of the keyboard's recorded range to `folder`; returns its path."""
    keys = weights.instrument.envelope_keys
    key = int(np.rint(keys[len(keys) // 2]))
    rate = weights.config.sample_rate
    engine = Engine(weights, voices=1)
    engine.control("temperature", temperature)
    engine.note_on(key, velocity, at=0)
    engine.note_off(key, at=int(HELD_S * rate))
    path = folder / f"step{step:07d}_key{key}.wav"
    soundfile.write(path, engine.render(int((HELD_S + RINGING_S) * rate)), rate, subtype="FLOAT")
    return path
