"""The preset that latency is measured with is loud from the very first sample, and silent soon after its key is up."""

import numpy as np

from rtwave.engine.engine import Engine
from rtwave.presets import load_preset

from .loud_preset import LOUD, write_loud_preset


def test_first_sample_is_loud_and_silence_follows_the_key(tmp_path):
    write_loud_preset(tmp_path / "loud")
    engine = Engine(load_preset(tmp_path / "loud"), voices=4)
    engine.note_on(60, 100, at=777)
    engine.note_off(60, at=1777)
    samples = engine.render(4800)
    assert not samples[:777].any()
    np.testing.assert_allclose(samples[777:1777], LOUD, rtol=1e-3)
    assert np.abs(samples[1777 + 480 :]).max() < 1e-3
    assert engine.active_voices == 0
