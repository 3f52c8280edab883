"""Play a preset on a real JACK server: MIDI goes in, audio comes out, and render of the take must give the same bits.

    python tools/prove_live.py --preset piano --seconds 60 --period 128

Prints late callbacks and starved frames of the take, and whether what was heard, what was recorded and what
`rtwave render` makes of the recorded MIDI are equal. Needs jackd2; runs a server of its own.
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rtwave.instrument.render import render_midi
from tests.cli.programs import started
from tests.jack import Client, first_sound, server

NOTE_EVERY_S, HELD_S, VOICES = 0.2, 0.9, 8


def music(rate: int, seconds: float) -> list[tuple[int, bytes]]:
    """Random notes all over the keyboard with the pedal, bends and the mod wheel moving, as (frame, message)."""
    random = np.random.default_rng(1)
    events = []
    for index in range(int((seconds - 3.0) / NOTE_EVERY_S)):
        start = int(index * NOTE_EVERY_S * rate)
        key, velocity = int(random.integers(28, 100)), int(random.integers(20, 127))
        events.append((start, bytes([0x90, key, velocity])))
        events.append((start + int(HELD_S * rate), bytes([0x80, key, 64])))
        if index % 5 == 0:
            events.append((start + 7, bytes([0xB0, 64, int(random.integers(0, 2)) * 127])))
            events.append((start + 11, bytes([0xE0, 0, int(random.integers(56, 72))])))
    return sorted([*events, (int((seconds - 2.5) * rate), bytes([0xB0, 64, 0]))])


def hog(stopping: threading.Event) -> None:
    """Keep a core and this interpreter busy, as another program would."""
    while not stopping.is_set():
        sorted(range(60_000), key=lambda number: -number)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="piano")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=48_000)
    parser.add_argument("--period", type=int, default=128)
    parser.add_argument("--hog", action="store_true", help="a busy Python thread beside it")
    arguments = parser.parse_args()
    stopping = threading.Event()
    with tempfile.TemporaryDirectory() as name, server(rate=arguments.rate, period=arguments.period) as jackd:
        folder = Path(name)
        options = ["--preset", arguments.preset, "--device", "jack", "--midi-port", "listener", "--voices", VOICES]
        record = ["--record", folder / "take.wav", "--record-midi", folder / "take.mid"]
        began_s = time.monotonic()
        with Client(jackd) as client, started("play", *options, *record, env=jackd.environment) as program:
            program.wait_for("Ctrl-C ends")
            started_s = time.monotonic() - began_s
            client.hear("rtwave:out_0")
            if arguments.hog:
                threading.Thread(target=hog, args=(stopping,), daemon=True).start()
            start = client.frame + jackd.rate // 5
            client.send([(start + frame, message) for frame, message in music(jackd.rate, arguments.seconds)])
            client.wait_for_frames(start + int(arguments.seconds * jackd.rate))
            stopping.set()
            program.end(signal.SIGINT)
            heard = client.recording()
        recorded, _ = soundfile.read(folder / "take.wav", dtype="float32")
        rendered = render_midi(folder / "take.mid", sample_rate=jackd.rate)
    frames = min(len(recorded), len(rendered)) - 64  # a live take ends in the stream's own fade
    heard, taken = heard[first_sound(heard) :], recorded[first_sound(recorded) :]
    both = min(len(heard), len(taken))
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "rate": arguments.rate,
        "period": arguments.period,
        "voices": VOICES,
        "seconds": round(len(recorded) / arguments.rate, 1),
        "ready_after_s": round(started_s, 2),
        "said": program.lines[-1],
        "peak": round(float(np.abs(recorded).max()), 3),
        "heard_equals_recorded": bool(np.array_equal(heard[:both], taken[:both])),
        "recorded_equals_rendered": bool(np.array_equal(recorded[:frames], rendered[:frames])),
    }
    print(json.dumps(result, indent=1))
    return 0 if result["heard_equals_recorded"] and result["recorded_equals_rendered"] else 1


if __name__ == "__main__":
    sys.exit(main())
