"""Fixtures of the command line's tests."""

import shutil

import mido
import pytest

from rtwave.cli.main import run

from ..small_preset import write_small_preset


@pytest.fixture(scope="session")
def song(tmp_path_factory):
    """A MIDI file of 0.6 s: chords under a pedal, a bend and the wheel."""
    track = mido.MidiTrack([mido.Message("control_change", control=64, value=127)])
    for step in range(10):
        track.append(mido.Message("note_on", note=45 + 4 * step, velocity=40 + 8 * step, time=38))
        track.append(mido.Message("pitchwheel", pitch=300 * step, time=10))
        track.append(mido.Message("control_change", control=1, value=10 * step))
        track.append(mido.Message("note_off", note=45 + 4 * step, time=10))
    path = tmp_path_factory.mktemp("songs") / "song.mid"
    mido.MidiFile(type=0, tracks=[track]).save(path)
    return path


@pytest.fixture(scope="session")
def _bell(tmp_path_factory, song):
    return write_small_preset(tmp_path_factory.mktemp("presets") / "bell", demo=song).folder


@pytest.fixture
def bell(_bell, tmp_path):
    """Folder of a small preset, this test's own to damage; its demo is `song`."""
    return shutil.copytree(_bell, tmp_path / "bell")


@pytest.fixture
def rtwave(capfd):
    """Run a command line in this process; gives (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call
