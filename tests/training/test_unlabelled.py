import csv

import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.prepare import prepare
from rtwave.training.sources import Found
from rtwave.training.unlabelled import COLUMNS, find_notes, infer_velocities, write_labels

from .melodies import Played, sing

RATE = 22_050
PARTIALS = [1.0, 0.5, 0.2]
PLAYED = [Played(0.7 * n + 0.2, 0.7 * n + 0.7, 60 + 2 * n, 0.4 * 0.8**n) for n in range(8)]


@pytest.fixture
def folder(tmp_path):
    """Two files of four notes each, one of silence, and one that is no audio."""
    for name, played in (("one", PLAYED[:4]), ("two", PLAYED[4:])):
        first = played[0].start_s - 0.2
        moved = [Played(note.start_s - first, note.end_s - first, note.key, note.level) for note in played]
        soundfile.write(tmp_path / f"{name}.wav", sing(moved, RATE, partials=PARTIALS), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    (tmp_path / "words.txt").write_text("x")
    return tmp_path


def test_a_folder_of_recordings_becomes_labelled_notes(folder):
    notes, skipped = find_notes([folder])
    assert [note.note for note in notes] == [60, 62, 64, 66, 68, 70, 72, 74]
    assert all(abs(note.cents) < 10 and note.confidence > 0.9 for note in notes)
    assert {item.path.name: item.reason for item in skipped} == {
        "silence.wav": "silent, or no note in it",
        "words.txt": "not an audio file that is read here (.txt)",
    }
    samples, rate = notes[1].load()
    assert rate == RATE
    assert samples.dtype == np.float32
    assert len(samples) / rate == pytest.approx(notes[1].end_s - notes[1].start_s, abs=1e-3)
    assert 0.5 < len(samples) / rate < 0.6
    assert len({note.name for note in notes}) == 8


def test_velocity_is_the_rank_of_a_level_within_its_register():
    pitch = np.array([60.0, 61.0, 62.0, 90.0, 91.0, 92.0])
    level = np.array([-30.0, -20.0, -10.0, -20.0, -10.0, 0.0])
    np.testing.assert_allclose(infer_velocities(pitch, level), [30, 70, 110, 30, 70, 110])
    assert infer_velocities(pitch[:3], level[:3]).tolist() == [20, 70, 120]


def test_equal_levels_are_one_velocity_and_not_ranks_of_nothing():
    assert set(infer_velocities(np.full(5, 60.0), np.array([-20.0, -20.5, -19.5, -20.1, -19.9]))) == {100.0}
    assert infer_velocities(np.zeros(0), np.zeros(0)).tolist() == []


def test_what_was_found_can_be_corrected_and_given_back(folder, tmp_path):
    labels = tmp_path / "corpus" / "notes.csv"
    labels.parent.mkdir()
    found, _ = find_notes([folder / "one.wav"])
    write_labels(labels, found)
    with labels.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    rows[0]["note"], rows[1]["velocity"] = "C#3", "33"
    del rows[2]
    with labels.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    notes, skipped = find_notes([folder / "one.wav"], labels)
    assert [note.note for note in notes] == [49, 62, 66]
    assert notes[1].velocity == 33
    assert skipped == []
    assert notes[2].start_s == pytest.approx(found[3].start_s, abs=1e-4)


def test_labels_follow_a_file_that_moved(folder, tmp_path):
    labels = tmp_path / "notes.csv"
    rows = ("/gone/one.wav,0.2,0.7,60", "/gone/none.wav,0,1,60", "one.wav,0.9,0.2,60", "one.wav,0.2,inf,60")
    labels.write_text("file,start_s,end_s,note\n" + "\n".join(rows) + "\n")
    notes, skipped = find_notes([folder], labels)
    assert [(note.file, note.velocity) for note in notes] == [(folder / "one.wav", 100)]
    reasons = [item.reason for item in skipped if "line" in item.reason]
    out_of_range = [f"notes.csv line {line}: note, velocity or times out of range" for line in (4, 5)]
    assert reasons == ["notes.csv line 3: no such file", *out_of_range]


@pytest.mark.parametrize("text", ["file,note\na.wav,60\n", "file,start_s,end_s,note\na.wav,0,soon,60\n", "\x00\xff"])
def test_bad_labels_are_one_clear_error(folder, text):
    labels = folder / "bad.csv"
    labels.write_text(text, encoding="latin-1")
    with pytest.raises(RtwaveError, match=r"bad\.csv.*expected columns|no note found"):
        find_notes([folder], labels)


def test_nothing_to_find_is_one_clear_error(tmp_path):
    with pytest.raises(RtwaveError, match="no such file or folder"):
        find_notes([tmp_path / "none"])
    with pytest.raises(RtwaveError, match="no note found; expected"):
        find_notes([tmp_path])
    (tmp_path / "broken.wav").write_bytes(b"RIFFxxxx")
    soundfile.write(tmp_path / "nan.wav", np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    with pytest.raises(RtwaveError, match="no note found; 3 skipped, the first because: cannot be read as audio"):
        find_notes([tmp_path])


def test_found_notes_make_a_corpus_that_names_their_places(folder, tmp_path):
    notes, skipped = find_notes([folder])
    index = prepare(Found(notes, skipped), tmp_path / "out", partials=4)
    corpus = Corpus(tmp_path / "out")
    assert [entry.note for entry in index.entries] == [60, 62, 64, 66, 68, 70, 72, 74]
    assert "one.wav at 0:00" in index.entries[0].source
    for entry in index.entries:
        start = np.abs(corpus.sound(entry)[: index.sample_rate // 20])
        assert start.max() > 0.2 * np.abs(corpus.sound(entry)).max(), "it begins at its onset"
