"""From key to sound: one JACK client sends notes at random frames and records the answers, to the frame.

    python tools/measure_latency.py
    python tools/measure_latency.py --notes 200 --periods 128 --latency-ms 5

A tiny preset of its own, loud from its first sample. Each period on a silent machine, and with two threads that keep
the player's interpreter busy. Ends with 1 where a target is missed: no note lost, p1 and p99 at most one period apart,
p99 at most 6 ms at 64 frames and 10 ms at 128. Needs jackd2; runs a server of its own.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from player import end, playing

from tests.jack import Client, Server, server
from tests.loud_preset import LOUD, write_loud_preset

P99_MS = {64: 6.0, 128: 10.0}
SPACING_S, SPREAD_S, HELD_S = 0.06, 0.02, 0.015
QUIET_S = 0.004
"""A note must be preceded by so much silence to count as a new one."""

KEYS = range(48, 84)


class Row(msgspec.Struct, frozen=True):
    """What was measured at one `period` in frames: the notes' delays in frames, and what the player counted."""

    period: int
    hogged: bool
    sample_rate: int
    delays: list[int]
    lost: int
    missed_frames: int
    counters: dict

    def percentile(self, share: float) -> float:
        """Of the delays, in frames; NaN where no note was answered."""
        return float(np.percentile(self.delays, share)) if self.delays else float("nan")

    @property
    def spread(self) -> float:
        """Frames between p1 and p99."""
        return self.percentile(99) - self.percentile(1)

    @property
    def misses(self) -> list[str]:
        """Which targets were missed, in words."""
        limit_ms, p99_ms = P99_MS.get(self.period, float("inf")), 1000.0 * self.percentile(99) / self.sample_rate
        found = {
            f"{self.lost} notes lost": self.lost > 0,
            f"p99 is {p99_ms:.2f} ms, expected at most {limit_ms:g} ms": not p99_ms <= limit_ms,
            f"p1 and p99 lie {self.spread:.0f} frames apart, expected at most {self.period}": not (
                self.spread <= self.period
            ),
        }
        return [words for words, missed in found.items() if missed]


def onsets(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Frames at which sound begins after silence."""
    loud = np.flatnonzero(np.abs(samples) > LOUD / 10)
    return loud[np.diff(loud, prepend=-sample_rate) > QUIET_S * sample_rate]


def answers(sent: np.ndarray, heard: np.ndarray) -> list[int | None]:
    """Frames from each note sent to the first onset before the next one is sent, None where there is none."""
    limits = np.append(sent[1:], sent[-1] + np.diff(sent).min(initial=2**62))
    first = np.searchsorted(heard, sent)
    found = [heard[i] if i < len(heard) else limit for i, limit in zip(first, limits, strict=True)]
    return [
        int(frame - start) if frame < limit else None for start, frame, limit in zip(sent, found, limits, strict=True)
    ]


def measure(jackd: Server, preset: Path, notes: int, hogged: bool, options: list[object], settle_s: float) -> Row:
    """Play `notes` and find every answer."""
    random = np.random.default_rng(1)
    gaps = (SPACING_S + SPREAD_S * random.random(notes)) * jackd.rate
    sent = np.cumsum(gaps).astype(int)
    with Client(jackd, seconds=sent[-1] / jackd.rate + settle_s + 60.0) as client:
        with playing(jackd, "--preset", preset, *options, hogged=hogged) as program:
            client.hear("rtwave:out_0")
            sent += client.frame + int(settle_s * jackd.rate)
            keys = [KEYS[index % len(KEYS)] for index in range(notes)]
            struck = [(int(frame), bytes([0x90, key, 100])) for frame, key in zip(sent, keys, strict=True)]
            lifted = [(frame + int(HELD_S * jackd.rate), bytes([0x80, *data[1:]])) for frame, data in struck]
            client.send(sorted(struck + lifted))
            client.wait_for_frames(sent[-1] + jackd.rate // 4, limit_s=2 * len(sent) + settle_s + 60.0)
            counters = end(program)
        heard, missed = client.recording(), client.missed_frames
    found = answers(sent, onsets(heard, jackd.rate))
    delays = [delay for delay in found if delay is not None]
    return Row(jackd.period, hogged, jackd.rate, delays, len(found) - len(delays), missed, counters)


def table(rows: list[Row]) -> str:
    """Markdown, a row of it for each measured one."""
    lines = [
        "| period | interpreter | notes | lost | min | p50 | p99 | max | p1 to p99 | underflows | starved |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        frames = [row.percentile(share) for share in (0, 50, 99, 100)]
        times = [f"{value:.0f} ({1000.0 * value / row.sample_rate:.2f} ms)" for value in [*frames, row.spread]]
        cells = [
            row.period,
            "hogged" if row.hogged else "silent",
            len(row.delays) + row.lost,
            row.lost,
            *times,
            row.counters["underflows"],
            row.counters["starved_frames"],
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=1000)
    parser.add_argument("--periods", type=int, nargs="+", default=[64, 128, 256], metavar="FRAMES")
    parser.add_argument("--rate", type=int, default=48_000, metavar="HZ")
    parser.add_argument("--latency-ms", help="given on to rtwave play  [default: its own]")
    parser.add_argument("--only", choices=["silent", "hogged"], help="not both")
    parser.add_argument("--settle", type=float, default=2.0, metavar="S", help="seconds before the first note")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    options = [] if arguments.latency_ms is None else ["--latency-ms", arguments.latency_ms]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        preset = write_loud_preset(Path(folder) / "loud", arguments.rate).folder
        for period in arguments.periods:
            for hogged in (False, True):
                if arguments.only in (None, "hogged" if hogged else "silent"):
                    with server(rate=arguments.rate, period=period) as jackd:
                        rows.append(measure(jackd, preset, arguments.notes, hogged, options, arguments.settle))
    if arguments.json:
        print(json.dumps(msgspec.to_builtins(rows)))
    else:
        print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {arguments.rate} Hz\n")
        print(table(rows))
    for row in rows:
        for missed in row.misses:
            print(f"{row.period} frames, {'hogged' if row.hogged else 'silent'}: {missed}", file=sys.stderr)
    return 1 if any(row.misses for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
