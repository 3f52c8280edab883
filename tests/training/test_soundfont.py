import gc
import shutil
import tempfile

import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.gather import Request, gather
from rtwave.training.prepare import prepare
from rtwave.training.soundfont import RATE, find_programs

from .soundfonts import write_soundfont

needs_fluidsynth = pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")


@pytest.fixture(scope="module")
def soundfont(tmp_path_factory):
    return write_soundfont(tmp_path_factory.mktemp("soundfont") / "test.sf2")


@pytest.fixture(scope="module")
def organ(soundfont, tmp_path_factory):
    """The corpus of program 0, and what was found."""
    found = find_programs(soundfont, [0], keys=[50, 57, 64, 71], velocities=[40, 100], seconds=2.5)
    out = tmp_path_factory.mktemp("organ")
    return prepare(found, out, partials=8), found, out


@needs_fluidsynth
def test_every_key_and_velocity_is_rendered_in_tune_and_as_long_as_it_is_held(organ):
    index, found, out = organ
    assert [(item.note, item.velocity) for item in found.recordings] == [
        (key, velocity) for key in (50, 57, 64, 71) for velocity in (40, 100)
    ]
    for entry in index.entries:
        assert abs(entry.cents) < 1.0
        assert entry.samples == pytest.approx(2.5 * 16_000, abs=200)
    assert (index.timbres, index.skipped, index.warnings) == (["Organ"], [], [])
    corpus = Corpus(out)
    soft, loud = (corpus.loudness_db(entry)[1000] for entry in index.entries[:2])
    assert 10.0 < loud - soft < 25.0


@needs_fluidsynth
def test_notes_are_cut_to_the_millisecond_and_dry(organ):
    _, found, _ = organ
    for item in found.recordings:
        sound, rate = item.load()
        assert (rate, len(sound)) == (RATE, int(2.5 * RATE))
        first = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())[0]
        assert first < 0.005 * RATE
        assert item.source.endswith(f"program 0, key {item.note:g}, velocity {item.velocity:g}")


@needs_fluidsynth
def test_what_keeps_its_level_is_known_to_and_so_is_how_it_is_damped(organ, soundfont, tmp_path):
    index, _, _ = organ
    assert index.sustained
    assert {entry.stiffness for entry in index.entries} == {0.0}
    assert index.damper_s == pytest.approx(8.686 / 100.0, rel=0.2)
    plucked = find_programs(soundfont, [5], keys=[60, 69], velocities=[100], seconds=2.5)
    assert not prepare(plucked, tmp_path / "out", partials=8).sustained
    assert plucked.damper_s == pytest.approx(8.686 / 100.0, rel=0.2)
    overruled = prepare(plucked, tmp_path / "out", partials=8, sustained=True, damper_s=0.2)
    assert (overruled.sustained, overruled.damper_s) == (True, 0.2)


@needs_fluidsynth
def test_programs_become_timbres_by_their_names(soundfont):
    found = find_programs(soundfont, [5, 0], keys=[60], velocities=[64], seconds=0.5)
    assert found.timbres == ["Harp", "Organ"]
    assert [(item.timbre, item.name) for item in found.recordings] == [(0.0, "Harp 60 v64"), (1.0, "Organ 60 v64")]


@needs_fluidsynth
def test_keys_by_default_are_those_near_which_it_was_recorded(soundfont):
    found = find_programs(soundfont, [0], velocities=[64], seconds=0.5)
    assert [item.note for item in found.recordings] == [54, 57, 60]
    found = find_programs(soundfont, [0], every=2, velocities=[64], seconds=0.5)
    assert [item.note for item in found.recordings] == [54, 56, 58, 60]


@needs_fluidsynth
def test_drums_are_one_unpitched_sound_a_key_that_ends_in_silence(soundfont, tmp_path):
    found = gather(Request([], soundfont=soundfont, bank=128, velocities=[50, 90], keys=[36, 38, 40], seconds=0.5))
    assert (found.kind, found.timbres) == ("drums", ["kick", "snare"])
    assert [(item.note, item.timbre) for item in found.recordings] == [(36, 0), (36, 0), (38, 1), (38, 1)]
    assert [skipped.reason for skipped in found.skipped] == ["the preset is silent there"] * 2
    index = prepare(found, tmp_path / "out")
    assert (index.kind, index.partials, index.undamped_from, index.sustained) == ("drums", 0, 0, False)
    corpus = Corpus(tmp_path / "out")
    for entry in index.entries:
        assert (entry.samples, entry.cents, entry.stiffness) == (16_000, 0.0, 0.0)
        assert corpus.phases_of(entry).shape == (125, 0)
        assert not corpus.sound(entry)[-4000:].any()
    assert sum(entry.held_out for entry in index.entries) == 1


@needs_fluidsynth
def test_what_was_rendered_is_gone_when_nobody_can_read_it_any_more(soundfont, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = find_programs(soundfont, [0], keys=[60], velocities=[64], seconds=0.5)
    assert len(list(tmp_path.glob("*/*"))) == 2, "the sounds, and the last MIDI file"
    found.recordings.clear()
    gc.collect()
    assert not list(tmp_path.iterdir())


@needs_fluidsynth
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"programs": [99]}, r"test\.sf2: no program 99 in bank 0; it has 0 Organ, 5 Harp"),
        ({"programs": [0], "bank": 7}, r"no program 0 in bank 7; banks are 0, 128"),
        ({"programs": [0], "bank": 128, "keys": range(30, 60)}, "30 drums, at most 16; name fewer with --keys"),
        ({"programs": [0], "bank": 128, "keys": [90], "velocities": [64], "seconds": 0.5}, "Kit is silent at every"),
    ],
)
def test_what_the_soundfont_does_not_have_is_one_clear_error(soundfont, asked, message):
    with pytest.raises(RtwaveError, match=message):
        find_programs(soundfont, asked.pop("programs"), **asked)


@needs_fluidsynth
def test_a_soundfont_that_fluidsynth_refuses_is_one_clear_error(soundfont, tmp_path):
    whole = soundfont.read_bytes()
    (tmp_path / "bad.sf2").write_bytes(whole.replace(b"smpl", b"smpx"))
    with pytest.raises(RtwaveError, match=r"bad\.sf2: fluidsynth cannot render it \(.*\)"):
        find_programs(tmp_path / "bad.sf2", [0], keys=[60], velocities=[64], seconds=0.5)


def test_without_fluidsynth_one_line_says_how_to_get_it(soundfont, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RtwaveError, match=r"fluidsynth is not installed; .*: apt install fluidsynth"):
        find_programs(soundfont, [0])
