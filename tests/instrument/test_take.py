"""Takes: what is noted comes back at its very moment, however long it lasts."""

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtwave.errors import RtwaveError
from rtwave.instrument.messages import CONTROL_CHANGE, NOTE_ON, Message
from rtwave.instrument.scores import read_score
from rtwave.instrument.settings import Settings, VoiceLimit
from rtwave.instrument.take import TICKS_PER_S, Take, on_tick

KEY = Message(NOTE_ON, 1, 60, 64)


def saved(take, path, end_s):
    take.save(path / "take.mid", end_s)
    return read_score(path / "take.mid")


@given(st.lists(st.floats(0.0, 80_000.0), max_size=20))
def test_moments_on_the_grid_come_back_exactly(tmp_path_factory, moments):
    moments = [on_tick(seconds) for seconds in sorted(moments)]
    take = Take(Settings(preset="piano", seed=3))
    for seconds in moments:
        take.add(KEY, seconds)
    score = saved(take, tmp_path_factory.mktemp("takes"), on_tick(80_001.0))
    assert score.events == [(seconds, KEY) for seconds in moments]
    assert score.duration_s == 80_001.0


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 88_200, 96_000, 176_400])
def test_frames_of_any_rate_survive_the_grid(rate):
    for frame in (0, 1, 7, 12_345, 1_234_567, 60 * 60 * rate + 1):
        assert round(on_tick(frame / rate) * rate) == frame


def test_take_carries_its_settings(tmp_path):
    settings = Settings(
        preset="Flügel/große 🎹", seed=7, voices=3, temperature=0.25, channel=0, tune_hz=442.0, controls={"timbre": 21}
    )
    assert saved(Take(settings), tmp_path, 0.0).settings == settings


def test_changes_of_preset_and_limits_come_back(tmp_path):
    take = Take(Settings(preset="piano"))
    take.add(KEY, 1.0)
    take.add(Settings(preset="bell"), 2.0)
    take.limited(0, 5, 1.0)
    take.limited(1, 12, 3.0)
    assert saved(take, tmp_path, 4.0).events == [
        (1.0, VoiceLimit(0, 5)),
        (1.0, KEY),
        (2.0, Settings(preset="bell")),
        (3.0, VoiceLimit(1, 12)),
    ]


def test_what_came_late_is_noted_where_it_was_applied_and_keeps_the_order(tmp_path):
    take = Take(Settings())
    pedal = Message(CONTROL_CHANGE, 0, 64, 127)
    tags = [take.add(message, at_s, 0.001) for message, at_s in ((KEY, 0.25), (pedal, 0.5), (KEY, 0.625))]
    assert tags == [1, 2, 3]
    assert take.next_tag == 4
    take.applied(tags[0], 0.2505)
    take.applied(tags[1], 0.75)
    score = saved(take, tmp_path, 1.0)
    assert score.events == [(0.25, KEY), (0.75, pedal), (0.75, KEY)]


def test_take_leaves_out_what_was_not_reached(tmp_path):
    take = Take(Settings())
    for seconds in (0.0, 0.25, 0.75):
        take.add(KEY, seconds)
    assert len(saved(take, tmp_path, 0.5).events) == 2


def test_saving_now_and_then_changes_nothing(tmp_path):
    once, often = Take(Settings()), Take(Settings())
    for step in range(200):
        for take in (once, often):
            tag = take.add(KEY, step * 0.125, 0.0001)
            if step % 7 == 0:
                take.applied(tag, step * 0.125 + 0.0625)
        if step % 3 == 0:
            once.limited(0, 1 + step % 9, step * 0.125)
            often.limited(0, 1 + step % 9, step * 0.125)
        if step % 10 == 9:
            often.save(tmp_path / "often.mid", step * 0.125)
    once.save(tmp_path / "once.mid", 30.0)
    often.save(tmp_path / "often.mid", 30.0)
    assert (tmp_path / "once.mid").read_bytes() == (tmp_path / "often.mid").read_bytes()


def test_a_long_silence_is_within_what_midi_can_count(tmp_path):
    take = Take(Settings())
    take.add(KEY, 20_000.0)
    score = saved(take, tmp_path, 50_000.0)
    assert score.events == [(20_000.0, KEY)]
    assert score.duration_s == 50_000.0
    assert max(message.time for message in mido.MidiFile(tmp_path / "take.mid").tracks[0]) < 2**28


def test_an_hour_of_storms_is_saved_from_bytes(tmp_path):
    take = Take(Settings())
    for step in range(20_000):
        take.add(Message(CONTROL_CHANGE, 0, 1, step % 128), on_tick(step / 1000.0))
    take.save(tmp_path / "take.mid", 20.0)
    assert len(take._events) < 3_000
    take.save(tmp_path / "take.mid", 40.0)
    assert not take._events
    assert len(read_score(tmp_path / "take.mid").events) == 20_000


def test_take_into_a_missing_folder_is_one_clear_line(tmp_path):
    take = Take(Settings())
    take.add(KEY, 0.25)
    with pytest.raises(RtwaveError, match="cannot be written"):
        take.save(tmp_path / "none" / "take.mid", 10.0)
    assert len(saved(take, tmp_path, 10.0).events) == 1


def test_ticks_are_those_of_the_file(tmp_path):
    saved(Take(Settings()), tmp_path, 0.0)
    midi = mido.MidiFile(tmp_path / "take.mid")
    tempo = next(message.tempo for message in midi.tracks[0] if message.type == "set_tempo")
    assert midi.ticks_per_beat * 1_000_000 == TICKS_PER_S * tempo


def test_takes_of_earlier_versions_are_read(tmp_path):
    """One tick was one frame of the model, and settings said less."""
    text = 'rtwave {"preset":"piano","seed":3,"sample_rate":44100}'
    track = [mido.MetaMessage("set_tempo", tempo=62_500), mido.MetaMessage("text", text=text)]
    track += [mido.Message("note_on", note=60, velocity=64, time=frames) for frames in (0, 12_345, 16_000 * 3600)]
    mido.MidiFile(type=0, ticks_per_beat=1000, tracks=[mido.MidiTrack(track)]).save(tmp_path / "take.mid")
    score = read_score(tmp_path / "take.mid")
    assert score.settings == Settings(preset="piano", seed=3, sample_rate=44_100)
    assert [round(on_tick(seconds) * 16_000) for seconds, _ in score.events] == [0, 12_345, 12_345 + 16_000 * 3600]
