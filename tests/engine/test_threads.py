"""Threads that share the voices: they change how fast the samples come, and not one bit of them."""

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave import _engine
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError

from .networks import quiet_network

TASKS = Path("/proc/self/task")
WEIGHTS = quiet_network()

needs_proc = pytest.mark.skipif(not TASKS.is_dir(), reason="counts threads in /proc")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def humming_network():
    """Notes hum at 3 tanh(velocity / 127); above 1 they are cut, the sooner the louder."""
    weights = quiet_network(conditioning=("velocity",))
    for tensor in weights.tensors.values():
        tensor[...] = 0.0
    weights.tensors["layers.0.conditioning.weight"][0] = 1.0
    weights.tensors["layers.0.skip.weight"][0, 0] = 6.0
    weights.tensors["head.hidden.weight"][0, 0] = 1.0
    weights.tensors["head.output.weight"][0, 0] = 1.0
    weights.tensors["head.output.bias"] = np.array([0.0, -6.0], np.float32)
    return weights


NETWORKS = {"quiet": WEIGHTS, "mulaw": quiet_network(output="mulaw"), "humming": humming_network()}

KEYS = st.integers(55, 70)
COMMANDS = st.one_of(
    st.tuples(st.just("note_on"), KEYS, st.integers(1, 127)),
    st.tuples(st.just("note_on"), KEYS, st.integers(1, 127)),
    st.tuples(st.just("note_off"), KEYS),
    st.tuples(st.just("control"), st.just("bend"), st.floats(-2.0, 2.0)),
    st.tuples(st.just("control"), st.just("volume"), st.floats(0.0, 1.0)),
    st.tuples(st.just("all_notes_off")),
    st.tuples(st.just("all_sound_off")),
)
PIECES = st.lists(st.tuples(st.integers(0, 70), COMMANDS), max_size=40)


def play(piece, blocks=(), **options):
    """Samples of a piece of (frames to wait, command), first in these blocks, and how many voices were cut."""
    engine = Engine(**({"model": WEIGHTS, "voices": 5, "seed": 3} | options))
    frame = 0
    for gap, (method, *values) in piece:
        frame += gap
        getattr(engine, method)(*values, at=frame)
    total = frame + 300
    pieces = [engine.render(block) for block in blocks]
    rest = max(total - sum(map(len, pieces)), 0)
    return np.concatenate([*pieces, engine.render(rest)])[:total], engine.counters()["faults"]


def same(one, other):
    np.testing.assert_array_equal(one[0].view(np.uint32), other[0].view(np.uint32))
    assert one[1] == other[1]


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=40)
@given(PIECES, st.sampled_from([2, 3, 5]), st.integers(1, 20))
def test_thread_count_does_not_change_output(network, piece, threads, voices):
    options = {"model": NETWORKS[network], "voices": voices}
    same(play(piece, **options), play(piece, threads=threads, **options))


@pytest.mark.parametrize("instruction_set", _engine.instruction_sets())
@pytest.mark.parametrize("threads", [2, 3, 5])
def test_a_full_chord_is_the_same_on_any_number_of_threads(instruction_set, threads):
    options = {"voices": 20, "instruction_set": instruction_set}
    chord = [(7 * (key % 3), ("note_on", key, 90)) for key in range(50, 75)]
    same(play(chord, **options), play(chord, threads=threads, **options))


@settings(max_examples=20)
@given(PIECES, st.lists(st.integers(0, 90), max_size=20))
def test_block_size_does_not_change_the_output_of_several_threads(piece, blocks):
    same(play(piece), play(piece, blocks, threads=3))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_voice_cut_inside_a_chunk_leaves_the_others_as_they_are(threads):
    def render(*struck):
        engine = Engine(NETWORKS["humming"], threads=threads)
        engine.control("temperature", 0.0)
        engine.control("gain_db", -40.0)
        engine.render(1000)
        for note, velocity in struck:
            engine.note_on(note, velocity)
        sound = engine.render(400)
        return sound, engine.counters()["faults"]

    steady, cut, both = render((60, 20)), render((61, 80)), render((60, 20), (61, 80))
    assert (steady[1], cut[1], both[1]) == (0, 1, 1)
    last = int(np.argmax(np.diff(cut[0]) < -1e-4))  # from here on it fades
    assert last > 32
    assert 1 < last % 32 < 30
    np.testing.assert_allclose(both[0], steady[0] + cut[0], atol=1e-7)
    np.testing.assert_array_equal(both[0][last + 81 :], steady[0][last + 81 :])


@pytest.mark.parametrize("threads", [0, 65, 1.5, True, "two"])
def test_a_bad_number_of_threads_is_told(threads):
    with pytest.raises(RtwaveError, match=f"threads is {threads!r}, expected a whole number from 1 to 64"):
        Engine(WEIGHTS, threads=threads)


def test_an_engine_tells_its_threads():
    assert (Engine(WEIGHTS).threads, Engine(WEIGHTS, threads=3).threads) == (1, 3)


def tasks():
    return {int(task.name) for task in TASKS.iterdir()}


def helpers_of(make):
    """What `make` returns, and the threads that came with it."""
    before = tasks()
    return make(), tasks() - before


def comes_true(claim):
    """Whether `claim()` holds within some seconds."""
    give_up = time.monotonic() + 20.0
    while not claim() and time.monotonic() < give_up:
        time.sleep(0.001)
    return claim()


@needs_proc
def test_engines_come_and_go_without_leaving_threads():
    gc.collect()
    before = tasks()
    for turn in range(200):
        engine = Engine(WEIGHTS, threads=1 + turn % 5)
        assert len(tasks() - before) == turn % 5
        engine.note_on(60, 90)
        engine.note_on(64, 90)
        engine.render(turn)
        del engine
        assert comes_true(lambda: tasks() <= before)


@needs_proc
def test_helpers_of_an_engine_that_has_nothing_to_do_sleep():
    def asleep():
        return all((TASKS / str(task) / "stat").read_text().rpartition(")")[2].split()[0] == "S" for task in helpers)

    engine, helpers = helpers_of(lambda: Engine(WEIGHTS, threads=4))
    assert len(helpers) == 3
    for silent in (True, False):
        for note in range(60, 60 if silent else 64):
            engine.note_on(note, 90)
        engine.render(1000)
        assert comes_true(asleep)


@needs_proc
def test_helpers_take_on_the_priority_of_whoever_renders():
    def render_calmly():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 7)
        results.append(comes_true(lambda: [engine.render(64), os.getpriority(os.PRIO_PROCESS, helper)][1] == 7))

    results = []
    engine, (helper,) = helpers_of(lambda: Engine(quiet_network(), threads=2))
    engine.note_on(60, 90)
    engine.note_on(64, 90)
    thread = threading.Thread(target=render_calmly)
    thread.start()
    thread.join()
    assert results == [True]


def run_program(program):
    prologue = "import os, sys, threading\nfrom tests.engine.test_threads import *\n"
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", prologue + program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )


@needs_fork
def test_a_forked_process_renders_on_and_ends_without_its_helpers():
    result = run_program("""
alone, engine = (Engine(WEIGHTS, threads=threads) for threads in (1, 3))
for each in (alone, engine):
    for note in (60, 64, 67):
        each.note_on(note, 90)
    each.render(500)
child = os.fork()
sound = engine.render(500)
assert np.array_equal(sound, alone.render(500))
del engine
if child:
    sys.exit(os.waitpid(child, 0)[1])
""")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("rendering", [False, True])
def test_a_process_ends_whatever_its_helpers_do(rendering):
    result = run_program(f"""
engine = Engine(WEIGHTS, threads=4)
for note in range(60, 68):
    engine.note_on(note, 90)
engine.render(100)
if {rendering}:
    threading.Thread(target=engine.render, args=(2**26,), daemon=True).start()
""")
    assert (result.returncode, result.stderr) == (0, "")


@needs_proc
def test_threads_that_cannot_be_had_are_one_line():
    result = run_program("""
import resource
before = tasks()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))
try:
    Engine(WEIGHTS, threads=64)
except RtwaveError as error:
    print(error)
assert comes_true(lambda: tasks() <= before)
""")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "the system has no room for 8 voices on 64 threads; ask for fewer\n"
