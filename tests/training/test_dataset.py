import msgspec
import numpy as np
import pytest

from rtwave._segments import running_level
from rtwave.errors import RtwaveError
from rtwave.training.corpus import Corpus
from rtwave.training.dataset import EARLIEST_RELEASE_S, Dataset
from rtwave.training.segments import Cut
from rtwave.training.tables import measure_tables
from rtwave.wavenet.codec import deemphasize, encode
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.features import WEIGHT, level
from rtwave.wavenet.weights import Weights

from ..engine.slow_voice import SlowVoice
from . import made_corpus

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


def segment(corpus, config=CONFIG, start=3200, detune=0.0, release=None, noise=0.0, swing=0.0, length=512):
    dataset = Dataset(corpus, config, length=length)
    entry = corpus.index.entries[4]
    return dataset, entry, rows(dataset, Cut(entry, start, detune, release, noise, swing))


def rows(dataset, cut):
    """The arrays of one segment."""
    batch = dataset.segment(cut, np.random.default_rng(0))
    arrays = {"features": batch.conditioning, "partials": batch.excitation, "weights": batch.weights}
    arrays |= {"inputs": batch.inputs, "targets": batch.targets, "gain": batch.gain}
    return {name: array[0] for name, array in arrays.items() if array is not None}


def test_inputs_are_the_targets_one_sample_late(corpus):
    _, _, arrays = segment(corpus)
    assert (arrays["inputs"][1:] == arrays["targets"][:-1]).all()


def test_targets_are_the_recording_emphasised(corpus):
    dataset, entry, arrays = segment(corpus, start=-32)
    restored = deemphasize(arrays["targets"], 0.85)
    recording = np.concatenate([np.zeros(32), corpus.sound(entry)[: dataset.length - 32]])
    assert np.abs(restored - recording).max() < 1e-5 * np.abs(recording).max()


def test_levelled_targets_times_their_gain_are_the_recording(corpus):
    levelled = WaveNetConfig(pre_emphasis=0.0, leveling="loudness", conditioning=("gate",))
    _, entry, arrays = segment(corpus, levelled)
    recording = corpus.sound(entry)[3200:][: len(arrays["targets"])]
    assert np.abs(arrays["targets"] * arrays["gain"] - recording).max() < 1e-5 * np.abs(recording).max()
    assert np.sqrt((arrays["targets"] ** 2).mean()) == pytest.approx(0.1, rel=0.2)
    assert arrays["gain"][0] == pytest.approx(level(corpus.loudness_db(entry)[100]), rel=1e-4)


def test_before_the_onset_all_is_silence_and_zero_conditioning(corpus):
    _, _, arrays = segment(corpus, start=-64)
    assert not arrays["targets"][:64].any()
    assert not arrays["partials"][:64].any()
    assert not arrays["features"][:2].any()
    assert arrays["features"][2].any()


@pytest.mark.parametrize("damper_s", [0.06, 0.2])
def test_note_off_damps_the_sound_and_its_loudness_alike(corpus, damper_s):
    corpus.index = msgspec.structs.replace(corpus.index, damper_s=damper_s)
    _, _, held = segment(corpus)
    _, _, released = segment(corpus, release=3200)
    gate, loudness = 0, 1
    assert (held["features"][:, gate] == 1).all()
    assert not released["features"][:, gate].any()
    seconds = np.arange(len(released["features"])) * 32 / 16_000
    np.testing.assert_allclose(
        held["features"][:, loudness] - released["features"][:, loudness], 8.686 * seconds / damper_s / 30, atol=1e-3
    )
    decay = (
        np.abs(deemphasize(released["targets"], 0.85))[400:500].max()
        / np.abs(deemphasize(held["targets"], 0.85))[400:500].max()
    )
    assert decay == pytest.approx(np.exp(-450 / 16_000 / damper_s), rel=0.1)


@pytest.mark.parametrize(
    ("kind", "undamped_from", "sustained", "damped"),
    [
        ("notes", 128, False, True),
        ("notes", 60, False, False),
        ("notes", 60, True, True),
        ("drums", 128, False, False),
        ("texture", 60, False, True),
    ],
)
def test_what_is_damped_when_a_key_is_let_go(corpus, kind, undamped_from, sustained, damped):
    changes = {"kind": kind, "undamped_from": undamped_from, "sustained": sustained}
    corpus.index = msgspec.structs.replace(corpus.index, **changes)
    unpitched = WaveNetConfig(dilations=(1,), conditioning=("gate",))
    _, _, held = segment(corpus, unpitched)
    _, _, released = segment(corpus, unpitched, release=3200)
    assert (np.abs(released["targets"][-32:]).max() < 0.9 * np.abs(held["targets"][-32:]).max()) == damped


def test_excitation_is_in_phase_with_the_detuned_recording(corpus):
    """Projected on the excitation, the recording leaves little: the phases are its own, at every detuning."""
    plain = WaveNetConfig(dilations=(1,), excitation="partials", partials=12, conditioning=("gate",))
    for detune in (-1.0, 0.0, 0.7):
        _, _, arrays = segment(corpus, plain, start=4800, detune=detune, length=2048)
        weights, *_ = np.linalg.lstsq(arrays["partials"], arrays["targets"], rcond=None)
        rest = arrays["targets"] - arrays["partials"] @ weights
        assert 10 * np.log10((arrays["targets"] ** 2).mean() / (rest**2).mean()) > 20


@pytest.mark.parametrize("leveling", ["none", "loudness"])
def test_partials_of_a_released_note_are_as_strong_as_the_engine_will_play_them(tmp_path, leveling):
    """The engine in its own reference: 0.5 s after note-on the key is let go."""
    seconds, release, rate = 2.0, 8000, made_corpus.RATE
    partials_db = np.tile(np.float32([-35.0, -45.0, -60.0]), (int(seconds * rate) // made_corpus.STRIDE, 1))
    note = made_corpus.recording(60, 90.0, made_corpus.level(-30.0, seconds), partials_db=partials_db)
    corpus = made_corpus.made_corpus(tmp_path, [note], damper_s=0.1)
    config = WaveNetConfig(dilations=(1,), excitation="weighted", partials=3, leveling=leveling, conditioning=("gate",))
    dataset = Dataset(corpus, config, length=4096)
    start = release - dataset.context - 1024
    heard = rows(dataset, Cut(corpus.index.entries[0], start, release=release))["partials"]
    voice = SlowVoice(Weights.random(config), 60, 90)
    voice.weights.instrument = measure_tables(corpus, config)
    voice.curve = voice.weights.instrument.envelope_db[0, list(voice.weights.instrument.envelope_velocities).index(90)]
    voice.released = release
    for age in (release - 512, release + 512, release + 2048):
        found = np.hypot(heard[age - start, :3], heard[age - start, 3:]) / WEIGHT
        np.testing.assert_allclose(20.0 * np.log10(found), voice._strengths_db(age), atol=0.2)


def test_input_noise_leaves_the_targets_alone(corpus):
    _, _, clean = segment(corpus)
    _, _, noisy = segment(corpus, noise=0.03)
    assert (noisy["targets"] == clean["targets"]).all()
    difference = noisy["inputs"] - clean["inputs"]
    share = difference[50:].std() / clean["targets"].std()
    assert 0.01 < share < 0.06


def test_input_swing_is_slow_and_as_strong_as_it_says(corpus):
    length = 16_384
    _, _, clean = segment(corpus, length=length)
    _, _, swinging = segment(corpus, length=length, swing=0.03)
    assert (swinging["targets"] == clean["targets"]).all()
    level = running_level(clean["inputs"], 320)
    swing = ((swinging["inputs"] - clean["inputs"])[level > 0.0] / level[level > 0.0])[320:]
    assert swing.std() == pytest.approx(0.03, rel=0.2)
    power = np.abs(np.fft.rfft(swing)) ** 2
    assert power[: round(125 * len(swing) / 16_000)].sum() > 0.9 * power.sum()
    assert power[round(500 * len(swing) / 16_000) :].sum() < 0.02 * power.sum()


def test_a_batch_depends_on_its_seed_and_number_alone(corpus):
    dataset = Dataset(corpus, CONFIG, batch=2, length=256)
    batches = dataset.batches(seed=5)
    first, second = next(batches), next(batches)
    again = next(dataset.batches(seed=5, skip=1))
    assert (second.targets == again.targets).all()
    assert first.targets.shape == again.targets.shape == (2, 256 + dataset.context)
    assert not (first.targets == second.targets).all()


def test_processes_that_share_a_batch_draw_what_one_would(corpus):
    whole = next(Dataset(corpus, CONFIG, batch=5, length=256).batches(seed=5, skip=7))
    dataset = Dataset(corpus, CONFIG, batch=5, length=256)
    parts = [next(dataset.batches(seed=5, skip=7, rank=rank, world=2)) for rank in (0, 1)]
    assert [len(part.inputs) for part in parts] == [2, 3]
    for name in ("inputs", "targets", "conditioning", "excitation", "gain", "weights"):
        together = np.concatenate([getattr(part, name) for part in parts])
        assert (together == getattr(whole, name)).all(), name


def test_noise_may_change_from_batch_to_batch(corpus):
    dataset = Dataset(corpus, CONFIG, batch=4, length=256, noise=0.1, swing=0.1)
    batches = dataset.batches(seed=1, noise_share=lambda number: float(number == 1))
    silent, loud, silent_again = (next(batches) for _ in range(3))
    for batch, heard in ((silent, False), (loud, True), (silent_again, False)):
        assert (batch.inputs[:, 1:] != batch.targets[:, :-1]).any() == heard


def test_mulaw_segments_are_classes(corpus):
    config = WaveNetConfig(output="mulaw", dilations=(1, 2), conditioning=("gate",))
    _, entry, arrays = segment(corpus, config)
    recording = corpus.sound(entry)[3200:3300]
    assert np.abs(arrays["targets"][:100] - encode(recording)).max() <= 2
    assert arrays["inputs"].dtype == np.int64
    for kind in ("noise", "swing"):
        _, _, noisy = segment(corpus, config, **{kind: 0.015})
        assert 0 < np.abs(noisy["inputs"] - arrays["inputs"]).mean() < 3


def test_held_out_recordings_are_never_learned_from(corpus):
    dataset = Dataset(corpus, CONFIG)
    assert not {entry.name for entry in dataset.train} & {entry.name for entry in dataset.held_out}
    assert dataset.validation()


def test_what_a_run_is_judged_by_is_always_the_same_and_cut_when_it_is_read(corpus):
    entries = [
        msgspec.structs.replace(entry, held_out=index > 0, name=f"{index}")
        for index, entry in enumerate(corpus.index.entries * 10)
    ]
    corpus.index = msgspec.structs.replace(corpus.index, entries=entries)
    held_out = Dataset(corpus, CONFIG, length=256, batch=5).validation()
    assert [len(batch.inputs) for batch in held_out] == [5] * 12 + [4]
    assert (held_out[3].targets == held_out[3].targets).all()
    assert held_out[3] is not held_out[3]
    assert held_out[0].weights[:, held_out[0].context :].all()


DRAWN = ("entry", "start", "detune", "release", "noise", "swing")


def drawn(dataset, count=4000):
    generator = np.random.default_rng(0)
    return [dataset._choose(generator, 1.0) for _ in range(count)]


@pytest.fixture
def draws(corpus):
    """(entry, start, detune, release, noise, swing) of 4000 draws from a corpus of keys three semitones apart."""
    dataset = Dataset(corpus, CONFIG, length=2048, noise=0.02, swing=0.04)
    return dataset, [[getattr(cut, name) for cut in drawn(dataset)] for name in DRAWN]


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


def test_neighbours_reach_for_a_key_whose_only_recording_is_held_out(corpus):
    entries = [
        msgspec.structs.replace(entry, note=note, held_out=note == 62.0)
        for entry, note in zip(corpus.index.entries, (60.0, 62.0, 64.0), strict=False)
    ]
    corpus.index = msgspec.structs.replace(corpus.index, entries=entries)
    reached = [(cut.entry.note, cut.detune) for cut in drawn(Dataset(corpus, CONFIG))]
    assert max(detune for note, detune in reached if note == 60.0) == pytest.approx(2.0, abs=0.01)
    assert min(detune for note, detune in reached if note == 64.0) == pytest.approx(-2.0, abs=0.01)


def test_one_segment_in_five_has_a_note_off_within_or_shortly_before_it(draws):
    dataset, (_, starts, _, releases, *_) = draws
    off = [(start, release) for start, release in zip(starts, releases, strict=True) if release is not None]
    assert 0.18 < len(off) / 4000 < 0.22
    assert all(release >= EARLIEST_RELEASE_S * 16_000 - 32 for _, release in off)
    assert all(start - 0.45 * 16_000 - 32 <= release <= start + dataset.length for start, release in off if start > 800)
    assert 0.1 < np.mean([release < start for start, release in off]) < 0.9


def test_noise_and_swing_are_drawn_evenly_up_to_their_highest(draws):
    _, (*_, noises, swings) = draws
    for drawn, highest in ((noises, 0.02), (swings, 0.04)):
        assert 0 <= min(drawn) < 0.05 * highest
        assert 0.95 * highest < max(drawn) <= highest
        assert np.mean(drawn) == pytest.approx(0.5 * highest, rel=0.05)
    assert abs(np.corrcoef(noises, swings)[0, 1]) < 0.1


def shortened(corpus, names, samples):
    entries = [
        msgspec.structs.replace(entry, samples=samples) if entry.name in names else entry
        for entry in corpus.index.entries
    ]
    corpus.index = msgspec.structs.replace(corpus.index, entries=entries)
    return corpus


def test_no_segment_that_fits_reads_past_the_end_of_its_recording(corpus):
    dataset = Dataset(shortened(corpus, {entry.name for entry in corpus.index.entries}, 2400), CONFIG, length=2048)
    for cut in drawn(dataset, 200):
        assert (cut.start + dataset.length) * 2 ** (cut.detune / 12) < cut.entry.samples


def test_of_a_recording_shorter_than_a_segment_its_own_samples_count(corpus):
    dataset = Dataset(shortened(corpus, {corpus.index.entries[4].name}, 1000), CONFIG, length=2048)
    entry = corpus.index.entries[4]
    assert all(cut.start == -dataset.context for cut in drawn(dataset, 400) if cut.entry is entry)
    for detune in (-1.0, 0.0, 1.0):
        arrays = rows(dataset, Cut(entry, -dataset.context, detune))
        ends = dataset.context + int(1000 / 2 ** (detune / 12))
        assert not arrays["weights"][: dataset.context].any()
        assert arrays["weights"][dataset.context : ends].all()
        assert not arrays["weights"][ends:].any()
        assert np.isfinite(arrays["targets"]).all()


def test_a_recording_that_died_away_is_followed_by_a_tenth_of_a_second_of_silence(corpus):
    entry, levels = corpus.index.entries[4], corpus.loudness_db(corpus.index.entries[4]).copy()
    ended = np.where(np.arange(len(levels)) < 25, levels, levels.max() - 41).astype(np.float32)
    corpus = shortened(corpus, {entry.name}, 1000)
    corpus.loudness_db = lambda entry: ended[: -(-entry.samples // 32)]
    dataset = Dataset(corpus, CONFIG, length=4096)
    arrays = rows(dataset, Cut(corpus.index.entries[4], -dataset.context))
    ends = dataset.context + 1000
    assert arrays["weights"][dataset.context : ends + 1600].all()
    assert not arrays["weights"][ends + 1600 :].any()
    assert not arrays["targets"][ends + 1 :].any()
    assert arrays["features"][-(-ends // 32) - 2, 1] > 0.0
    assert not arrays["features"][-(-ends // 32) + 1 :, 1].any()


def test_segments_are_no_longer_than_the_longest_recording_and_its_silence(corpus):
    dataset = Dataset(shortened(corpus, {entry.name for entry in corpus.index.entries}, 1000), CONFIG, length=90_000)
    assert dataset.length - dataset.context == 2592


def test_only_what_is_no_sound_at_all_is_left_out_and_the_reason_given(corpus):
    first, second = (entry.name for entry in corpus.index.entries[:2])
    dataset = Dataset(shortened(shortened(corpus, {first}, 300), {second}, 320), CONFIG)
    assert dataset.left_out == [(first, "300 samples, expected 320 or more")]
    with pytest.raises(RtwaveError, match=r"no recording of 0\.02 s or more"):
        Dataset(shortened(corpus, {entry.name for entry in corpus.index.entries}, 300), CONFIG)


def test_a_sustained_sound_is_learned_from_only_while_it_is_held(corpus):
    let_go = np.concatenate([np.full(800, -20.0), np.linspace(-20.0, -60.0, 200)]).astype(np.float32)
    corpus.loudness_db = lambda entry: let_go[: -(-entry.samples // 32)]
    assert min(entry.samples for entry in Dataset(corpus, CONFIG).train) > 32_000
    corpus.index = msgspec.structs.replace(corpus.index, sustained=True)
    for entry in Dataset(corpus, CONFIG).train:
        assert 800 * 32 <= entry.samples <= 850 * 32
    corpus.index = msgspec.structs.replace(corpus.index, kind="texture")
    assert min(entry.samples for entry in Dataset(corpus, UNPITCHED).train) > 32_000, "a storm that calms down"


def labelled(corpus, kind="notes", **labels):
    """A corpus whose first entries carry these labels: one list of values for each."""
    entries = [
        msgspec.structs.replace(entry, held_out=False, **dict(zip(labels, values, strict=True)))
        for entry, *values in zip(corpus.index.entries, *labels.values(), strict=False)
    ]
    corpus.index = msgspec.structs.replace(corpus.index, entries=entries, kind=kind)
    return corpus


def shares(values):
    return {value: values.count(value) / len(values) for value in set(values)}


def test_in_a_morph_every_timbre_is_drawn_as_often_and_detuned_between_its_own_keys(corpus):
    timbres, notes = [0.0] * 2 + [1.0] * 3, [60.0, 64.0, 60.0, 61.0, 62.0]
    cuts = drawn(Dataset(labelled(corpus, timbre=timbres, note=notes), CONFIG))
    assert shares([cut.entry.timbre for cut in cuts]) == {
        0.0: pytest.approx(0.5, abs=0.03),
        1.0: pytest.approx(0.5, abs=0.03),
    }
    reach = {timbre: max(abs(cut.detune) for cut in cuts if cut.entry.timbre == timbre) for timbre in (0.0, 1.0)}
    assert reach == {0.0: pytest.approx(2.0, abs=0.01), 1.0: pytest.approx(0.5, abs=0.01)}


UNPITCHED = WaveNetConfig(dilations=(1, 2, 4, 8), conditioning=("gate", "loudness", "release_age"))


def test_every_drum_is_drawn_as_often_and_hardly_detuned_however_long_or_many_its_recordings(corpus):
    corpus = labelled(corpus, "drums", note=[36.0, 36.0, 36.0, 38.0], samples=[20_000, 20_000, 1600, 1600])
    cuts = drawn(Dataset(corpus, UNPITCHED))
    assert shares([cut.entry.note for cut in cuts]) == {
        36.0: pytest.approx(0.5, abs=0.03),
        38.0: pytest.approx(0.5, abs=0.03),
    }
    assert shares([cut.entry.samples for cut in cuts if cut.entry.note == 36.0])[1600] == pytest.approx(1 / 3, abs=0.03)
    assert max(abs(cut.detune) for cut in cuts) == pytest.approx(0.3, abs=0.01)


def test_a_texture_is_drawn_evenly_as_it_is_and_begins_anywhere(corpus):
    corpus = labelled(corpus, "texture", samples=[30_000, 10_000])
    dataset = Dataset(corpus, UNPITCHED, length=1024)
    cuts = drawn(dataset)
    assert {cut.detune for cut in cuts} == {0.0}
    assert shares([cut.entry.samples for cut in cuts])[30_000] == pytest.approx(0.75, abs=0.03)
    going = [cut.start for cut in cuts if cut.start >= 0 and cut.entry.samples == 30_000]
    assert np.mean(going) == pytest.approx(14_500, rel=0.05)
    begun = [cut.origin for cut in cuts if cut.start < 0 and cut.entry.samples == 30_000]
    assert np.mean(begun) == pytest.approx(14_500, rel=0.05)
    assert max(begun) + 1024 <= 30_000
    arrays = rows(dataset, Cut(corpus.index.entries[0], -dataset.context, origin=7001))
    assert not arrays["targets"][: dataset.context].any()
    assert not arrays["features"][0].any()
    sound = corpus.sound(corpus.index.entries[0])[7001:][:1024]
    np.testing.assert_allclose(arrays["targets"][dataset.context :], sound, atol=1e-6)
    assert arrays["weights"][dataset.context :].all()


def test_a_texture_has_no_pitch_velocity_or_age(corpus):
    for name in ("age", "pitch", "velocity"):
        config = WaveNetConfig(dilations=(1,), conditioning=("gate", name))
        with pytest.raises(RtwaveError, match=f"a texture has no {name}"):
            Dataset(labelled(corpus, "texture", samples=[30_000]), config)


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
    assert not short.left_out


def test_knobs_are_those_whose_labels_vary(corpus):
    assert corpus.knobs == ()
    first, *rest = corpus.index.entries
    turned = msgspec.structs.replace(first, knobs=(0.0, 0.5, 0.0, 0.0))
    corpus.index = msgspec.structs.replace(corpus.index, entries=[turned, *rest])
    assert corpus.knobs == ("knob2",)
