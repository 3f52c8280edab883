import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtwave.audio.recorder import Recorder
from rtwave.errors import RtwaveError

RATE = 48_000
EXACT = {".wav": 0.0, ".flac": 2.0**-24}  # FLAC holds 24 bits: half a step

WRITE_AND_DIE = """
import os, signal, sys
from rtwave.audio.recorder import Recorder
from tests.audio.test_recorder import noise
recorder = Recorder(sys.argv[1], 48_000)
for chunk in noise().reshape(-1, 480):
    recorder.write(chunk)
os.kill(os.getpid(), signal.SIGKILL)
"""


def noise(frames=2 * RATE):
    return np.random.default_rng(6).uniform(-1, 1, frames).astype(np.float32)


@pytest.mark.parametrize("suffix", EXACT)
def test_file_holds_the_samples(tmp_path, suffix):
    recorder = Recorder(tmp_path / f"take{suffix}", RATE)
    for chunk in np.array_split(noise(), 77):
        recorder.write(chunk)
    recorder.close()
    recorder.close()
    samples, rate = soundfile.read(recorder.path, dtype="float32")
    assert (rate, recorder.frames, recorder.problem) == (RATE, 2 * RATE, None)
    assert np.abs(samples - noise()).max() <= EXACT[suffix]


def test_wav_is_an_ordinary_riff_file_of_32_bit_float(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", RATE)
    recorder.write(noise())
    recorder.close()
    assert recorder.path.read_bytes()[:4] == b"RIFF"
    assert soundfile.info(recorder.path).subtype == "FLOAT"


@pytest.mark.parametrize("suffix", EXACT)
def test_full_scale_does_not_wrap(tmp_path, suffix):
    recorder = Recorder(tmp_path / f"take{suffix}", RATE)
    recorder.write(np.array([1.0, -1.0], np.float32))
    recorder.close()
    assert soundfile.read(recorder.path)[0] == pytest.approx([1.0, -1.0], abs=1e-6)


@pytest.mark.parametrize(("suffix", "kept"), [(".wav", 2 * RATE), (".flac", (2 * RATE - 1) // 4096 * 4096)])
def test_killed_process_leaves_a_file_that_opens(tmp_path, suffix, kept):
    path = tmp_path / f"take{suffix}"
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)], cwd=root, timeout=60)
    assert result.returncode == -signal.SIGKILL
    samples, _ = soundfile.read(path, dtype="float32")
    assert len(samples) == kept
    assert np.abs(samples - noise()[:kept]).max() <= EXACT[suffix]


@pytest.mark.parametrize("suffix", EXACT)
def test_full_disk_is_one_line_and_keeps_what_was_recorded(tmp_path, suffix):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    recorder = Recorder(tmp_path / f"take{suffix}", RATE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_001, before[1]))
    try:
        for chunk in noise().reshape(-1, 480):
            recorder.write(chunk)
        recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "is the disk full?" in recorder.problem
    assert "the music goes on" in recorder.problem
    assert "\n" not in recorder.problem
    samples, _ = soundfile.read(recorder.path, dtype="float32")
    assert len(samples) > 20_000
    assert np.abs(samples - noise()[: len(samples)]).max() <= EXACT[suffix]


def test_flac_that_vanishes_in_mid_take_is_one_line(tmp_path):
    recorder = Recorder(tmp_path / "take.flac", RATE)
    recorder.write(noise())
    recorder.path.unlink()
    recorder.write(noise())
    recorder.close()
    assert recorder.problem == f"{recorder.path}: No such file or directory; nothing is recorded, the music goes on"


@pytest.mark.parametrize("suffix", EXACT)
def test_unwritable_path_is_one_line(tmp_path, suffix):
    path = tmp_path / "missing" / f"take{suffix}"
    recorder = Recorder(path, RATE)
    recorder.write(noise())
    recorder.close()
    assert recorder.problem == f"{path}: No such file or directory; nothing is recorded, the music goes on"


def test_folder_in_place_of_a_file_is_one_line(tmp_path):
    (tmp_path / "take.wav").mkdir()
    assert "Is a directory" in Recorder(tmp_path / "take.wav", RATE).problem


@pytest.mark.parametrize("name", ["take.mp3", "take"])
def test_other_formats_are_refused(tmp_path, name):
    with pytest.raises(RtwaveError, match=r"expected \.wav or \.flac"):
        Recorder(tmp_path / name, RATE)
    assert not os.listdir(tmp_path)
