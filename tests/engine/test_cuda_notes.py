"""Whole notes by the CUDA engine are the processor's: from Engine to the kernel's source, run on the model of a GPU."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from rtwave.engine import cuda_compile
from rtwave.engine.engine import Engine
from rtwave.instrument.library import Library, render_library
from rtwave.instrument.settings import Settings

from ..small_preset import write_small_preset
from .gpu_model import HOST, compiled
from .networks import EVERYTHING, inputs, quiet_network

pytestmark = pytest.mark.skipif(
    not (shutil.which("g++") and shutil.which("gcc") and sys.platform == "linux"), reason="needs gcc and g++ on Linux"
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A folder for kernels, with a driver in it that runs them."""
    folder = tmp_path_factory.mktemp("driver")
    command = ["g++", "-std=c++17", "-O1", "-shared", "-fPIC", HOST / "driver.cc", "-o", folder / "libcuda.so.1"]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return folder


@pytest.fixture(autouse=True)
def model(driver, monkeypatch):
    """The driver's kernel is a library, and its code the path of that."""

    def compile_for_the_model(defines, compute_capability):
        return compiled(SimpleNamespace(defines=defines), driver)._name.encode() + b"\0"

    monkeypatch.setenv("RTWAVE_LIBCUDA", str(driver / "libcuda.so.1"))
    monkeypatch.setattr(cuda_compile, "compile_kernel", compile_for_the_model)
    monkeypatch.setattr(cuda_compile, "compiler_version", lambda: (13, 0))


NETWORKS = {
    "gaussian": quiet_network(conditioning=EVERYTHING),
    "mulaw": quiet_network(output="mulaw", quantization_channels=32),
}


def play(weights, frames, **fields):
    engine = Engine(weights, voices=3, seed=5, **fields)
    engine.control("temperature", 0.6)
    engine.note_on(60, 100)
    engine.note_on(67, 90, at=37)
    engine.control("bend", 0.7, at=60)
    engine.note_off(60, at=90)
    engine.note_on(60, 110, at=120)
    return engine.render(frames)


@pytest.mark.parametrize("output", NETWORKS)
def test_notes_are_those_of_the_processor(output):
    expected = play(NETWORKS[output], 200, precision="float32")
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(play(NETWORKS[output], 200, precision="float32", device="cuda"), expected, atol=1e-4)


def test_block_sizes_do_not_change_output():
    engine = Engine(NETWORKS["gaussian"], voices=3, seed=5, precision="float32", device="cuda")
    engine.note_on(60, 100)
    whole = engine.render(150)
    engine = Engine(NETWORKS["gaussian"], voices=3, seed=5, precision="float32", device="cuda")
    engine.note_on(60, 100)
    np.testing.assert_array_equal(np.concatenate([engine.render(frames) for frames in (1, 32, 7, 110)]), whole)


def test_teacher_forced_outputs_are_those_of_the_processor():
    weights = NETWORKS["gaussian"]
    given = inputs(weights.config, 50)
    expected = Engine(weights, precision="float32").teacher_force(*given)
    forced = Engine(weights, voices=3, precision="float32", device="cuda").teacher_force(*given)
    np.testing.assert_allclose(forced, expected, atol=1e-4)


def test_a_library_is_that_of_the_processor(tmp_path):
    preset = str(write_small_preset(tmp_path / "bell").folder)
    library = Library(keys=(57, 60), velocities=(50, 100), seconds=0.05, release_s=0.0, suffix=".wav")
    sounds = {}
    for device in ("cpu", "cuda"):
        settings = Settings(preset=preset, precision="float32", voices=4)
        render_library(tmp_path / device, library, settings, device=device)
        names = [library.name(key, velocity) for key in library.keys for velocity in library.velocities]
        sounds[device] = [soundfile.read(tmp_path / device / name)[0] for name in names]
    for ours, expected in zip(sounds["cuda"], sounds["cpu"], strict=True):
        assert len(ours) == len(expected)
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(ours, expected, atol=1e-4)
