import os
import shutil
import weakref
from functools import partial

import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.cut import find_onset
from rtwave.training.loudness import measure_loudness
from rtwave.training.partials import fit_pitch
from rtwave.training.prepare import PEAK, choose_held_out, prepare
from rtwave.training.sources import Found, Recording, Skipped

from ..conftest import pluck


def test_every_recording_of_any_format_arrives_with_its_label(corpus_folder):
    corpus = Corpus(corpus_folder)
    labels = [(entry.note, entry.velocity) for entry in corpus.index.entries]
    assert labels == [(note, velocity) for note in (60, 63, 66, 69) for velocity in (30, 70, 110)]
    assert corpus.seconds == pytest.approx(12 * 2.0, abs=0.4)
    assert corpus.notes() == [60, 63, 66, 69]
    assert sum(entry.held_out for entry in corpus.index.entries) == 1


def test_recordings_begin_at_their_onset(corpus_folder):
    corpus = Corpus(corpus_folder)
    for entry in corpus.index.entries:
        sound = np.abs(corpus.sound(entry))
        assert sound[:320].max() > 0.1 * sound[:3200].max()
        assert sound[0] == 0.0


def test_levels_between_recordings_are_kept(corpus_folder):
    corpus = Corpus(corpus_folder)
    peaks = [np.abs(corpus.sound(entry)).max() for entry in corpus.index.entries]
    assert max(peaks) == pytest.approx(PEAK, abs=1e-5)
    levels = [corpus.loudness_db(entry)[20] for entry in corpus.index.entries[:3]]
    expected = 30 * np.log10(np.array([30, 70, 110]) / 110)
    np.testing.assert_allclose(np.array(levels) - levels[-1], expected, atol=0.5)


def test_pitch_and_stiffness_agree_within_a_key(corpus_folder):
    entries = Corpus(corpus_folder).index.entries
    for key in (60, 63, 66, 69):
        same = [entry for entry in entries if entry.note == key]
        assert len({(entry.cents, entry.stiffness) for entry in same}) == 1
        assert abs(same[0].cents) < 1.0
        assert same[0].stiffness == pytest.approx(3e-4, rel=0.15)


def test_recordings_out_of_tune_are_brought_to_their_keys_where_that_is_asked_for(tmp_path):
    for key, cents in ((57, -38.0), (60, 21.0)):
        sound = pluck(key + cents / 100.0, 100, 2.0, 16_000)
        soundfile.write(tmp_path / f"{'A3' if key == 57 else 'C4'}.wav", sound, 16_000)
    as_they_are = prepare(tmp_path, tmp_path / "as they are")
    assert [entry.cents for entry in as_they_are.entries] == pytest.approx([-38.0, 21.0], abs=0.5)
    prepare(tmp_path, tmp_path / "tempered", tempered=True)
    corpus = Corpus(tmp_path / "tempered")
    for entry in corpus.index.entries:
        assert entry.cents == pytest.approx(0.0, abs=0.5)
        assert fit_pitch(corpus.sound(entry), 16_000, entry.note, 20, True)[0] == pytest.approx(0.0, abs=0.5)


def test_the_onset_is_found_within_three_milliseconds():
    for silence in (0, 300, 900):
        sound = np.concatenate([np.zeros(silence), pluck(60, 100, 1.0, 16_000)])
        assert find_onset(sound, 16_000) == pytest.approx(silence + 320, abs=80)


def test_loudness_is_rms_in_dbfs_once_a_period():
    sine = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    loudness = measure_loudness(sine, 16_000, 32, 440.0)
    assert loudness.shape == (500,)
    np.testing.assert_allclose(loudness[10:-10], -3.01, atol=0.2)
    assert measure_loudness(np.zeros(100), 16_000, 32, 440.0).max() == -90.0


def test_what_cannot_be_used_is_skipped_with_its_reason(tmp_path, recordings):
    folder = tmp_path / "mixed"
    shutil.copytree(recordings, folder)
    soundfile.write(folder / "silent_C5.wav", np.zeros(44_100), 44_100)
    soundfile.write(folder / "clipped_C5.wav", np.clip(9 * pluck(72, 127), -1.0, 1.0), 44_100)
    soundfile.write(folder / "short_C5.wav", pluck(72, 127, 0.1), 44_100)
    soundfile.write(folder / "single_C5.wav", np.array([0.5]), 44_100)
    (folder / "broken_C5.wav").write_bytes(b"RIFF")
    index = prepare(folder, tmp_path / "out", partials=4)
    reasons = {path.rsplit("/")[-1]: reason for path, reason in index.skipped}
    assert len(index.entries) == 12
    assert {name: reasons[name].split()[0] for name in reasons} == {
        "silent_C5.wav": "silent",
        "clipped_C5.wav": "clipped",
        "short_C5.wav": "too",
        "single_C5.wav": "too",
        "broken_C5.wav": "cannot",
    }


def held(note, seconds=3.0, rate=16_000):
    """A steady tone with a slow attack and a release of its own."""
    time = np.arange(int(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * k * 440 * 2 ** ((note - 69) / 12) * time) / k for k in range(1, 6))
    return 0.2 * tone * np.clip(np.minimum(time / 0.1, (seconds - time) / 0.4), 0.0, 1.0) ** 2


def test_held_tones_are_known_taken_to_be_harmonic_and_end_where_they_are_let_go(tmp_path):
    for name, note in (("C4", 60), ("E4", 64), ("G4", 67)):
        soundfile.write(tmp_path / f"{name}.wav", held(note), 16_000)
    index = prepare(tmp_path, tmp_path / "out", partials=8)
    assert (index.sustained, index.damper_s) == (True, 0.06)
    assert {entry.stiffness for entry in index.entries} == {0.0}
    assert all(2.6 < entry.samples / 16_000 < 2.8 for entry in index.entries)
    corpus = Corpus(tmp_path / "out")
    assert all(len(corpus.loudness_db(entry)) == -(-entry.samples // 32) for entry in index.entries)
    overruled = prepare(tmp_path, tmp_path / "out", partials=8, sustained=False, damper_s=0.1)
    assert (overruled.sustained, overruled.damper_s) == (False, 0.1)
    assert all(entry.samples / 16_000 > 2.9 for entry in overruled.entries)


def test_plucked_strings_die_away(corpus_folder):
    assert not Corpus(corpus_folder).index.sustained


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"), [(44_100, "PCM_U8", 1), (192_000, "PCM_24", 2), (8000, "FLOAT", 1)]
)
def test_any_rate_depth_and_channels_give_the_same_note(tmp_path, rate, subtype, channels):
    sound = np.zeros((2 * rate, channels))
    wave = pluck(60, 127, 1.9, rate)
    sound[: len(wave), 0] = wave
    soundfile.write(tmp_path / "C4.wav", sound, rate, subtype=subtype)
    (entry,) = prepare(tmp_path, tmp_path / "out", partials=4).entries
    assert abs(entry.cents) < 2.0
    assert entry.samples == pytest.approx(2.0 * 16_000, abs=800)


def test_bad_files_of_every_kind_are_skipped_with_a_reason_each(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    soundfile.write(folder / "good_C4.wav", pluck(60, 100), 44_100)
    (folder / "empty_D4.wav").write_bytes(b"")
    (folder / "folder_E4.wav").mkdir()
    (folder / "text_F4.flac").write_text("hello")
    soundfile.write(folder / "nothing_G4.wav", np.zeros(0), 44_100)
    soundfile.write(folder / "nan_A4.wav", np.full(44_100, np.nan, np.float32), 44_100, subtype="FLOAT")
    index = prepare(folder, tmp_path / "out", partials=4)
    assert [entry.name for entry in index.entries] == ["good_C4.wav"]
    reasons = {path.rsplit("/")[-1]: reason.split(" (")[0] for path, reason in index.skipped}
    assert reasons == {
        "empty_D4.wav": "cannot be read as audio",
        "text_F4.flac": "cannot be read as audio",
        "nothing_G4.wav": "silent",
        "nan_A4.wav": "holds NaN or infinity",
    }


def test_recordings_of_each_timbre_are_held_out_and_tuned_apart(tmp_path):
    """Two instruments, the second 20 cents sharp."""
    found = Found([], timbres=["one", "two"])
    for timbre in (0, 1):
        for note in range(60, 66):
            sound = pluck(note + 0.2 * timbre, 100, 0.6, 16_000)
            load = partial(lambda sound: (sound, 16_000), sound)
            found.recordings.append(Recording(f"{timbre} {note}", "", note, 100.0, load, timbre=float(timbre)))
    index = prepare(found, tmp_path / "out", partials=4)
    assert [sum(e.held_out for e in index.entries if e.timbre == timbre) for timbre in (0, 1)] == [1, 1]
    assert [entry.cents for entry in index.entries] == pytest.approx([0.0] * 6 + [20.0] * 6, abs=1.5)


def test_the_corpus_is_the_same_however_many_threads_made_it(tmp_path, recordings, monkeypatch):
    indices = []
    for threads in (1, 5):
        monkeypatch.setattr(os, "cpu_count", lambda threads=threads: threads)
        indices.append(prepare(recordings, tmp_path / str(threads), partials=4))
    assert indices[0] == indices[1]
    for path in sorted((tmp_path / "1" / "shards").iterdir()):
        assert path.read_bytes() == (tmp_path / "5" / "shards" / path.name).read_bytes()


def test_few_recordings_are_in_memory_at_a_time(tmp_path):
    alive, most = 0, 0

    def load(number):
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        sound = pluck(60 + number % 12, 100, 0.5, 16_000)
        weakref.finalize(sound, forget)
        return sound, 16_000

    def forget():
        nonlocal alive
        alive -= 1

    recordings = [Recording(str(n), "", 60.0 + n % 12, 100.0, partial(load, n)) for n in range(60)]
    prepare(Found(recordings), tmp_path / "out", partials=4)
    assert most <= 4 * (os.cpu_count() or 1) + 4


def test_a_folder_with_nothing_usable_is_one_clear_error(tmp_path):
    soundfile.write(tmp_path / "silent_C5.wav", np.zeros(44_100), 44_100)
    with pytest.raises(RtwaveError, match="none of 1 recordings can be used; first: silent"):
        prepare(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("kind", ["notes", "drums", "texture"])
def test_a_part_of_a_recording_that_holds_no_sound_is_skipped_with_its_reason(tmp_path, kind):
    sounds = {"silent": np.zeros(48_000, np.float32), "heard": pluck(60, 100, 1.0, 48_000)}
    recordings = [
        Recording(name, name, 60.0, 100.0, lambda sound=sound: (sound, 48_000)) for name, sound in sounds.items()
    ]
    index = prepare(Found(recordings, kind=kind), tmp_path / "out", partials=4)
    assert [entry.name for entry in index.entries] == ["heard"]
    assert index.skipped == [("silent", "silent (peak below -80 dBFS)")]
    with pytest.raises(RtwaveError, match="none of 1 recordings can be used; first: silent"):
        prepare(Found(recordings[:1], [Skipped("a.txt", "not an audio file")], kind=kind), tmp_path / "none")


@pytest.mark.parametrize("name", ["corpus.json", "shards/0000.audio.npy", "shards/0000.phases.npy"])
def test_a_damaged_corpus_is_one_clear_error(tmp_path, corpus_folder, name):
    folder = tmp_path / "corpus"
    shutil.copytree(corpus_folder, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:50])
    with pytest.raises(RtwaveError, match="not a whole corpus"):
        Corpus(folder)


@pytest.mark.parametrize("attack_s", [0.03, 0.08, 0.2])
@pytest.mark.parametrize("shape", [lambda rise: rise, lambda rise: 0.5 - 0.5 * np.cos(np.pi * rise)])
def test_a_slow_attack_without_silence_before_it_is_kept_whole(attack_s, shape):
    for rate in (16_000, 44_100):
        time = np.arange(rate) / rate
        sound = shape(np.minimum(time / attack_s, 1.0)) * np.sin(2 * np.pi * 220 * time)
        lost = sound[int(0.003 * rate) : find_onset(sound, rate)]
        assert np.abs(lost).max(initial=0.0) < 0.01, "more than 3 ms, and above -40 dB"


def test_room_noise_before_a_soft_note_is_cut():
    noise = 0.003 * np.random.default_rng(0).standard_normal(16_000)
    noise[4000:] += 0.1 * np.sin(0.2 * np.arange(12_000)) * np.exp(-np.arange(12_000) / 8000)
    assert find_onset(noise, 16_000) == pytest.approx(4000, abs=80)


def test_a_long_silence_before_the_note_is_no_part_of_it(tmp_path):
    late = np.concatenate([np.zeros(5 * 16_000), pluck(60, 100, 2.0, 16_000)])
    soundfile.write(tmp_path / "late_C4.wav", late, 16_000)
    index = prepare(tmp_path, tmp_path / "out", seconds=1.0, partials=4)
    assert [entry.samples for entry in index.entries] == [16_000]
    corpus = Corpus(tmp_path / "out")
    assert np.abs(corpus.sound(corpus.index.entries[0], 0, 320)).max() > 0.1


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([60, 62, 64], set()),
        ([60, 62, 64, 65, 67], {2}),
        ([60, 60, 60, 72], {1}),
        ([60, 62, 62, 64, 65], {2}),
    ],
)
def test_a_small_corpus_holds_out_a_recording_between_others(keys, expected):
    assert choose_held_out(keys) == expected


@pytest.mark.parametrize("velocities", [1, 2, 3, 5])
def test_one_recording_in_twenty_is_held_out_and_no_key_at_the_edge_is_lost(velocities):
    for count in range(20, 120):
        keys = [21 + index // velocities for index in range(count)]
        held_out = choose_held_out(keys)
        assert len(held_out) == count // 20
        learned = {key for index, key in enumerate(keys) if index not in held_out}
        assert {min(keys), max(keys)} <= learned
        assert velocities == 1 or count % velocities or learned == set(keys)
