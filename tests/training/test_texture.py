import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.dataset import Dataset
from rtwave.training.prepare import prepare
from rtwave.training.sources import Found
from rtwave.training.texture import find_pieces, timbre_names
from rtwave.wavenet.config import WaveNetConfig

RATE = 4000


def write(path, seconds, level=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, level * np.random.default_rng(0).standard_normal(int(seconds * RATE)), RATE)


def test_a_file_is_cut_evenly_into_pieces_of_at_most_30_s_and_nothing_is_lost(tmp_path):
    write(tmp_path / "rain.wav", 100)
    pieces, skipped = find_pieces([tmp_path])
    loaded = [piece.load() for piece in pieces]
    assert [len(samples) for samples, _ in loaded] == [30 * RATE] * 3 + [10 * RATE]
    whole = soundfile.read(tmp_path / "rain.wav", dtype="float32")[0]
    np.testing.assert_array_equal(np.concatenate([samples for samples, _ in loaded]), whole)
    assert {(piece.note, piece.velocity, piece.timbre) for piece in pieces} == {(60.0, 100.0, 0.0)}
    assert pieces[1].source == f"{tmp_path / 'rain.wav'} at 0:30.00 to 1:00.00"
    assert skipped == []


def test_the_last_tenth_of_each_file_is_held_out_in_pieces_of_its_own(tmp_path):
    write(tmp_path / "rain.wav", 400)
    write(tmp_path / "drop.wav", 9.9)
    pieces, _ = find_pieces([tmp_path / "rain.wav", tmp_path / "drop.wav"])
    seconds = [(len(piece.load()[0]) / RATE, piece.held_out, piece.timbre) for piece in pieces]
    assert seconds == [(30.0, False, 0.0)] * 12 + [(20.0, True, 0.0)] * 2 + [(9.9, False, 1.0)]


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


def test_no_segment_of_training_touches_what_is_held_out(tmp_path):
    """The last tenth is a hundred times as loud: nothing of it is heard, not even in a level or a filter's ripple."""
    sound = 0.005 * np.random.default_rng(0).standard_normal(40 * 16_000)
    sound[36 * 16_000 :] *= 100.0
    soundfile.write(tmp_path / "storm.wav", np.clip(sound, -0.98, 0.98), 16_000, subtype="FLOAT")
    found = Found(*find_pieces([tmp_path / "storm.wav"]), timbres=["storm"], kind="texture")
    corpus = Corpus(write_corpus(found, tmp_path / "out"))
    assert [(entry.samples, entry.held_out) for entry in corpus.index.entries] == [
        (18 * 16_000, False), (18 * 16_000, False), (4 * 16_000, True),
    ]  # fmt: skip
    dataset = Dataset(corpus, WaveNetConfig(dilations=(1, 2), conditioning=("loudness",)), length=4096)
    generator = np.random.default_rng(1)
    drawn = [dataset.draw(generator) for _ in range(100)]
    assert max(np.abs(batch.targets).max() for batch in drawn) < 0.05
    assert max(batch.conditioning.max() for batch in drawn) < (90.0 - 40.0) / 30.0
    judged = list(dataset.validation())
    assert sum(len(batch.targets) for batch in judged) == 4, "one segment a second"
    assert min(np.abs(batch.targets[:, -1000:]).max() for batch in judged) > 0.5


def write_corpus(found, folder):
    prepare(found, folder)
    return folder


def test_where_no_file_is_long_enough_pieces_are_held_out_as_recordings_are(tmp_path):
    for number in range(4):
        write(tmp_path / "drops" / f"{number}.wav", 2)
    index = prepare(Found(*find_pieces([tmp_path / "drops"]), kind="texture"), tmp_path / "out")
    assert sum(entry.held_out for entry in index.entries) == 1
