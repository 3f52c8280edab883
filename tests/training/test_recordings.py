import os

import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.parts import read_part
from rtwave.training.pitch import track
from rtwave.training.recordings import find_recordings, parse_name, read_samples


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("A0v4", (21, 4)),
        ("piano_C#4_v100", (61, 100)),
        ("Bb3-vel64", (58, 64)),
        ("Ds2 v7", (39, 7)),
        ("C-1_v1", (0, 1)),
        ("flute_G9", (127, None)),
        ("room tone", (None, None)),
        ("v100", (None, 100)),
        ("Cello_C3_v20", (48, 20)),
    ],
)
def test_note_and_velocity_are_read_from_names(stem, expected):
    assert parse_name(stem) == expected


def touch(folder, *names):
    for name in names:
        soundfile.write(folder / name, np.zeros(10), 8000)


def test_small_numbers_count_layers_and_large_ones_are_velocities(tmp_path):
    touch(tmp_path, "A4v1.wav", "A4v4.wav")
    assert [item.velocity for item in find_recordings(tmp_path)[0]] == pytest.approx([127 / 4, 127])
    touch(tmp_path, "A4v100.wav")
    assert [item.velocity for item in find_recordings(tmp_path)[0]] == [1, 4, 100]


def test_everything_left_out_is_listed_with_a_reason(tmp_path):
    touch(tmp_path, "A4_v64.wav", "hum.wav", "A4_v200.wav", "A4_v0.wav")
    (tmp_path / "notes.txt").write_text("x")
    found, skipped = find_recordings(tmp_path)
    assert [item.name for item in found] == ["A4_v64.wav"]
    reasons = {item.path.name: item.reason for item in skipped}
    assert set(reasons) == {"hum.wav", "A4_v200.wav", "A4_v0.wav", "notes.txt"}
    assert "no note" in reasons["hum.wav"]
    assert "not an audio file" in reasons["notes.txt"]


def test_a_manifest_labels_files_of_any_name(tmp_path):
    touch(tmp_path, "one.wav", "two.wav")
    (tmp_path / "manifest.csv").write_text(
        "file,note,velocity,knob1\none.wav,C#4,90,0.5\ntwo.wav,61.5,30,\nno.wav,60,1,\n"
    )
    found, skipped = find_recordings(tmp_path)
    assert [(item.note, item.velocity, item.knobs[0]) for item in found] == [(61, 90, 0.5), (61.5, 30, 0)]
    assert [item.reason for item in skipped] == ["manifest line 4: no such file"]


def test_a_damaged_line_of_a_manifest_is_skipped(tmp_path):
    touch(tmp_path, "a.wav")
    (tmp_path / "manifest.csv").write_text("file,note,velocity\na.wav,60,90\nb\0.wav,61,90\na.wav,nan,90\n")
    found, skipped = find_recordings(tmp_path)
    assert [item.note for item in found] == [60]
    assert [item.reason.split(":")[0] for item in skipped] == ["manifest line 3", "manifest line 4"]


@pytest.mark.parametrize(
    "text", ["file,note\na.wav,60\n", "file,note,velocity\na.wav,loud,9\n", "note,velocity,file\n60,9\n", "\x00"]
)
def test_a_bad_manifest_is_one_clear_error(tmp_path, text):
    touch(tmp_path, "a.wav")
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(RtwaveError, match=r"manifest\.csv|no labelled recording"):
        find_recordings(tmp_path)


def test_an_empty_or_missing_folder_says_what_is_expected(tmp_path):
    with pytest.raises(RtwaveError, match="no labelled recording found"):
        find_recordings(tmp_path)
    with pytest.raises(RtwaveError, match="no such folder"):
        find_recordings(tmp_path / "none")


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"), [(8000, "PCM_U8", 1), (192_000, "PCM_24", 2), (44_100, "DOUBLE", 6)]
)
def test_any_rate_depth_and_channels_give_the_first_channel(tmp_path, rate, subtype, channels):
    time = np.arange(rate) / rate
    sound = np.zeros((rate, channels))
    sound[:, 0] = 0.5 * np.sin(2 * np.pi * 440 * time)
    sound[:, 1:] = 0.9
    soundfile.write(tmp_path / "a.wav", sound, rate, subtype=subtype)
    samples, found_rate = read_samples(tmp_path / "a.wav")
    assert (samples.dtype, len(samples), found_rate) == (np.float32, rate, rate)
    expected = sound[:, 0]
    tolerance = 0.01 if subtype == "PCM_U8" else 1e-3
    assert np.abs(samples - expected).max() < tolerance


def test_a_cable_in_the_second_input_is_heard(tmp_path):
    sound = np.zeros((800, 2))
    sound[:, 1] = 0.5 * np.sin(np.arange(800))
    soundfile.write(tmp_path / "a.wav", sound, 8000, subtype="FLOAT")
    np.testing.assert_allclose(read_samples(tmp_path / "a.wav")[0], sound[:, 1], atol=1e-6)


def test_a_file_that_is_no_audio_or_holds_nan_says_why(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFFxxxxWAVE")
    with pytest.raises(RtwaveError, match="cannot be read as audio"):
        read_samples(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", np.full(100, np.nan, np.float32), 16_000, subtype="FLOAT")
    with pytest.raises(RtwaveError, match="NaN"):
        read_samples(tmp_path / "b.wav")


@pytest.mark.parametrize("read", [read_samples, lambda path: read_part(path, 0.0, 3.0), track])
def test_a_file_at_a_rate_of_no_sound_says_so(tmp_path, read):
    soundfile.write(tmp_path / "a.wav", np.full(400, 0.1), 99)
    with pytest.raises(RtwaveError, match="recorded at 99 Hz, expected 1000 Hz or more"):
        read(tmp_path / "a.wav")


def test_a_file_that_the_manifest_does_not_list_is_named_as_skipped(tmp_path):
    touch(tmp_path, "one.wav", "two.wav")
    (tmp_path / "manifest.csv").write_text("file,note,velocity\n./one.wav,60,90\n")
    found, skipped = find_recordings(tmp_path)
    assert [item.name for item in found] == ["one.wav"]
    assert [(item.path.name, item.reason) for item in skipped] == [("two.wav", "not in the manifest")]


def test_a_manifest_may_begin_with_a_byte_order_mark(tmp_path):
    touch(tmp_path, "one.wav")
    (tmp_path / "manifest.csv").write_text("file,note,velocity\none.wav,60,90\n", encoding="utf-8-sig")
    assert len(find_recordings(tmp_path)[0]) == 1


def forbid(monkeypatch, folder):
    """No one may list `folder`, not even root, whom permissions do not stop."""
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path) == str(folder):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_subfolder_that_cannot_be_read_is_named_as_skipped(tmp_path, monkeypatch):
    (tmp_path / "secret").mkdir()
    touch(tmp_path, "A4.wav", "secret/B4.wav")
    (tmp_path / "C4.wav").symlink_to(tmp_path / "gone.wav")
    forbid(monkeypatch, tmp_path / "secret")
    found, skipped = find_recordings(tmp_path)
    assert [item.name for item in found] == ["A4.wav"]
    assert {item.path.name: item.reason for item in skipped} == {
        "secret": "cannot be read (Permission denied)",
        "C4.wav": "not a file that can be read",
    }


def test_a_folder_that_cannot_be_read_is_one_clear_error(tmp_path, monkeypatch):
    forbid(monkeypatch, tmp_path)
    with pytest.raises(RtwaveError, match=r"no labelled recording.*cannot be read \(Permission denied\)"):
        find_recordings(tmp_path)
