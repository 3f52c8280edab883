"""What every test run says of itself, and fixtures that several rooms share."""

import hypothesis
import numpy as np
import pytest
import soundfile

hypothesis.settings.register_profile("house", deadline=None, derandomize=True)  # seeded, and no clock judges
hypothesis.settings.load_profile("house")


def pytest_report_header() -> str:
    """The instruction set that the engine chooses here."""
    from rtwave.engine import Engine
    from rtwave.wavenet.config import WaveNetConfig
    from rtwave.wavenet.weights import Weights

    return f"rtwave instruction set: {Engine(Weights.random(WaveNetConfig(dilations=(1,)))).instruction_set}"


def pluck(note: int, velocity: int, seconds: float = 2.0, sample_rate: int = 44_100, stiffness: float = 3e-4):
    """A struck string of known pitch and stiffness, float32, after 20 ms of silence."""
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    f0 = 440.0 * 2.0 ** ((note - 69) / 12.0)
    sound = np.zeros(len(time))
    for k in range(1, 20):
        frequency = k * f0 * np.sqrt((1 + stiffness * k * k) / (1 + stiffness))
        if frequency < 0.45 * min(sample_rate, 16_000):
            sound += np.exp(-time * (1.0 + 0.3 * k)) * np.sin(2 * np.pi * frequency * time + k) / k
    silence = np.zeros(int(0.02 * sample_rate))
    return np.concatenate([silence, 0.3 * (velocity / 127.0) ** 1.5 * sound]).astype(np.float32)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """A folder of 12 labelled recordings: four keys at three velocities, 44.1 kHz, in three file formats."""
    folder = tmp_path_factory.mktemp("recordings")
    for index, (name, note) in enumerate((("C4", 60), ("D#4", 63), ("F#4", 66), ("A4", 69))):
        for velocity in (30, 70, 110):
            suffix = ("wav", "flac", "ogg", "aiff")[index]
            soundfile.write(folder / f"pluck_{name}_v{velocity}.{suffix}", pluck(note, velocity), 44_100)
    return folder


@pytest.fixture(scope="session")
def corpus_folder(recordings, tmp_path_factory):
    """The corpus made from `recordings`."""
    pytest.importorskip("soxr")
    from rtwave.training.prepare import prepare

    out = tmp_path_factory.mktemp("corpus")
    prepare(recordings, out, sample_rate=16_000, partials=12)
    return out
