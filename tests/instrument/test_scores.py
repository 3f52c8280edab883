"""MIDI files in and out."""

import contextlib

import mido
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtwave.errors import RtwaveError
from rtwave.instrument.messages import NOTE_ON, Message
from rtwave.instrument.scores import Score, read_score
from rtwave.instrument.settings import Settings, VoiceLimit


def save(path, *tracks, **header):
    midi = mido.MidiFile(tracks=[mido.MidiTrack(track) for track in tracks], **header)
    midi.save(path)
    return path


def note(key=60, time=0):
    return mido.Message("note_on", note=key, velocity=64, time=time)


@pytest.fixture
def song(tmp_path):
    return save(tmp_path / "song.mid", [note(time=48 * step) for step in range(100)], type=0)


def test_tempo_changes_move_what_follows(tmp_path):
    track = [note(), mido.MetaMessage("set_tempo", tempo=1_000_000, time=480), note(time=480), note(time=240)]
    score = read_score(save(tmp_path / "song.mid", track))
    assert [seconds for seconds, _ in score.events] == pytest.approx([0.0, 1.5, 2.0])
    assert score.duration_s == pytest.approx(2.0)


def test_tempo_track_rules_the_others(tmp_path):
    tempo = [mido.MetaMessage("set_tempo", tempo=250_000)]
    score = read_score(save(tmp_path / "song.mid", tempo, [note(time=480)], [note(key=62, time=960)], type=1))
    assert [(seconds, message.data1) for seconds, message in score.events] == [(0.25, 60), (0.5, 62)]


def test_running_status_is_read(tmp_path):
    track = bytes.fromhex("00903c40 10 3c00 10 3e40 00ff2f00".replace(" ", ""))
    header = b"MThd" + bytes.fromhex("00000006 0000 0001 01e0")
    (tmp_path / "song.mid").write_bytes(header + b"MTrk" + len(track).to_bytes(4, "big") + track)
    events = read_score(tmp_path / "song.mid").events
    assert [(message.data1, message.data2) for _, message in events] == [(60, 64), (60, 0), (62, 64)]


def test_every_cut_of_a_file_is_one_clear_line(song):
    whole = song.read_bytes()
    for length in range(len(whole)):
        song.write_bytes(whole[:length])
        with pytest.raises(RtwaveError) as caught:
            read_score(song)
        assert str(caught.value).startswith(str(song))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "problem"),
    [({"type": 2}, "type 2"), ({"ticks_per_beat": 0}, "SMPTE"), ({"ticks_per_beat": -600}, "SMPTE")],
)
def test_files_without_a_beat_are_refused(tmp_path, header, problem):
    with pytest.raises(RtwaveError, match=problem):
        read_score(save(tmp_path / "song.mid", [note()], **header))


def test_file_that_lasts_for_ever_is_refused(tmp_path):
    with pytest.raises(RtwaveError, match="expected at most"):
        read_score(save(tmp_path / "song.mid", [note(time=2**27)] * 10))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(RtwaveError, match=r"none\.mid: no such MIDI file"):
        read_score(tmp_path / "none.mid")
    with pytest.raises(RtwaveError, match="cannot be read"):
        read_score(tmp_path)


@given(st.data())
@example(None)
def test_damaged_files_never_raise_anything_else(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "song.mid"
    save(path, [note(time=5), mido.MetaMessage("key_signature", key="C"), note(key=62, time=200)], type=0)
    damaged = bytearray(path.read_bytes())
    if data:
        for _ in range(data.draw(st.integers(1, 6))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    with contextlib.suppress(RtwaveError):
        read_score(path)


def test_song_carries_no_settings(tmp_path):
    texts = [mido.MetaMessage("text", text=text) for text in ("hello", "rtwave", "rtwave is fine", 'rtwave {"a": 1}')]
    assert read_score(save(tmp_path / "song.mid", texts)).settings in (None, Settings())


def test_events_have_their_beats_whatever_the_tempo(tmp_path):
    track = [note(), mido.MetaMessage("set_tempo", tempo=1_000_000, time=480), note(time=480), note(time=240)]
    assert read_score(save(tmp_path / "song.mid", track)).beats == [0.0, 2.0, 2.5]


def test_what_is_asked_for_goes_before_what_a_take_says():
    bell, drum = Settings(preset="bell", temperature=0.1), Settings(preset="drum", temperature=0.2)
    events = [(1.0, VoiceLimit(0, 3)), (2.0, drum), (3.0, Message(NOTE_ON, 0, 60, 64))]
    score = Score(events, 4.0, bell, [1.0, 2.0, 3.0])
    assert score.played_as(Settings()) == score
    hot = score.played_as(Settings(temperature=0.9))
    assert hot.settings == Settings(preset="bell", temperature=0.9)
    assert hot.events == [events[0], (2.0, Settings(preset="drum", temperature=0.9)), events[2]]
    assert score.played_as(Settings(voices=9)).beats == [2.0, 3.0]
    other = score.played_as(Settings(preset="flute"))
    assert (other.events, other.beats) == (events[2:], [3.0])
    assert other.settings == Settings(preset="flute", temperature=0.1)
