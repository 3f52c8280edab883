"""Play for minutes under everything that can go wrong at once, and count what broke.

    python tools/soak.py --minutes 10
    python tools/soak.py --minutes 60 --preset piano --period 128 --voices 8

Generated music with storms of controllers and a program change every few seconds, on a real JACK server, while two
threads keep the player's interpreter busy, a recording is written and another program keeps the disk busy. Prints a
table. Ends with 1 when a frame starved or memory grew. Needs jackd2; runs a server of its own.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from player import end, playing

from rtwave.instrument.programs import number_programs
from rtwave.presets import preset_folders
from tests.cli.programs import Program
from tests.jack import Client, Server, server
from tests.small_preset import write_small_preset

STRETCH_S, AHEAD_S, ROUND_S = 5.0, 2.0, 0.5
NOTE_EVERY_S, HELD_S, CHORD = 0.18, (0.05, 1.5), 3
STORM_FROM_S, STORM_S, STORM_MESSAGES = 2.0, 1.0, 500
CONTROLLERS = {1: 0, 7: 60, 11: 60, 16: 0, 64: 0, 66: 0, 67: 0, 72: 0, 74: 0, 77: 0}
"""What storms move, each from which value on: they are not to be about silence."""

HOME = [bytes([0xB0, pedal, 0]) for pedal in (64, 66, 67)] + [b"\xb0\x7b\x00"]
"""What a player does who has finished: every pedal and every key comes up."""

WRITTEN_BYTES, WRITE_EVERY_S = 4 << 20, 0.1
SMALL_PRESETS = ("soak-1", "soak-2")
"""Made for this, to change to besides the one it begins with."""
GROWTH_MB = 4.0
"""Memory that allocators and caches may take without anything growing for ever."""


def stretch(random: np.random.Generator, programs: list[int]) -> list[tuple[float, bytes]]:
    """STRETCH_S of music as (seconds, message), in order; every key comes up again."""
    events = [(0.6, bytes([0xC0, random.choice(programs)]))]
    for start_s in np.arange(0.0, STRETCH_S, NOTE_EVERY_S):
        for key in random.integers(28, 100, random.integers(1, CHORD + 1)):
            up_s = min(start_s + random.uniform(*HELD_S), STRETCH_S)
            events += [(start_s, bytes([0x90, key, random.integers(20, 127)])), (up_s, bytes([0x80, key, 64]))]
    events += [(at_s, bytes([0xB0, 64, random.choice([0, 40, 127])])) for at_s in random.uniform(0.0, STRETCH_S, 4)]
    return sorted(events + [(at_s, storm(random)) for at_s in STORM_FROM_S + STORM_S * random.random(STORM_MESSAGES)])


def storm(random: np.random.Generator) -> bytes:
    """Any one movement of what a player can move while notes sound."""
    value = int(random.integers(128))
    controller = int(random.choice(list(CONTROLLERS)))
    movements = [
        bytes([0xB0, controller, max(value, CONTROLLERS[controller])]),
        bytes([0xE0, random.integers(128), value]),
        bytes([0xD0, value]),
        bytes([0xA0, random.integers(28, 100), value]),
    ]
    return movements[random.choice(4, p=[0.6, 0.2, 0.1, 0.1])]


FIGURES = (
    "seconds",
    "underflows",
    "starved_frames",
    "lowest_fill_frames",
    "target_frames",
    "limited",
    "dropped_commands",
    "record_dropped_frames",
    "chunk_us",
    "callback_us",
    "memory_locked",
)
"""What is reported of Stream.counters."""


def write_without_end(folder: Path, stopping: threading.Event) -> None:
    """Keep the disk busy, as another program would."""
    block = os.urandom(WRITTEN_BYTES)
    with open(folder / "ballast", "wb", buffering=0) as file:
        while not stopping.wait(WRITE_EVERY_S):
            file.seek(0)
            file.write(block)
            os.fsync(file.fileno())


def memory_mb(pid: int) -> float:
    """What a process has of memory that is no file's."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024.0


def perform(client: Client, program: Program, minutes: float, programs: list[int]) -> tuple[dict, list[float]]:
    """Send music until it is over; gives what was sent, and the player's memory in MB as it went."""
    random, rate = np.random.default_rng(4), client.rate
    sent, memory = {"messages": 0, "notes": 0, "program_changes": 0}, []
    first = start = client.frame + rate // 2
    last = first + int(minutes * 60 * rate)
    while client.frame < last:
        if program.process.poll() is not None:
            raise SystemExit("\n".join([*program.lines, "rtwave play ended before the music"]))
        if start < min(client.frame + AHEAD_S * rate, last):
            events = stretch(random, programs)
            client.send([(start + int(at_s * rate), message) for at_s, message in events])
            start += int(STRETCH_S * rate)
            for name, kind in (("notes", 0x90), ("program_changes", 0xC0)):
                sent[name] += sum(message[0] == kind for _, message in events)
            sent["messages"] += len(events)
        memory.append(memory_mb(program.process.pid))
        time.sleep(ROUND_S)
    client.send([(start, message) for message in HOME])
    client.wait_for_frames(start + rate)
    return sent, memory


def growth_mb(memory: list[float]) -> float:
    """From the second fifth of the time to the last; the first may fill caches."""
    fifth = len(memory) // 5
    return float(np.median(memory[-fifth:]) - np.median(memory[fifth : 2 * fifth])) if fifth else 0.0


def programs(preset: str) -> list[int]:
    """What changes lead to: the same few, whatever else comes with rtwave."""
    numbered = number_programs(preset_folders().values())
    return [number for number, folder in numbered.items() if folder.name in (preset, *SMALL_PRESETS)]


def soak(jackd: Server, folder: Path, minutes: float, preset: str, options: list[object]) -> dict:
    """The report, name by name."""
    stopping = threading.Event()
    writer = threading.Thread(target=write_without_end, args=(folder, stopping))
    with (
        Client(jackd, seconds=0.0) as client,
        playing(jackd, "--preset", preset, *options, "--record", folder / "take.flac", hogged=True) as program,
    ):
        writer.start()
        try:
            client.hear("rtwave:out_0")
            sent, memory = perform(client, program, minutes, programs(preset))
        finally:
            stopping.set()
            writer.join()
        counters = end(program)
        missed = client.missed_frames
    recorded = soundfile.info(folder / "take.flac")
    return {
        "minutes": minutes,
        **sent,
        **{name: counters[name] for name in FIGURES},
        "recorded_s": round(recorded.frames / recorded.samplerate, 1),
        "memory_mb": round(float(np.median(memory[-20:])), 1),
        "memory_growth_mb": round(growth_mb(memory), 2),
        "listener_missed_frames": missed,
        "said": program.lines,
    }


def table(report: dict) -> str:
    """Markdown, a row for each figure."""
    rows = {name: value for name, value in report.items() if name != "said"}
    for name in ("chunk_us", "callback_us"):
        rows[name] = ", ".join(f"{key} {value:.0f}" for key, value in rows[name].items())
    return "\n".join(
        ["| figure | value |", "| --- | ---: |", *(f"| {name} | {value} |" for name, value in rows.items())]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--preset", default="piano", help="the one it begins with")
    parser.add_argument("--voices", type=int, default=8)
    parser.add_argument("--rate", type=int, default=48_000, metavar="HZ")
    parser.add_argument("--period", type=int, default=128, metavar="FRAMES")
    parser.add_argument("--latency-ms", help="given on to rtwave play  [default: its own]")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    options = ["--voices", arguments.voices]
    options += [] if arguments.latency_ms is None else ["--latency-ms", arguments.latency_ms]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_DATA_HOME"] = name  # programs to change to, where a user's own presets are
        for preset in SMALL_PRESETS:
            write_small_preset(folder / "rtwave" / "presets" / preset)
        with server(rate=arguments.rate, period=arguments.period) as jackd:
            report = soak(jackd, folder, arguments.minutes, arguments.preset, options)
    if arguments.json:
        print(json.dumps(report))
    else:
        print(f"{platform.machine()}, {os.cpu_count()} cores, {arguments.preset}, {arguments.voices} voices, ", end="")
        print(f"{arguments.period} frames at {arguments.rate} Hz\n\n{table(report)}\n")
        print("\n".join(report["said"]))
    return 1 if report["starved_frames"] or report["memory_growth_mb"] > GROWTH_MB else 0


if __name__ == "__main__":
    sys.exit(main())
