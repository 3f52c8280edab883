"""What goes wrong while training: it is said in a line, and the last good weights are there to go on from."""

import contextlib
import math
import os
import resource
import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("soxr")

from rtwave.errors import RtwaveError  # noqa: E402
from rtwave.training.checkpoint import Run  # noqa: E402
from rtwave.wavenet.weights import Weights  # noqa: E402

from .tiny import CONFIG, tiny_trainer, train  # noqa: E402


def spoil(trainer, number, how):
    """Have `how` happen to the batch of that number."""
    draw_all = trainer.batches

    def batches(skip):
        for place, batch in enumerate(draw_all(skip), start=skip):
            if place == number:
                how(batch)
            yield batch

    trainer.batches = batches


def with_nan(batch):
    batch.inputs[0, -5] = math.nan


@pytest.mark.parametrize("look_every", [1, 5], ids=["seen at once, on a CPU", "seen later, on a GPU"])
def test_a_nan_in_the_data_stops_the_run_and_the_weights_stay_good(corpus_folder, tmp_path, look_every):
    trainer = tiny_trainer(corpus_folder, tmp_path)
    trainer.learner.look_every = look_every
    spoil(trainer, 12, with_nan)
    with pytest.raises(RtwaveError, match=r"loss is nan at step 12; saved at step 1[24]; .*lower --learning-rate"):
        train(trainer)
    state = Run(tmp_path).load_state()
    assert state["step"] == (12 if look_every == 1 else 14)
    assert all(torch.isfinite(tensor).all() for name in ("network", "averaged") for tensor in state[name].values())
    again = tiny_trainer(corpus_folder, tmp_path)
    again.resume(state)
    train(again)
    assert again.step == 30


def test_a_nan_in_the_weights_leaves_the_last_checkpoint(corpus_folder, tmp_path):
    trainer = tiny_trainer(corpus_folder, tmp_path)

    def poison(progress):
        if progress.step == 15:
            with torch.no_grad():
                trainer.network.hidden.weight[0, 0] = math.nan

    with pytest.raises(RtwaveError, match=r"loss is nan at step 15; the last checkpoint is kept; go on with --resume"):
        trainer.train(poison)
    assert Run(tmp_path).load_state()["step"] == 10
    Weights.load(tmp_path / "model.safetensors")


def test_a_nan_before_the_first_checkpoint_is_told_too(corpus_folder, tmp_path):
    trainer = tiny_trainer(corpus_folder, tmp_path)
    with torch.no_grad():
        trainer.network.hidden.weight.fill_(math.inf)
    with pytest.raises(RtwaveError, match=r"loss is (nan|inf) at step 0; nothing was saved yet"):
        train(trainer)


def test_a_corpus_that_is_cut_meanwhile_leaves_a_checkpoint_of_all_that_was_learned(corpus_folder, tmp_path):
    corpus, run = shutil.copytree(corpus_folder, tmp_path / "corpus"), tmp_path / "run"
    trainer = tiny_trainer(corpus, run)

    def cut(progress):
        if progress.step == 15:
            os.truncate(next(corpus.glob("shards/*audio*")), 1000)

    with pytest.raises(RtwaveError, match=r"corpus: not a whole corpus .*; saved at step \d+; .* --resume") as told:
        trainer.train(cut)
    assert "\n" not in str(told.value)
    assert 15 <= Run(run).load_state()["step"] == trainer.step < 20


@contextlib.contextmanager
def small_files():
    """No file may grow beyond 4 kB: as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("until", [25, 30], ids=["room again", "full to the end"])
def test_a_full_disk_at_a_checkpoint_costs_neither_the_run_nor_the_last_good_one(corpus_folder, tmp_path, until):
    trainer = tiny_trainer(corpus_folder, tmp_path)
    told, saved = [], []
    with contextlib.ExitStack() as full:

        def report(progress):
            if progress.step == 15:
                full.enter_context(small_files())
            if progress.step == until:
                full.close()
            if progress.judged:
                told.append(progress.unsaved)
                saved.append(Run(tmp_path).load_state()["step"])

        if until == 30:
            with pytest.raises(RtwaveError, match=r"cannot be written \(File too large\); the run is complete but"):
                trainer.train(report)
        else:
            trainer.train(report)
    assert "cannot be written (File too large)" in told[1]
    assert "\n" not in told[1]
    assert saved == ([10, 10, 30] if until == 25 else [10, 10, 10])
    Weights.load(tmp_path / "model.safetensors")
    assert not list(tmp_path.glob("*.partial"))
    again = tiny_trainer(corpus_folder, tmp_path)
    again.resume(Run(tmp_path).load_state())
    train(again)
    assert Run(tmp_path).load_state()["step"] == 30


def test_a_log_that_is_gone_on_with_gains_columns(tmp_path):
    run = Run(tmp_path)
    run.log({"step": 10, "bits": 7.0})
    run.log({"step": 20, "bits": 6.0, "cents_low": 0.5})
    run.log({"step": 30, "bits": None})
    assert run.log_path.read_text().splitlines() == ["step,bits,cents_low", "10,7.0,", "20,6.0,0.5", "30,,"]
    run.log({"step": 20, "bits": 6.5})  # killed, and resumed from step 10
    assert run.log_path.read_text().splitlines() == ["step,bits,cents_low", "10,7.0,", "20,6.5,"]


def test_a_damaged_log_is_gone_on_with_and_one_that_cannot_be_read_costs_its_line_alone(corpus_folder, tmp_path):
    run = Run(tmp_path)
    run.log_path.write_bytes(b"step,bits\n10,7.0\n\xff\xfe\0\xc3,6.0\n")
    run.log({"step": 20, "bits": 6.0})
    assert run.log_path.read_text(errors="replace").splitlines()[-1] == "20,6.0"
    run.log_path.unlink()
    run.log_path.mkdir()
    with pytest.raises(RtwaveError, match=r"log\.csv: cannot be read .*move it away"):
        run.log({"step": 30})
    train(tiny_trainer(corpus_folder, tmp_path, steps=10))
    assert run.load_state()["step"] == 10


def test_weights_that_are_no_run_s_are_not_overwritten(tmp_path):
    run = Run(tmp_path)
    Weights.random(CONFIG).save(run.weights_path)
    with pytest.raises(RtwaveError, match=r"model\.safetensors: is there, and is no run's; choose another --out"):
        run.take_up(resume=False)


def test_another_program_s_checkpoint_is_told_and_left(tmp_path):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "checkpoint.pt")
    for resume in (False, True):
        with pytest.raises(RtwaveError, match=r"checkpoint\.pt: is no checkpoint of a run; train into another --out"):
            Run(tmp_path).take_up(resume)


def test_two_runs_in_one_folder_are_refused_and_an_ended_one_does_not_count(tmp_path):
    refused = pytest.raises(RtwaveError, match=r"process \d+ trains in it; wait .* another --out")
    with Run(tmp_path).held(), refused, Run(tmp_path).held():
        pass
    with Run(tmp_path).held():
        pass


def test_a_second_stop_within_a_step_saves_no_half_of_it(corpus_folder, tmp_path, monkeypatch):
    trainer = tiny_trainer(corpus_folder, tmp_path)
    learn = trainer._learn

    def stopped_twice(batch):
        figures = learn(batch)
        if trainer.step == 13:
            raise KeyboardInterrupt
        return figures

    monkeypatch.setattr(trainer, "_learn", stopped_twice)
    with pytest.raises(RtwaveError, match="stopped within step 13; the last checkpoint is kept"):
        train(trainer)
    assert Run(tmp_path).load_state()["step"] == 10


def test_stopping_ends_with_a_checkpoint_after_the_step_at_hand(corpus_folder, tmp_path):
    trainer = tiny_trainer(corpus_folder, tmp_path)

    def stop(progress):
        if progress.step == 13:
            trainer.stop()

    with pytest.raises(KeyboardInterrupt):
        trainer.train(stop)
    assert Run(tmp_path).load_state()["step"] == trainer.step == 14
