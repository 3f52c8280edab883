import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave.training.purity import purity_db
from rtwave.wavenet.features import partial_frequencies

RATE = 16_000


@pytest.mark.parametrize("ratio_db", [10.0, 20.0, 30.0])
def test_purity_is_the_ratio_of_partials_to_noise(ratio_db):
    time = np.arange(2 * RATE) / RATE
    frequencies = partial_frequencies(220.0, 1e-4, 20)
    tone = sum(np.sin(2 * np.pi * f * time) for f in frequencies)
    noise = np.random.default_rng(0).standard_normal(len(time)) * np.sqrt(10.0 * 10.0 ** (-ratio_db / 10.0))
    assert purity_db(tone + noise, RATE, frequencies) == pytest.approx(ratio_db, abs=1.0)
