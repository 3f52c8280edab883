"""Bad input: one clear line on stderr that says what to do, exit code 1, never a traceback."""

import hashlib
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rtwave.wavenet.weights import FORMAT


def refuses(answer, problem):
    code, out, err = answer
    assert code == 1
    assert out == ""
    assert err.startswith("rtwave: ")
    assert err.count("\n") == 1, err
    assert re.search(problem, err), err


def replace_model(bell, data):
    """Put other bytes in the weights file, with the sum that goes with them."""
    model, file = bell / "model.safetensors", bell / "preset.toml"
    before = hashlib.sha256(model.read_bytes()).hexdigest()
    model.write_bytes(data)
    file.write_text(file.read_text().replace(before, hashlib.sha256(data).hexdigest()))


@pytest.fixture(params=["play", "render"])
def perform(request, rtwave, song, tmp_path):
    """Either verb that makes sound."""

    def call(*options: object) -> tuple[int, str, str]:
        if request.param == "render":
            return rtwave("render", song, "-o", tmp_path / "song.wav", *options)
        return rtwave("play", "--midi-file", song, "--device", "null", *options)

    return call


def test_names_that_are_empty(rtwave, bell):
    refuses(rtwave("play", "--preset", "", "--device", "null"), "no preset ''")
    start = ["play", "--preset", bell, "--device"]
    refuses(rtwave(*start, "null", "--midi-port", ""), "no MIDI port ''; there are: ")
    refuses(rtwave(*start, ""), "no output device ''; there are: ")


def test_missing_preset(perform):
    refuses(perform("--preset", "nosuch"), r"no preset 'nosuch': expected a folder .* \(there are: ")


def test_truncated_weights(perform, bell):
    model = bell / "model.safetensors"
    model.write_bytes(model.read_bytes()[:1000])
    refuses(perform("--preset", bell), r"model\.safetensors: sha256 is .*fetch or export the preset again")


def test_truncated_weights_with_the_right_sum(perform, bell):
    replace_model(bell, (bell / "model.safetensors").read_bytes()[:1000])
    refuses(perform("--preset", bell), r"model\.safetensors: not a whole safetensors file")


def test_weights_that_are_not_numbers(perform, bell, tmp_path):
    tensors = load_file(bell / "model.safetensors")
    tensors["layers.2.gate.weight"][0, 0, 0] = np.nan
    metadata = {"format": FORMAT, "config": _config(bell)}
    save_file(tensors, tmp_path / "nan.safetensors", metadata=metadata)
    replace_model(bell, (tmp_path / "nan.safetensors").read_bytes())
    refuses(perform("--preset", bell), r"model\.safetensors: layers\.2\.gate\.weight holds NaN")


def _config(bell):
    from rtwave.presets import load_preset

    return load_preset(bell).weights.config.to_json()


def test_unknown_key_in_a_preset(perform, bell):
    with (bell / "preset.toml").open("a") as file:
        file.write("temprature = 0.5\n")
    refuses(perform("--preset", bell), r"preset\.toml: unknown field 'temprature' in \[playing\], expected one of")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--temperature", "-1"], "temperature is -1, expected 0 to 2"),
        (["--voices", "0"], "voices is 0, expected .* 1 to 256"),
        (["--threads", "0"], "threads is 0, expected .* 1 to 64"),
        (["--engine", "abacus"], "engine is 'abacus', expected one of cpu, cuda, cuda-graph, torch"),
        (["--gain-db", "90"], "gain_db is 90, expected -60 to 12"),
        (["--channel", "0"], "channel is 0, expected 1 to 16"),
        (["--channel", "17"], "channel is 17, expected 1 to 16"),
        (["--transpose", "1000"], "transpose is 1000"),
        (["--seed", "-5"], "seed is -5"),
        (["--tail", "-1"], "tail is -1"),
        (["--precision", "int4"], "precision is 'int4', .* has auto, "),
        (["--precision", "int8"], "ranges is missing, int8 needs .*; export the preset again"),
    ],
)
def test_impossible_options(perform, bell, options, problem):
    refuses(perform("--preset", bell, *options), problem)


def test_midi_file_cut_in_half(rtwave, bell, song, tmp_path):
    half = tmp_path / "half.mid"
    half.write_bytes(song.read_bytes()[: song.stat().st_size // 2])
    problem = r"half\.mid: the MIDI file ends too early"
    refuses(rtwave("render", half, "-o", tmp_path / "half.wav", "--preset", bell), problem)
    refuses(rtwave("play", "--midi-file", half, "--preset", bell, "--device", "null"), problem)
    assert not (tmp_path / "half.wav").exists()


def test_midi_file_that_is_something_else(rtwave, bell, tmp_path):
    refuses(rtwave("render", bell / "preset.toml", "-o", tmp_path / "a.wav", "--preset", bell), "MIDI file")


def test_missing_device_lists_those_there(rtwave, bell):
    refuses(rtwave("play", "--preset", bell, "--device", "nosuch"), "no output device 'nosuch'; there are: ")


def test_wrong_midi_port_lists_those_there(rtwave, bell):
    answer = rtwave("play", "--preset", bell, "--device", "null", "--midi-port", "nosuch")
    refuses(answer, "no MIDI port 'nosuch'; there are: ")


def test_preset_without_a_demo(rtwave, bell):
    file = bell / "preset.toml"
    file.write_text(file.read_text().replace('demo = "demo.mid"\n', ""))
    refuses(rtwave("play", "--preset", bell, "--device", "null", "--demo"), "no demo phrase; play a MIDI file")


def test_take_that_cannot_be_written_is_told_before_the_music(rtwave, bell, tmp_path):
    options = ["--preset", bell, "--device", "null", "--demo", "--record-midi", tmp_path / "none" / "take.mid"]
    refuses(rtwave("play", *options), r"take\.mid: the take cannot be written")


@pytest.mark.parametrize("name", ["song.mp3", "song"])
def test_unknown_kind_of_sound_file(rtwave, bell, song, tmp_path, name):
    refuses(rtwave("render", song, "-o", tmp_path / name, "--preset", bell), r"expected .*\.wav or \.flac")
    refuses(
        rtwave("play", "--demo", "--preset", bell, "--device", "null", "--record", tmp_path / name), r"\.wav or \.flac"
    )


def test_things_that_do_not_go_together(rtwave, bell, song):
    start = ["play", "--preset", bell, "--device", "null"]
    refuses(rtwave(*start, "--demo", "--midi-file", song), "expected one of them")
    refuses(rtwave(*start, "--demo", "--virtual"), "expected none of them")
    refuses(rtwave(*start, "--record-format", "pcm16"), "--record-format pcm16 is given without --record")
    refuses(rtwave(*start, "--seconds", "0"), "--seconds is 0, expected more than 0")
