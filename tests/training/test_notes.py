import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.notes import SHORTEST_S, find_spans
from rtwave.training.pitch import track

from .melodies import Played, melody, sing

FLUTE = [1.0, 0.5, 0.2, 0.1, 0.03]
SAWTOOTH = [1.0 / k for k in range(1, 20)]
WEAK_FUNDAMENTAL = [0.25, 1.0, 0.2, 0.5, 0.1, 0.3]
NO_FUNDAMENTAL = [0.0, 0.7, 1.0, 0.8, 0.5, 0.3]
ODD_ONLY = [1.0, 0.0, 0.5, 0.0, 0.3]


def spans_of(sound, folder, rate=44_100):
    path = folder / "melody.wav"
    soundfile.write(path, sound, rate, subtype="FLOAT")
    return find_spans(track(path), path)


def rights(played, spans):
    """(notes of the right key, notes of the right key that begin within 20 ms)."""
    keys = starts = 0
    free = list(spans)
    for note in played:
        nearest = min(free, key=lambda span: abs(span.start_s - note.start_s), default=None)
        if nearest is None or abs(nearest.start_s - note.start_s) > 0.08:
            continue
        free.remove(nearest)
        keys += round(nearest.pitch) == note.key
        starts += round(nearest.pitch) == note.key and abs(nearest.start_s - note.start_s) <= 0.02
    return keys, starts


@pytest.mark.parametrize("partials", [FLUTE, SAWTOOTH, WEAK_FUNDAMENTAL, NO_FUNDAMENTAL, ODD_ONLY])
def test_of_melodies_95_in_100_notes_are_found_with_their_key_within_20_ms(tmp_path, partials):
    total = keys = starts = found = 0
    for seed, (low, high, vibrato) in enumerate([(31, 55, 0.0), (48, 84, 40.0), (60, 96, 0.0)]):
        played = melody(seed, 20, low, high)
        spans, _ = spans_of(sing(played, 44_100, partials=partials, vibrato_cents=vibrato), tmp_path)
        right = rights(played, spans)
        total, keys, starts, found = total + len(played), keys + right[0], starts + right[1], found + len(spans)
    assert keys >= 0.95 * total
    assert starts >= 0.92 * total
    assert abs(found - total) <= 0.05 * total


@pytest.mark.parametrize("cents", [20.0, 60.0])
def test_vibrato_is_one_note(tmp_path, cents):
    played = [Played(0.2, 3.2, 71, 0.3)]
    spans, gaps = spans_of(sing(played, 44_100, partials=FLUTE, vibrato_cents=cents), tmp_path)
    assert [round(span.pitch) for span in spans] == [71]
    assert gaps == []
    assert spans[0].start_s == pytest.approx(0.2, abs=0.01)
    assert spans[0].end_s == pytest.approx(3.2, abs=0.1)


def test_a_deep_vibrato_of_the_level_is_one_note(tmp_path):
    sound = sing([Played(0.2, 3.2, 93, 0.3)], 44_100, partials=FLUTE, vibrato_cents=10.0)
    dips_db = 9.0 * (1.0 + np.sin(2 * np.pi * 5.0 * np.arange(len(sound)) / 44_100))
    spans, _ = spans_of(sound * 10.0 ** (-dips_db / 20.0), tmp_path)
    assert [round(span.pitch) for span in spans] == [93]


def test_repeated_notes_are_told_apart_by_dips_of_level(tmp_path):
    played = [Played(0.3 * n, 0.3 * n + 0.25, 60, 0.3) for n in range(1, 9)]
    spans, _ = spans_of(sing(played, 44_100, partials=SAWTOOTH), tmp_path)
    assert rights(played, spans) == (8, 8)
    assert len(spans) == 8


def test_notes_struck_into_their_own_tails_are_told_apart(tmp_path):
    rate = 44_100
    time = np.arange(int(0.5 * rate)) / rate
    note = np.exp(-4.0 * time) * np.sin(2 * np.pi * 220 * time) * np.minimum(time / 0.002, 1.0)
    sound = np.concatenate([np.zeros(rate // 5), *[np.roll(note, 7 * n) * 0.5 for n in range(6)]])
    spans, _ = spans_of(sound, tmp_path)
    np.testing.assert_allclose([span.start_s for span in spans], 0.2 + 0.5 * np.arange(6), atol=0.02)


def test_a_legato_semitone_is_a_new_note(tmp_path):
    played = [Played(0.2 + 0.25 * n, 0.45 + 0.25 * n, 60 + n, 0.3, n > 0) for n in range(12)]
    spans, _ = spans_of(sing(played, 44_100, partials=FLUTE), tmp_path)
    assert [round(span.pitch) for span in spans] == list(range(60, 72))
    assert [span.legato for span in spans] == [False] + [True] * 11


@pytest.mark.parametrize("semitones", [3.0, 7.0, 24.0])
def test_noise_silence_short_and_gliding_sounds_are_left_out_with_reason_and_place(tmp_path, semitones):
    rate = 44_100
    noise = np.random.default_rng(0).standard_normal(rate)
    time = np.arange(rate) / rate
    glide = np.sin(2 * np.pi * np.cumsum(220 * 2.0 ** (semitones / 12.0 * time)) / rate)
    blip = np.sin(2 * np.pi * 440 * time[: int(0.1 * rate)])
    rest = np.zeros(rate // 2)
    sound = 0.3 * np.concatenate([rest, noise, rest, glide, rest, blip, rest])
    spans, gaps = spans_of(sound, tmp_path)
    assert spans == []
    told = {gap.reason.split()[0]: gap for gap in gaps}
    assert told["no"].start_s == pytest.approx(0.5, abs=0.1)
    assert told["no"].end_s == pytest.approx(1.5, abs=0.1)
    assert 2.0 <= told["unsteady"].start_s <= told["unsteady"].end_s <= 3.1
    assert told["too"].start_s == pytest.approx(3.5, abs=0.05)


def test_hum_between_notes_is_no_note(tmp_path):
    played = [Played(1.0 * n, 1.0 * n + 0.5, 60 + n, 0.3) for n in range(1, 6)]
    sound = sing(played, 44_100, partials=FLUTE)
    sound += 0.002 * np.sin(2 * np.pi * 50 * np.arange(len(sound)) / 44_100)
    spans, _ = spans_of(sound, tmp_path)
    assert [round(span.pitch) for span in spans] == [61, 62, 63, 64, 65]


@pytest.mark.parametrize("key", [21, 28, 40, 60, 84, 100, 108])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_pitch_of_a_steady_tone_is_right_within_ten_cents(key, rate, tmp_path):
    sound = sing([Played(0.0, 0.5, key, 0.3)], rate, partials=SAWTOOTH, noise=1e-3)
    soundfile.write(tmp_path / "tone.wav", sound[: rate // 2], rate, subtype="FLOAT")
    found = track(tmp_path / "tone.wav")
    assert abs(np.nanmedian(found.pitch) - key) < 0.1
    assert np.median(found.doubt) < 0.2


def test_our_pitch_agrees_with_librosa_pyin(tmp_path):
    librosa = pytest.importorskip("librosa")
    played = melody(3, 4, 55, 79)
    sound = sing(played, 22_050, partials=FLUTE, vibrato_cents=30.0)
    soundfile.write(tmp_path / "a.wav", sound, 22_050)
    ours = track(tmp_path / "a.wav").pitch
    theirs, voiced, _ = librosa.pyin(sound, fmin=160, fmax=900, sr=22_050, frame_length=1024, hop_length=441)
    theirs = librosa.hz_to_midi(theirs[: len(ours) // 2])
    both = np.isfinite(theirs) & np.isfinite(ours[::2][: len(theirs)]) & voiced[: len(theirs)]
    assert both.mean() > 0.7
    assert np.mean(np.abs(theirs - ours[::2][: len(theirs)])[both] < 0.3) > 0.95


def test_blocks_of_a_long_file_join_without_a_seam(tmp_path):
    rate = 8000
    sound = sing([Played(0.5, 64.0, 69, 0.3)], rate, partials=FLUTE)
    spans, gaps = spans_of(sound, tmp_path, rate)
    assert [round(span.pitch) for span in spans] == [69]
    assert (spans[0].start_s, spans[0].end_s) == (pytest.approx(0.5, abs=0.02), pytest.approx(64.0, abs=0.1))
    assert gaps == []


KINDS = ["sine", "noise", "zero", "one", "click"]


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.sampled_from([1000, 8000, 22_050, 96_000]),
    pieces=st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 0.6)), max_size=6),
)
def test_any_audio_gives_notes_inside_the_file_that_do_not_overlap(tmp_path_factory, seed, rate, pieces):
    generator = np.random.default_rng(seed)
    parts = [np.zeros(0)]
    for kind, seconds in pieces:
        time = np.arange(int(seconds * rate)) / rate
        parts.append(
            {
                "sine": np.sin(2 * np.pi * generator.uniform(20, rate) * time) * generator.uniform(0, 2),
                "noise": generator.standard_normal(len(time)),
                "zero": np.zeros(len(time)),
                "one": np.ones(len(time)),
                "click": (np.arange(len(time)) % 97 == 0) * 1.0,
            }[kind]
        )
    path = tmp_path_factory.mktemp("any") / "any.wav"
    soundfile.write(path, np.concatenate(parts), rate, subtype="FLOAT")
    try:
        tracked = track(path)
    except RtwaveError:
        assert not sum(map(len, parts))
        return
    spans, gaps = find_spans(tracked, path)
    edges = [edge for span in spans for edge in (span.start_s, span.end_s)]
    assert edges == sorted(edges)
    assert all(0.0 <= edge <= tracked.seconds for edge in edges)
    assert all(span.end_s - span.start_s >= SHORTEST_S / 3 for span in spans)
    assert all(0.0 <= gap.start_s <= gap.end_s <= tracked.seconds + 1e-9 for gap in gaps)
    assert all(np.isfinite(span.pitch) and 0.0 <= span.confidence <= 1.0 for span in spans)
