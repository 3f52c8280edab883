"""One note against a slow NumPy voice, and how notes come, go and make room."""

import numpy as np
import pytest

from rtwave.engine.commands import NoteOn
from rtwave.engine.engine import Engine
from rtwave.wavenet.instrument import Instrument

from .networks import quiet_network, sustained
from .slow_voice import SlowVoice

KNEE = 0.8


def instrument(partials=3, weighted=False):
    """Tables in which everything matters: two keys, two velocities, stretch, stiffness, phases."""
    generator = np.random.default_rng(3)
    tables = Instrument.neutral(partials)
    tables.envelope_keys = np.array([40.0, 80.0], np.float32)
    tables.envelope_velocities = np.array([30.0, 110.0], np.float32)
    tables.envelope_ages_s = np.array([0.0, 0.004, 0.01, 0.03], np.float32)
    tables.envelope_db = generator.uniform(-50.0, -10.0, (2, 2, 4)).astype(np.float32)
    tables.envelope_db[..., 3] = tables.envelope_db[..., 2] - 6.0
    tables.cents = generator.uniform(-20.0, 20.0, 128).astype(np.float32)
    tables.stiffness = generator.uniform(0.0, 1e-3, 128).astype(np.float32)
    tables.onset_phases = generator.uniform(-3.0, 3.0, (128, partials)).astype(np.float32)
    tables.temperature = np.zeros((128, 2), np.float32)
    if weighted:
        tables.partial_keys = np.array([50.0, 70.0], np.float32)
        tables.partial_velocities = np.array([10.0, 80.0, 120.0], np.float32)
        tables.partial_ages_s = np.array([0.0, 0.003, 0.011, 0.02], np.float32)
        tables.partial_db = generator.uniform(-30.0, 0.0, (2, 3, 4, partials)).astype(np.float32)
        tables.partial_db[:, :, 1:3, 1] = -120.0  # its second partial dies and comes back
        tables.modes_hz[:, 2] = 612.5  # a mode, which no bend moves, in the third one's place
    return tables


@pytest.mark.parametrize(
    "fields",
    [
        {"output": "gaussian"},
        {"output": "gaussian", "pre_emphasis": 0.85, "kernel_size": 3, "control_period": 7},
        {"output": "gaussian", "excitation": "none"},
        {"output": "mulaw", "quantization_channels": 65},
        {"output": "gaussian", "leveling": "loudness", "pre_emphasis": 0.5, "conditioning": ("pitch", "age")},
        {"excitation": "weighted", "pre_emphasis": 0.85, "leveling": "loudness"},
        {"excitation": "weighted", "control_period": 7, "kernel_size": 3},
    ],
    ids=["gaussian", "pre-emphasis", "no-excitation", "mulaw", "levelled", "weighted", "weighted, not levelled"],
)
def test_a_free_running_note_is_that_of_a_slow_voice(fields):
    weights = quiet_network(instrument=instrument(weighted=fields.get("excitation") == "weighted"), **fields)
    engine, slow = Engine(weights), SlowVoice(weights, 59, 77)
    engine.control("temperature", 0.0)
    engine.note_on(59, 77, at=5)
    engine.control("bend", 1.3, at=5 + 171)
    engine.note_off(59, at=5 + 250)
    expected = [slow.render(171)]
    slow.bend_to(1.3)
    expected.append(slow.render(79))
    slow.release()
    expected.append(slow.render(300))
    found, expected = engine.render(555)[5:], np.concatenate(expected)
    assert engine.counters()["faults"] == 0
    inside = np.abs(expected) < KNEE
    assert inside.mean() > 0.3
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(found[inside], expected[inside], atol=2e-4)


def test_a_free_running_note_draws_the_slow_voice_s_random_numbers():
    weights = quiet_network(instrument=instrument())
    engine, slow = Engine(weights, seed=2**40 + 3), SlowVoice(weights, 50, 64, temperature=0.7, seed=2**40 + 3)
    engine.control("temperature", 0.7)
    engine.note_on(50, 64)
    np.testing.assert_allclose(engine.render(300), slow.render(300), atol=2e-4)


def test_the_temperature_table_adds_to_the_player_s_and_never_goes_below_zero():
    weights = quiet_network()
    weights.instrument.temperature[60] = -1.5
    engine, pure = Engine(weights), Engine(weights)
    pure.control("temperature", 0.0)
    for either in (engine, pure):
        either.note_on(60, 90)
    np.testing.assert_array_equal(engine.render(200), pure.render(200))
    warm, cool = Engine(weights), Engine(quiet_network())
    warm.control("temperature", 1.75)
    cool.control("temperature", 0.25)
    for either in (warm, cool):
        either.note_on(60, 90)
    np.testing.assert_array_equal(warm.render(200), cool.render(200))


@pytest.mark.parametrize("velocity", [1, 30, 64, 103, 127])
def test_soft_notes_may_be_drawn_wider_than_loud_ones(velocity):
    weights = quiet_network(instrument=instrument())
    weights.instrument.temperature[50] = 1.2, 0.1
    engine, slow = Engine(weights, seed=8), SlowVoice(weights, 50, velocity, temperature=0.3, seed=8)
    engine.control("temperature", 0.3)
    engine.note_on(50, velocity)
    np.testing.assert_allclose(engine.render(300), slow.render(300), atol=2e-4)


@pytest.mark.parametrize("asked", [0.04, 0.7])
def test_an_attack_is_drawn_wider_than_the_tone_that_follows(asked):
    weights = quiet_network(instrument=instrument())
    weights.instrument.temperature[50], weights.instrument.onset_temperature[50] = -0.02, 1.5
    engine, slow = Engine(weights, seed=8), SlowVoice(weights, 50, 64, temperature=asked, seed=8)
    engine.control("temperature", asked)
    engine.note_on(50, 64)
    np.testing.assert_allclose(engine.render(600), slow.render(600), atol=2e-4)


def test_where_the_player_asks_for_no_randomness_an_attack_has_none():
    weights = quiet_network()
    weights.instrument.onset_temperature[60] = 0.8
    engine, clean, wide = Engine(weights), Engine(quiet_network()), Engine(weights)
    engine.control("temperature", 0.0)
    clean.control("temperature", 0.0)
    wide.control("temperature", 0.1)
    for each in (engine, clean, wide):
        each.note_on(60, 90)
    steady = clean.render(8000)
    np.testing.assert_array_equal(engine.render(8000), steady)
    apart = np.abs(wide.render(8000) - steady)
    assert apart[:500].mean() > 3.0 * apart[-500:].mean() > 0.0


def test_partials_above_the_limit_are_masked():
    weights = quiet_network(excitation="partials", conditioning=())
    weights.tensors["excitation.weight"][:, [1, 2, 4, 5]] *= 50.0  # second and third partials
    silenced = quiet_network(excitation="partials", conditioning=())
    silenced.tensors["excitation.weight"][:, [1, 2, 4, 5]] = 0.0
    engine, deaf = Engine(weights), Engine(silenced)
    for either in (engine, deaf):
        either.control("temperature", 0.0)
        either.note_on(120, 90)  # 8.4 kHz: above 0.47 of 16 kHz, and so its overtones
    np.testing.assert_array_equal(engine.render(200), deaf.render(200))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_a_chord_is_the_sum_of_its_notes(count):
    weights = quiet_network()
    keys = range(50, 50 + count)
    together = Engine(weights, voices=count)
    together.control("temperature", 0.0)
    together.submit([NoteOn(key, 80) for key in keys])
    total = np.zeros(200)
    for key in keys:
        alone = Engine(weights)
        alone.control("temperature", 0.0)
        alone.note_on(key, 80)
        total += alone.render(200)
    np.testing.assert_allclose(together.render(200), total, atol=1e-6)


def test_stealing_never_exceeds_the_voice_count():
    engine = Engine(quiet_network(), voices=3)
    for note in range(40, 80):
        engine.note_on(note, 90)
        engine.render(7)
        assert engine.active_voices == min(note - 39, 3)
    assert engine.counters()["stolen_voices"] == 37


def levelled():
    """A network that hums at 0.1, so that its sound has just the loudness of the tables."""
    weights = quiet_network(leveling="loudness")
    weights.tensors["head.output.weight"][...] = 0.0
    weights.tensors["head.output.bias"] = np.array([0.1, -9.5], np.float32)
    weights.instrument.envelope_ages_s = np.array([0.0, 0.5, 1.0], np.float32)
    weights.instrument.envelope_db = np.array([[[-20.0, -30.0, -30.0]]], np.float32)
    return weights


def test_a_levelled_network_sounds_at_the_loudness_of_its_envelope():
    engine = Engine(levelled())
    engine.control("temperature", 0.0)
    engine.note_on(60, 90)
    expected_db = np.interp(np.arange(16_000) / 16_000, [0.0, 0.5, 1.0], [-20.0, -30.0, -30.0])
    np.testing.assert_allclose(engine.render(16_000), 10.0 ** (expected_db / 20.0), rtol=1e-3)


def test_a_levelled_network_follows_expression_exactly_and_without_a_jump():
    engine = Engine(levelled())
    engine.control("temperature", 0.0)
    engine.note_on(60, 90)
    before = engine.render(8000)[-1]
    engine.control("expression", 0.25)
    sound = engine.render(1000)
    assert np.abs(np.diff(sound, prepend=before)).max() < 0.08 * before
    assert (np.diff(sound) < 0.0).sum() > 200
    np.testing.assert_allclose(sound[800:], 0.25 * before, rtol=1e-3)
    engine.control("expression", 0.0)
    assert np.abs(engine.render(1000)[800:]).max() < 1e-4


def test_a_levelled_network_dies_away_with_its_damper():
    engine = Engine(levelled())
    engine.control("temperature", 0.0)
    engine.note_on(60, 90)
    before = engine.render(12_000)[-1]
    engine.note_off(60)
    sound = engine.render(4800)
    np.testing.assert_allclose(sound, before * np.exp(-np.arange(4800) / (0.06 * 16_000)), rtol=1e-2)


def hum(voices=1, **controls):
    engine = Engine(sustained(), voices=voices)
    for name, value in ({"temperature": 0.0} | controls).items():
        engine.control(name, value)
    return engine


def test_a_stolen_note_fades_over_five_milliseconds():
    engine = hum(voices=1)
    engine.note_on(60, 90)
    engine.render(200)
    engine.note_on(61, 90)
    sound = engine.render(200)
    np.testing.assert_allclose(sound[:80], 0.3 + 0.3 * (1.0 - np.arange(80) / 80.0), atol=1e-4)
    np.testing.assert_allclose(sound[80:], 0.3, atol=1e-4)


def stolen(keys, released=(), quietest_db=-60.0):
    """Which of these keys makes room when, all sounding, one more is struck."""
    tables = Instrument.neutral(3)
    tables.envelope_keys = np.array([0.0, 127.0], np.float32)
    tables.envelope_db = np.array([[[quietest_db] * 2], [[-10.0] * 2]], np.float32)  # of low keys, of high keys
    weights, gone = quiet_network(instrument=tables), []
    for suspect in keys:
        engine = Engine(weights, voices=len(keys))
        for key in keys:
            engine.note_on(key, 90)
        for key in released:
            engine.note_off(key)
        engine.note_on(127, 90)
        engine.note_on(suspect, 90)  # needs another's room only if its own voice has gone
        engine.render(1)
        if engine.counters()["stolen_voices"] == 2:
            gone.append(suspect)
    return gone


def test_stealing_takes_released_notes_first():
    assert stolen([40, 50, 60], released=[60]) == [60]


def test_stealing_takes_the_quietest_of_the_held():
    assert stolen([60, 40, 50]) == [40]


def test_stealing_takes_the_oldest_of_equals():
    assert stolen([60, 50, 40], quietest_db=-10.0) == [60]


def test_a_restruck_key_fades_over_five_milliseconds_and_counts_once():
    engine = hum(voices=2)
    engine.note_on(60, 90)
    engine.render(100)
    engine.note_on(60, 90)
    sound = engine.render(600)
    assert engine.active_voices == 1
    assert engine.counters()["stolen_voices"] == 0
    np.testing.assert_allclose(sound[:80], 0.3 + 0.3 * (1.0 - np.arange(80) / 80.0), atol=1e-4)
    np.testing.assert_allclose(sound[80:], 0.3, atol=1e-4)


def test_a_released_note_dies_away_and_frees_its_voice():
    engine = hum()
    engine.note_on(60, 90)
    engine.render(100)
    engine.note_off(60)
    engine.render(int(0.06 * 70 / 8.69 * 16_000) - 100)  # 70 dB at a time constant of 60 ms
    assert engine.active_voices == 1
    engine.render(600)
    assert engine.active_voices == 0
    assert not engine.render(100).any()


def test_an_undamped_key_rings_on_after_its_release():
    weights = sustained()
    weights.instrument.release_s[:] = 0.0
    engine = Engine(weights)
    engine.note_on(100, 90)
    engine.render(10)
    engine.note_off(100)
    engine.render(16_000)
    assert engine.active_voices == 1


def test_a_note_that_decays_to_silence_ends_by_itself():
    weights = sustained()
    weights.instrument.envelope_db = np.array([[[-20.0, -80.0]]], np.float32)  # and on at 60 dB/s
    engine = Engine(weights)
    engine.note_on(60, 90)
    engine.render(18_000)
    assert engine.active_voices == 1
    engine.render(2_000)
    assert engine.active_voices == 0


def test_release_control_stretches_the_release():
    def sounding_after(seconds, release):
        engine = hum(release=release)
        engine.note_on(60, 90)
        engine.render(10)
        engine.note_off(60)
        engine.render(int(seconds * 16_000))
        return engine.active_voices

    assert sounding_after(0.6, 1.0) == 0
    assert sounding_after(0.6, 2.0) == 1


def test_gain_and_volume_glide_to_their_value():
    engine = hum()
    engine.note_on(60, 90)
    np.testing.assert_allclose(engine.render(200), 0.3, atol=1e-4)
    engine.control("volume", 0.5)
    sound = engine.render(1000)
    assert np.abs(np.diff(sound)).max() < 0.005
    np.testing.assert_allclose(sound[-1], 0.15, atol=1e-4)
    engine.control("gain_db", -20.0)
    np.testing.assert_allclose(engine.render(2000)[-1], 0.015, atol=1e-4)


def test_expression_at_zero_is_silent_and_at_one_changes_nothing():
    engine = hum()
    engine.note_on(60, 90)
    engine.control("expression", 0.0)
    assert np.abs(engine.render(4000)[-100:]).max() < 1e-4
    engine.control("expression", 1.0)
    np.testing.assert_allclose(engine.render(4000)[-100:], 0.3, atol=1e-4)


def test_expression_is_plain_gain_where_the_network_knows_no_loudness():
    weights = quiet_network(conditioning=("pitch",))
    plain, soft = Engine(weights), Engine(weights)
    for engine in (plain, soft):
        engine.note_on(60, 90)
        engine.render(100)
    soft.control("expression", 0.25)
    soft.render(3000)
    plain.render(3000)
    np.testing.assert_allclose(soft.render(100), 0.25 * plain.render(100), rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("bend", 2.0), ("tune", 466.0), ("vibrato", 1.0), ("knob1", 1.0), ("knob4", 0.5), ("expression", 0.3)],
)
def test_a_control_is_heard_not_before_its_own_sample_and_a_control_period_later_at_most(name, value):
    weights = quiet_network()
    turned, plain = Engine(weights), Engine(weights)
    for engine in (turned, plain):
        engine.control("temperature", 0.0)
        engine.note_on(60, 90)
    turned.control(name, value, at=77)
    one, other = turned.render(400), plain.render(400)
    np.testing.assert_array_equal(one[:77], other[:77])
    assert (one[77:] != other[77:])[: weights.config.control_period + 1].any()
    assert np.abs(one[77:] - other[77:]).max() > 1e-5


def test_bend_and_tune_by_the_same_interval_are_the_same():
    weights = quiet_network()
    bent, tuned = Engine(weights), Engine(weights)
    for engine in (bent, tuned):
        engine.control("temperature", 0.0)
    bent.control("bend", 12.0 * np.log2(450.0 / 440.0))
    tuned.control("tune", 450.0)
    for engine in (bent, tuned):
        engine.note_on(60, 90)
    np.testing.assert_allclose(bent.render(300), tuned.render(300), atol=1e-4)


def test_note_off_lets_only_its_own_key_go():
    engine = hum(voices=4)
    engine.submit([NoteOn(60, 90), NoteOn(62, 90)])
    engine.note_off(60)
    engine.render(16_000)
    assert engine.active_voices == 1
    engine.all_notes_off()
    engine.render(16_000)
    assert engine.active_voices == 0


def test_all_sound_off_silences_within_five_milliseconds():
    engine = hum(voices=4)
    engine.submit([NoteOn(60, 90), NoteOn(62, 90)])
    engine.render(100)
    engine.all_sound_off()
    sound = engine.render(200)
    assert sound[:70].all()
    assert not sound[80:].any()


def test_the_last_age_of_a_table_is_inside_it_however_it_rounds():
    """1.2 is more than its float32 in one comparison and not in another: no cell past the end may be read."""
    weights = quiet_network(leveling="loudness", sample_rate=1000, control_period=8)
    weights.instrument.envelope_ages_s = np.array([0.0, 1.2], np.float32)
    engine = Engine(weights)
    engine.note_on(60, 100)
    sound = engine.render(1300)
    assert np.isfinite(sound).all()
    assert engine.counters()["faults"] == 0


def test_a_longer_release_does_not_bring_a_dying_note_back():
    weights = quiet_network(instrument=instrument(), leveling="loudness")
    weights.instrument.envelope_db[:] = -20.0
    engine = Engine(weights)
    engine.control("temperature", 0.0)
    engine.note_on(60, 100, at=0)
    engine.note_off(60, at=1600)
    engine.render(1600 + 3200)
    before = np.abs(engine.render(160)).max()
    engine.control("release", 20.0)
    after = np.abs(engine.render(1600)).max()
    assert before > 0.0
    assert after < 1.5 * before


def test_a_full_chord_struck_again_does_not_click():
    """More voices fade than there are slots: what is cut in mid-wave leaves a residue that dies away."""
    weights = quiet_network(leveling="loudness", conditioning=("pitch",))
    weights.instrument.envelope_db[:] = -30.0
    steps = []
    for voices in (8, 32):
        engine = Engine(weights, voices=voices)
        engine.control("temperature", 0.0)
        for key in range(50, 58):
            engine.note_on(key, 100, at=0)
            engine.note_on(key, 100, at=4000)
        engine.render(3990)
        steps.append(np.abs(np.diff(engine.render(20))).max())
    assert steps[0] < 2.0 * steps[1] + 1e-4
    engine.all_sound_off()
    assert not engine.render(16_000)[-1000:].any()


def test_an_offset_that_de_emphasis_magnifies_is_not_heard():
    """A bias of 0.01 would stand at 0.01 / (1 − 0.9) for as long as the note does."""
    weights = quiet_network(pre_emphasis=0.9, excitation="none", conditioning=())
    weights.tensors["head.output.weight"][...] = 0.0
    weights.tensors["head.output.bias"] = np.array([0.01, -9.5], np.float32)
    engine = Engine(weights)
    engine.control("temperature", 0.0)
    engine.note_on(60, 90)
    sound = engine.render(16_000)
    assert np.abs(sound).max() > 0.05
    assert np.abs(sound[8000:]).max() < 1e-4


def test_a_note_draws_from_the_stream_that_it_names_or_from_that_of_its_place():
    weights = quiet_network()
    by_place, by_name = Engine(weights, seed=4), Engine(weights, seed=4)
    by_place.submit([NoteOn(60, 90), NoteOn(60, 90, channel=1), NoteOn(60, 90, channel=2)])
    by_name.submit([NoteOn(60, 90, stream=2), NoteOn(60, 90, channel=1), NoteOn(60, 90, channel=2, stream=0)])
    first, second, third, *_ = by_place.render_voices(500)
    assert not np.array_equal(first, second)
    for expected, row in zip((third, second, first), by_name.render_voices(500), strict=False):
        assert np.array_equal(row, expected)


def test_a_voice_by_itself_is_bent_at_full_scale_as_one_alone_is():
    weights = sustained(level=0.9)
    alone, apart = Engine(weights, precision="float32"), Engine(weights, precision="float32")
    alone.note_on(60, 100)
    apart.submit([NoteOn(60, 100, stream=0), NoteOn(64, 100, stream=0)])
    expected = alone.render(500)
    assert KNEE < np.abs(expected).max() < 1.0
    for row in apart.render_voices(500)[:2]:
        assert np.array_equal(row, expected)
