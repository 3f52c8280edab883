"""From a folder of recordings to a preset that plays, by the three commands an experimenter types."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")
pytest.importorskip("soxr")

from rtwave.engine.engine import Engine
from rtwave.presets import Playing, load_preset, write_preset
from rtwave.training.checkpoint import Run, read_options
from rtwave.wavenet.weights import Weights

from ..conftest import pluck

SMALL = ["--layers", "3", "--residual-channels", "8", "--skip-channels", "8", "--head-channels", "8", "--batch", "2"]
SMALL += ["--length", "512", "--render-every", "20", "--precision", "float32"]


def rtwave(*words, folder, extra=True):
    """A program of its own, without what the extra `train` installs if told so."""
    words = [str(word) for word in words]
    if not extra:
        code = "import sys; sys.modules |= dict.fromkeys(('torch', 'soxr', 'matplotlib')); "
        code += f"from rtwave.cli.main import run; sys.exit(run({words}))"
        command = [sys.executable, "-W", "error", "-c", code]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    command = [sys.executable, "-W", "error", "-m", "rtwave", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def learned(recordings, tmp_path_factory):
    """A working folder in which prepare and train have run."""
    folder = tmp_path_factory.mktemp("learning")
    prepared = rtwave("prepare", recordings, "--out", "corpus", folder=folder)
    assert prepared.returncode == 0, prepared.stderr
    trained = rtwave("train", "corpus", "--out", "run", "--steps", 40, *SMALL, folder=folder)
    assert trained.returncode == 0, trained.stderr
    assert prepared.stderr == trained.stderr == "", "a progress bar where nobody looks"
    return folder, prepared.stdout, trained.stdout


def test_prepare_tells_what_it_found_and_what_it_skipped(learned):
    _, prepared, _ = learned
    assert "12 recordings, 4 keys" in prepared
    assert "skipped 0 files" in prepared
    assert "cents" in prepared


def test_train_tells_how_it_goes_and_leaves_a_note_to_hear(learned):
    folder, _, trained = learned
    assert "bits per sample on held-out recordings" in trained
    assert "rtwave export" in trained
    sounds = sorted((folder / "run" / "notes").glob("*.wav"))
    assert [sound.name.split("_")[0] for sound in sounds] == ["step0000020", "step0000040"]
    assert soundfile.info(sounds[0]).samplerate == 16_000


def test_a_run_starts_from_another_where_it_ended_and_both_are_exported_as_their_mean(learned):
    folder, _, _ = learned
    slow = ("--learning-rate", 1e-9, "--batch", 2, "--length", 512, "--precision", "float32")
    said = rtwave("train", "corpus", "--out", "more", "--from", "run", "--steps", 1, *slow, folder=folder)
    assert (said.returncode, said.stderr) == (0, "")
    held_out = r"step (\d+): ([\d.]+) bits per sample on held-out recordings"
    assert re.findall(held_out, said.stdout) == [("1", re.findall(held_out, learned[2])[-1][1])]
    said = rtwave("train", "corpus", "--out", "on", "--from", "run", "--steps", 5, *slow[2:], folder=folder)
    assert said.returncode == 0, said.stderr
    said = rtwave("export", "run", "on", "--out", "mean", folder=folder, extra=False)
    assert (said.returncode, said.stderr) == (0, "")
    first, second, mean = (
        Weights.load(folder / name / "model.safetensors").tensors["layers.0.gate.weight"]
        for name in ("run", "on", "mean")
    )
    assert not np.allclose(first, second, atol=1e-4)
    np.testing.assert_allclose(mean, (first + second) / 2.0, atol=1e-6)


@pytest.fixture(scope="module")
def exported(learned):
    """The preset made of it, and what export said."""
    folder, _, _ = learned
    (folder / "terms.txt").write_text("CC0: do as you like.")
    words = ["export", "run", "--out", "preset", "--name", "pluck", "--license", "CC0", "--license-file", "terms.txt"]
    words += ["--program", 90, "--controller", "timbre=21", "--timbre", 0.25, "--temperature-range", 0.1, 1.2]
    said = rtwave(*words, folder=folder, extra=False)
    assert (said.returncode, said.stderr) == (0, "")
    return load_preset(folder / "preset"), said.stdout


def test_what_starts_from_a_preset_says_so_wherever_it_goes(learned, exported):
    folder, _, _ = learned
    few = ("--steps", 2, "--batch", 2, "--length", 512, "--precision", "float32")
    for words in (
        ("train", "corpus", "--out", "taught", "--from", "preset", *few),
        ("train", "corpus", "--out", "taught", "--resume", "--steps", 3),
        ("export", "taught", "--out", "another"),
    ):
        said = rtwave(*words, folder=folder)
        assert (said.returncode, said.stderr) == (0, "")
    assert Run(folder / "taught").origin() == "pluck (CC0)"
    assert load_preset(folder / "another").source == "weights that started from pluck (CC0)"


def test_export_makes_a_preset_that_renders_and_needs_no_extra(learned, exported):
    folder, _, _ = learned
    assert (exported[0].folder / "LICENSE.txt").read_text().startswith("CC0")
    played = rtwave(
        "play", "--preset", "preset", "--device", "null", "--seconds", 0.3, "--record", "take.wav", folder=folder
    )
    assert played.returncode == 0, played.stderr
    assert soundfile.info(folder / "take.wav").frames > 0


def test_export_writes_how_a_preset_is_called_moved_and_licensed(exported):
    preset, _ = exported
    assert (preset.program, preset.controls) == (90, {"timbre": 21})
    assert (preset.playing.timbre, preset.playing.temperature_range) == (0.25, (0.1, 1.2))
    assert (preset.folder / "LICENSE.txt").read_text() == "CC0: do as you like."


def test_a_preset_holds_what_every_precision_loses_and_plays_the_one_it_says(exported):
    preset, said = exported
    assert preset.weights.ranges.shape == (5,)
    assert preset.precision.keys() == {"float32", "bfloat16", "int8"}
    taken = Engine(preset).precision
    assert f"int8 {preset.precision['int8']:.4f}; plays in {taken}" in said
    assert preset.precision[taken] <= preset.precision["float32"] + 0.01


@pytest.mark.parametrize("words", [["run"], ["preset", "--corpus", "corpus"]], ids=["run", "preset"])
def test_evaluate_tells_the_same_of_a_run_and_of_its_preset_and_needs_no_extra(learned, exported, words):
    answer = rtwave("evaluate", *words, "--json", folder=learned[0], extra=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    found, (preset, _) = json.loads(answer.stdout), exported
    assert found["bits"]["bits"] == preset.precision
    assert found["bits"]["recordings"] == len(found["held_out"]) == 1
    assert found["bits"]["auto"] == found["precision"] == Engine(preset).precision
    assert {verdict["name"] for verdict in found["verdicts"]} >= {"pitch within 5 cents", "distance below 0.8"}


def test_evaluate_in_words_says_which_precision_auto_takes_and_when_the_preset_says_otherwise(learned, exported):
    folder, (preset, _) = learned[0], exported
    said = rtwave("evaluate", "preset", "--corpus", "corpus", "--page", "page.html", folder=folder).stdout.splitlines()
    assert [line.split()[0] for line in said[2:6]] == ["precision", "float32", "bfloat16", "int8"]
    assert any(line.split()[0] in ("met", "MISSED") and "pitch within 5 cents" in line for line in said if line)
    assert (folder / "page.html").read_text().startswith("<!doctype html>")
    assert [line.split()[0] for line in said if "auto takes it" in line] == [Engine(preset).precision]
    write_preset(folder / "bare", replace(preset.weights, ranges=None), name="bare")
    said = rtwave("evaluate", "bare", "--corpus", "corpus", folder=folder)
    assert said.returncode == 0
    assert "The preset says otherwise, and plays in float32: export it again." in said.stdout


def test_a_preset_without_measurements_is_exported_again_without_its_run(learned, tmp_path):
    folder, _, _ = learned
    weights = Weights.load(folder / "run" / "model.safetensors")
    playing = Playing(temperature=0.4, temperature_range=(0.1, 0.9), gain_db=-9.0, polyphony=5, release=2.0, timbre=0.2)
    write_preset(tmp_path / "old", weights, name="old", license="CC0", description="plucked", playing=playing)
    again = rtwave("export", tmp_path / "old", "--corpus", "corpus", "--out", tmp_path / "old", folder=folder)
    assert again.returncode == 0, again.stderr
    preset = load_preset(tmp_path / "old")
    assert preset.weights.ranges is not None
    assert len(preset.precision) == 3
    assert (preset.license, preset.description) == ("CC0", "plucked")
    assert preset.playing == playing
    words = ("export", tmp_path / "old", "--corpus", "corpus", "--out", tmp_path / "old", "--gain-db", "-3")
    assert rtwave(*words, folder=folder).returncode == 0
    assert load_preset(tmp_path / "old").playing == msgspec.structs.replace(playing, gain_db=-3.0)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_is_saved_and_resumed_as_it_was(learned, tmp_path, stop):
    folder, _, _ = learned
    command = [sys.executable, "-m", "rtwave", "train", "corpus", "--out", str(tmp_path / "run"), "--steps", "100000"]
    running = subprocess.Popen(
        [*command, *SMALL], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("run/notes/*.wav")):
        assert time.monotonic() < deadline, "no note was rendered"
        time.sleep(0.1)
    os.kill(running.pid, stop)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 0, said
    step = int(said.split("stopped at step ")[1].split(",")[0])
    resumed = rtwave(
        "train", "corpus", "--out", tmp_path / "run", "--resume", "--steps", step + 5, "--noise", 0.01, folder=folder
    )
    assert resumed.returncode == 0, resumed.stderr
    assert f"step {step + 5}:" in resumed.stdout
    options = read_options(Run(tmp_path / "run").load_state())
    assert (options.steps, options.noise) == (step + 5, 0.01)
    assert (options.batch, options.length, options.precision) == (2, 512, "float32")


def test_an_unpitched_preset_with_three_taps_and_knobs_is_learned_and_exported(recordings, tmp_path):
    keys = {"A": 69, "C": 60, "D": 63, "F": 66}
    files = sorted(path.name for path in recordings.iterdir())
    rows = [f"{name},{keys[name[6]]},{100 + n},{n / 12}" for n, name in enumerate(files)]
    (tmp_path / "list.csv").write_text("\n".join(["file,note,velocity,knob2", *rows]))
    for words in (
        ("prepare", recordings, "--out", "corpus", "--manifest", "list.csv", "--seconds", 0.5),
        ("train", "corpus", "--out", "run", "--excitation", "none", "--kernel-size", 3, "--steps", 3, *SMALL),
        ("export", "run", "--out", "preset"),
    ):
        said = rtwave(*words, folder=tmp_path)
        assert said.returncode == 0, said.stderr
    config = Weights.load(tmp_path / "preset" / "model.safetensors").config
    assert (config.excitation, config.kernel_size, config.conditioning[-1]) == ("none", 3, "knob2")


def test_train_learns_from_short_recordings_and_says_that_none_is_held_out(recordings, tmp_path):
    soundfile.write(tmp_path / "pluck_C4_v110.wav", pluck(60, 110, 3.0), 44_100)
    (tmp_path / "pluck_D#4_v110.flac").write_bytes((recordings / "pluck_D#4_v110.flac").read_bytes())
    samples, rate = soundfile.read(recordings / "pluck_C4_v30.wav")
    soundfile.write(tmp_path / "pluck_E4.wav", samples[: rate // 2], rate)
    assert rtwave("prepare", ".", "--out", "corpus", folder=tmp_path).returncode == 0
    small = [*SMALL, "--length", "16000", "--steps", "1"]
    trained = rtwave("train", "corpus", "--out", "run", *small, folder=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "; 3 recordings to learn from" in trained.stdout
    assert "left out" not in trained.stdout
    assert "no recording is held out" in trained.stdout
    assert "nan" not in trained.stdout
    evaluated = rtwave("evaluate", "run", folder=tmp_path)
    assert (evaluated.returncode, evaluated.stdout) == (1, "")
    told = "no recording is held out, so nothing can be judged; prepare four or more"
    assert evaluated.stderr == f"rtwave: {tmp_path / 'corpus'}: {told}\n"
    exported = rtwave("export", "run", "--out", "preset", folder=tmp_path)
    assert (exported.returncode, "bits" in exported.stdout) == (0, False)
    preset = load_preset(tmp_path / "preset")
    assert (preset.precision, Engine(preset).precision) == ({}, "float32")
    assert Engine(preset, precision="int8").render(100).shape == (100,)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("prepare", "nowhere"), "no such folder"),
        (("prepare", "empty"), "no labelled recording found"),
        (("train", "empty"), "not a whole corpus"),
        (("train", "corpus", "--out", "new", "--resume"), "no checkpoint.pt"),
        (("train", "corpus", "--out", "run"), "run: holds a run at step 40; add --resume or choose another --out"),
        (("train", "corpus", "--out", "run", "--resume"), "run: is at step 40 of 40 already; add --steps"),
        (("train", "corpus", "--out", "run", "--resume", "--layers", "4"), "dilations is (1, 2, 4), not (1, 2, 4, 8)"),
        (("train", "corpus", "--out", "run", "--resume", "--output", "mulaw"), "output is 'gaussian', not 'mulaw'"),
        (("train", "corpus", "--learning-rate", "-1"), "learning_rate is -1.0"),
        (("train", "corpus", "--output", "loud"), "output is 'loud'"),
        (("train", "corpus", "--out", "run", "--resume", "--from", "run"), "own checkpoint; leave --from out"),
        (
            ("train", "corpus", "--from", "a" * 300),
            "a: neither a run's folder nor a preset's, nor the name of a preset",
        ),
        (("train", "corpus", "--from", "drift"), "corpus: its recordings differ in pitch, of which the network of"),
        (("train", "corpus", "--from", "empty"), "empty: neither a run's folder nor a preset's, nor the name of a"),
        (("train", "corpus", "--from", "run", "--layers", "4"), "dilations is (1, 2, 4), not (1, 2, 4, 8); leave that"),
        (("train", "corpus", "--from", "piano"), "corpus: 16000 Hz in periods of 32, but the network has 24000 Hz"),
        (("train", "corpus", "--from", "run", "--from", "piano-lite"), "piano-lite: has another network than run"),
        (("export", "empty"), "empty: neither a run's folder nor a preset's, nor the name of a preset ("),
        (("export", "run", "piano-lite"), "piano-lite: has another network than run"),
        (("export", "preset_of_old"), "preset_of_old: does not say what corpus it was learned from; name it with"),
        (("evaluate", "empty"), "empty: neither a run's folder nor a preset's, nor the name of a preset ("),
        (("evaluate", "preset_of_old"), "does not say what corpus it was learned from; name it with --corpus"),
        (("evaluate", "piano", "--corpus", "empty"), "not a whole corpus"),
        (("evaluate", "piano", "--corpus", "corpus", "--page", "nowhere/page.html"), "cannot write the page"),
        (("evaluate", "run", "--instruction-set", "abacus"), "instruction set is 'abacus', this machine has"),
        (("export", "run", "--name", "../evil"), "name is '../evil'"),
        (("export", "run", "--name", ""), "name is ''"),
        (
            ("export", "run", "--controller", "timbre"),
            "--controller is 'timbre', expected a control and its controller",
        ),
        (("export", "run", "--controller", "timbre=64"), "timbre is 64, expected a controller from 1 to 119"),
        (("export", "run", "--license-file", "none.txt"), "none.txt: cannot be read as text"),
        (("export", "run", "--demo", "corpus/corpus.json"), "not a whole MIDI file"),
    ],
)
def test_bad_input_is_one_line_and_a_non_zero_exit(rtwave, learned, monkeypatch, words, message):
    folder, _, _ = learned
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir(exist_ok=True)
    if not (folder / "preset_of_old").exists():
        write_preset(folder / "preset_of_old", Weights.load(folder / "run" / "model.safetensors"), name="old")
    code, _, err = rtwave(*words)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
