"""Copies of an instrument, each with one fault planted: its own verdict finds it, and none in a copy without."""

import numpy as np
import pytest

pytest.importorskip("soxr")

from rtwave._segments import resample_at
from rtwave.training.evaluate import Evaluation
from rtwave.training.judge import notes
from rtwave.training.judge.figures import Judgement, Speed
from rtwave.training.judge.held_out import judge_blame, judge_held_out
from rtwave.training.judge.judge import means
from rtwave.training.judge.notes import choose_curves, choose_notes, judge_notes, judge_velocities
from rtwave.training.judge.verdicts import judge_verdicts

from .instruments import RATE, Copyist, make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("judged"))


def judged(corpus, **faults):
    """What is found of a copy."""
    player = Copyist(corpus, **faults)
    bits = Evaluation("portable", 1, 1, {"float32": 5.0, "int8": 5.001}, "int8", "int8")
    return Judgement(
        model="copy",
        corpus="",
        kind="notes",
        sample_rate=RATE,
        precision="int8",
        instruction_set="portable",
        thorough=False,
        silence_dbfs=-200.0,
        bits=bits,
        speed=Speed(voices=8, threads=2, times_real_time=3.0, voices_in_real_time=20, machine=""),
        verdicts=[],
        notes=judge_notes(player, corpus, choose_notes(corpus, thorough=False)),
        velocities=judge_velocities(player, corpus, choose_curves(corpus, thorough=False)),
        held_out=judge_held_out(player, corpus),
    )


@pytest.fixture(autouse=True)
def few_notes(monkeypatch):
    monkeypatch.setattr(notes, "QUICK_KEYS", 4)
    monkeypatch.setattr(notes, "FEWEST_KEYS", 4)


def missed(found):
    return {verdict.name for verdict in judge_verdicts(found) if not verdict.met}


def test_a_perfect_copy_misses_nothing(corpus):
    found = judged(corpus)
    assert missed(found) == set()
    assert pytest.approx(
        {name: value for name, value in means(found).items() if name in ("distance", "seen")}, abs=1e-6
    ) == {"distance": 0.0, "seen": 0.0}
    assert all(each.softer is None or each.softer > 0.1 for each in found.held_out)
    assert all(each.semitones > 0.5 for each in found.held_out)
    names = [verdict.name for verdict in judge_verdicts(found)]
    assert len(names) == len(set(names)) >= 18


def out_of_tune(sound, key, velocity):
    return resample_at(sound.astype(np.float32), np.arange(len(sound)) * 2.0 ** (15.0 / 1200.0))


def hissing(sound, key, velocity):
    return sound + 0.003 * np.random.default_rng(key).standard_normal(len(sound))


def loud(sound, key, velocity):
    return 2.0 * sound


def endless(sound, key, velocity):
    return sound * 10.0 ** (np.arange(len(sound)) / RATE * 6.0 / 20.0)


def dull(sound, key, velocity):
    return np.convolve(sound, np.ones(24) / 24)[: len(sound)]


def stuck(sound, key, velocity):
    sound = sound.copy()
    sound[:400] = 1.0
    return sound


FOUND = {
    "out of tune": ({"fault": out_of_tune}, {"pitch within 10 cents", "pitch within 10 cents, second judge"}),
    "hissing": ({"fault": hissing}, {"purity within 6 dB", "below −60 dBFS 1 s after release", "distance below 0.8"}),
    "loud": ({"fault": loud}, {"level within 3 dB"}),
    "endless": ({"fault": endless}, {"decay by octave within a factor 1.5", "level after 2 s within 6 dB"}),
    "dull": ({"fault": dull}, {"brightness within 20 %"}),
    "stuck": ({"fault": stuck}, {"full scale held"}),
    "deaf": ({"deaf": True}, {"level rises with velocity", "brightness rises with velocity"}),
    "undamped": ({"undamped": True}, {"note-off within 25 % of the damper", "below −60 dBFS 1 s after release"}),
}


@pytest.mark.parametrize(("faults", "expected"), FOUND.values(), ids=FOUND)
def test_a_fault_is_found_by_its_measure(corpus, faults, expected):
    assert expected <= missed(judged(corpus, **faults))


def test_blame_says_where_and_when(corpus):
    def missing_top_late(sound, key, velocity):
        late = np.arange(len(sound)) > 0.8 * RATE
        spectrum = np.fft.rfft(sound * late)
        spectrum[int(1000.0 / RATE * len(sound)) :] = 0.0
        return sound * ~late + np.fft.irfft(spectrum, len(sound))

    blame = judge_blame(Copyist(corpus, missing_top_late), corpus)
    louder = np.array(blame.louder_db)
    top, late = blame.bands_hz.index(1000.0), blame.times_s.index(0.8)
    assert (louder[top:-1, late + 1 :] < -6.0).all()
    assert np.abs(louder[: top - 1]).max() < 1.0
    assert np.abs(louder[:, : late - 1]).max() < 1.0


def test_partials_and_what_lies_between_are_told_apart(corpus):
    found = judge_held_out(Copyist(corpus, hissing), corpus)
    assert all(each.without_rest < 0.3 * each.distance for each in found)
    found = judge_held_out(Copyist(corpus, loud), corpus)
    assert all(each.without_partials < each.without_rest for each in found)
