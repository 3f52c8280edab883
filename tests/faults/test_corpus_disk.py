"""The disk fills up while a corpus is prepared: one line, and the corpus that was there is whole."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

pytest.importorskip("soxr")

from rtwave.training.corpus import Corpus

from ..conftest import pluck

DISK = "1500k"
"""One small corpus."""


def test_a_full_disk_is_one_line_and_leaves_the_corpus_that_was_there(small_disk, tmp_path):
    def prepare(seconds):
        for note in ("C4", "E4", "G4"):
            soundfile.write(tmp_path / "notes" / f"{note}.wav", pluck(60, 100, seconds), 44_100)
        command = ["-m", "rtwave", "prepare", tmp_path / "notes", "--out", small_disk / "corpus", "--no-stiff"]
        return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60)

    (tmp_path / "notes").mkdir()
    small = prepare(2.0)
    assert small.returncode == 0, small.stderr
    large = prepare(9.0)
    assert large.returncode == 1
    (line,) = large.stderr.splitlines()
    assert line.endswith("cannot write the corpus (No space left on device); make room or choose another --out")
    corpus = Corpus(small_disk / "corpus")
    assert corpus.seconds == pytest.approx(6.0, abs=0.2)
    assert all(np.isfinite(corpus.sound(entry)).all() for entry in corpus.index.entries)
    assert not list((small_disk / "corpus").glob("*.partial"))
