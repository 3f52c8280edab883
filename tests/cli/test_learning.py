"""From a folder of recordings to a preset that plays, by the three commands an experimenter types."""

import os
import signal
import subprocess
import sys
import time

import pytest
import soundfile

pytest.importorskip("torch")
pytest.importorskip("soxr")

SMALL = ["--layers", "3", "--residual-channels", "8", "--skip-channels", "8", "--head-channels", "8", "--batch", "2"]
SMALL += ["--length", "512", "--render-every", "20", "--precision", "float32"]


def rtwave(*words, folder):
    command = [sys.executable, "-W", "error", "-m", "rtwave", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def learned(recordings, tmp_path_factory):
    """A working folder in which prepare and train have run."""
    folder = tmp_path_factory.mktemp("learning")
    prepared = rtwave("prepare", recordings, "--out", "corpus", folder=folder)
    assert prepared.returncode == 0, prepared.stderr
    trained = rtwave("train", "corpus", "--out", "run", "--steps", 40, *SMALL, folder=folder)
    assert trained.returncode == 0, trained.stderr
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


def test_export_makes_a_preset_that_renders(learned):
    folder, _, _ = learned
    exported = rtwave("export", "run", "--out", "preset", "--name", "pluck", "--license", "CC0", folder=folder)
    assert exported.returncode == 0, exported.stderr
    assert (folder / "preset" / "LICENSE.txt").read_text().startswith("CC0")
    played = rtwave(
        "play", "--preset", "preset", "--device", "null", "--seconds", 0.3, "--record", "take.wav", folder=folder
    )
    assert played.returncode == 0, played.stderr
    assert soundfile.info(folder / "take.wav").frames > 0


def test_control_c_saves_and_resume_goes_on(learned, tmp_path):
    folder, _, _ = learned
    command = [sys.executable, "-m", "rtwave", "train", "corpus", "--out", str(tmp_path / "run"), "--steps", "100000"]
    running = subprocess.Popen(
        [*command, *SMALL], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("run/notes/*.wav")):
        assert time.monotonic() < deadline, "no note was rendered"
        time.sleep(0.1)
    os.kill(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 0, said
    step = int(said.split("stopped at step ")[1].split(",")[0])
    resumed = rtwave(
        "train", "corpus", "--out", tmp_path / "run", "--resume", "--steps", step + 5, *SMALL, folder=folder
    )
    assert resumed.returncode == 0, resumed.stderr
    assert f"step {step + 5}:" in resumed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("prepare", "nowhere"), "no such folder"),
        (("prepare", "empty"), "no labelled recording found"),
        (("train", "empty"), "not a whole corpus"),
        (("train", "corpus", "--out", "new", "--resume"), "no checkpoint.pt"),
        (("train", "corpus", "--learning-rate", "-1"), "learning_rate is -1.0"),
        (("train", "corpus", "--output", "loud"), "output is 'loud'"),
        (("export", "empty"), "no such weights file"),
    ],
)
def test_bad_input_is_one_line_and_a_non_zero_exit(learned, words, message):
    folder, _, _ = learned
    (folder / "empty").mkdir(exist_ok=True)
    said = rtwave(*words, folder=folder)
    assert said.returncode == 1
    assert message in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
