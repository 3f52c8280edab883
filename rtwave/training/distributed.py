"""Several processes that train one network: `torchrun --nproc-per-node N -m rtwave train …`, on any number of machines.

Each takes its share of every batch, gradients are averaged, so that they compute what one process would, up to
rounding. The first process alone reads and writes the run's folder, judges and prints; every machine needs the corpus
at the same path. More machines: torchrun's own `--nnodes`, `--node-rank`, `--rdzv-backend c10d`, `--rdzv-endpoint`.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from ..errors import RtwaveError

T = TypeVar("T")
PATIENCE = timedelta(minutes=10)
"""How long the others may be busy, the first one judging and listening, before they count as lost."""


class ProcessLostError(RtwaveError):
    """Another process of this run no longer answers."""


class Group:
    """The processes that train together, as torchrun started them; one alone where it did not."""

    def __init__(self) -> None:
        self.rank, self.world = (int(os.environ.get(name, usual)) for name, usual in (("RANK", 0), ("WORLD_SIZE", 1)))
        on_gpu = torch.cuda.is_available()
        local = int(os.environ.get("LOCAL_RANK", 0))
        self.device = torch.device("cuda", local % torch.cuda.device_count()) if on_gpu else torch.device("cpu")
        if on_gpu:
            torch.cuda.set_device(self.device)
        if self.world > 1:
            try:
                dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
            except (RuntimeError, ValueError) as error:
                raise RtwaveError(f"training: the {self.world} processes do not find each other ({error})") from None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def average(self, vector: Tensor) -> None:
        """Replace a vector by its mean over all processes; ProcessLostError when one of them is gone."""
        if self.world == 1:
            return
        try:
            dist.all_reduce(vector)
        except RuntimeError:
            raise ProcessLostError(f"training: another of the {self.world} processes is gone") from None
        vector /= self.world

    def agree(self, make: Callable[[], T]) -> T:
        """What `make` gives in the first process, or its RtwaveError, in all of them; the rest do not call it."""
        if self.world == 1:
            return make()
        found: list = [None, None]
        if self.first:
            try:
                found[0] = make()
            except RtwaveError as error:
                found[1] = str(error)
        try:
            dist.broadcast_object_list(found, device=self.device)
        except RuntimeError:
            raise ProcessLostError(f"training: another of the {self.world} processes is gone") from None
        if found[1] is not None:
            raise RtwaveError(found[1])
        return found[0]

    def close(self) -> None:
        """Leave; the others need not notice."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()
