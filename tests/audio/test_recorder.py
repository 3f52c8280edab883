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
FORMATS = [
    (".wav", "float", "FLOAT", 0.0),
    (".wav", "pcm24", "PCM_24", 2.0**-23),
    (".wav", "pcm16", "PCM_16", 2.0**-15),
    (".flac", "pcm24", "PCM_24", 2.0**-23),
    (".flac", "pcm16", "PCM_16", 2.0**-15),
]
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


@pytest.mark.parametrize(("suffix", "record_format", "subtype", "step"), FORMATS)
def test_format_that_is_asked_for_is_written_to_half_a_step(tmp_path, suffix, record_format, subtype, step):
    recorder = Recorder(tmp_path / f"take{suffix}", RATE, record_format=record_format)
    recorder.write(noise())
    recorder.close()
    assert soundfile.info(recorder.path).subtype == subtype
    samples, _ = soundfile.read(recorder.path, dtype="float64")
    assert np.abs(samples - np.minimum(noise(), 1.0 - step)).max() <= 0.501 * step


@pytest.mark.parametrize(("suffix", "record_format"), [(".flac", "float"), (".wav", "mp3"), (".wav", "")])
def test_format_that_the_file_cannot_hold_is_refused(tmp_path, suffix, record_format):
    with pytest.raises(RtwaveError, match=f"record format is '{record_format}', {suffix} holds .*pcm24, pcm16"):
        Recorder(tmp_path / f"take{suffix}", RATE, record_format=record_format)
    assert not os.listdir(tmp_path)


def test_wav_beyond_four_gigabytes_is_rf64_and_opens(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", RATE)
    recorder.write(noise())
    recorder._file.seek(2**30 + 50)  # a hole in the file: nothing is written in between
    recorder.write(noise())
    recorder.close()
    assert recorder.problem is None
    with recorder.path.open("rb") as file:
        assert file.read(4) == b"RF64"
    with soundfile.SoundFile(recorder.path) as file:
        assert len(file) == 2**30 + 50 + len(noise())
        file.seek(2**30 + 50)
        assert np.array_equal(file.read(dtype="float32"), noise())


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


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(("suffix", "record_format", "subtype", "step"), FORMATS)
def test_disk_that_is_truly_full_leaves_a_whole_file(small_disk, suffix, record_format, subtype, step):
    recorder = Recorder(small_disk / f"take{suffix}", RATE, record_format=record_format)
    for chunk in np.array_split(noise(), 200):
        recorder.write(chunk)
    recorder.close()
    assert "is the disk full?" in recorder.problem
    samples, _ = soundfile.read(recorder.path, dtype="float64")
    assert len(samples) > 10_000
    assert np.abs(samples - np.minimum(noise()[: len(samples)], 1.0 - step)).max() <= 0.501 * step


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
