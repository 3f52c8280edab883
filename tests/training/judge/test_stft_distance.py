import numpy as np
import pytest

from rtwave.training.judge.stft_distance import (
    MEL_BINS,
    WINDOWS_S,
    audible_distance,
    both_distances,
    differences,
    mel_filters,
    stft_distance,
)

from .instruments import RATE, struck


def hiss(level, length=2 * RATE, seed=0):
    return (level * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)


@pytest.fixture(scope="module")
def note():
    return struck(60, 80, 2.0)


def test_a_sound_is_no_way_from_itself(note):
    assert stft_distance(note, note, RATE) == audible_distance(note, note, RATE) == 0.0


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_it_is_the_distance_that_auraloss_has(rate):
    auraloss, torch = pytest.importorskip("auraloss"), pytest.importorskip("torch")
    pytest.importorskip("librosa")
    sizes = [round(window * rate) for window in WINDOWS_S]
    judge = auraloss.freq.MultiResolutionSTFTLoss(
        fft_sizes=sizes,
        hop_sizes=[size // 4 for size in sizes],
        win_lengths=sizes,
        scale="mel",
        n_bins=MEL_BINS,
        sample_rate=rate,
    )
    ours, theirs = struck(60, 80, 2.0, rate), struck(61, 50, 2.0, rate) + hiss(0.001, 2 * rate)
    scaled = [torch.tensor(sound * np.float32(16_000 / rate))[None, None] for sound in (ours, theirs)]
    assert stft_distance(ours, theirs, rate) == pytest.approx(float(judge(*scaled)), abs=1e-4)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_bands_are_librosas(rate):
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(sr=rate, n_fft=2048, n_mels=MEL_BINS)
    np.testing.assert_allclose(mel_filters(rate, 2048), expected, atol=1e-6)


def test_every_band_hears_something_at_every_rate():
    for rate in (8_000, 16_000, 24_000, 32_000, 44_100, 48_000):
        assert (mel_filters(rate, round(WINDOWS_S[0] * rate)).sum(axis=1) > 0.0).all()


def test_a_level_is_a_distance_and_8_7_db_are_1_in_the_logarithm(note):
    louder = differences(note * np.float32(np.e), note, RATE, floor_power=1e-20)
    assert all(each.log_difference == pytest.approx(1.0, abs=1e-3) for each in louder)
    assert all(each.convergence == pytest.approx(np.e - 1.0, abs=1e-3) for each in louder)


def test_a_worse_copy_is_farther(note):
    for faults in (
        [struck(60, 80, 2.0, cents=cents) for cents in (0, 10, 100)],
        [note + hiss(level) for level in (0.0, 1e-3, 1e-2)],
        [note * np.float32(gain) for gain in (1.0, 0.8, 0.3)],
        [np.roll(note, shift) for shift in (0, 400, 4000)],
    ):
        distances = [stft_distance(fault, note, RATE) for fault in faults]
        assert distances == sorted(distances)
        assert distances[0] < distances[1] < distances[2]


def test_what_nobody_hears_is_not_an_audible_distance(note):
    """Holes that a codec leaves between partials, and hiss 100 dB below full scale."""
    faint = note + hiss(1e-6)
    assert stft_distance(faint, struck(60, 80, 2.0) * 0.0 + note, RATE) > 2.0 * audible_distance(faint, note, RATE)


def test_a_sound_shorter_than_the_longest_window_is_filled_with_silence(note):
    assert stft_distance(note[:1000], note[:1000], RATE) == 0.0
    assert stft_distance(note[:1000], note[:1000] * np.float32(0.5), RATE) > 0.1


def test_many_sounds_are_judged_at_once_as_each_would_be_alone(note):
    sounds = [0.5 * note, note + 1e-4]
    alone = [[measure(sound, note, RATE) for measure in (stft_distance, audible_distance)] for sound in sounds]
    np.testing.assert_allclose(both_distances(sounds, note, RATE), alone)
