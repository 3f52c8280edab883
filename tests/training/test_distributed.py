"""torchrun with two processes: they learn what one does, and when one is killed the other saves and says so."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("soxr")
if not torch.distributed.is_available():
    pytest.skip("torch was built without processes that work together", allow_module_level=True)

from rtwave.training.checkpoint import Run  # noqa: E402

SMALL = ["--layers", "3", "--residual-channels", "8", "--skip-channels", "8", "--head-channels", "8", "--batch", "4"]
SMALL += ["--length", "512", "--precision", "float32", "--learning-rate", "0.02"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
LIMIT_S = 100.0


def started(*words, processes=2):
    """`rtwave train` by torchrun, or by itself, with what it says in one stream."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *(TORCHRUN if processes > 1 else []), "-m", "rtwave", "train", *map(str, words), *SMALL]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def curve(folder):
    with (folder / "log.csv").open() as file:
        return [(int(row["step"]), float(row["bits"]), float(row["held_out_bits"])) for row in csv.DictReader(file)]


def test_two_processes_learn_what_one_does(corpus_folder, tmp_path):
    running = [
        started(corpus_folder, "--out", tmp_path / str(n), "--steps", 10, "--validate-every", 2, processes=n)
        for n in (1, 2)
    ]
    for program in running:
        said, _ = program.communicate(timeout=LIMIT_S)
        assert program.returncode == 0, said
        assert said.count("trained: ") == 1, said
    alone, together = curve(tmp_path / "1"), curve(tmp_path / "2")
    assert [row[0] for row in together] == [2, 4, 6, 8, 10]
    for one, two in zip(alone, together, strict=True):
        assert two == pytest.approx(one, abs=3e-4)


def process_of_rank(parent, rank):
    """Process id of the worker with that rank."""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            told = (process / "environ").read_bytes().split(b"\0")
            father = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if father == parent and f"RANK={rank}".encode() in told:
                return int(process.name)
    raise AssertionError(f"no process of rank {rank}")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by Linux's means")
def test_a_killed_process_ends_in_one_line_and_a_checkpoint_that_resumes(corpus_folder, tmp_path):
    words = [corpus_folder, "--out", tmp_path, "--steps", 1_000_000, "--validate-every", 1_000_000]
    program = started(*words, "--render-every", 10)
    try:
        deadline = time.monotonic() + LIMIT_S
        while not list(tmp_path.glob("notes/*.wav")):
            assert time.monotonic() < deadline, "no note was rendered"
            time.sleep(0.05)
        os.kill(process_of_rank(program.pid, 1), signal.SIGKILL)
        said, _ = program.communicate(timeout=LIMIT_S)
    finally:
        if program.poll() is None:
            program.kill()
            program.wait()
    assert program.returncode != 0
    (line,) = [line for line in said.splitlines() if line.startswith("rtwave: ")]
    told = "rtwave: training: another of the 2 processes is gone; saved at step "
    assert line.startswith(told), line
    assert line.endswith("start all of them again with --resume"), line
    assert Run(tmp_path).load_state()["step"] == int(line.removeprefix(told).split(";")[0]) >= 10
