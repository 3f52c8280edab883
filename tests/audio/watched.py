"""Plays two seconds with the checker of realtime_check.c preloaded: `python -m tests.audio.watched FAULT`."""

import ctypes
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np

from rtwave._outlet import PORTAUDIO, Outlet
from rtwave._stream import NativeStream
from rtwave.engine.commands import NoteControl, NoteOff, NoteOn
from rtwave.engine.rack import Rack
from tests.audio.player import make_engine

BLOCK, TARGET, RATE = 128, 512, 48_000
EVENTS = {
    100: NoteOn(60, 100),
    120: NoteOn(67, 90),
    250: NoteControl("bend", 1.0),
    400: NoteOn(62, 90),
    410: NoteOn(64, 90),
    500: NoteOff(60),
}
SWITCH = 350


def main(fault):
    check = ctypes.CDLL(None)
    check.check_helpers(1)
    engine, successor = make_engine(RATE, threads=2), make_engine(RATE, threads=2)
    check.check_helpers(0)
    rack = Rack(engine, RATE)
    source = SimpleNamespace(
        render_address=ctypes.cast(check.check_render, ctypes.c_void_p).value,
        state_address=rack.native.state_address,
        govern_addresses=rack.native.govern_addresses,
    )
    options = {"sample_rate": RATE, "channels": 2, "target_frames": TARGET}
    native = NativeStream(source, record_frames=2048, **options)
    outlet = Outlet(2)
    outlet.admit(native)
    check.check_set(ctypes.c_void_p(rack.native.render_address), ctypes.c_void_p(PORTAUDIO))
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
            rack.submit([EVENTS[block]])
        if block == SWITCH:
            rack.switch(successor, tag=1)
        check.check_callback(*arguments, ctypes.c_void_p(outlet.address))
        sounded |= bool(output.any())
        time.sleep(0.001)
    check.check_arm(0)
    native.stop()
    producer.join()
    assert sounded
    counters = native.counters()
    assert counters["starved_frames"] > 0
    assert counters["limited"] > 0
    assert [tag for tag, _ in rack.applied()] == [1]


if __name__ == "__main__":
    main(int(sys.argv[1]))
