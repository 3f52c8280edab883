"""The whole of it: what is asked of notes, drums and textures, and the page that tells."""

import re
from html import escape

import msgspec
import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")
pytest.importorskip("matplotlib")

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus, CorpusIndex
from rtwave.training.judge import judge as judging
from rtwave.training.judge import notes, texture
from rtwave.training.judge.figures import Judgement, Speed
from rtwave.training.judge.held_out import judge_held_out
from rtwave.training.judge.judge import judge
from rtwave.training.judge.page import page
from rtwave.training.judge.player import Player
from rtwave.training.prepare import prepare
from rtwave.training.sources import Found
from rtwave.training.tables import measure_tables
from rtwave.training.texture import find_pieces
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

from ...small_preset import small_weights, write_small_preset
from .instruments import RATE, Copyist, make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("judged"))


@pytest.fixture
def preset(corpus, tmp_path):
    weights = small_weights()
    weights.instrument = measure_tables(corpus, weights.config)
    return write_small_preset(tmp_path / "small", weights)


@pytest.fixture(autouse=True)
def little(monkeypatch):
    """Few notes, and no clock."""
    monkeypatch.setattr(notes, "QUICK_KEYS", 2)
    monkeypatch.setattr(notes, "FEWEST_KEYS", 2)
    monkeypatch.setattr(notes, "QUICK_CURVES", 1)
    speed = Speed(voices=8, threads=2, times_real_time=3.0, voices_in_real_time=20, machine="a machine")
    monkeypatch.setattr(judging, "_speed", lambda player: speed)


def changed(corpus, **fields):
    """The corpus as if its index said otherwise."""
    other = Corpus(corpus.folder)
    other.index = msgspec.structs.replace(other.index, **fields)
    return other


def test_a_preset_is_judged_and_the_page_holds_all_it_needs(corpus, preset):
    found, player, opened = judge(preset.folder, corpus.folder, yardstick=corpus.folder)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Judgement) == found
    assert (found.kind, found.precision, found.bits.recordings) == ("notes", "float32", len(found.held_out))
    assert len(found.notes) == 2 * 3
    assert [each.other for each in found.held_out] == pytest.approx([0.0] * len(found.held_out), abs=1e-3)
    assert any(not verdict.met for verdict in found.verdicts), "a random network is no instrument"
    text = page(found, player, opened)
    assert text.count("data:image/png;base64,") == 6
    assert not re.search(r'(src|href)="(?!data:)', text), "one file, from which nothing else is fetched"
    assert all(escape(verdict.name) in text for verdict in found.verdicts)


def test_the_same_preset_gets_the_same_judgement(corpus, preset):
    first, second = (judge(preset.folder, corpus.folder)[0] for _ in range(2))
    assert msgspec.json.encode(first) == msgspec.json.encode(second)


def test_thorough_plays_every_key(corpus):
    chosen = notes.choose_notes(corpus, thorough=True)
    assert {key for key, _, _ in chosen} == set(range(48, 76))
    assert {velocity for _, velocity, _ in chosen} == {50.0, 80.0, 110.0}
    assert len(notes.choose_curves(corpus, thorough=True)) == 4


def test_timbres_are_played_each(corpus):
    entries = [msgspec.structs.replace(e, timbre=float(i % 2)) for i, e in enumerate(corpus.index.entries)]
    chosen = notes.choose_notes(changed(corpus, entries=entries, timbres=["one", "other"]), thorough=False)
    assert {timbre for _, _, timbre in chosen} == {0.0, 1.0}


def test_drums_are_judged_without_pitch_and_each_at_its_own_key(corpus):
    drums = changed(corpus, kind="drums")
    chosen = notes.choose_notes(drums, thorough=True)
    assert {key for key, _, _ in chosen} == {48, 57, 66, 75}
    for note in notes.judge_notes(Copyist(drums), drums, chosen):
        assert note.level_db == pytest.approx(note.recorded_level_db, abs=0.01)
        assert note.cents is note.second_cents is note.purity_db is note.damping_s is None
    found = judge_held_out(Copyist(drums), drums)
    assert all(each.distance < 1e-6 and each.semitones is each.without_partials is None for each in found)


class Wind(Player):
    """A texture: hiss whose level, course and colour are given."""

    def __init__(self, level=0.1, drift_db=0.0, colour=1, softer_timbre=-1.0):
        super().__init__(small_weights())
        object.__setattr__(self, "made_of", (level, drift_db, colour))
        object.__setattr__(self, "softer_timbre", softer_timbre)

    def note(self, key, velocity, seconds, timbre=0.0, **controls):
        level, drift_db, colour = self.made_of
        level *= 0.1 if timbre == self.softer_timbre else 1.0
        frames = int(seconds * RATE)
        sound = np.random.default_rng(0).standard_normal(frames)
        sound = np.convolve(sound, np.ones(colour) / np.sqrt(colour))[:frames]
        course = 10.0 ** (drift_db * np.linspace(0.0, 1.0, frames) / 20.0)
        return (level * controls.get("temperature", 1.0) * course * sound).astype(np.float32)


def test_a_texture_that_dies_or_whistles_is_found(corpus, monkeypatch):
    monkeypatch.setattr(texture, "PLAYED_S", 12.0)
    recordings = changed(corpus, kind="texture")
    wind = Wind().note(60, 100, 4.0)
    monkeypatch.setattr(recordings, "sound", lambda entry: wind)
    (heard,) = texture.judge_textures(Wind(), recordings)
    assert heard.spectrum_db < 0.5
    assert (abs(heard.drift_db), heard.swing_db) < (0.1, 0.1)
    assert heard.recorded_level_db == pytest.approx(-20.0, abs=0.1)
    levels = list(heard.level_by_temperature.values())
    assert levels == sorted(levels)
    assert texture.judge_textures(Wind(drift_db=-20.0), recordings)[0].drift_db < -10.0
    assert texture.judge_textures(Wind(colour=8), recordings)[0].spectrum_db > 2.0


def test_every_timbre_of_a_texture_is_judged_beside_what_was_learned_of_it(corpus, monkeypatch):
    monkeypatch.setattr(texture, "PLAYED_S", 2.0)
    first, *rest = corpus.index.entries
    entries = [msgspec.structs.replace(e, timbre=float(n % 2), held_out=False) for n, e in enumerate(rest)]
    held_out = msgspec.structs.replace(first, timbre=0.0, held_out=True)
    recordings = changed(corpus, kind="texture", entries=[held_out, *entries], timbres=["wind", "breeze"])
    both = Wind(softer_timbre=1.0)
    silence = np.zeros(RATE, np.float32)
    monkeypatch.setattr(
        recordings, "sound", lambda e: silence if e.held_out else both.note(60, 100, 2.0, timbre=e.timbre)
    )
    heard = texture.judge_textures(both, recordings)
    assert [each.timbre for each in heard] == [0.0, 1.0]
    assert [each.recorded_level_db for each in heard] == pytest.approx([-20.0, -40.0], abs=0.2)
    assert all(np.median(each.level_db) == pytest.approx(each.recorded_level_db, abs=0.2) for each in heard)


@pytest.mark.parametrize("held_out", [True, False])
def test_of_a_texture_what_can_be_judged_is_judged(corpus, tmp_path, monkeypatch, held_out):
    """Corpora of earlier days hold nothing out."""
    monkeypatch.setattr(texture, "PLAYED_S", 2.0)
    monkeypatch.setattr(texture, "TEMPERATURES", (0.5, 1.0))
    storm = tmp_path / "storm.wav"
    soundfile.write(storm, 0.1 * np.random.default_rng(0).standard_normal(20 * RATE), RATE)
    prepare(Found(*find_pieces([storm]), timbres=["storm"], kind="texture"), tmp_path / "corpus")
    if not held_out:
        index = msgspec.json.decode((tmp_path / "corpus" / "corpus.json").read_bytes(), type=CorpusIndex)
        entries = [msgspec.structs.replace(entry, held_out=False) for entry in index.entries]
        (tmp_path / "corpus" / "corpus.json").write_bytes(
            msgspec.json.encode(msgspec.structs.replace(index, entries=entries))
        )
    preset = write_small_preset(tmp_path / "small", Weights.random(WaveNetConfig(conditioning=(), dilations=(1, 2))))
    found, player, opened = judge(preset.folder, tmp_path / "corpus")
    assert set(found.bits.bits) == ({"float32", "bfloat16", "int8"} if held_out else set())
    gain_db = 20.0 * np.log10(opened.index.gain)
    assert found.textures[0].recorded_level_db == pytest.approx(gain_db - 20.0, abs=0.1)
    names = {verdict.name for verdict in found.verdicts}
    assert {"level off", "long-term spectrum off", "voices in real time on 2 cores"} <= names
    assert ("No recording is held out" in page(found, player, opened)) != held_out


def test_a_yardstick_of_another_kind_is_told(corpus):
    with pytest.raises(RtwaveError, match="drums at 16000 Hz, expected notes at 16000 Hz; prepare the yardstick"):
        judge_held_out(Copyist(corpus), corpus, changed(corpus, kind="drums"))
