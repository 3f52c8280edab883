"""Rendering: the same file, preset and seed give the same samples, however they are made."""

import mido
import numpy as np
import pytest
import soundfile

import rtwave
from rtwave import presets
from rtwave.errors import RtwaveError
from rtwave.instrument import sequencer
from rtwave.instrument.messages import NOTE_ON, Message
from rtwave.instrument.performance import Performance
from rtwave.instrument.render import render_midi, render_score
from rtwave.instrument.scores import read_score
from rtwave.instrument.settings import Settings
from rtwave.instrument.take import Take


def test_same_seed_gives_the_same_samples_and_another_does_not(song, bell):
    first, again, other = (render_midi(song, bell, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first).max() > 0.01


def test_file_holds_the_very_samples(song, bell, tmp_path):
    samples = rtwave.render_midi(song, preset=bell, out=tmp_path / "song.wav")
    written, sample_rate = soundfile.read(tmp_path / "song.wav", dtype="float32")
    assert sample_rate == 16_000
    assert np.array_equal(written, samples)


def test_flac_is_written_to_24_bits(song, bell, tmp_path):
    samples = render_midi(song, bell, tmp_path / "song.flac")
    written, _ = soundfile.read(tmp_path / "song.flac")
    assert np.abs(written - samples).max() <= 2.0**-23


@pytest.mark.parametrize("ahead", [1, 3, 20])
def test_depth_of_the_queue_does_not_change_output(song, bell, monkeypatch, ahead):
    expected = render_midi(song, bell)
    monkeypatch.setattr(sequencer, "COMMANDS_AHEAD", ahead)
    samples = render_midi(song, bell)
    frames = min(len(samples), len(expected))
    assert np.array_equal(samples[:frames], expected[:frames])
    assert not samples[frames:].any()
    assert not expected[frames:].any()


def test_all_rings_out(song, bell):
    assert not render_midi(song, bell)[-100:].any()


def test_sample_rate_is_what_was_asked_for(song, bell):
    at_model_rate, resampled = render_midi(song, bell), render_midi(song, bell, sample_rate=48_000)
    assert len(resampled) == pytest.approx(3 * len(at_model_rate), rel=0.05)


def test_options_change_the_music(song, bell):
    plain = render_midi(song, bell)
    for change in ({"temperature": 1.5}, {"gain_db": -12.0}, {"transpose": 5}, {"voices": 1}):
        changed = render_midi(song, bell, **change)
        frames = min(len(plain), len(changed))
        assert not np.array_equal(plain[:frames], changed[:frames])


def test_number_of_threads_changes_no_sample_and_is_in_no_take(song, bell, tmp_path):
    assert np.array_equal(render_midi(song, bell), render_midi(song, bell, threads=3))
    for threads in (1, 2):
        performance = Performance(Settings(preset=str(bell)), threads)
        assert performance.engine.threads == threads
        Take(performance.settings).save(tmp_path / f"{threads}.mid", 1.0)
    assert (tmp_path / "1.mid").read_bytes() == (tmp_path / "2.mid").read_bytes()


def test_a_device_renders_the_same_music(song, bell):
    pytest.importorskip("torch")
    expected, found = render_midi(song, bell, temperature=0.0), render_midi(song, bell, temperature=0.0, device="torch")
    frames = min(len(expected), len(found))
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found[:frames], expected[:frames], atol=1e-3)


def test_channel_that_is_silent_renders_silence(song, bell):
    assert not render_midi(song, bell, channel=5).any()


def test_take_renders_as_it_was_played(song, bell, tmp_path):
    performance = Performance(Settings(preset=str(bell), seed=5, transpose=-2, voices=3, temperature=0.8))
    take = Take(performance.settings)
    score = read_score(song)
    blocks = []
    feeding = performance.sequencer(score, take=take)
    while not feeding.finished:
        feeding.feed()
        blocks.append(performance.rack.render(777))
    played = np.concatenate(blocks)
    take.save(tmp_path / "take.mid", feeding.end_s)
    rendered = render_midi(tmp_path / "take.mid")
    frames = min(len(played), len(rendered))
    assert np.array_equal(played[:frames], rendered[:frames])
    assert np.abs(played).max() > 0.01


def test_a_take_is_rendered_at_the_rate_it_was_played_at(song, bell, tmp_path):
    settings = Settings(preset=str(bell), sample_rate=44_100)
    take = Take(Performance(settings).settings)
    take.save(tmp_path / "take.mid", 1.0)
    assert len(render_midi(tmp_path / "take.mid")) >= 44_100
    assert len(render_midi(tmp_path / "take.mid", sample_rate=16_000)) < 44_100


def test_a_take_is_rendered_in_the_precision_it_was_played_in(song, bell, tmp_path):
    for precision in ("bfloat16", "float32"):
        settings = Performance(Settings(preset=str(bell), precision=precision)).settings
        assert settings.precision == precision
        take = Take(settings)
        for key in (60, 64):
            take.add(Message(NOTE_ON, 0, key, 90), 0.0)
        take.save(tmp_path / f"{precision}.mid", 0.25)
    rounded, exact = (render_midi(tmp_path / f"{name}.mid", tail_s=0.0) for name in ("bfloat16", "float32"))
    assert not np.array_equal(rounded, exact)
    np.testing.assert_array_equal(render_midi(tmp_path / "bfloat16.mid", tail_s=0.0), rounded)
    np.testing.assert_array_equal(render_midi(tmp_path / "float32.mid", precision="bfloat16", tail_s=0.0), rounded)


def test_take_names_a_preset_that_is_found_by_name_whatever_lies_in_the_folder(bell, tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "user_presets_folder", lambda: bell.parent)
    (tmp_path / "bell").mkdir()
    monkeypatch.chdir(tmp_path)
    for asked in ("bell", str(bell)):
        assert Performance(Settings(preset=asked)).settings.preset == "bell"


def test_take_holds_the_whole_path_of_any_other_preset(bell, tmp_path, monkeypatch):
    monkeypatch.chdir(bell.parent)
    for asked in ("bell", "bell/preset.toml"):
        assert Performance(Settings(preset=asked)).settings.preset == str(bell)


@pytest.mark.parametrize(
    "said",
    [
        {"preset": "~nosuch/bell"},
        {"preset": "x" * 5000},
        {"preset": "a\0b"},
        {"seed": -1},
        {"voices": 10**9},
        {"sample_rate": 0},
        {"tune_hz": 1.0},
        {"mpe": True, "channel": 3},
        {"controls": {"colour": 3}},
    ],
)
def test_take_with_impossible_settings_is_one_clear_line(bell, tmp_path, said):
    Take(Settings(**({"preset": str(bell)} | said))).save(tmp_path / "take.mid", 0.1)
    with pytest.raises(RtwaveError) as caught:
        render_midi(tmp_path / "take.mid")
    assert "\n" not in str(caught.value)


def test_limits_of_engines_that_never_were_change_nothing(song, bell, tmp_path):
    performance = Performance(Settings(preset=str(bell)))
    plain, limited = Take(performance.settings), Take(performance.settings)
    for seconds, message in read_score(song).events:
        plain.add(message, seconds)
        limited.add(message, seconds)
    for engine, voices in ((1, 1), (200, 3), (0, 0), (0, 999)):
        limited.limited(engine, voices, 0.1)
    plain.save(tmp_path / "plain.mid", 0.5)
    limited.save(tmp_path / "limited.mid", 0.5)
    assert np.array_equal(render_midi(tmp_path / "plain.mid"), render_midi(tmp_path / "limited.mid"))


def test_limits_of_a_take_hold_unless_voices_are_asked_for(song, bell, tmp_path):
    take = Take(Performance(Settings(preset=str(bell))).settings)
    take.limited(0, 1, 0.0)
    for seconds, message in read_score(song).events:
        take.add(message, seconds)
    take.save(tmp_path / "take.mid", 0.5)
    assert not np.array_equal(render_midi(tmp_path / "take.mid"), render_midi(tmp_path / "take.mid", voices=6))
    assert np.array_equal(render_midi(song, bell)[:8000], render_midi(tmp_path / "take.mid", voices=6)[:8000])


def test_notes_without_end_are_cut_after_the_tail(bell, tmp_path):
    track = mido.MidiTrack([mido.Message("note_on", note=60, velocity=64), mido.MetaMessage("end_of_track", time=48)])
    mido.MidiFile(type=0, tracks=[track]).save(tmp_path / "song.mid")
    performance = Performance(Settings(preset=str(bell)))
    performance.preset.weights.instrument.release_s[:] = 0.0
    performance = Performance(Settings(preset=str(bell)))
    score = read_score(tmp_path / "song.mid")
    samples = np.concatenate(list(render_score(performance, score, tail_s=0.1)))
    assert 0.15 < len(samples) / 16_000 < 0.5


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"temperature": -1}, "temperature is -1, expected 0 to 2"),
        ({"temperature": float("nan")}, "temperature"),
        ({"voices": 0}, "voices is 0"),
        ({"gain_db": 100}, "gain_db"),
        ({"channel": 16}, "channel is 17, expected 1 to 16"),
        ({"transpose": 500}, "transpose"),
        ({"seed": -1}, "seed"),
        ({"sample_rate": 0}, "sample_rate"),
        ({"precision": "int4"}, "precision is 'int4'"),
        ({"precision": "int8"}, "export the preset again"),
        ({"tail_s": -1.0}, "tail"),
        ({"preset": "nosuch"}, "no preset 'nosuch'"),
        ({"out": "song.mp3"}, r"\.wav or \.flac"),
        ({"out": "none/song.wav"}, "there is no folder"),
    ],
)
def test_bad_options_are_one_clear_line(song, bell, options, problem):
    with pytest.raises(RtwaveError, match=problem) as caught:
        render_midi(song, **({"preset": bell} | options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("events", [3000, 6000])
def test_more_events_at_one_moment_than_can_be_played_is_one_line(bell, tmp_path, events):
    notes = [mido.Message("note_on", note=index % 128, velocity=64) for index in range(events)]
    track = mido.MidiTrack([mido.Message("note_on", note=60, velocity=64, time=480), *notes])
    mido.MidiFile(type=0, tracks=[track]).save(tmp_path / "song.mid")
    if events == 3000:
        assert render_midi(tmp_path / "song.mid", bell, tail_s=0.01).any()
        return
    with pytest.raises(RtwaveError, match=r"thousands of events at one moment, 0\.50 s after its start"):
        render_midi(tmp_path / "song.mid", bell)
