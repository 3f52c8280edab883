"""Plays two seconds with the checker of realtime_check.c preloaded: `python -m tests.audio.watched FAULT`."""

import ctypes
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np

from rtwave._stream import NativeStream
from tests.audio.player import make_engine

BLOCK, TARGET, RATE = 128, 512, 48_000
EVENTS = {100: ("note_on", 60, 100), 250: ("note_on", 67, 90), 400: ("control", "bend", 1.0), 500: ("note_off", 60)}


def main(fault):
    check = ctypes.CDLL(None)
    check.check_helpers(1)
    engine = make_engine(RATE, threads=2)
    check.check_helpers(0)
    source = SimpleNamespace(
        render_address=ctypes.cast(check.check_render, ctypes.c_void_p).value,
        state_address=engine.native.state_address,
    )
    options = {"model_rate": engine.model_rate, "device_rate": RATE, "channels": 2, "target_frames": TARGET}
    native = NativeStream(source, record_frames=2048, **options)
    check.check_set(ctypes.c_void_p(engine.native.render_address), ctypes.c_void_p(native.callback_address))
    check.check_plant(fault)
    output = np.zeros((BLOCK, 2), np.float32)
    arguments = (None, ctypes.c_void_p(output.ctypes.data), ctypes.c_ulong(BLOCK), None, ctypes.c_ulong(0))
    producer = threading.Thread(target=native.produce)
    producer.start()
    while native.counters()["priority"] < 0:  # it has left Python
        time.sleep(0.01)
    check.check_arm(1)
    sounded = False
    for block in range(2 * RATE // BLOCK):
        if block in EVENTS:
            method, *values = EVENTS[block]
            getattr(engine, method)(*values)
        check.check_callback(*arguments, ctypes.c_void_p(native.address))
        sounded |= bool(output.any())
        time.sleep(0.001)
    check.check_arm(0)
    native.stop()
    producer.join()
    assert sounded
    assert native.counters()["starved_frames"] > 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
