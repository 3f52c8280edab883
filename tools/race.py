"""A fair race: one network, one stream, one thread each; rtwave beside PyTorch, ONNX Runtime and NumPy.

    python tools/race.py --model 20x64x256
    python tools/race.py --preset piano --json

Every contestant has a process of its own; they take turns, and go round several times. Before anything is timed, each
is given the same samples and its outputs are compared with the float64 reference of its precision; one that is wrong
is not timed, and the exit status is 1. Timed is one note playing freely: every sample is drawn and fed back before the
next. Speeds go by processor time, which on a quiet machine is time: what else the machine does costs nobody more than
room in the caches. Ratios are between medians of one run. How the peers are written: tools/racers/.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from dataclasses import asdict, dataclass

import numpy as np
from racers.course import Course
from racers.runner import CANNOT_START, Entry, Runner

from rtwave import RtwaveError, load_preset
from rtwave.engine.bench import TOLERANCE, machine, random_model
from rtwave.engine.engine import choose_instruction_set, precisions
from rtwave.wavenet.reference import ReferenceWaveNet

MOST_CORES = 1.1
"""Processor time over time that one thread can show."""

YARDSTICK = "PyTorch eager"
PEERS = [
    Entry(YARDSTICK, "racers.torch_eager:Eager"),
    Entry("torch.compile", "racers.torch_compiled:Compiled"),
    Entry("AOTInductor", "racers.torch_compiled:AheadOfTime"),
    Entry("ONNX Runtime", "racers.onnx_step:OnnxStep"),
    Entry("NumPy", "racers.numpy_step:NumpyStep"),
]


@dataclass
class Result:
    """One contestant's race. Speeds in samples per second of processor time: the median, lowest and highest round.

    `error`: largest difference from the reference of its precision, relative to the largest output;
    `error_to_float32`: from the float32 reference. `cores`: processor time over time, the median round.
    """

    name: str
    samples_per_second: float
    lowest: float
    highest: float
    times_real_time: float
    cores: float
    error: float
    tolerance: float
    error_to_float32: float
    versions: str
    to_slowest: float = 1.0
    to_eager: float | None = None


@dataclass
class Outcome:
    """Results, fastest first; by name, why others were left out or failed."""

    results: list[Result]
    left_out: dict[str, str]
    failed: dict[str, str]


def rtwave_entries() -> list[Entry]:
    """The engine in every precision."""
    names = precisions(choose_instruction_set())
    return [Entry(f"rtwave {name}", "racers.rtwave_engine:RtwaveEngine", name, {"precision": name}) for name in names]


class Judge:
    """Compares outputs with the references, each of which is worked out once."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.references: dict[str, np.ndarray] = {}

    def error(self, outputs: np.ndarray, precision: str) -> float:
        """Largest difference from the reference of that precision, relative to the largest output."""
        if precision not in self.references:
            reference = ReferenceWaveNet(self.course.weights, precision)
            self.references[precision] = reference.teacher_force(*self.course.checked_inputs())
        expected = self.references[precision]
        return float(np.abs(outputs - expected).max() / max(np.abs(expected).max(), 1.0))

    def check(self, runner: Runner) -> dict[str, object]:
        """What a contestant's Result says beside its speed; RuntimeError when its outputs are wrong."""
        versions, outputs = runner.present()
        precision = runner.entry.precision
        error, tolerance = self.error(outputs, precision), TOLERANCE[precision]
        if not error <= tolerance:
            raise RuntimeError(f"differs from the reference by {error:.1e}, expected at most {tolerance:g}")
        to_float32 = self.error(outputs, "float32")
        return {"error": error, "tolerance": tolerance, "error_to_float32": to_float32, "versions": versions}


def race(course: Course, entries: list[Entry], rounds: int, seconds: float) -> Outcome:
    """Check every entry, then time those that are right: `rounds` turns of `seconds` each, after one to warm up."""
    judge, outcome = Judge(course), Outcome([], {}, {})
    checked: dict[Runner, dict[str, object]] = {}
    turns: dict[Runner, list[tuple[float, float]]] = {}
    with contextlib.ExitStack() as processes:
        for entry in entries:
            runner = processes.enter_context(contextlib.closing(Runner(entry, course)))
            try:
                checked[runner] = judge.check(runner)
                turns[runner] = []
            except CANNOT_START as error:
                outcome.left_out[entry.name] = str(error)
            except RuntimeError as error:
                outcome.failed[entry.name] = str(error)
        for number in range(rounds + 1):
            first = number % max(len(turns), 1)
            for runner in [*turns][first:] + [*turns][:first]:
                try:
                    turns[runner].append(runner.turn(seconds))
                except RuntimeError as error:
                    outcome.failed[runner.entry.name] = str(error)
                    del turns[runner]
    for runner, taken in turns.items():
        speeds, cores = np.array(taken[1:]).T
        if np.median(cores) > MOST_CORES:
            outcome.failed[runner.entry.name] = f"kept {np.median(cores):.1f} cores busy, expected one"
        else:
            outcome.results.append(_result(course, runner.entry.name, speeds, cores, checked[runner]))
    _compare(outcome.results)
    return outcome


def _result(course: Course, name: str, speeds: np.ndarray, cores: np.ndarray, checked: dict[str, object]) -> Result:
    speed = float(np.median(speeds))
    return Result(
        name=name,
        samples_per_second=round(speed, 1),
        lowest=round(float(speeds.min()), 1),
        highest=round(float(speeds.max()), 1),
        times_real_time=round(speed / course.weights.config.sample_rate, 3),
        cores=round(float(np.median(cores)), 2),
        **checked,
    )


def _compare(results: list[Result]) -> None:
    """Sort by speed, and fill in the ratios."""
    results.sort(key=lambda result: -result.samples_per_second)
    speeds = {result.name: result.samples_per_second for result in results}
    for result in results:
        result.to_slowest = round(result.samples_per_second / min(speeds.values()), 2)
        if YARDSTICK in speeds:
            result.to_eager = round(result.samples_per_second / speeds[YARDSTICK], 2)


def print_table(results: list[Result]) -> None:
    """A line for each result, for people."""
    table = [
        (
            "",
            "samples/s",
            "lowest to highest",
            "x real time",
            "x eager",
            "x slowest",
            "error",
            "to float32",
            "cores",
            "by",
        )
    ]
    for r in results:
        eager = "" if r.to_eager is None else f"{r.to_eager:.2f}"
        ratios = (f"{r.times_real_time:.3f}", eager, f"{r.to_slowest:.2f}")
        errors = (f"{r.error:.0e} < {r.tolerance:.0e}", f"{r.error_to_float32:.0e}", f"{r.cores:.2f}")
        speeds = (f"{r.samples_per_second:,.0f}", f"{r.lowest:,.0f} to {r.highest:,.0f}")
        table.append((r.name, *speeds, *ratios, *errors, r.versions))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *cells, last in table:
        middle = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:-1], strict=True))
        print(f"{first.ljust(widths[0])}  {middle}  {last}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--model", default="20x64x256", metavar="LAYERSxRESIDUALxSKIP", help="a random network")
    network.add_argument("--preset", help="a real one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each contestant's turn in a round")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contestants by name; all by default")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}, expected 1 or more")
    if not 0.01 <= arguments.seconds <= 600:
        parser.error(f"--seconds is {arguments.seconds:g}, expected 0.01 to 600")
    try:
        weights = load_preset(arguments.preset).weights if arguments.preset else random_model(arguments.model)
    except RtwaveError as error:
        parser.error(str(error))
    held = dataclasses.replace(weights, instrument=None)  # no note dies away
    entries = [*rtwave_entries(), *PEERS]
    names = {entry.name for entry in entries}
    if unknown := set(arguments.only or ()) - names:
        parser.error(f"no contestant {min(unknown)!r}, expected some of {', '.join(sorted(names))}")
    entries = [entry for entry in entries if not arguments.only or entry.name in arguments.only]
    where = f"{machine()}, load {os.getloadavg()[0]:.1f}"
    outcome = race(Course.of(held), entries, arguments.rounds, arguments.seconds)
    model = arguments.preset or arguments.model
    if arguments.json:
        setting = {"model": model, "sample_rate": held.config.sample_rate, "machine": where}
        setting |= {"rounds": arguments.rounds, "seconds": arguments.seconds}
        print(json.dumps(setting | asdict(outcome), indent=1))
    else:
        print(f"{model}, {held.config.sample_rate} Hz, one stream, one thread; {where}\n")
        print_table(outcome.results)
    for name, reason in outcome.left_out.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)
    for name, reason in outcome.failed.items():
        print(f"{name} is not timed: {reason}", file=sys.stderr)
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
