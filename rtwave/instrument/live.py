"""Live playing: each message goes to the engine the moment it is heard, and into the take with its exact frame."""

import threading
import time

from ..engine.engine import Engine
from ..errors import RtwaveError
from .messages import Message
from .performer import Performer
from .scores import Take

FULL_QUEUE_PATIENCE_S = 1.0


class Live:
    """Plays what is heard from any number of threads.

    `take`, where given, notes every message; `settle` must be called now and then so that it learns the frames.
    """

    def __init__(self, engine: Engine, performer: Performer, take: Take | None = None) -> None:
        self._engine = engine
        self._performer = performer
        self._take = take
        self._lock = threading.Lock()

    def hear(self, message: Message) -> None:
        """Perform a message at the next frame to be rendered. Any thread."""
        with self._lock:
            commands = self._performer.perform(message)
            tag = self._take.add(message) if self._take else 0
            if commands:
                self._submit(commands, tag)

    def settle(self) -> None:
        """Tell the take where messages were applied. One thread."""
        applied = self._engine.applied()
        if self._take:
            with self._lock:
                for tag, frame in applied:
                    self._take.applied(tag, frame)

    def _submit(self, commands: list, tag: int) -> None:
        # a lost note-off would hang its note, so a flood waits for room in the queue
        give_up = time.monotonic() + FULL_QUEUE_PATIENCE_S
        while True:
            try:
                return self._engine.submit(commands, tag=tag)
            except RtwaveError:
                if time.monotonic() > give_up:
                    return None
            time.sleep(0.001)
