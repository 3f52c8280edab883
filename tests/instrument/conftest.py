"""Fixtures of the instrument's tests."""

import mido
import pytest

from ..small_preset import small_weights, write_small_preset


@pytest.fixture(scope="session")
def bell(tmp_path_factory):
    """Folder of a small preset."""
    return write_small_preset(tmp_path_factory.mktemp("presets") / "bell").folder


@pytest.fixture(scope="session")
def drum(tmp_path_factory):
    """Folder of another small preset, of another rate."""
    return write_small_preset(tmp_path_factory.mktemp("presets") / "drum", small_weights(1, sample_rate=22_050)).folder


@pytest.fixture
def song(tmp_path):
    """A MIDI file of half a second: notes, a pedal, a bend, the wheel."""
    track = mido.MidiTrack()
    for step in range(12):
        track.append(mido.Message("note_on", note=50 + 3 * step, velocity=30 + 8 * step, time=15))
        track.append(mido.Message("pitchwheel", pitch=600 * step, time=7))
        track.append(mido.Message("control_change", control=1, value=10 * step))
        track.append(mido.Message("control_change", control=64, value=127 * (step % 3 == 0), time=4))
        track.append(mido.Message("note_off", note=50 + 3 * step, time=14))
    path = tmp_path / "song.mid"
    mido.MidiFile(type=0, tracks=[track]).save(path)
    return path
