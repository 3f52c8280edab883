"""`rtwave train` as a newcomer types it: minutes instead of steps, choices by the corpus, faults in a line."""

import re
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("soxr")

from rtwave.training.checkpoint import Run, read_config, read_options

from ..training.made_corpus import level, made_corpus, recording

SMALL = ["--layers", "3", "--dilations-cycle", "2", "--residual-channels", "8", "--skip-channels", "8"]
SMALL += ["--head-channels", "8", "--partials", "6", "--batch", "2", "--length", "512", "--precision", "float32"]


def train(*words, folder=None):
    command = [sys.executable, "-W", "error", "-m", "rtwave", "train", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def trained(corpus_folder, tmp_path_factory):
    """A run of a few seconds, and what it said."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    told = ["--conditioning", "pitch, velocity,age", "--noise-end", "0.5", "--engine", "torch"]
    said = train(corpus_folder, "--out", folder, "--minutes", 0.15, *SMALL, *told)
    assert (said.returncode, said.stderr) == (0, "")
    return folder, said.stdout


def test_minutes_become_steps_and_the_schedule_that_fits(trained):
    folder, said = trained
    (steps,) = re.findall(r"0\.15 minutes are ([\d,]+) steps here", said)
    state = Run(folder).load_state()
    assert state["step"] == read_options(state).steps == int(steps.replace(",", ""))


def test_every_choice_reaches_the_network_and_the_options(trained):
    state = Run(trained[0]).load_state()
    config, options = read_config(state), read_options(state)
    assert (config.dilations, config.partials, config.sample_rate) == ((1, 2, 1), 6, 16_000)
    assert config.conditioning == ("pitch", "velocity", "age")
    assert (options.noise_end, options.engine, options.learning_rate) == (0.5, "torch", 4e-3)


def test_each_checkpoint_tells_the_loss_its_band_and_three_notes_in_a_line_each(trained):
    folder, said = trained
    last = [line for line in said.splitlines() if line.startswith("step ")][-2:]
    assert re.search(
        r"[\d.]+ bits per sample on held-out recordings, [\d.]+ on those learned from \(-?[\d.]+ nats, expected ",
        last[0],
    )
    assert len(re.findall(r"key \d+: .*? dB", last[1])) == 3
    assert "after release" in last[1]
    header = (folder / "log.csv").read_text().splitlines()[0].split(",")
    assert header[:5] == ["step", "samples", "bits", "held_out_bits", "samples_per_second"]
    assert {"cents_low", "level_db_middle", "purity_db_high", "floor_db_high"} <= set(header)
    assert list(folder.glob("notes/*.wav"))


def test_curves_are_written_or_their_absence_is_said_once(trained):
    folder, said = trained
    told = said.count("tensorboard is not installed")
    assert (len(list(folder.glob("tensorboard/events*"))), told) in ((1, 0), (0, 1))


def test_another_number_of_steps_on_resuming_is_a_new_schedule_and_said_so(trained, corpus_folder, tmp_path):
    shutil.copytree(trained[0], tmp_path / "run")
    step = Run(tmp_path / "run").load_state()["step"]
    said = train(corpus_folder, "--out", tmp_path / "run", "--resume", "--steps", step + 3)
    assert (said.returncode, said.stderr) == (0, "")
    assert f"a new schedule: to step {step + 3} instead of {step}" in said.stdout
    assert f"step {step + 3}: " in said.stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--minutes", 1, "--steps", 5], "both --minutes and --steps are given; leave one out"),
        (["--steps", 5, "--sample-rate", 44_100], "44100 Hz"),
        (["--steps", 5, "--partials", 99], "12 partials, expected 99"),
        (["--steps", 5, "--conditioning", "pitch,colour"], "conditioning is ('pitch', 'colour'), expected distinct"),
        (["--steps", 5, "--engine", "steam"], "engine is 'steam', expected 'auto', 'torch' or 'native'"),
        (["--steps", 5, "--noise-end", 2], "noise_end is 2.0, expected 0 to 1"),
    ],
)
def test_what_cannot_be_is_one_line(rtwave, corpus_folder, tmp_path, words, problem):
    code, out, err = rtwave("train", corpus_folder, "--out", tmp_path / "run", *words)
    assert (code, out) == (1, "")
    assert problem in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_folder_in_which_another_run_is_at_work_is_refused(rtwave, trained, corpus_folder):
    with Run(trained[0]).held():
        code, _, err = rtwave("train", corpus_folder, "--out", trained[0], "--resume", "--steps", 1_000_000)
    assert code == 1
    assert re.fullmatch(r"rtwave: .*: process \d+ trains in it; wait .*\n", err)


def test_a_corpus_that_cannot_work_is_refused_before_hours_are_spent(rtwave, tmp_path):
    loud = level(-20.0, 1.0)
    made_corpus(tmp_path / "two", [recording(key, 100.0, loud) for key in (60.0, 62.0)])
    code, _, err = rtwave("train", tmp_path / "two", "--out", tmp_path / "run", *SMALL, "--partials", 3)
    assert code == 1
    assert "two: 2.0 s of material, expected 5 s at the very least" in err
    assert not (tmp_path / "run").exists()


def test_help_tells_every_default(rtwave):
    code, out, _ = rtwave("train", "--help")
    assert code == 0
    words = " ".join(out.split())
    assert "--learning-rate <float> Highest learning rate. [default: 0.004]" in words
    assert "--compile / --no-compile" in words
    assert "torchrun --nproc-per-node 2" in words
