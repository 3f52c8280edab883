import numpy as np
import pytest
from safetensors.numpy import save_file

from rtwave.errors import RtwaveError
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.precision import MIN_RANGE
from rtwave.wavenet.weights import FORMAT, Weights, tensor_shapes

SMALL = WaveNetConfig(dilations=(1, 2), residual_channels=3, skip_channels=4, head_channels=5, excitation="partials")


def stored(weights, **changes):
    tables = {f"instrument.{name}": table for name, table in weights.instrument.arrays().items()}
    return weights.tensors | tables | changes


def write(path, arrays, config=SMALL, fmt=FORMAT):
    save_file(arrays, path, metadata={"format": fmt, "config": config.to_json()})
    return path


@pytest.mark.parametrize("output", ["gaussian", "mulaw"])
def test_a_saved_network_loads_bit_for_bit(tmp_path, output):
    config = WaveNetConfig(output=output, dilations=(1, 2, 4), residual_channels=6)
    weights = Weights.random(config, seed=3)
    weights.save(tmp_path / "a.safetensors")
    loaded = Weights.load(tmp_path / "a.safetensors")
    assert loaded.config == config
    assert all((loaded.tensors[name] == weights.tensors[name]).all() for name in tensor_shapes(config))
    before, after = weights.instrument.arrays(), loaded.instrument.arrays()
    assert all((before[name] == after[name]).all() for name in before)
    assert not list(tmp_path.glob("*.partial"))


def test_a_file_from_before_temperatures_had_a_velocity_is_read(tmp_path):
    by_key = np.linspace(-0.3, 0.7, 128, dtype=np.float32)
    arrays = stored(Weights.random(SMALL), **{"instrument.temperature": by_key})
    loaded = Weights.load(write(tmp_path / "old.safetensors", arrays))
    loaded.check_shapes()
    assert (loaded.instrument.temperature == by_key[:, None]).all()


def test_float16_tensors_are_read_as_float32(tmp_path):
    weights = Weights.random(SMALL)
    half = {name: tensor.astype(np.float16) for name, tensor in weights.tensors.items()}
    loaded = Weights.load(write(tmp_path / "half.safetensors", half))
    assert {tensor.dtype for tensor in loaded.tensors.values()} == {np.dtype(np.float32)}


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(RtwaveError, match="no such weights file"):
        Weights.load(tmp_path / "none.safetensors")


def test_a_file_cut_anywhere_is_one_clear_error(tmp_path):
    path = tmp_path / "whole.safetensors"
    Weights.random(SMALL).save(path)
    whole = path.read_bytes()
    for length in (0, 4, 20, len(whole) // 3, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(RtwaveError, match=r"whole\.safetensors"):
            Weights.load(path)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("layers.1.gate.weight", np.zeros((6, 3, 3), np.float32), r"has shape \(6, 3, 3\), expected \(6, 3, 2\)"),
        ("head.output.bias", np.array([np.nan, 0], np.float32), "NaN"),
        ("head.output.bias", np.zeros(2, np.int32), "int32"),
        ("layers.7.gate.bias", np.zeros(6, np.float32), "unknown"),
        ("instrument.cents", np.zeros(3, np.float32), r"float32 \(3,\), expected float32 \(128,\)"),
        ("instrument.stiffness", np.full(128, np.inf, np.float32), "NaN or infinity"),
        ("instrument.release_s", np.full(128, -1, np.float32), "spans -1 to -1, expected values in 0 to inf"),
        ("instrument.envelope_ages_s", np.array([0.0, 0.0], np.float32), "rise"),
        ("instrument.colour", np.zeros(3, np.float32), "colour"),
        ("ranges", np.ones(3, np.float32), r"ranges is float32 \(3,\), expected float32 \(4,\)"),
        ("ranges", np.ones(4, np.int32), r"ranges is int32 \(4,\), expected float32 \(4,\)"),
        ("ranges", np.array([1, 2, np.nan, 3], np.float32), r"holds nan, expected 1e-06 to 1e\+30"),
        ("ranges", np.array([1, np.inf, 2, 3], np.float32), "ranges holds inf"),
        ("ranges", np.array([1, 2, 0, 3], np.float32), "ranges holds 0"),
        ("ranges", np.array([1, 2, -1, 3], np.float32), "ranges holds -1"),
    ],
)
def test_every_name_shape_type_and_value_is_checked(tmp_path, name, tensor, message):
    path = write(tmp_path / "bad.safetensors", stored(Weights.random(SMALL), **{name: tensor}))
    with pytest.raises(RtwaveError, match=rf"bad\.safetensors: .*{message}"):
        Weights.load(path)


def test_ranges_travel_with_the_network(tmp_path):
    weights = Weights.random(SMALL)
    weights.save(tmp_path / "a.safetensors")
    assert Weights.load(tmp_path / "a.safetensors").ranges is None
    weights.ranges = np.array([0.1, 1.0, 2.0, MIN_RANGE], np.float32)
    weights.save(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(Weights.load(tmp_path / "a.safetensors").ranges, weights.ranges)


def test_ranges_of_another_kind_are_told():
    with pytest.raises(RtwaveError, match=r"^weights: ranges is list, expected an array float32 \(4,\)"):
        Weights(SMALL, Weights.random(SMALL).tensors, ranges=[1.0, 1.0, 1.0, 1.0])


def test_a_missing_tensor_is_named(tmp_path):
    arrays = stored(Weights.random(SMALL))
    del arrays["layers.0.skip.weight"]
    with pytest.raises(RtwaveError, match=r"layers\.0\.skip\.weight is missing"):
        Weights.load(write(tmp_path / "bad.safetensors", arrays))


def test_another_format_is_refused(tmp_path):
    with pytest.raises(RtwaveError, match="format is 'other'"):
        Weights.load(write(tmp_path / "bad.safetensors", stored(Weights.random(SMALL)), fmt="other"))


def test_the_callers_tensors_stay_as_they_are():
    given = {name: tensor.astype(np.float16) for name, tensor in Weights.random(SMALL).tensors.items()}
    weights = Weights(SMALL, given)
    weights.tensors["input.bias"] = np.zeros(3, np.float32)
    assert {tensor.dtype for tensor in given.values()} == {np.dtype(np.float16)}


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    for path in (tmp_path / "none" / "a.safetensors", tmp_path / "folder.safetensors"):
        with pytest.raises(RtwaveError, match=r"safetensors: weights cannot be written .*name another file"):
            Weights.random(SMALL).save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.safetensors"]


def test_a_saved_network_can_be_read_by_others(tmp_path):
    Weights.random(SMALL).save(tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o644


def test_networks_are_the_same_where_they_compute_the_same():
    weights = Weights.random(SMALL)
    assert weights.same_network(Weights.random(SMALL))
    assert not weights.same_network(Weights.random(SMALL, seed=1))
    assert not weights.same_network(Weights.random(WaveNetConfig()))
    measured = Weights.random(SMALL)
    measured.ranges = np.ones(4, np.float32)
    assert not weights.same_network(measured)
