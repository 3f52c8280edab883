import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.prepare import prepare
from rtwave.training.sfz import find_regions

from ..conftest import pluck


def instrument(folder, text, *samples):
    """An SFZ file, and files of a ramp each, so that it shows which part of it was read."""
    for name in samples:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, np.arange(1000) / 2000, 8000, subtype="FLOAT")
    path = folder / "bell.sfz"
    path.write_text(text)
    return path


def labels(found):
    return [(item.name, item.note, item.velocity) for item in found.recordings]


def test_opcodes_come_from_the_region_and_from_the_scopes_around_it(tmp_path):
    text = """
    // a comment <region> sample=no.wav
    <control> default_path=Samples\\Bell/
    <global> lovel=1 hivel=127 volume=-6
    <group> lovel=65 /* loud
    ones */ pitch_keycenter=c4
    <region> sample=loud one.wav
    <region> sample=two.wav pitch_keycenter=63 hivel=95
    <group> hivel=64
    <region> sample=two.wav key=f#3
    """
    path = instrument(tmp_path, text, "Samples/Bell/loud one.wav", "Samples/Bell/two.wav")
    found = find_regions(path, timbre=2.0)
    assert labels(found) == [
        ("Samples/Bell/loud one.wav", 60, 96),
        ("Samples/Bell/two.wav", 63, 80),
        ("Samples/Bell/two.wav", 54, 32.5),
    ]
    assert {item.timbre for item in found.recordings} == {2.0}
    samples, rate = found.recordings[0].load()
    assert rate == 8000
    np.testing.assert_allclose(samples, np.arange(1000) / 2000 * 10 ** (-6 / 20), atol=1e-6)
    assert (found.skipped, found.warnings, found.timbres) == ([], [], ["bell"])


def test_offset_end_tune_and_transpose_say_what_is_read_and_how_it_is_tuned(tmp_path):
    text = "<region> sample=a.wav offset=100 end=299 tune=-50 transpose=12 pitch_keycenter=72"
    (recording,) = find_regions(instrument(tmp_path, text, "a.wav")).recordings
    samples, rate = recording.load()
    assert recording.note == 60
    np.testing.assert_allclose(samples, np.arange(100, 300) / 2000, atol=1e-6)
    assert rate == pytest.approx(8000 * 2 ** (-50 / 1200))


def test_included_files_and_defined_names_are_put_in(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "keys.txt").write_text('<region> sample=$NAME.wav key=$KEY\n#include "parts/more.txt"')
    (tmp_path / "parts" / "more.txt").write_text("<region> sample=$NAME2.wav key=62")
    text = '#define $NAME one\n#define $NAME2 two\n#define $KEY 61\n<group> lovel=100\n#include "parts\\keys.txt"\n'
    found = find_regions(instrument(tmp_path, text, "one.wav", "two.wav"))
    assert labels(found) == [("one.wav", 61, 113.5), ("two.wav", 62, 113.5)]


@pytest.mark.parametrize(
    ("first", "second"),
    [('#include "bell.sfz"', ""), ('#include "b.txt"', '#include "c.txt"\n'), ('#include "b.txt"', '#include "b.txt"')],
)
def test_includes_in_a_circle_are_one_clear_error(tmp_path, first, second):
    (tmp_path / "b.txt").write_text(second)
    (tmp_path / "c.txt").write_text('#include "b.txt"')
    path = instrument(tmp_path, first)
    if second == "":
        with pytest.raises(RtwaveError, match=r"#include of bell\.sfz goes in a circle"):
            find_regions(path)
    else:
        with pytest.raises(RtwaveError, match=r"#include of b\.txt goes in a circle"):
            find_regions(path)


def test_a_file_that_includes_two_others_twice_each_ends(tmp_path):
    for level in range(20):
        (tmp_path / f"{level}.txt").write_text(f'#include "{level + 1}.txt"\n#include "{level + 1}.txt"\n')
    (tmp_path / "20.txt").write_text("")
    with pytest.raises(RtwaveError, match="goes in a circle"):
        find_regions(instrument(tmp_path, '#include "0.txt"'))


def test_round_robins_are_recordings_each_and_one_sample_twice_is_one(tmp_path):
    text = """<group> key=60 seq_length=2
    <region> sample=a.wav seq_position=1 <region> sample=b.wav seq_position=2
    <region> sample=a.wav pan=-100 <region> sample=a.wav pan=100"""
    found = find_regions(instrument(tmp_path, text, "a.wav", "b.wav"))
    assert [item.name for item in found.recordings] == ["a.wav", "b.wav"]
    assert found.warnings == ["bell.sfz: opcodes that were not used, with how many regions have them: pan (2)"]


def test_what_is_no_recording_of_a_struck_key_is_skipped_with_its_reason(tmp_path):
    text = """<group> key=60
    <region> sample=a.wav
    <region> sample=a.wav trigger=release
    <region> sample=*sine
    <region> sample=gone.wav
    <region> sample=a.wav lovel=loud
    <region> sample=a.wav pitch_keycenter=sample
    <region> sample=a.wav pitch_keycenter=200
    <region> sample=a.wav lovel=90 hivel=20
    <region> volume=3"""
    found = find_regions(instrument(tmp_path, text, "a.wav"))
    assert len(found.recordings) == 1
    reasons = [item.reason for item in found.skipped]
    assert [reason.split(" (")[0] for reason in reasons[:2]] == [
        "sounds at another moment than a key's start",
        "is made by the sampler",
    ]
    assert reasons[2].endswith("gone.wav is missing")
    assert reasons[3:] == [
        "lovel is 'loud', expected a number",
        "pitch_keycenter is 'sample', expected a number or a name such as c#4",
        "pitch_keycenter is 200 (note 200), expected a note of 0 to 127",
        "velocities are 90 to 20, expected 0 to 127",
        "has no sample",
    ]
    assert str(found.skipped[0].path) == f"{tmp_path / 'bell.sfz'}, region 2"


@pytest.mark.parametrize(
    "opcode",
    [
        *("offset=inf", "end=nan", "volume=1e9", "volume=nan", "tune=1e9", "pitch=-inf", "transpose=nan", "lovel=nan"),
        *("note_offset=inf", "octave_offset=1e400", "ampeg_release=x", "ampeg_release=nan", "pitch_keycenter=1e400"),
    ],
)
def test_a_number_that_says_nothing_costs_its_region_alone(tmp_path, opcode):
    text = f"<region> sample=a.wav key=60 {opcode} <region> sample=b.wav key=62 ampeg_release=0.9"
    found = find_regions(instrument(tmp_path, text, "a.wav", "b.wav"))
    assert [item.name for item in found.recordings] == ["b.wav"]
    assert found.damper_s == pytest.approx(0.1)
    assert f"{opcode.split('=')[0]} is " in found.skipped[0].reason or "velocities are" in found.skipped[0].reason


def test_nothing_is_read_before_a_recording_begins(tmp_path):
    (recording,) = find_regions(instrument(tmp_path, "<region> sample=a.wav offset=-100", "a.wav")).recordings
    assert len(recording.load()[0]) == 1000


def test_one_articulation_is_taken_and_the_others_are_named(tmp_path):
    text = """<global> sw_default=c1
    <group> sw_last=c1 <region> sample=a.wav key=60
    <group> sw_last=d1 <region> sample=b.wav key=60"""
    found = find_regions(instrument(tmp_path, text, "a.wav", "b.wav"))
    assert [item.name for item in found.recordings] == ["a.wav"]
    assert "another articulation (keyswitch d1" in found.skipped[0].reason


def test_the_damper_is_the_release_of_its_envelope(tmp_path):
    text = "<global> ampeg_release=0.9 <region> sample=a.wav key=60 <region> sample=a.wav key=61"
    assert find_regions(instrument(tmp_path, text, "a.wav")).damper_s == pytest.approx(0.1)
    assert find_regions(instrument(tmp_path, "<region> sample=a.wav key=60", "a.wav")).damper_s is None


def test_names_are_found_however_their_letters_are_cased(tmp_path):
    (recording,) = find_regions(instrument(tmp_path, "<region> sample=WAVES\\A.WAV key=60", "waves/a.wav")).recordings
    assert len(recording.load()[0]) == 1000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "none of 0 regions can be used"),
        (b"RIFF\0\0\0\0", "holds binary data"),
        (b"<region> sample=gone.wav", "none of 1 regions can be used; first: its sample .*gone.wav is missing"),
        (b'#include "gone.txt"', r"bell\.sfz: #include: gone\.txt cannot be read"),
    ],
)
def test_a_file_that_gives_nothing_is_one_clear_error(tmp_path, content, message):
    (tmp_path / "bell.sfz").write_bytes(content)
    with pytest.raises(RtwaveError, match=message):
        find_regions(tmp_path / "bell.sfz")


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(RtwaveError, match=r"none\.sfz cannot be read"):
        find_regions(tmp_path / "none.sfz")


def test_an_instrument_becomes_a_corpus_in_tune(tmp_path):
    for name, note in (("low", 60.3), ("high", 69.0)):
        soundfile.write(tmp_path / f"{name}.wav", pluck(note, 100, 1.0), 44_100)
    (tmp_path / "bell.sfz").write_text(
        "<region> sample=low.wav key=60 tune=-30\n<region> sample=high.wav lokey=65 hikey=72 pitch_keycenter=a4"
    )
    index = prepare(find_regions(tmp_path / "bell.sfz"), tmp_path / "out", partials=8)
    assert [entry.note for entry in index.entries] == [60, 69]
    assert [entry.cents for entry in index.entries] == pytest.approx([0.0, 0.0], abs=1.0)
    assert index.timbres == ["bell"]
