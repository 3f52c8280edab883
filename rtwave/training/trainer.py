"""The training loop: Adam, a warmed-up cosine, averaged weights, clipped gradients, and a checkpoint in the end."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import torch

from ..errors import RtwaveError
from ..wavenet.config import WaveNetConfig
from ..wavenet.network import WaveNet
from ..wavenet.weights import Weights
from .bits import bits_per_sample
from .checkpoint import Run, TrainingOptions, read_config
from .corpus import Corpus
from .dataset import Batch, Dataset
from .loss import negative_log_likelihood
from .tables import measure_tables

WARM_UP_SHARE = 0.03
FINAL_SHARE = 0.01


@dataclass
class Progress:
    """One moment of a run: counts so far, mean bits per sample since the last, and of the held-out recordings."""

    step: int
    steps: int
    bits: float
    samples_per_second: float
    held_out_bits: float | None = None


def learning_rate(options: TrainingOptions, step: int) -> float:
    """The rate at a step: one-cycle rises for 3 % of the run and falls as a cosine; cosine falls from the start."""
    rise = max(1, int(WARM_UP_SHARE * options.steps)) if options.schedule == "one-cycle" else 0
    if step < rise:
        return options.learning_rate * (step + 1) / rise
    share = (step - rise) / max(1, options.steps - rise)
    return options.learning_rate * (
        FINAL_SHARE + (1.0 - FINAL_SHARE) * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))
    )


class Trainer:
    """A network, its averaged twin, its optimiser and its run's folder."""

    def __init__(self, corpus: Corpus, config: WaveNetConfig, options: TrainingOptions, run: Run) -> None:
        self.corpus, self.config, self.options, self.run_folder = corpus, config, options, run
        self.dataset = Dataset(corpus, config, batch=options.batch, length=options.length, noise=options.noise)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(options.seed)
        self.network = WaveNet(config).to(self.device)
        self.averaged = WaveNet(config).to(self.device)
        self.averaged.load_state_dict(self.network.state_dict())
        self.predict = torch.compile(self.network.predict) if options.compile else self.network.predict
        self.optimizer = torch.optim.Adam(self.network.parameters(), options.learning_rate, betas=(0.9, 0.99))
        self.held_out = self.dataset.validation()
        self.instrument = measure_tables(corpus, config)
        self.step = 0
        self.bfloat16 = options.precision == "bfloat16" or (options.precision == "auto" and _bfloat16_pays())

    def resume(self, state: dict) -> None:
        """Take up a run where `save` left it."""
        if read_config(state) != self.config:
            raise RtwaveError(f"{self.run_folder.folder}: holds another network; train without --resume, or elsewhere")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def save(self) -> None:
        """Write checkpoint and averaged weights; RtwaveError and the last good ones kept where one is not finite."""
        try:
            weights = self.weights()
        except RtwaveError as error:
            raise RtwaveError(f"training: {error} at step {self.step}; resume with a lower --learning-rate") from None
        self.run_folder.save_state(
            {
                "config": self.config.to_json(),
                "options": msgspec.json.encode(self.options).decode(),
                "corpus": str(self.corpus.folder.resolve()),
                "network": self.network.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
            }
        )
        weights.save(self.run_folder.weights_path)

    def weights(self) -> Weights:
        """The averaged network with the corpus's tables: what is judged and shipped."""
        return self.averaged.weights(self.instrument)

    def train(self, report: Callable[[Progress], None]) -> None:
        """Run to the last step; `report` hears of every step. A stop of any kind leaves a checkpoint.

        Raises RtwaveError when the loss is no longer finite; the last good checkpoint stays.
        """
        options = self.options
        batches = self.dataset.batches(options.seed, skip=self.step)
        began, counted, bits = time.monotonic(), 0, []
        try:
            while self.step < options.steps:
                bits.append(self._learn(next(batches)))
                self.step += 1
                counted += options.batch * options.length
                progress = Progress(self.step, options.steps, bits[-1], counted / (time.monotonic() - began))
                if self.step % options.validate_every == 0 or self.step == options.steps:
                    progress.held_out_bits = self.validate()
                    self.save()
                    self.run_folder.log(
                        {
                            "step": self.step,
                            "samples": self.step * options.batch * options.length,
                            "bits": round(float(np.mean(bits)), 4),
                            "held_out_bits": progress.held_out_bits and round(progress.held_out_bits, 4),
                            "samples_per_second": round(progress.samples_per_second),
                        }
                    )
                    bits = []
                report(progress)
        except KeyboardInterrupt:
            self.save()
            raise

    def _learn(self, batch: Batch) -> float:
        """One step of the optimiser; returns bits per counted sample."""
        rate = learning_rate(self.options, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        nats = self._nats(self.predict, batch, self.bfloat16)
        loss = nats.mean()
        if not math.isfinite(loss.item()):
            raise RtwaveError(
                f"training: loss is {loss.item()} at step {self.step}; resume with a lower --learning-rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        self.optimizer.step()
        keep = min(self.options.ema, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1.0 - keep)
        return self._bits(nats.detach(), batch)

    def _bits(self, nats: torch.Tensor, batch: Batch) -> float:
        counted = slice(batch.context, None)
        return bits_per_sample(self.config, nats.cpu().numpy(), batch.targets[:, counted], batch.gain[:, counted])

    def _nats(self, predict: Callable, batch: Batch, bfloat16: bool) -> torch.Tensor:
        """Nats of every counted sample (B, T − context)."""
        inputs, targets, features = (
            torch.from_numpy(array).to(self.device) for array in (batch.inputs, batch.targets, batch.conditioning)
        )
        partials = None if batch.excitation is None else torch.from_numpy(batch.excitation).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            outputs = predict(inputs, features if self.config.conditioning_channels else None, partials)
        return negative_log_likelihood(self.config, outputs.float(), targets)[:, batch.context :]

    @torch.no_grad()
    def validate(self) -> float | None:
        """Bits per 16-bit sample of the averaged network on the held-out recordings, in float32; None without any."""
        bits = [self._bits(self._nats(self.averaged.predict, batch, bfloat16=False), batch) for batch in self.held_out]
        return float(np.average(bits, weights=[len(batch.inputs) for batch in self.held_out])) if bits else None


def _bfloat16_pays() -> bool:
    """Whether this machine multiplies bfloat16 in hardware."""
    return torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
