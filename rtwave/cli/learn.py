"""`rtwave play --learn`: one control after the other, the player moves the controller that shall turn it."""

import contextlib
import queue
import select
import sys

from ..engine.control_map import default_control_map, merge_control_maps
from ..engine.controls import CONTROLS
from ..errors import RtwaveError
from ..instrument.controllers import Learner, controls_file, read_controls, write_controls
from ..instrument.keyboard import Keyboard
from ..instrument.messages import Message
from ..instrument.midi import MidiInputs

TAUGHT = tuple(name for name in CONTROLS if name not in ("bend", "tune", "damper"))
"""The wheel, --tune and the pedal have these already."""

POLL_S = 0.05


def learn_controls(wanted: list[str] | None, virtual: bool) -> None:
    """Ask for a controller for each control, and keep the answers in controls.toml; Enter leaves one as it is."""
    path = controls_file()
    known = read_controls(path) if path.exists() else {}
    learner = Learner(TAUGHT)
    heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
    with contextlib.closing(MidiInputs(lambda message, _: heard.put(message), wanted, virtual, _tell)) as inputs:
        if not inputs.names:
            raise RtwaveError("--learn hears no MIDI port; connect a controller first")
        _tell(f"listening to {', '.join(inputs.names)}; Enter leaves a control as it is")
        while learner.current:
            _ask(learner, known, heard)
    # what a controller moved before it moves no more
    write_controls(path, merge_control_maps(known, learner.learned))
    _tell(f"kept in {path}")


def _ask(learner: Learner, known: dict[str, int], heard: "queue.SimpleQueue[Message]") -> None:
    """Until the control at hand has its controller, or is skipped."""
    name = learner.current
    now = merge_control_maps(default_control_map(), known, learner.learned).get(name)
    _tell(f"{name} ({'no controller' if now is None else f'CC {now}'}): move a controller")
    while learner.current == name:
        if Keyboard.available() and select.select([sys.stdin], [], [], 0.0)[0]:
            sys.stdin.readline()
            learner.skip()
            return
        with contextlib.suppress(queue.Empty):
            if learner.hear(heard.get(timeout=POLL_S)):
                _tell(f"{name} is CC {learner.learned[name]}")


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
