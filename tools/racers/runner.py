"""A contestant's process, seen from both ends."""

import importlib
import multiprocessing
import os
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from unittest import mock

import numpy as np

from rtwave import RtwaveError

from .course import Course

CHUNK = 256
"""Samples between looks at the clock."""

ALONE = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TORCHINDUCTOR_COMPILE_THREADS"), "1"
)
"""The environment in which a library starts no threads and no helpers of its own."""

CANNOT_START = (ModuleNotFoundError, RtwaveError)
"""What leaves a contestant out: a package is missing, or the weights lack what its precision needs."""


@dataclass
class Entry:
    """Who takes part: a class as "module:name", what it is made with beside the course, the precision it claims."""

    name: str
    contestant: str
    precision: str = "float32"
    options: dict[str, str] = field(default_factory=dict)


class Runner:
    """Starts a contestant's process and speaks with it."""

    def __init__(self, entry: Entry, course: Course) -> None:
        context = multiprocessing.get_context("spawn")
        self.entry = entry
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, entry, course), daemon=True)
        with mock.patch.dict(os.environ, ALONE):
            self._process.start()
        theirs.close()

    def present(self) -> tuple[str, np.ndarray]:
        """Its versions, and its outputs (T, outputs) for the course's samples; waits until it is ready."""
        return self._receive()

    def turn(self, seconds: float) -> tuple[float, float]:
        """Samples per second of processor time over a turn, and processor time over time."""
        self._pipe.send(seconds)
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()

    def _receive(self) -> tuple:
        try:
            answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"its process ended with status {self._process.exitcode}") from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def serve(pipe: Connection, entry: Entry, course: Course) -> None:
    """Be the contestant: present it, then time a turn whenever asked for one; what it raises goes to the other end."""
    try:
        module, name = entry.contestant.split(":")
        contestant = getattr(importlib.import_module(module), name)(course, **entry.options)
        pipe.send((contestant.versions, contestant.teacher_force()))
        while True:
            seconds = pipe.recv()
            steps, start_s, start_cpu_s = 0, time.perf_counter(), time.process_time()
            while (elapsed_s := time.perf_counter() - start_s) < seconds:
                contestant.run(CHUNK)
                steps += CHUNK
            cpu_s = time.process_time() - start_cpu_s
            pipe.send((steps / cpu_s, cpu_s / elapsed_s))
    except EOFError:
        return
    except CANNOT_START as error:
        pipe.send(type(error)(str(error)))
    except Exception as error:
        traceback.print_exc()
        pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
