"""A player in a process of its own: `python -m tests.audio.player OPTIONS`, with OPTIONS a JSON object.

Prints "playing"; for the line "go" plays `events` (frame, method of Engine, arguments), a quarter of a second ahead,
and prints the engine's frame from which they count; for the next line stops and prints its counters and notices.
"""

import json
import sys
import threading
import time

from rtwave.audio.stream import Stream
from rtwave.engine.engine import Engine
from tests.small_preset import small_weights

SEED = 7


def make_engine(sample_rate, threads=1):
    return Engine(small_weights(), voices=4, seed=SEED, sample_rate=sample_rate, threads=threads)


def apply(engine, events, start):
    for frame, method, arguments in events:
        getattr(engine, method)(*arguments, at=start + frame)


def hog():
    """Keep the interpreter busy."""
    while True:
        sorted(range(60_000), key=lambda number: -number)


def tend(stream, notices):
    """What a session does while it plays."""
    while True:
        stream.tend()
        notices += stream.notice()
        time.sleep(0.05)


def main(sample_rate, events=(), busy=False, device=None, **options):
    if busy:
        threading.Thread(target=hog, daemon=True).start()
    engine = make_engine(sample_rate)
    stream = Stream(engine, device, **options)
    stream.start()
    notices = []
    threading.Thread(target=tend, args=(stream, notices), daemon=True).start()
    print("playing", flush=True)
    sys.stdin.readline()
    start = engine.frame + engine.model_rate // 4
    apply(engine, events, start)
    print(start, flush=True)
    sys.stdin.readline()
    problem, alive = stream.problem, stream.alive
    stream.stop()
    told = {"notes": stream.notes, "notices": notices, "description": stream.description}
    report = {"problem": problem, "alive": alive, "faults": engine.counters()}
    print(json.dumps(stream.counters() | told | report), flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
