import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.prepare import prepare
from rtwave.training.soundness import judge
from rtwave.training.sources import Found, Recording, Skipped

RATE = 16_000


def tone(note, velocity=100, *, seconds=2.5, decay=6.0, noise=0.0, called=None, level=1.0):
    """A recording of `note` that is called `called`."""
    time = np.arange(int(seconds * RATE)) / RATE
    f0 = 440.0 * 2.0 ** ((note - 69) / 12.0)
    sound = sum(np.exp(-decay * time) * np.sin(2 * np.pi * k * f0 * time) / k for k in range(1, 5) if k * f0 < 7000)
    sound = level * 0.3 * velocity / 127 * sound + noise * np.random.default_rng(int(note)).standard_normal(len(time))
    called = note if called is None else called
    name = f"{called}_v{velocity}"
    return Recording(name, "", float(called), float(velocity), lambda: (sound.astype(np.float32), RATE))


GOOD = [(note, velocity) for note in range(48, 72, 3) for velocity in (40, 80, 120)]


def judged(folder, recordings, skipped=(), **options):
    prepare(Found(list(recordings), list(skipped)), folder, partials=4, stiff=False, **options)
    return judge(Corpus(folder))


def test_a_good_corpus_is_not_nagged_about(tmp_path):
    assert judged(tmp_path, [tone(*label) for label in GOOD]) == []


def test_too_little_material_is_an_error_and_little_a_warning(tmp_path):
    with pytest.raises(RtwaveError, match=r"3\.0 s of material, expected 5 s at the very least"):
        judged(tmp_path, [tone(note, seconds=1.0) for note in (60, 62, 64)])
    (warning, *_) = judged(tmp_path, [tone(note, seconds=2.0) for note in (60, 62, 64, 66)])
    assert warning.startswith("8 s of material: expect")


def test_two_notes_cannot_become_an_instrument(tmp_path):
    with pytest.raises(RtwaveError, match=r"2 different notes \(C4 and D4\), expected 3 or more"):
        judged(tmp_path, [tone(60, 40), tone(60, 100), tone(62)])


def test_silence_and_clipping_are_errors(tmp_path):
    with pytest.raises(RtwaveError, match="nothing but silence"):
        judged(tmp_path, [tone(*label, level=1e-3) for label in GOOD])
    clipped = [Skipped("x.wav", "clipped (flat at full scale); record it again at a lower level")] * 30
    with pytest.raises(RtwaveError, match="30 of 54 recordings are clipped"):
        judged(tmp_path, [tone(*label) for label in GOOD], clipped)


@pytest.mark.parametrize("off", [1, 2, -3])
def test_wrong_labels_throughout_are_an_error(tmp_path, off):
    side = "below" if off > 0 else "above"
    with pytest.raises(RtwaveError, match=f"labels do not fit.*{abs(off)} semitones? {side}"):
        judged(tmp_path, [tone(*label, called=label[0] + off) for label in GOOD])


def test_labels_a_quarter_tone_off_throughout_are_an_error(tmp_path):
    with pytest.raises(RtwaveError, match="labels do not fit: 24 of 24 recordings are 40 cents or more off"):
        judged(tmp_path, [tone(label[0] + 0.45, label[1], called=label[0]) for label in GOOD])


def test_one_wrong_label_and_other_octaves_are_warnings(tmp_path):
    recordings = [tone(*label) for label in GOOD]
    recordings[4] = tone(51, 80, called=56)
    warnings = judged(tmp_path, recordings)
    assert any("1 of 24 recordings sounds other than it is called, such as 56_v80" in warning for warning in warnings)
    warnings = judged(tmp_path, [tone(label[0], label[1], called=label[0] - 12) for label in GOOD])
    assert any(
        "24 of 24" in warning and "it sounds 12 semitones above" in warning and "middle C" in warning
        for warning in warnings
    )


def test_a_key_called_otherwise_in_all_its_layers_is_told(tmp_path):
    recordings = [tone(*label, called=62 if label[0] == 63 else None) for label in GOOD]
    warning, *_ = judged(tmp_path, recordings)
    assert warning.startswith("3 of 24 recordings sound other than they are called, 3 by 1 semitone, such as 62_v40")


def test_gaps_one_velocity_and_uneven_levels_are_told(tmp_path):
    recordings = [tone(note) for note in (36, 38, 40, 42, 52, 54, 56, 58)] * 3
    warnings = judged(tmp_path, recordings)
    assert any("no recording within F#2 to E3" in warning for warning in warnings)
    assert any(
        "all recordings have velocity 100, as where names say none: the tone will not change" in warning
        for warning in warnings
    )
    recordings = [tone(*label, level=0.1 if label == (60, 80) else 1.0) for label in GOOD]
    (warning,) = judged(tmp_path, recordings)
    assert warning.startswith("1 recording is 12 dB or more louder or softer than their neighbours: 60_v80 (-20 dB)")


def test_noise_and_endings_are_told(tmp_path):
    (warning,) = judged(tmp_path, [tone(*label, noise=0.006) for label in GOOD])
    assert "end in noise or hum" in warning
    (warning,) = judged(tmp_path, [tone(*label, decay=0.2) for label in GOOD], sustained=False)
    assert "end before they died away" in warning
    assert "--sustained" in warning


def test_textures_and_drums_are_judged_as_what_they_are(tmp_path):
    noise = np.random.default_rng(0).standard_normal(45 * RATE).astype(np.float32) * 0.1
    piece = Recording("rain", "", 60.0, 100.0, lambda: (noise, RATE))
    assert judged(tmp_path / "texture", [piece], kind="texture") == []
    drums = [tone(key, velocity, seconds=3.0) for key in (36, 60) for velocity in (30, 60, 90, 120) * 2]
    assert judged(tmp_path / "drums", drums, kind="drums") == []
