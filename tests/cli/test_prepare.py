"""Every source by the command an experimenter types, and what is said of bad ones."""

import re
import shutil

import mido
import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.cli.main import run
from rtwave.training.corpus import Corpus

from ..conftest import pluck
from ..training.soundfonts import write_soundfont

KEYS = {"C4": 60, "E4": 64, "G4": 67, "C5": 72}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One of each: a folder of notes, an SFZ file, a SoundFont, drums, a song with its MIDI file, a texture."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("notes", "kit"):
        (folder / name).mkdir()
    for name, note in KEYS.items():
        soundfile.write(folder / "notes" / f"{name}.wav", pluck(note, 100, 1.8), 44_100)
    for key in (36, 38, 42):
        hit = 0.5 * np.random.default_rng(key).standard_normal(8000) * np.exp(-np.arange(8000) / 800)
        for velocity in (50, 100):
            soundfile.write(folder / "kit" / f"hit_{key}_v{velocity}.wav", hit * velocity / 100, 16_000)
    regions = (f"<region> sample=notes/{name}.wav key={note}" for name, note in KEYS.items())
    (folder / "bell.sfz").write_text("\n".join(regions))
    write_soundfont(folder / "test.sf2")
    notes = [*KEYS.values(), *KEYS.values()]
    soundfile.write(folder / "song.wav", np.concatenate([pluck(note, 100, 0.9, 16_000) for note in notes]), 16_000)
    track = mido.MidiTrack()
    for note in notes:
        track.append(mido.Message("note_on", note=note, velocity=90, time=80))
        track.append(mido.Message("note_off", note=note, time=803))
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(folder / "song.mid")
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000 * 9)
    soundfile.write(folder / "rain.wav", noise, 16_000)
    return folder


SOURCES = {
    "folder": (["notes"], "notes", 4),
    "sfz": (["bell.sfz"], "notes", 4),
    "morph": (["notes", "bell.sfz"], "notes", 8),
    "soundfont": (["test.sf2", "--keys", "50-62", "--velocities", "60,120", "--seconds", "1"], "notes", 10),
    "programs": (["--soundfont", "test.sf2", "--program", "0", "--program", "5", "--seconds", "1"], "notes", 36),
    "kit of a soundfont": (["test.sf2", "--bank", "128", "--seconds", "0.5"], "drums", 12),
    "drums": (["kit", "--kind", "drums", "--seconds", "3"], "drums", 6),
    "song": (["song.wav", "--midi", "song.mid"], "notes", 8),
    "unlabelled": (["song.wav", "--kind", "unlabelled"], "notes", 8),
    "texture": (["rain.wav", "--kind", "texture"], "texture", 1),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_becomes_a_corpus_with_a_page_that_shows_it(folder, tmp_path, monkeypatch, capsys, source):
    words, kind, count = SOURCES[source]
    if ("soundfont" in source or source == "programs") and shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is not installed")
    monkeypatch.chdir(folder)
    code = run(["prepare", *words, "--out", str(tmp_path / "corpus")])
    said = capsys.readouterr()
    assert code == 0, said.err
    index = Corpus(tmp_path / "corpus").index
    assert (index.kind, len(index.entries)) == (kind, count)
    assert f"{count} {'pieces' if kind == 'texture' else 'recordings'}" in said.out
    assert (tmp_path / "corpus" / "report.html").is_file()
    assert (tmp_path / "corpus" / "notes.csv").is_file() == (source == "unlabelled")
    if kind == "notes":
        assert all(abs(entry.cents) < 2.0 for entry in index.entries)
        assert index.warnings == [] or source == "song"


def test_what_was_prepared_is_told_by_the_names_of_keys_and_of_a_texture_by_its_pieces(folder, tmp_path, capsys):
    assert run(["prepare", str(folder / "notes"), "--out", str(tmp_path / "notes")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^ +C4: +\d+ recordings?, +[-+]\d", told, re.MULTILINE), told
    rain = str(folder / "rain.wav")
    assert run(["prepare", rain, rain, "--kind", "texture", "--out", str(tmp_path / "rain")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^ rain: \d pieces$", told, re.MULTILINE), told
    assert "C4" not in told


def test_labels_that_a_person_may_have_corrected_are_never_written_over(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    words = ["prepare", "song.wav", "--kind", "unlabelled", "--out", str(tmp_path)]
    assert run(words) == 0
    labels = tmp_path / "notes.csv"
    corrected = "".join(labels.read_text().splitlines(keepends=True)[:-1])
    labels.write_text(corrected)
    capsys.readouterr()
    (tmp_path / "others.csv").write_text(corrected)
    for others in ([], ["--labels", str(tmp_path / "others.csv")]):
        assert run([*words, *others]) == 1
        assert "notes.csv: is there, perhaps corrected; say --labels" in capsys.readouterr().err
    assert run([*words, "--labels", str(labels)]) == 0
    assert labels.read_text() == corrected
    assert len(Corpus(tmp_path).index.entries) == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to prepare; name a folder of recordings"),
        (["nowhere"], "nowhere: no such folder"),
        (["notes/C4.wav"], "a recording, expected a folder of labelled ones; name that"),
        (["notes", "--soundfont", "test.sf2"], "notes: beside --soundfont, expected one or the other"),
        (["bell.sfz", "--keys", "c4"], "--keys is 'c4', expected numbers of 0 to 127"),
        (["test.sf2", "--keys", "90-30"], "--keys is '90-30', expected keys of 0 to 127"),
        (["test.sf2", "--velocities", "0,50"], "--velocities is '0,50', expected numbers of 1 to 127"),
        (["test.sf2", "--program", "3"], "no program 3 in bank 0; it has 0 Organ, 5 Harp"),
        (["song.mid.sf2"], "song.mid.sf2: cannot be read (No such file or directory)"),
        (["notes", "--midi", "song.mid"], "belongs to one audio file, but 4 were found"),
        (["gone.sfz"], "gone.sfz cannot be read"),
        (["notes", "--out", "bell.sfz/corpus"], "cannot write the corpus (Not a directory)"),
    ],
)
def test_bad_sources_are_one_line_and_a_non_zero_exit(folder, monkeypatch, capsys, words, message):
    if any(word.startswith("test.sf2") for word in words) and shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is not installed")
    monkeypatch.chdir(folder)
    assert run(["prepare", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
