"""rtwave: the engine itself, playing one note. It also turns phasors and draws random numbers as it goes."""

import numpy as np

import rtwave
from rtwave import Engine

from .course import KEY, VELOCITY, Course


class RtwaveEngine:
    """One voice of the engine in a given precision."""

    def __init__(self, course: Course, precision: str) -> None:
        self.course = course
        self.engine = Engine(course.weights, voices=1, precision=precision)
        self.engine.control("temperature", 1.0)
        self.engine.note_on(KEY, VELOCITY)

    @property
    def versions(self) -> str:
        """Release and instruction set."""
        return f"rtwave {rtwave.__version__}, {self.engine.instruction_set}"

    def teacher_force(self) -> np.ndarray:
        """Outputs (T, outputs) of the engine's kernels for the course's samples."""
        return self.engine.teacher_force(*self.course.checked_inputs())

    def run(self, steps: int) -> None:
        """So many samples of the note."""
        self.engine.render(steps)
        if self.engine.active_voices != 1:
            raise ValueError("its note was cut while it was timed")
