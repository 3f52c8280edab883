import msgspec
import numpy as np
import pytest

from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.dataset import EARLIEST_RELEASE_S, Dataset, resample_at
from rtwave.wavenet.codec import deemphasize, encode
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.features import level

CONFIG = WaveNetConfig(
    dilations=(1, 2, 4, 8),
    excitation="partials",
    partials=12,
    pre_emphasis=0.85,
    conditioning=("gate", "loudness", "age"),
)


@pytest.fixture
def corpus(corpus_folder):
    return Corpus(corpus_folder)


def segment(corpus, config=CONFIG, start=3200, detune=0.0, release=None, noise=0.0, length=512):
    dataset = Dataset(corpus, config, length=length)
    entry = corpus.index.entries[4]
    arrays = dataset.segment(entry, start, detune, release, noise, np.random.default_rng(0))
    return dataset, entry, dict(zip(("inputs", "targets", "features", "partials", "gain"), arrays, strict=True))


def test_a_whole_position_returns_the_sample_itself_and_a_fraction_lies_on_the_wave():
    wave = np.sin(0.3 * np.arange(200)).astype(np.float32)
    np.testing.assert_allclose(resample_at(wave, np.arange(50.0, 100.0)), wave[50:100], atol=5e-3)
    np.testing.assert_allclose(
        resample_at(wave, np.arange(50.0, 100.0) + 0.37), np.sin(0.3 * (np.arange(50, 100) + 0.37)), atol=5e-3
    )
    assert not resample_at(wave, np.arange(-60.0, -30.0)).any()
    assert not resample_at(wave, np.arange(260.0, 290.0)).any()


def test_inputs_are_the_targets_one_sample_late(corpus):
    _, _, arrays = segment(corpus)
    assert (arrays["inputs"][1:] == arrays["targets"][:-1]).all()


def test_targets_are_the_recording_emphasised(corpus):
    dataset, entry, arrays = segment(corpus, start=-32)
    restored = deemphasize(arrays["targets"], 0.85)
    recording = np.concatenate([np.zeros(32), corpus.audio[entry.audio_start :][: dataset.length - 32]])
    assert np.abs(restored - recording).max() < 0.02 * np.abs(recording).max()


def test_levelled_targets_times_their_gain_are_the_recording(corpus):
    levelled = WaveNetConfig(pre_emphasis=0.0, leveling="loudness", conditioning=("gate",))
    _, entry, arrays = segment(corpus, levelled)
    recording = corpus.audio[entry.audio_start + 3200 :][: len(arrays["targets"])]
    assert np.abs(arrays["targets"] * arrays["gain"] - recording).max() < 0.02 * np.abs(recording).max()
    assert np.sqrt((arrays["targets"] ** 2).mean()) == pytest.approx(0.1, rel=0.2)
    period = entry.loudness_start + 100
    assert arrays["gain"][0] == pytest.approx(level(corpus.loudness[period]), rel=1e-4)


def test_before_the_onset_all_is_silence_and_zero_conditioning(corpus):
    _, _, arrays = segment(corpus, start=-64)
    assert not arrays["targets"][:64].any()
    assert not arrays["partials"][:64].any()
    assert not arrays["features"][:2].any()
    assert arrays["features"][2].any()


def test_note_off_damps_the_sound_and_its_loudness_alike(corpus):
    _, _, held = segment(corpus)
    _, _, released = segment(corpus, release=3200)
    gate, loudness = 0, 1
    assert (held["features"][:, gate] == 1).all()
    assert not released["features"][:, gate].any()
    seconds = np.arange(len(released["features"])) * 32 / 16_000
    np.testing.assert_allclose(
        held["features"][:, loudness] - released["features"][:, loudness], 8.686 * seconds / 0.06 / 30, atol=1e-3
    )
    decay = (
        np.abs(deemphasize(released["targets"], 0.85))[400:500].max()
        / np.abs(deemphasize(held["targets"], 0.85))[400:500].max()
    )
    assert decay == pytest.approx(np.exp(-450 / 16_000 / 0.06), rel=0.1)


def test_excitation_is_in_phase_with_the_detuned_recording(corpus):
    """Projected on the excitation, the recording leaves little: the phases are its own, at every detuning."""
    plain = WaveNetConfig(dilations=(1,), excitation="partials", partials=12, conditioning=("gate",))
    for detune in (-1.0, 0.0, 0.7):
        _, _, arrays = segment(corpus, plain, start=4800, detune=detune, length=2048)
        weights, *_ = np.linalg.lstsq(arrays["partials"], arrays["targets"], rcond=None)
        rest = arrays["targets"] - arrays["partials"] @ weights
        assert 10 * np.log10((arrays["targets"] ** 2).mean() / (rest**2).mean()) > 20


def test_input_noise_leaves_the_targets_alone(corpus):
    _, _, clean = segment(corpus)
    _, _, noisy = segment(corpus, noise=0.03)
    assert (noisy["targets"] == clean["targets"]).all()
    difference = noisy["inputs"] - clean["inputs"]
    share = difference[50:].std() / clean["targets"].std()
    assert 0.01 < share < 0.06


def test_a_batch_depends_on_its_seed_and_number_alone(corpus):
    dataset = Dataset(corpus, CONFIG, batch=2, length=256)
    batches = dataset.batches(seed=5)
    first, second = next(batches), next(batches)
    again = next(dataset.batches(seed=5, skip=1))
    assert (second.targets == again.targets).all()
    assert first.targets.shape == again.targets.shape == (2, 256 + dataset.context)
    assert not (first.targets == second.targets).all()


def test_mulaw_segments_are_classes(corpus):
    config = WaveNetConfig(output="mulaw", dilations=(1, 2), conditioning=("gate",))
    _, entry, arrays = segment(corpus, config)
    recording = corpus.audio[entry.audio_start + 3200 :][:100]
    assert np.abs(arrays["targets"][:100] - encode(recording)).max() <= 2
    assert arrays["inputs"].dtype == np.int64
    _, _, noisy = segment(corpus, config, noise=0.015)
    assert 0 < np.abs(noisy["inputs"] - arrays["inputs"]).mean() < 3


def test_held_out_recordings_are_never_learned_from(corpus):
    dataset = Dataset(corpus, CONFIG)
    assert not {entry.name for entry in dataset.train} & {entry.name for entry in dataset.held_out}
    assert dataset.validation()


@pytest.fixture
def draws(corpus, monkeypatch):
    """(entry, start, detune, release, noise) of 4000 draws from a corpus of keys three semitones apart."""
    monkeypatch.setattr(Dataset, "segment", lambda self, *drawn: drawn[:5])
    dataset, generator = Dataset(corpus, CONFIG, length=2048, noise=0.02), np.random.default_rng(0)
    return dataset, list(zip(*(dataset._draw_one(generator) for _ in range(4000)), strict=True))


def test_segments_are_drawn_from_all_recordings_alike_and_a_quarter_begin_at_the_onset(draws):
    dataset, (entries, starts, *_) = draws
    counts = [entries.count(entry) for entry in dataset.train]
    assert min(counts) > 0.7 * 4000 / len(dataset.train)
    assert 0.23 < starts.count(-dataset.context) / 4000 < 0.27
    later = [start for start in starts if start >= 0]
    assert max(later) > 0.9 * (2.0 * 16_000 - dataset.length) * 2 ** (-1.5 / 12)
    assert np.median(later) < 0.5 * max(later)


def test_detuning_fills_the_gaps_between_keys_evenly(draws):
    _, (_, _, detunes, *_) = draws
    assert (min(detunes), max(detunes)) == (pytest.approx(-1.5, abs=0.01), pytest.approx(1.5, abs=0.01))
    assert np.std(detunes) == pytest.approx(3.0 / np.sqrt(12), rel=0.05)


def test_one_segment_in_five_has_a_note_off_within_or_shortly_before_it(draws):
    dataset, (_, starts, _, releases, _) = draws
    off = [(start, release) for start, release in zip(starts, releases, strict=True) if release is not None]
    assert 0.18 < len(off) / 4000 < 0.22
    assert all(release >= EARLIEST_RELEASE_S * 16_000 - 32 for _, release in off)
    assert all(start - 0.45 * 16_000 - 32 <= release <= start + dataset.length for start, release in off if start > 800)
    assert 0.1 < np.mean([release < start for start, release in off]) < 0.9


def test_noise_is_drawn_evenly_up_to_its_highest(draws):
    _, (*_, noises) = draws
    assert 0 <= min(noises) < 0.001
    assert 0.019 < max(noises) <= 0.02
    assert np.mean(noises) == pytest.approx(0.01, rel=0.05)


def shortened(corpus, names, samples):
    entries = [
        msgspec.structs.replace(entry, samples=samples) if entry.name in names else entry
        for entry in corpus.index.entries
    ]
    corpus.index = msgspec.structs.replace(corpus.index, entries=entries)
    return corpus


def test_no_segment_reads_past_the_end_of_its_recording(corpus, monkeypatch):
    monkeypatch.setattr(Dataset, "segment", lambda self, *drawn: drawn[:3])
    dataset = Dataset(shortened(corpus, {entry.name for entry in corpus.index.entries}, 2400), CONFIG, length=2048)
    generator = np.random.default_rng(0)
    for _ in range(200):
        entry, start, detune = dataset._draw_one(generator)
        assert (start + dataset.length) * 2 ** (detune / 12) < entry.samples


def test_recordings_shorter_than_a_segment_are_left_out_and_named(corpus):
    short = {entry.name for entry in corpus.index.entries[:2]}
    dataset = Dataset(shortened(corpus, short, 2000), CONFIG, length=2048)
    assert {entry.name for entry in dataset.too_short} == short
    assert not {entry.name for entry in dataset.train} & short


def test_a_length_that_fits_no_recording_is_one_clear_error(corpus):
    with pytest.raises(RtwaveError, match=r"no recording is as long as a segment of 40000 samples .*--length of less"):
        Dataset(corpus, CONFIG, length=40_000)


def test_a_corpus_made_for_another_network_is_refused(corpus):
    other = msgspec.structs.replace(CONFIG, sample_rate=22_050)
    with pytest.raises(RtwaveError, match=r"16000 Hz .* but the network has 22050 Hz .*prepare it again"):
        Dataset(corpus, other)
    with pytest.raises(RtwaveError, match=r"12 partials, expected 13; prepare it again"):
        Dataset(corpus, msgspec.structs.replace(CONFIG, partials=13))


def test_standard_segments_are_as_long_as_in_training_or_as_short_recordings_allow(corpus):
    assert Dataset.standard(corpus, CONFIG).length == Dataset(corpus, CONFIG).length
    names = {entry.name for entry in corpus.index.entries}
    short = Dataset.standard(shortened(corpus, names, 2000), CONFIG)
    assert 1600 <= short.length - short.context <= 1700
    assert len(short.validation()[0].inputs) == len(short.held_out) == 1
    assert not short.too_short


def test_knobs_are_those_whose_labels_vary(corpus):
    assert corpus.knobs == ()
    first, *rest = corpus.index.entries
    turned = msgspec.structs.replace(first, knobs=(0.0, 0.5, 0.0, 0.0))
    corpus.index = msgspec.structs.replace(corpus.index, entries=[turned, *rest])
    assert corpus.knobs == ("knob2",)
