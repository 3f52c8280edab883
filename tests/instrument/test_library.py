"""A library: each file is what a render of that note alone gives, and whatever ends the work, files are whole."""

import errno
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from rtwave.errors import RtwaveError
from rtwave.instrument import library as library_module
from rtwave.instrument.library import Library, render_library, spread_velocities
from rtwave.instrument.render import render_midi
from rtwave.instrument.settings import Settings

SHORT = {"seconds": 0.2, "release_s": 0.1, "suffix": ".wav"}


def one_note(path: Path, key: int, velocity: int, seconds: float) -> Path:
    """A MIDI file of one note."""
    ticks = round(seconds * 960)
    notes = [mido.Message("note_on", note=key, velocity=velocity), mido.Message("note_off", note=key, time=ticks)]
    mido.MidiFile(type=0, tracks=[mido.MidiTrack(notes)]).save(path)
    return path


def samples(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0]


def rendered(tmp_path: Path, key: int, velocity: int, preset: Path, **settings: object) -> np.ndarray:
    """What render makes of that note, without the silence after it."""
    song = one_note(tmp_path / "note.mid", key, velocity, SHORT["seconds"])
    sound = render_midi(song, preset, tail_s=SHORT["release_s"], **settings)
    return sound[: np.flatnonzero(sound)[-1] + 1]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seed": 7},
        {"precision": "bfloat16"},
        {"gain_db": 12.0, "temperature": 1.5},
        {"tune_hz": 450.0, "velocity_curve": 0.5, "voices": 3},
    ],
    ids=str,
)
def test_each_file_is_what_render_makes_of_that_note(bell, tmp_path, settings):
    library = Library(keys=(21, 60, 61, 100), velocities=(1, 64, 127), **SHORT)
    render_library(tmp_path / "notes", library, Settings(preset=str(bell), **settings))
    files = sorted(path.name for path in (tmp_path / "notes").iterdir())
    assert files == sorted(
        [f"{key}_v{velocity}.wav" for key in ("A0", "C4", "C#4", "E7") for velocity in ("001", "064", "127")]
        + ["bell.sfz"]
    )
    for key in library.keys:
        for velocity in library.velocities:
            written = samples(tmp_path / "notes" / library.name(key, velocity))
            assert np.array_equal(written, rendered(tmp_path, key, velocity, bell, **settings))


def test_notes_above_full_scale_are_bent_as_render_bends_them(bell, tmp_path):
    library = Library(keys=(60,), velocities=(100, 127), **SHORT)
    loud = {"temperature": 2.0, "gain_db": 12.0, "seed": 3}
    render_library(tmp_path / "notes", library, Settings(preset=str(bell), **loud))
    written = samples(tmp_path / "notes" / "C4_v127.wav")
    assert np.abs(written).max() > 0.8
    assert np.array_equal(written, rendered(tmp_path, 60, 127, bell, **loud))


@pytest.mark.parametrize("batch_bytes", [1, 2**17, 2**28])
def test_how_many_are_rendered_at_a_time_changes_no_sample(bell, tmp_path, monkeypatch, batch_bytes):
    monkeypatch.setattr(library_module, "BATCH_BYTES", batch_bytes)
    library = Library(keys=(60, 64), velocities=tuple(range(1, 128, 6)), **SHORT)  # more than there are channels
    render_library(tmp_path / "notes", library, Settings(preset=str(bell)), threads=2)
    for velocity in (1, 97, 127):
        written = samples(tmp_path / "notes" / library.name(64, velocity))
        assert np.array_equal(written, rendered(tmp_path, 64, velocity, bell))


def test_a_device_renders_a_batch_as_it_renders_each_note(bell, tmp_path):
    pytest.importorskip("torch")
    library = Library(keys=(60, 64), velocities=(64, 127), **SHORT)
    render_library(tmp_path / "notes", library, Settings(preset=str(bell)), device="torch")
    for key, velocity in ((60, 64), (64, 127)):
        written = samples(tmp_path / "notes" / library.name(key, velocity))
        alone = rendered(tmp_path, key, velocity, bell, device="torch")
        assert len(written) == len(alone)
        assert np.abs(written - alone).max() < 1e-5
        assert np.abs(written - rendered(tmp_path, key, velocity, bell, precision="float32")).max() < 1e-4


def test_flac_is_the_same_to_24_bits(bell, tmp_path):
    for suffix in (".wav", ".flac"):
        library = Library(keys=(60,), velocities=(90,), **(SHORT | {"suffix": suffix}))
        render_library(tmp_path / suffix[1:], library, Settings(preset=str(bell)))
    exact, rounded = samples(tmp_path / "wav" / "C4_v090.wav"), samples(tmp_path / "flac" / "C4_v090.flac")
    assert np.abs(exact - rounded).max() <= 2.0**-23


def test_progress_rises_to_the_end(bell, tmp_path):
    told = []
    render_library(
        tmp_path / "notes",
        Library(keys=(60, 62), velocities=(64,), **SHORT),
        Settings(preset=str(bell), voices=1),
        progress=told.append,
    )
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_an_interruption_leaves_whole_files_and_no_map(bell, tmp_path):
    library, shares = Library(keys=(60, 61, 62), velocities=(64,), **SHORT), []

    def interrupt(share: float) -> None:
        shares.append(share)
        if share > 0.7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_library(tmp_path / "notes", library, Settings(preset=str(bell), voices=1), progress=interrupt)
    assert sorted(path.name for path in (tmp_path / "notes").iterdir()) == ["C#4_v064.wav", "C4_v064.wav"]
    assert np.array_equal(samples(tmp_path / "notes" / "C#4_v064.wav"), rendered(tmp_path, 61, 64, bell))


def test_a_full_disk_is_one_line_and_leaves_whole_files(bell, tmp_path, monkeypatch):
    write, room = Path.write_bytes, [2]

    def until_full(path: Path, data: bytes) -> int:
        if not room[0]:
            write(path, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= 1
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", until_full)
    library = Library(keys=(60, 61, 62, 63), velocities=(64,), **SHORT)
    with pytest.raises(RtwaveError, match=r"cannot be written \(No space left on device\)") as caught:
        render_library(tmp_path / "notes", library, Settings(preset=str(bell)))
    assert "\n" not in str(caught.value)
    there = list((tmp_path / "notes").iterdir())
    assert len(there) == 2
    assert all(len(samples(path)) > 1000 for path in there)


def test_nothing_that_is_there_is_overwritten(bell, tmp_path):
    (tmp_path / "C4_v064.wav").write_bytes(b"precious")
    with pytest.raises(RtwaveError, match=r"holds C4_v064\.wav already; name another folder"):
        render_library(tmp_path, Library(keys=(60,), velocities=(64,), **SHORT), Settings(preset=str(bell)))
    assert (tmp_path / "C4_v064.wav").read_bytes() == b"precious"


def test_velocities_are_spread_evenly_up_to_the_loudest():
    assert spread_velocities(1) == (127,)
    assert spread_velocities(4) == (32, 64, 95, 127)
    assert spread_velocities(127) == tuple(range(1, 128))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"keys": ()}, "keys are none, expected different ones from 0 to 127"),
        ({"keys": (60, 128)}, "keys are 60, 128"),
        ({"keys": (61, 60)}, "rising"),
        ({"velocities": (0, 64)}, "velocities are 0, 64, expected different ones from 1 to 127"),
        ({"seconds": 0.0}, r"seconds is 0.0, expected 0.05 to 600 s"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"release_s": -1.0}, "release is -1.0, expected 0 to 60 s"),
        ({"suffix": ".mp3"}, r"suffix is '.mp3', expected .wav or .flac"),
    ],
)
def test_an_impossible_library_is_one_clear_line(change, problem):
    with pytest.raises(RtwaveError, match=problem):
        Library(**({"keys": (60,), "velocities": (64,)} | change))


@pytest.mark.parametrize(
    "settings", [{"transpose": 1}, {"channel": 2}, {"mpe": True}, {"sample_rate": 48_000}], ids=str
)
def test_settings_of_a_song_are_refused(bell, tmp_path, settings):
    with pytest.raises(RtwaveError, match=f"{next(iter(settings))} is given for a library"):
        render_library(
            tmp_path / "notes", Library(keys=(60,), velocities=(64,)), Settings(preset=str(bell), **settings)
        )


@pytest.mark.parametrize("place", ["none/notes", "file", "/proc/notes"])
def test_a_folder_that_cannot_be_is_one_clear_line(bell, tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(RtwaveError, match="cannot hold a library") as caught:
        render_library(tmp_path / place, Library(keys=(60,), velocities=(64,)), Settings(preset=str(bell)))
    assert "\n" not in str(caught.value)
