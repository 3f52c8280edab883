import pytest

from rtwave.errors import RtwaveError
from rtwave.wavenet.config import FEATURE_SIZES, WaveNetConfig


def test_receptive_field_counts_every_past_tap():
    assert WaveNetConfig(dilations=(1, 2, 4), kernel_size=2).receptive_field == 8
    assert WaveNetConfig(dilations=(1, 2, 4), kernel_size=3).receptive_field == 15


def test_channels_follow_from_the_fields():
    config = WaveNetConfig(residual_channels=5, conditioning=("pitch", "gate"), excitation="partials", partials=7)
    assert (config.conditioning_channels, config.excitation_channels) == (9, 14)
    assert config.outputs == 2
    assert WaveNetConfig(output="mulaw", quantization_channels=17).outputs == 17
    assert WaveNetConfig(excitation="none").excitation_channels == 0


def test_json_round_trip_keeps_every_field():
    config = WaveNetConfig(sample_rate=24_000, dilations=(1, 3, 9), conditioning=tuple(FEATURE_SIZES))
    assert WaveNetConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample_rate", 0),
        ("sample_rate", True),
        ("output", "softmax"),
        ("quantization_channels", 1),
        ("pre_emphasis", 1.0),
        ("pre_emphasis", float("nan")),
        ("dilations", ()),
        ("dilations", (1, 0)),
        ("dilations", (1, 2.5)),
        ("dilations", 5),
        ("dilations", None),
        ("dilations", "124"),
        ("dilations", (1,) * 257),
        ("conditioning", None),
        ("conditioning", "pitch"),
        ("conditioning", (["pitch"],)),
        ("kernel_size", 4),
        ("residual_channels", 0),
        ("skip_channels", -1),
        ("head_channels", 10**9),
        ("excitation", "sawtooth"),
        ("partials", 0),
        ("control_period", 0),
        ("conditioning", ("pitch", "colour")),
        ("conditioning", ("pitch", "pitch")),
    ],
)
def test_a_bad_value_names_the_field_what_came_and_what_was_expected(field, value):
    with pytest.raises(RtwaveError, match=rf"{field} is .*expected"):
        WaveNetConfig(**{field: value})


def test_an_unknown_field_is_named():
    with pytest.raises(RtwaveError, match="unknown field 'colour', expected sample_rate"):
        WaveNetConfig(colour=1)


def test_a_list_becomes_a_tuple():
    config = WaveNetConfig(dilations=[1, 2], conditioning=["gate"])
    assert config == WaveNetConfig(dilations=(1, 2), conditioning=("gate",))
    assert hash(config) == hash(WaveNetConfig(dilations=(1, 2), conditioning=("gate",)))


def test_a_long_value_is_told_in_short():
    with pytest.raises(RtwaveError) as caught:
        WaveNetConfig(dilations=tuple(range(100_000)))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["", "[]", "null", '{"colour": 1}', '{"partials": "many"}', '{"dilations": 3}'])
def test_a_damaged_record_is_one_clear_error(text):
    with pytest.raises(RtwaveError, match="config"):
        WaveNetConfig.from_json(text)
