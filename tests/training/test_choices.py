"""The usual network of each kind of corpus."""

from types import SimpleNamespace

import pytest

from rtwave.errors import RtwaveError
from rtwave.training.choices import usual_conditioning, usual_network
from rtwave.wavenet.config import FEATURE_SIZES


def index(kind="notes", timbres=()):
    return SimpleNamespace(kind=kind, timbres=list(timbres), sample_rate=24_000, control_period=48, partials=50)


@pytest.mark.parametrize(
    ("kind", "timbres", "told"),
    [
        ("notes", ["piano"], "pitch velocity loudness gate age release_age"),
        ("notes", ["oboe", "flute"], "pitch velocity loudness gate age release_age timbre"),
        ("drums", ["kick"], "velocity loudness gate age release_age timbre"),
        ("drums", ["kick", "snare"], "velocity loudness gate age release_age timbre"),
        ("texture", [], "loudness"),
        ("texture", ["rain", "wind"], "loudness timbre"),
    ],
)
def test_a_network_is_told_what_its_kind_of_corpus_knows(kind, timbres, told):
    assert usual_conditioning(index(kind, timbres)) == tuple(told.split())
    assert usual_conditioning(index(kind, timbres), ("knob2",)) == (*told.split(), "knob2")


def test_notes_are_excited_by_the_corpus_s_partials_at_its_rate():
    config = usual_network(index())
    assert (config.sample_rate, config.control_period, config.excitation, config.partials) == (
        24_000,
        48,
        "weighted",
        50,
    )
    assert config.dilations == (1, 2, 4, 8, 16, 32, 64, 128) * 2
    assert usual_network(index(), partials=20).partials == 20


def test_what_has_no_pitch_has_no_partials():
    assert usual_network(index("texture")).excitation == "none"
    if "timbre" in FEATURE_SIZES:
        assert usual_network(index("drums")).excitation == "none"


def test_layers_double_in_cycles():
    config = usual_network(index(), layers=12, dilations_cycle=10)
    assert config.dilations == (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1, 2)
    assert usual_network(index(), dilations_cycle=9).dilations[8:10] == (256, 1)


def test_a_bad_choice_is_named():
    with pytest.raises(RtwaveError, match=r"conditioning is .*expected distinct names"):
        usual_network(index(), conditioning=("colour",))
