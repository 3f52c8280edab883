"""The training loop: batches in, checkpoints, judgements and a log out, and something to go on from however it ends."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import torch

from ..errors import RtwaveError
from ..wavenet.config import WaveNetConfig
from ..wavenet.weights import Weights
from .checkpoint import Run, TrainingOptions, read_config
from .corpus import Corpus
from .dataset import Dataset
from .distributed import Group, ProcessLostError
from .learner import Learner, NotFiniteError, learning_rate, noise_share
from .listen import Heard, columns
from .origin import Origin
from .segments import Batch
from .tables import measure_tables

__all__ = ["Progress", "Trainer", "learning_rate"]


@dataclass
class Progress:
    """One moment of a run: counts so far, and nats and bits per sample of the last step.

    At a checkpoint (`judged`) also the mean bits since the last one, the bits of the held-out recordings, if there are
    any, and why it could not be written, if so; `heard` where notes were judged. `losses` are the nats of every step
    since the moment before: a GPU is looked at now and then.
    """

    step: int
    steps: int
    bits: float
    nats: float
    samples_per_second: float
    judged: bool = False
    recent_bits: float = math.nan
    held_out_bits: float | None = None
    heard: tuple[Heard, ...] = ()
    unsaved: str | None = None
    losses: tuple[float, ...] = ()


class Trainer:
    """What learns, what it learns from, and its run's folder."""

    def __init__(
        self, corpus: Corpus, config: WaveNetConfig, options: TrainingOptions, run: Run, group: Group | None = None
    ) -> None:
        self.corpus, self.config, self.options, self.run_folder = corpus, config, options, run
        self.group = group or Group()
        if options.batch % self.group.world:
            raise RtwaveError(
                f"training: batch is {options.batch}, expected a multiple of the {self.group.world} processes"
            )
        self.dataset = Dataset(
            corpus, config, batch=options.batch, length=options.length, noise=options.noise, swing=options.swing
        )
        self.learner = Learner(config, options, self.group)
        self.held_out = self.dataset.validation() if self.group.first else []
        self.instrument = measure_tables(corpus, config)
        self.step, self.origin = 0, ""
        self._stopping = self._within_step = False

    @property
    def network(self) -> torch.nn.Module:
        """What learns."""
        return self.learner.network

    @property
    def averaged(self) -> torch.nn.Module:
        """What is judged and shipped."""
        return self.learner.averaged

    def weights(self) -> Weights:
        """The averaged network with the corpus's tables: what is judged and shipped."""
        return self.averaged.weights(self.instrument)

    def stop(self) -> None:
        """End `train`, in all processes, with a checkpoint and KeyboardInterrupt after the step at hand."""
        self._stopping = True

    def plan(self, options: TrainingOptions) -> None:
        """Go by another number of steps, and so another schedule."""
        self.options = self.learner.options = options

    def start_from(self, origin: Origin) -> None:
        """Begin with weights that have this network's config, instead of random ones."""
        self.origin = origin.presets
        for network in (self.network, self.averaged):
            network.take(origin.weights)

    def resume(self, state: dict) -> None:
        """Take up a run where `save` left it."""
        if read_config(state) != self.config:
            raise RtwaveError(f"{self.run_folder.folder}: holds another network; train without --resume, or elsewhere")
        self.learner.load(state)
        self.step, self.origin = state["step"], state.get("origin", "")

    def save(self) -> None:
        """Write checkpoint and averaged weights; RtwaveError and the last good ones kept where that cannot be."""
        if not self.group.first:
            return
        if not self.learner.finite():
            raise NotFiniteError(f"training: the network holds NaN or infinity at step {self.step}")
        state = {
            "config": self.config.to_json(),
            "options": msgspec.json.encode(self.options).decode(),
            "corpus": str(self.corpus.folder.resolve()),
            "step": self.step,
            "origin": self.origin,
        }
        self.run_folder.save_state(state | self.learner.state())
        self.weights().save(self.run_folder.weights_path)

    def train(
        self,
        report: Callable[[Progress], None],
        listen: Callable[[Weights], list[Heard]] | None = None,
        listen_every: int | None = None,
    ) -> None:
        """Run to the last step; `report` hears of every step that was looked at, in the first process.

        A stop of any kind leaves a checkpoint where there is something good to go on from: KeyboardInterrupt is passed
        on after it, RtwaveError says in its line which step was saved. A disk that is full at a checkpoint does not
        stop the run; RtwaveError in the end, if the last checkpoint could not be written.
        `listen` judges by ear at each checkpoint, and every `listen_every` steps.
        """
        try:
            unsaved = self._learn_all(report, listen, listen_every)
        except KeyboardInterrupt:
            if self._within_step:  # stopped twice: half a step is nothing to go on from
                raise RtwaveError(f"training: stopped within step {self.step}; {self._kept()}") from None
            self.save()
            raise
        except NotFiniteError as error:
            raise RtwaveError(f"{error}; {self._keep()}; go on with --resume and a lower --learning-rate") from None
        except ProcessLostError as error:
            raise ProcessLostError(f"{error}; {self._keep()}; start all of them again with --resume") from None
        except RtwaveError as error:
            raise RtwaveError(f"{error}; {self._keep()}; put it right and go on with --resume") from None
        if unsaved:
            raise RtwaveError(f"{unsaved}; the run is complete but not saved: make room, go on with --resume")

    def _keep(self) -> str:
        """Save in an emergency, and say what is on disk now."""
        if not self.group.first:
            return "the first process saves"
        try:
            self.save()
        except RtwaveError:
            return self._kept()
        return f"saved at step {self.step}"

    def _kept(self) -> str:
        return "the last checkpoint is kept" if self.run_folder.state_path.is_file() else "nothing was saved yet"

    def _learn_all(self, report: Callable, listen: Callable | None, listen_every: int | None) -> str | None:
        """The loop itself; returns why the last checkpoint could not be written, or None."""
        options, first = self.options, self.group.first
        began, start, seen, unsaved = time.monotonic(), self.step, [], None
        with contextlib.closing(self.batches(self.step)) as batches:
            while self.step < options.steps:
                self._within_step = True
                figures = self._learn(next(batches))
                self.step += 1
                self._within_step = False
                due = self.step % options.validate_every == 0 or self.step == options.steps
                played = due or bool(listen_every and self.step % listen_every == 0)
                figures += self.learner.look() if played else []
                seen += figures if first else []
                if first and figures:
                    speed = (self.step - start) * options.batch * options.length / (time.monotonic() - began)
                    latest = figures[-1]
                    progress = Progress(self.step, options.steps, latest.bits, latest.nats, speed)
                    progress.losses = tuple(each.nats for each in figures)
                    if played:
                        progress.recent_bits = float(np.mean([each.bits for each in seen]))
                        seen = []
                    if due:
                        progress.judged = True
                        progress.held_out_bits = self.validate()
                        unsaved = progress.unsaved = self._checkpoint()
                    if listen and played:
                        progress.heard = tuple(listen(self.weights()))
                    if due or progress.heard:
                        self._log(progress)
                    report(progress)
                if any(each.stopping for each in figures):
                    raise KeyboardInterrupt
        return unsaved

    def _checkpoint(self) -> str | None:
        """Save; returns why that could not be done. RtwaveError where the weights are not finite."""
        try:
            self.save()
        except NotFiniteError:
            raise
        except RtwaveError as error:
            return str(error)
        return None

    def _log(self, progress: Progress) -> None:
        """One line of log.csv; what cannot be written there is let go."""
        row = {
            "step": progress.step,
            "samples": progress.step * self.options.batch * self.options.length,
            "bits": round(progress.recent_bits, 4),
            "held_out_bits": None if progress.held_out_bits is None else round(progress.held_out_bits, 4),
            "samples_per_second": round(progress.samples_per_second),
        }
        with contextlib.suppress(RtwaveError):  # the checkpoint beside it tells of the full disk
            self.run_folder.log(row | columns(progress.heard))

    def batches(self, skip: int) -> Iterator[Batch]:
        """This process's share of every batch from number `skip` on."""
        options, group = self.options, self.group
        return self.dataset.batches(
            options.seed, skip, group.rank, group.world, lambda number: noise_share(options, number)
        )

    def _learn(self, batch: Batch) -> list:
        """One step of the optimiser."""
        return self.learner.learn(batch, self.step, self._stopping)

    @torch.no_grad()
    def validate(self) -> float | None:
        """Bits per 16-bit sample of the averaged network on the held-out recordings, in float32; None without any."""
        count, predict = self.learner.count, self.learner.predict_averaged
        sums = [count(predict, batch, bfloat16=False)[1] * len(batch.inputs) for batch in self.held_out]
        if not sums:
            return None
        _, bits, weights = torch.stack(sums).sum(0).tolist()
        return bits / weights if weights and math.isfinite(bits) else None
