import mido
import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.aligned import align, find_aligned, read_notes

from ..conftest import pluck

RATE = 22_050
SOLO = [(60, 0.5, 0.9), (64, 1.6, 2.2), (67, 2.5, 3.1), (72, 3.4, 4.4), (62, 4.5, 5.2), (69, 5.7, 6.3), (65, 7.0, 7.5)]


def write_midi(path, notes, tempo=500_000):
    events = [(start, "note_on", key) for key, start, _ in notes] + [(end, "note_off", key) for key, _, end in notes]
    track, now = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)]), 0
    for moment, kind, key in sorted(events):
        tick = round(moment * 960 * 500_000 / tempo)
        track.append(mido.Message(kind, note=key, velocity=90, time=tick - now))
        now = tick
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(path)
    return path


def perform(path, notes, offset=0.0, tempo=1.0, transpose=0.0):
    sound = np.zeros(int((max(end for *_, end in notes) * tempo + offset + 1.0) * RATE), np.float32)
    for key, start, end in notes:
        length = int((end - start) * tempo * RATE)
        first = int((offset + start * tempo) * RATE)
        sound[first : first + length] += pluck(key + transpose, 100, length / RATE + 0.1, RATE)[441:][:length]
    sound += 1e-4 * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    soundfile.write(path, sound, RATE)
    return path


@pytest.mark.parametrize(("offset", "tempo"), [(0.0, 1.0), (3.21, 1.0), (0.4, 1.015), (1.0, 0.983)])
def test_every_note_is_cut_where_it_sounds_whatever_the_offset_and_tempo(tmp_path, offset, tempo):
    audio, midi = perform(tmp_path / "a.wav", SOLO, offset, tempo), write_midi(tmp_path / "a.mid", SOLO)
    samples, rate = soundfile.read(audio, dtype="float32")
    found_offset, found_tempo = align(samples, rate, np.array([start for _, start, _ in SOLO]))
    assert found_offset == pytest.approx(offset, abs=0.015)
    assert found_tempo == pytest.approx(tempo, abs=0.003)
    found = find_aligned([audio], midi)
    assert [item.note for item in found.recordings] == [key for key, *_ in SOLO]
    for item, (_, start, end) in zip(found.recordings, SOLO, strict=True):
        sound, _ = item.load()
        assert len(sound) / RATE == pytest.approx((end - start) * tempo + 0.05, abs=0.02)
        assert np.flatnonzero(np.abs(sound) > 0.01)[0] / RATE == pytest.approx(0.05, abs=0.02)


def test_chords_are_left_out_and_counted(tmp_path):
    notes = [*SOLO, (48, 1.7, 2.0), (76, 7.52, 8.5)]
    audio, midi = perform(tmp_path / "a.wav", notes), write_midi(tmp_path / "a.mid", notes)
    found = find_aligned([audio], midi)
    assert [item.note for item in found.recordings] == [60, 67, 72, 62, 69, 65]
    assert found.warnings[0].startswith("a.wav: 6 of 9 notes sound alone and were cut; chords cannot be")


def test_a_song_of_chords_alone_is_one_clear_error(tmp_path):
    notes = [note for key, start, end in SOLO for note in ((key, start, end), (key + 4, start, end))]
    with pytest.raises(RtwaveError, match=r"none of its 14 notes sounds alone for 0\.3 s; a chord cannot be cut apart"):
        find_aligned([perform(tmp_path / "a.wav", notes)], write_midi(tmp_path / "a.mid", notes))


def test_the_pedal_holds_notes_on(tmp_path):
    track = mido.MidiTrack(
        [
            mido.Message("control_change", control=64, value=127),
            mido.Message("note_on", note=60, velocity=80),
            mido.Message("note_off", note=60, time=480),
            mido.Message("note_on", note=62, velocity=80, time=0),
            mido.Message("control_change", control=64, value=0, time=480),
            mido.Message("note_on", note=62, velocity=0, time=480),
        ]
    )
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(tmp_path / "a.mid")
    notes = read_notes(tmp_path / "a.mid")
    assert [(note.key, note.start_s, note.end_s) for note in notes] == [(60, 0.0, 1.0), (62, 0.5, 1.5)]


def test_a_key_struck_again_under_the_pedal_sounds_until_it_is_let_go(tmp_path):
    def pedal(value, time):
        return mido.Message("control_change", control=64, value=value, time=time)

    track = mido.MidiTrack([pedal(127, 0), mido.Message("note_on", note=60, velocity=90, time=0)])
    track += [mido.Message("note_off", note=60, time=240), mido.Message("note_on", note=60, velocity=90, time=240)]
    track += [pedal(0, 240), mido.Message("note_off", note=60, time=1200)]
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(tmp_path / "a.mid")
    notes = read_notes(tmp_path / "a.mid")
    assert [(note.start_s, note.end_s) for note in notes] == [(0.0, 0.5), (0.5, 2.0)]


def test_the_midi_file_of_another_key_is_refused(tmp_path):
    audio = perform(tmp_path / "a.wav", SOLO, transpose=3)
    with pytest.raises(RtwaveError, match=r"100% of its notes sound at other pitches than a\.mid has; is it the wrong"):
        find_aligned([audio], write_midi(tmp_path / "a.mid", SOLO))


def test_the_midi_file_of_another_song_is_refused(tmp_path):
    generator = np.random.default_rng(3)
    starts = np.cumsum(generator.uniform(0.35, 0.9, 12))
    other = [(int(generator.integers(50, 80)), start, start + 0.34) for start in starts]
    with pytest.raises(RtwaveError, match="wrong file"):
        find_aligned([perform(tmp_path / "a.wav", SOLO)], write_midi(tmp_path / "a.mid", other))


def test_a_folder_of_pairs_gives_the_notes_of_all_that_fit(tmp_path):
    perform(tmp_path / "a.wav", SOLO)
    perform(tmp_path / "b.wav", SOLO, offset=0.5)
    perform(tmp_path / "c.wav", SOLO)
    write_midi(tmp_path / "a.mid", SOLO)
    write_midi(tmp_path / "b.mid", SOLO)
    (tmp_path / "c.mid").write_bytes(b"MThd")
    perform(tmp_path / "d.wav", SOLO)
    mido.MidiFile(type=2, tracks=[mido.MidiTrack(), mido.MidiTrack()]).save(tmp_path / "d.mid")
    found = find_aligned([tmp_path], tmp_path)
    assert len(found.recordings) == 14
    assert [item.path.name for item in found.skipped] == ["c.wav", "d.wav"]
    assert "c.mid cannot be read as MIDI" in found.skipped[0].reason
    assert "d.mid cannot be read as MIDI (can't merge tracks in type 2" in found.skipped[1].reason


@pytest.mark.parametrize(
    ("sources", "midi", "message"),
    [
        (["a.wav"], "none.mid", "no such file"),
        (["a.wav", "b.wav"], "a.mid", "belongs to one audio file, but 2 were found"),
        (["a.wav"], "empty", "no MIDI file there is named like an audio file"),
        (["a.wav"], "silent.mid", r"silent\.mid holds no notes"),
    ],
)
def test_sources_that_do_not_fit_together_are_one_clear_error(tmp_path, sources, midi, message):
    for name in ("a.wav", "b.wav"):
        perform(tmp_path / name, SOLO[:2])
    write_midi(tmp_path / "a.mid", SOLO[:2])
    write_midi(tmp_path / "silent.mid", [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RtwaveError, match=message):
        find_aligned([tmp_path / name for name in sources], tmp_path / midi)
