"""What every fault befalls: a small preset, a tune of some seconds, and what the tune should sound like."""

import subprocess

import mido
import numpy as np
import pytest
import soundfile

from rtwave.instrument.render import render_midi

from ..small_preset import write_small_preset

TUNE_S = 3.0


@pytest.fixture(scope="session")
def bell(tmp_path_factory):
    """Folder of a small preset."""
    return write_small_preset(tmp_path_factory.mktemp("presets") / "bell").folder


@pytest.fixture(scope="session")
def tune(tmp_path_factory):
    """A MIDI file of TUNE_S."""
    track = mido.MidiTrack()
    for step in range(int(TUNE_S / 0.25)):
        key = 48 + 5 * step % 31
        track.append(mido.Message("note_on", note=key, velocity=100))
        track.append(mido.Message("note_off", note=key, time=240))  # a quarter of a second
    path = tmp_path_factory.mktemp("songs") / "tune.mid"
    mido.MidiFile(type=0, tracks=[track]).save(path)
    return path


@pytest.fixture(scope="session")
def rendered(bell, tune):
    """What the tune should sound like, float32, at the preset's own rate, which the null output takes on."""
    return render_midi(tune, bell)


@pytest.fixture
def same_beginning(rendered):
    """Check that a recording is whole, and is the tune to the bit up to its own last fade; gives its seconds."""

    def check(path) -> float:
        recorded, rate = soundfile.read(path, dtype="float32")
        recorded = recorded[: min(len(recorded), len(rendered)) - 64]
        assert np.abs(recorded).max() > 0.01
        assert np.array_equal(recorded, rendered[: len(recorded)])
        return len(recorded) / rate

    return check


@pytest.fixture
def small_disk(request, tmp_path):
    """A folder on a disk of its own, with room for as much as the file's DISK says."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={request.module.DISK}"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", folder], capture_output=True).returncode:
        pytest.skip("may not mount a disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
