import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.prepare import prepare
from rtwave.training.sources import Found
from rtwave.training.texture import find_pieces, timbre_names

RATE = 4000


def write(path, seconds, level=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, level * np.random.default_rng(0).standard_normal(int(seconds * RATE)), RATE)


def test_a_file_is_cut_evenly_into_pieces_of_at_most_30_s_and_nothing_is_lost(tmp_path):
    write(tmp_path / "rain.wav", 95)
    pieces, skipped = find_pieces([tmp_path])
    loaded = [piece.load() for piece in pieces]
    assert [len(samples) for samples, _ in loaded] == [23.75 * RATE] * 4
    whole = soundfile.read(tmp_path / "rain.wav", dtype="float32")[0]
    np.testing.assert_array_equal(np.concatenate([samples for samples, _ in loaded]), whole)
    assert {(piece.note, piece.velocity, piece.timbre) for piece in pieces} == {(60.0, 100.0, 0.0)}
    assert pieces[1].source == f"{tmp_path / 'rain.wav'} at 0:23.75 to 0:47.50"
    assert skipped == []


def test_each_path_is_a_timbre(tmp_path):
    write(tmp_path / "rain" / "a.wav", 2)
    write(tmp_path / "rain" / "b.flac", 2)
    write(tmp_path / "sea.wav", 2)
    paths = [tmp_path / "rain", tmp_path / "sea.wav"]
    pieces, _ = find_pieces(paths)
    assert [piece.timbre for piece in pieces] == [0.0, 0.0, 1.0]
    assert timbre_names(paths) == ["rain", "sea"]
    assert len({piece.name for piece in pieces}) == 3


def test_what_is_short_silent_or_no_audio_is_left_out_with_its_reason(tmp_path):
    write(tmp_path / "good.wav", 2)
    write(tmp_path / "short.wav", 0.5)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "words.txt").write_text("x")
    pieces, skipped = find_pieces([tmp_path])
    assert [piece.name.split("/")[-1] for piece in pieces] == ["good.wav 0:00.00"]
    reasons = {item.path.name: item.reason.split()[0] for item in skipped}
    assert reasons == {"words.txt": "not", "short.wav": "too", "broken.wav": "cannot"}
    write(tmp_path / "silent.wav", 2, level=0.0)
    with pytest.raises(RtwaveError, match="silent"):
        find_pieces([tmp_path / "silent.wav"])[0][0].load()


def test_too_many_timbres_or_none_are_one_clear_error(tmp_path):
    with pytest.raises(RtwaveError, match="17 files and folders, expected 16 at most"):
        find_pieces([tmp_path] * 17)
    with pytest.raises(RtwaveError, match="no audio in it that can be used"):
        find_pieces([tmp_path])
    with pytest.raises(RtwaveError, match="no such file"):
        find_pieces([tmp_path / "none"])


def test_pieces_make_a_corpus_of_texture(tmp_path):
    write(tmp_path / "rain" / "a.wav", 40)
    paths = [tmp_path / "rain"]
    index = prepare(Found(*find_pieces(paths), timbres=timbre_names(paths)), tmp_path / "out", kind="texture")
    assert index.kind == "texture"
    assert index.partials == 0
    assert Corpus(tmp_path / "out").seconds == pytest.approx(40.0, abs=0.01)
