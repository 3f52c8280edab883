"""--minutes: a trial that leaves no trace, and a plan that fits."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("soxr")

from rtwave.training import pace  # noqa: E402

from .tiny import tiny_trainer, train  # noqa: E402


def test_a_trial_leaves_the_trainer_as_it_was(corpus_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "TRIAL_S", 0.2)
    tried = tiny_trainer(corpus_folder, tmp_path / "tried", steps=5)
    assert 0.0 < pace.seconds_a_step(tried) < 5.0
    fresh = tiny_trainer(corpus_folder, tmp_path / "fresh", steps=5)
    for trainer in (tried, fresh):
        train(trainer)
    for name, tensor in fresh.weights().tensors.items():
        np.testing.assert_array_equal(tensor, tried.weights().tensors[name])


@pytest.mark.parametrize(("minutes", "each_s"), [(10.0, 0.055), (10.0, 0.4), (60.0, 0.055), (0.1, 1.0)])
def test_the_plan_fills_the_time_with_steps_and_checkpoints(corpus_folder, tmp_path, monkeypatch, minutes, each_s):
    trainer = tiny_trainer(corpus_folder, tmp_path)
    trainer.step = 100
    monkeypatch.setattr(pace, "seconds_a_step", lambda trainer: each_s)
    clock = itertools.count(0.0, 3.0)  # the judgement takes 3 s
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    planned = pace.fit(trainer, minutes, spent_s=10.0)
    steps = planned.steps - 100
    checkpoints = -(-steps // planned.validate_every)
    spent_s = 10.0 + pace.TRIAL_S + steps * each_s + checkpoints * (3.0 + pace.LISTENING_S)
    if minutes > 1.0:
        assert 0.95 * 60.0 * minutes < spent_s < 1.03 * 60.0 * minutes
        assert 10 <= checkpoints <= 13
    assert steps >= 1
