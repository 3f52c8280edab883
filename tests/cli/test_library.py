"""`rtwave render --library`: a folder of notes that samplers and `prepare` read, or one line that says what to do."""

import re

import pytest

SHORT = ["--seconds", "0.5", "--release", "0.2"]


@pytest.fixture
def library(rtwave, bell, tmp_path):
    """Folder of a small library."""
    folder = tmp_path / "notes"
    options = ["--keys", "57,60-61", "--velocities", "40,100", *SHORT]
    code, out, err = rtwave("render", "--library", folder, "--preset", bell, *options)
    assert (code, out) == (0, "")
    assert err == f"wrote 6 notes and {folder / 'bell.sfz'}, which maps them\n"
    return folder


def test_a_library_is_a_folder_of_named_notes_and_their_map(library):
    notes = {f"{key}_v{velocity}.flac" for key in ("A3", "C4", "C#4") for velocity in ("040", "100")}
    assert {path.name for path in library.iterdir()} == notes | {"bell.sfz"}


@pytest.mark.parametrize("source", [".", "bell.sfz"])
def test_a_library_can_be_prepared_again(library, source):
    pytest.importorskip("soxr")
    from rtwave.training.gather import Request, gather

    found = gather(Request([library / source]))
    velocities = {57: [40, 100], 60: [40, 100], 61: [40, 100]}
    read = {note: sorted(item.velocity for item in found.recordings if item.note == note) for note in velocities}
    if source == ".":
        assert read == velocities
    else:  # the middle of what they answer
        assert read == {57: [35.5, 99.0], 60: [35.5, 99.0], 61: [35.5, 99.0]}
        assert found.damper_s == pytest.approx(0.06, abs=1e-3)
    assert found.warnings == []
    for item in found.recordings:
        samples, rate = item.load()
        assert rate == 16_000
        assert 0.5 * rate < len(samples) < 0.8 * rate


def test_one_number_says_how_many_velocities(rtwave, bell, tmp_path):
    start = ["render", "--library", tmp_path / "notes", "--preset", bell, "--format", "wav"]
    assert rtwave(*start, "--keys", "60", "--velocities", "3", *SHORT)[0] == 0
    names = {path.name for path in (tmp_path / "notes").iterdir()}
    assert names == {"C4_v042.wav", "C4_v085.wav", "C4_v127.wav", "bell.sfz"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--keys", "60-200"], "--keys is '60,200', expected numbers of 0 to 127"),
        (["--keys", "61-60"], "--keys is '61-60', expected keys of 0 to 127"),
        (["--velocities", "0"], "--velocities is '0', expected numbers of 1 to 127"),
        (["--velocities", "loud"], "--velocities is 'loud'"),
        (["--seconds", "0"], "seconds is 0.0, expected 0.05 to 600 s"),
        (["--seconds", "1e9"], "seconds is 1000000000.0, expected 0.05 to 600 s"),
        (["--release", "nan"], "release is nan, expected 0 to 60 s"),
        (["--voices", "0"], "voices is 0"),
        (["--threads", "0"], "threads is 0"),
        (["--preset", "nosuch"], "no preset 'nosuch'"),
        (["--tail", "3"], "--tail is given with --library"),
        (["--transpose", "1"], "--transpose is given with --library"),
        (["-o", "a.wav"], "--output is given with --library"),
    ],
)
def test_what_cannot_be_is_one_line_and_makes_no_folder(rtwave, bell, tmp_path, options, problem):
    code, out, err = rtwave("render", "--library", tmp_path / "notes", "--preset", bell, *options)
    assert (code, out) == (1, "")
    assert re.fullmatch(rf"rtwave: {re.escape(problem)}.*\n", err)
    assert not (tmp_path / "notes").exists()


def test_options_of_a_library_without_one_are_refused(rtwave, song, tmp_path):
    code, _, err = rtwave("render", song, "-o", tmp_path / "song.wav", "--keys", "60")
    assert code == 1
    assert err.startswith("rtwave: --keys is given without --library")
