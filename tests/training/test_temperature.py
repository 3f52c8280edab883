import msgspec
import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave.errors import RtwaveError
from rtwave.training import temperature as tempering
from rtwave.training.tables import measure_tables
from rtwave.training.temperature import calibrate_temperatures
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

from .made_corpus import PARTIALS, RATE, level, made_corpus, recording

ASKED = 0.3
KEYS = (48, 60, 72)


def tone(key, seconds=1.0):
    time = np.arange(int(seconds * RATE)) / RATE
    f0 = 440.0 * 2.0 ** ((key - 69) / 12.0)
    return 0.1 * sum(np.sin(2.0 * np.pi * k * f0 * time) / k for k in range(1, 6))


def hiss(key, seconds=1.0):
    return np.random.default_rng(key).standard_normal(int(seconds * RATE))


class Plays:
    """Stands in for the engine: `plays(entry, temperature)` makes the sound, at a temperature (T,) that falls."""

    def __init__(self, plays):
        self.plays, self.heard, self.precision = plays, [], None

    def __call__(self, weights, precision, temperature):
        self.precision = precision
        made = self

        class Player:
            def entry(self, entry, seconds):
                tables, age_s = weights.instrument, np.arange(int(seconds * RATE)) / RATE
                place = (int(entry.timbre),) if tables.timbres > 1 else ()
                added = tables.temperature[*place, int(entry.note)]
                steady = temperature + np.interp(entry.velocity, tables.envelope_velocities, added)
                attack = tables.onset_temperature[*place, int(entry.note)] * np.exp(-age_s / 0.06)
                made.heard.append((entry, len(age_s) / RATE))
                return made.plays(entry, np.maximum(steady + attack, 0.0))

        return Player()


def calibrated(monkeypatch, corpus, plays, records, asked=ASKED, excitation="partials"):
    """Tables of a network that plays so, of recordings that sound like `records(entry)`; and the stand-in."""
    fields = {"excitation": excitation} | ({"partials": PARTIALS} if excitation != "none" else {})
    config = WaveNetConfig(dilations=(1,), **fields)
    weights = Weights(config, Weights.random(config).tensors, measure_tables(corpus, config))
    player = Plays(plays)
    monkeypatch.setattr(tempering, "Player", player)
    monkeypatch.setattr(tempering, "recorded", lambda corpus, entry, s: records(entry)[: int(s * RATE)])
    tables = calibrate_temperatures(weights, corpus, asked, precision="int8")
    tables.check(config.partials, "calibrated")
    assert player.precision == ("int8" if player.heard else None)
    return tables, player


@pytest.fixture
def corpus(tmp_path):
    return made_corpus(tmp_path, [recording(key, 80.0, level(-20.0, 1.0)) for key in KEYS])


def with_hiss(spread):
    """A network that plays the tone and noise, `spread` of it at temperature 1."""
    return lambda entry, temperature: (
        tone(entry.note)[: len(temperature)] + spread * temperature * hiss(int(entry.note) + 1)[: len(temperature)]
    )


def breathy(amount):
    return lambda entry: tone(entry.note) + amount * hiss(int(entry.note))


@pytest.mark.parametrize(("spread", "lowest", "highest"), [(0.1, 0.05, 0.15), (0.01, 0.6, 1.0)])
def test_a_noisy_network_is_played_at_a_low_temperature_and_a_sure_one_of_breathy_tones_at_a_high_one(
    corpus, monkeypatch, spread, lowest, highest
):
    tables, _ = calibrated(monkeypatch, corpus, with_hiss(spread), breathy(0.01))
    played = ASKED + tables.temperature[48:73]
    assert played.min() >= lowest - 1e-6
    assert played.max() <= highest + 1e-6


def test_clean_tones_are_played_without_noise_in_attack_and_after(corpus, monkeypatch):
    tables, _ = calibrated(monkeypatch, corpus, with_hiss(0.05), lambda entry: tone(entry.note))
    np.testing.assert_allclose(tables.temperature, -ASKED, atol=1e-6)
    assert not tables.onset_temperature.any()


def test_an_attack_cleaner_than_the_tone_gets_less(corpus, monkeypatch):
    rising = 1.0 - np.exp(-np.arange(RATE) / RATE / 0.06)

    def breathed(entry):
        return tone(entry.note) + 0.03 * rising * hiss(int(entry.note))

    tables, _ = calibrated(monkeypatch, corpus, with_hiss(0.1), breathed)
    assert (tables.onset_temperature < 0.0).all()
    assert (ASKED + tables.temperature > 0.1).all()


def test_an_attack_that_is_noise_gets_a_temperature_of_its_own(corpus, monkeypatch):
    falling = np.exp(-np.arange(RATE) / RATE / 0.06)

    def struck(entry):
        return tone(entry.note) + 0.03 * falling * hiss(int(entry.note))

    tables, _ = calibrated(monkeypatch, corpus, with_hiss(0.05), struck)
    np.testing.assert_allclose(tables.temperature, -ASKED, atol=0.1 + 1e-6)
    np.testing.assert_allclose(tables.onset_temperature, 0.6, atol=0.31)


def test_every_key_has_its_own_and_keys_between_lie_between(corpus, monkeypatch):
    """A network that is sure of low keys and guesses at high ones."""

    def plays(entry, temperature):
        return with_hiss(0.01 if entry.note < 54 else 0.2)(entry, temperature)

    added = calibrated(monkeypatch, corpus, plays, breathy(0.01))[0].temperature[:, 0]
    assert added[48] > added[72]
    assert (np.diff(added[48:73]) <= 0.0).all()
    assert added[48] > added[50] > added[72]
    assert (added[:48] == added[48]).all()
    assert (added[73:] == added[72]).all()


def test_what_is_held_out_is_not_listened_to(tmp_path, monkeypatch):
    """Not even where nothing else was recorded of a key, or at a velocity."""
    made = [recording(key, 80.0, level(-20.0, 1.0), held_out=key == 60) for key in KEYS]
    made += [recording(48, 110.0, level(-20.0, 1.0), held_out=True)]
    _, player = calibrated(monkeypatch, made_corpus(tmp_path, made), with_hiss(0.1), breathy(0.01))
    assert {entry.note for entry, _ in player.heard} == set(KEYS) - {60}
    assert not any(entry.held_out for entry, _ in player.heard)


def test_steady_tones_are_judged_over_a_second_and_attacks_over_their_own_time(corpus, monkeypatch):
    _, player = calibrated(monkeypatch, corpus, with_hiss(0.1), breathy(0.01))
    lengths = [round(seconds, 3) for _, seconds in player.heard]
    assert lengths == [1.0] * 9 * len(KEYS) + [0.15] * 6 * len(KEYS)


def test_no_key_is_played_above_temperature_one(corpus, monkeypatch):
    tables, _ = calibrated(monkeypatch, corpus, with_hiss(1e-4), breathy(0.1), asked=1.6)
    np.testing.assert_allclose(1.6 + tables.temperature, 1.0, atol=1e-6)


@pytest.mark.parametrize("kind", ["drums", "texture"])
def test_to_what_has_no_pitch_nothing_is_added(tmp_path, monkeypatch, kind):
    wind = made_corpus(tmp_path, [recording(60, 100.0, level(-20.0, 1.0))], kind=kind)
    tables, player = calibrated(monkeypatch, wind, with_hiss(0.1), breathy(0.0), asked=1.0, excitation="none")
    assert not tables.temperature.any()
    assert not tables.onset_temperature.any()
    assert not player.heard


def test_every_timbre_is_judged_on_its_own(tmp_path, monkeypatch):
    """A network that is three times as noisy in its second timbre."""
    recordings = [recording(key, 80.0, level(-20.0, 1.0), timbre=place) for key in (60, 70) for place in (0.0, 1.0)]
    morph = made_corpus(tmp_path, recordings, timbres=["bell", "reed"])

    def plays(entry, temperature):
        return with_hiss(0.1 if entry.timbre else 0.0333)(entry, temperature)

    tables, _ = calibrated(monkeypatch, morph, plays, breathy(0.01))
    assert tables.onset_temperature.shape == (2, 128)
    assert tables.temperature.shape == (2, 128, tables.envelope_velocities.size)
    np.testing.assert_allclose(ASKED + tables.temperature[0], 0.3, atol=1e-6)
    np.testing.assert_allclose(ASKED + tables.temperature[1], 0.1, atol=1e-6)


def test_a_corpus_of_other_timbres_is_refused(corpus, tmp_path):
    config = WaveNetConfig(dilations=(1,), excitation="partials", partials=PARTIALS)
    recordings = [recording(60, 80.0, level(-20.0, 1.0), timbre=place) for place in (0.0, 1.0)]
    morph = made_corpus(tmp_path / "morph", recordings, timbres=["bell", "reed"])
    weights = Weights(config, Weights.random(config).tensors, measure_tables(morph, config))
    with pytest.raises(RtwaveError, match="has 1 timbres, but the network has 2; name the corpus"):
        calibrate_temperatures(weights, corpus, ASKED)


def test_soft_notes_breathe_more_than_loud_ones_where_the_recordings_do(tmp_path, monkeypatch):
    made = [recording(key, velocity, level(-20.0, 1.0)) for key in KEYS for velocity in (30.0, 60.0, 120.0)]

    def records(entry):
        return breathy({30.0: 0.06, 60.0: 0.02, 120.0: 0.0}[entry.velocity])(entry)

    tables, _ = calibrated(monkeypatch, made_corpus(tmp_path, made), with_hiss(0.1), records)
    assert tables.envelope_velocities.tolist() == [30.0, 60.0, 120.0]
    soft, middle, loud = ASKED + tables.temperature[48:73].T
    np.testing.assert_allclose(soft, 0.6, atol=0.21)
    np.testing.assert_allclose(middle, 0.2, atol=0.11)
    np.testing.assert_allclose(loud, 0.0, atol=1e-6)


def test_of_many_keys_some_are_judged_at_four_velocities(tmp_path, monkeypatch):
    made = [recording(note, v, level(-20.0, 0.2)) for note in range(20, 120) for v in (15.0, 40.0, 62.0, 90.0, 127.0)]
    corpus = made_corpus(tmp_path, made)
    monkeypatch.setattr(tempering, "both_distances", lambda sounds, reference, rate: np.ones((len(sounds), 2)))
    _, player = calibrated(monkeypatch, corpus, lambda *_: None, lambda entry: np.zeros(RATE))
    judged = {(entry.note, entry.velocity) for entry, _ in player.heard}
    assert len(judged) == 48 * 4
    assert {velocity for _, velocity in judged} == {15.0, 40.0, 62.0, 90.0}


def test_a_real_network_is_calibrated_as_it_plays(corpus):
    config = WaveNetConfig(dilations=(1, 2), residual_channels=8, skip_channels=8, head_channels=8)
    config = msgspec.structs.replace(config, excitation="partials", partials=PARTIALS)
    weights = Weights(config, Weights.random(config).tensors, measure_tables(corpus, config))
    seen = []
    tables = calibrate_temperatures(weights, corpus, ASKED, lambda done, total: seen.append((done, total)))
    tables.check(PARTIALS, "calibrated")
    assert seen[-1] == (15 * len(KEYS), 15 * len(KEYS))
    assert not weights.instrument.temperature.any()
