import shutil

import msgspec
import numpy as np
import pytest

from rtwave.errors import RtwaveError
from rtwave.training.corpus import FORMAT, Corpus, CorpusIndex, Entry
from rtwave.training.shards import CorpusWriter, _Growing

LENGTHS = (1000, 700, 2000, 64)
PERIOD, STRIDE, GAIN = 32, 128, 0.5


def sounds():
    generator = np.random.default_rng(0)
    return [generator.standard_normal(length).astype(np.float32) for length in LENGTHS]


def readings(length, partials):
    periods, frames = -(-length // PERIOD), -(-length // STRIDE)
    loudness = np.arange(periods, dtype=np.float32) - length
    return loudness, np.full((frames, partials), length, np.float32), np.full((frames, partials), -length / 16.0)


def write(folder, partials=3, shard_samples=1800):
    with CorpusWriter(folder, shard_samples) as writer:
        places = [(*writer.add_sound(sound), len(sound)) for sound in sounds()]
        entries = []
        for number, (place, sound) in enumerate(zip(places, writer.sounds(places), strict=True)):
            np.testing.assert_array_equal(sound, sounds()[number])
            shard, start, samples = place
            loudness_start, phases_start = writer.add_readings(shard, *readings(samples, partials))
            entries.append(
                Entry(
                    name=f"{number}.wav",
                    note=60.0 + number,
                    velocity=100.0,
                    knobs=(0.0, 0.0, 0.0, 0.0),
                    held_out=False,
                    cents=0.0,
                    stiffness=0.0,
                    samples=samples,
                    shard=shard,
                    audio_start=start,
                    loudness_start=loudness_start,
                    phases_start=phases_start,
                )
            )
        index = CorpusIndex(
            format=FORMAT,
            kind="notes",
            sample_rate=16_000,
            control_period=PERIOD,
            phase_stride=STRIDE,
            partials=partials,
            undamped_from=128,
            gain=GAIN,
            entries=entries,
            skipped=[],
        )
        writer.finish(index)
    return folder


def read_all(corpus):
    return [
        (corpus.sound(e), corpus.loudness_db(e), corpus.phases_of(e), corpus.partials_db(e))
        for e in corpus.index.entries
    ]


@pytest.mark.parametrize("partials", [3, 0])
def test_what_is_written_is_read_from_as_many_shards_as_it_takes(tmp_path, partials):
    corpus = Corpus(write(tmp_path, partials))
    assert [entry.shard for entry in corpus.index.entries] == [0, 0, 1, 2]
    assert len(list((tmp_path / "shards").iterdir())) == 3 * 4
    for entry, sound in zip(corpus.index.entries, sounds(), strict=True):
        loudness, phases, levels_db = readings(len(sound), partials)
        np.testing.assert_array_equal(corpus.sound(entry), GAIN * sound)
        np.testing.assert_array_equal(corpus.sound(entry, 10, 50), GAIN * sound[10:50])
        np.testing.assert_array_equal(corpus.loudness_db(entry), loudness)
        np.testing.assert_array_equal(corpus.phases_of(entry), phases)
        np.testing.assert_allclose(corpus.partials_db(entry), levels_db, rtol=1e-3)
    assert corpus.seconds == sum(LENGTHS) / 16_000


def test_a_corpus_is_mapped_and_its_files_are_left_as_they_are(tmp_path):
    corpus = Corpus(write(tmp_path))
    loudness = corpus.loudness_db(corpus.index.entries[0])
    assert loudness.base is not None
    with pytest.raises(ValueError, match="read-only"):
        loudness[0] = 1.0


def test_more_shards_than_may_be_open_are_read_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("rtwave.training.corpus.MOST_MAPPED", 2)
    corpus = Corpus(write(tmp_path))
    for entry, sound in zip(corpus.index.entries, sounds(), strict=True):
        np.testing.assert_array_equal(corpus.sound(entry), GAIN * sound)
    assert corpus._mapped.cache_info().currsize == 2


@pytest.mark.parametrize("array", ["audio", "loudness", "phases", "levels"])
@pytest.mark.parametrize("harm", ["cut", "moved", "emptied"])
def test_a_corpus_that_changes_while_open_is_one_clear_error(tmp_path, array, harm):
    corpus = Corpus(write(tmp_path / "corpus"))
    path = tmp_path / "corpus" / "shards" / f"0000.{array}.npy"
    if harm == "moved":
        (tmp_path / "corpus").rename(tmp_path / "elsewhere")
    else:
        path.write_bytes(path.read_bytes()[:200] if harm == "cut" else b"")
    with pytest.raises(RtwaveError, match=r"not a whole corpus .*; make one with `rtwave prepare`"):
        read_all(corpus)


@pytest.mark.parametrize("array", ["audio", "loudness", "phases", "levels"])
def test_a_cut_shard_is_noticed_on_opening(tmp_path, array):
    write(tmp_path)
    whole = np.load(tmp_path / "shards" / f"0001.{array}.npy")
    np.save(tmp_path / "shards" / f"0001.{array}.npy", whole[:-1])
    with pytest.raises(RtwaveError, match=rf"0001\.{array}\.npy ends within 2\.wav"):
        Corpus(tmp_path)


def test_a_corpus_of_another_format_is_to_be_prepared_again(tmp_path):
    (tmp_path / "corpus.json").write_text('{"format": "rtwave-corpus-1", "entries": []}')
    with pytest.raises(RtwaveError, match="format is 'rtwave-corpus-1', expected 'rtwave-corpus-2'; prepare it again"):
        Corpus(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"format": "rtwave-corpus-2"}', '{"format": 7}', "\0"])
def test_an_index_that_is_none_is_one_clear_error(tmp_path, text):
    (tmp_path / "corpus.json").write_text(text)
    with pytest.raises(RtwaveError, match="not a whole corpus"):
        Corpus(tmp_path)


def test_a_negative_place_is_not_read_from_the_end(tmp_path):
    write(tmp_path)
    index = msgspec.json.decode((tmp_path / "corpus.json").read_bytes(), type=CorpusIndex)
    entries = [msgspec.structs.replace(index.entries[1], audio_start=-700)]
    (tmp_path / "corpus.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(index, entries=entries)))
    with pytest.raises(RtwaveError, match="not a whole corpus"):
        Corpus(tmp_path)


@pytest.mark.parametrize("field", ["sample_rate", "control_period", "phase_stride", "partials"])
def test_an_index_that_does_not_fit_its_shards_or_counts_by_zero_is_one_clear_error(tmp_path, field):
    write(tmp_path)
    index = msgspec.json.decode((tmp_path / "corpus.json").read_bytes())
    for value in (0, -3):
        (tmp_path / "corpus.json").write_bytes(msgspec.json.encode(index | {field: value}))
        with pytest.raises(RtwaveError, match="not a whole corpus"):
            Corpus(tmp_path)


def refuse(*arguments):
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_one_clear_error_and_the_corpus_that_was_there_is_left(tmp_path, monkeypatch):
    write(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(_Growing, "append", refuse)
    with pytest.raises(RtwaveError, match=r"cannot write the corpus \(No space left on device\); make room"):
        write(tmp_path)
    after = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before == after
    Corpus(tmp_path)


def test_a_corpus_replaces_another(tmp_path):
    write(tmp_path)
    shutil.copy(tmp_path / "shards" / "0000.audio.npy", tmp_path / "shards" / "0009.audio.npy")
    write(tmp_path, shard_samples=10_000)
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == [
        "0000.audio.npy",
        "0000.levels.npy",
        "0000.loudness.npy",
        "0000.phases.npy",
    ]


def held(folder):
    """Every file under a folder, by its path."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shards/of-glass.txt", "a poem"),
        ("shards/0000.audio.npy", "an array of somebody's"),
        ("shards", "no folder at all"),
        ("corpus.json", '{"words": 100000}'),
        ("corpus.json", "a language's"),
        ("shards.partial/draft.txt", "half a poem"),
    ],
)
def test_what_no_corpus_put_there_is_left_and_another_folder_asked_for(tmp_path, name, text):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    before = held(tmp_path)
    with pytest.raises(RtwaveError, match=r"is there, and is no corpus's; choose another --out"):
        write(tmp_path)
    assert held(tmp_path) == before


def test_a_stranger_among_a_corpus_s_own_shards_is_left_and_so_are_they(tmp_path):
    write(tmp_path)
    (tmp_path / "shards" / "notes.txt").write_text("mine")
    before = held(tmp_path)
    with pytest.raises(RtwaveError, match=r"notes\.txt: is there, and is no corpus's; choose another --out"):
        write(tmp_path)
    assert held(tmp_path) == before


def test_shards_that_lie_elsewhere_are_left_there(tmp_path):
    write(tmp_path / "corpus")
    (tmp_path / "corpus" / "shards").rename(tmp_path / "elsewhere")
    (tmp_path / "corpus" / "shards").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RtwaveError, match=r"shards: is there, and is no corpus's; choose another --out"):
        write(tmp_path / "corpus")
    Corpus(tmp_path / "corpus")


def test_beside_other_files_a_corpus_is_written_and_one_that_was_stopped_half_way_or_is_older_is_replaced(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    write(tmp_path)
    (tmp_path / "corpus.json").rename(tmp_path / "corpus.json.partial")
    (tmp_path / "shards.partial").mkdir()
    (tmp_path / "shards.partial" / "0000.audio.npy").write_bytes(b"")
    write(tmp_path)
    (tmp_path / "corpus.json").write_text('{"format": "rtwave-corpus-1"}')
    Corpus(write(tmp_path))
    assert (tmp_path / "diary.txt").read_text() == "mine"
