"""The CUDA engine's way through the driver: what it is told comes back as samples, and what goes wrong in a line."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rtwave import _cuda, _engine
from rtwave.engine import cuda, cuda_compile
from rtwave.engine.engine import Engine
from rtwave.errors import RtwaveError
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

EXTENSIONS = Path(__file__).parents[2] / "extensions"
FAKE = Path(__file__).with_name("libcuda.c")
FRAMES, SLOTS = _engine.LONGEST_CHUNK, 6
CONFIG = WaveNetConfig(dilations=(1, 2), conditioning=("pitch",), excitation="partials", partials=3)
WEIGHTS = Weights.random(CONFIG)
NETWORK = SimpleNamespace(
    conditioning_channels=CONFIG.conditioning_channels, excitation_channels=CONFIG.excitation_channels, outputs=1
)
PLAN = SimpleNamespace(blocks=8, threads=64, cluster=4, shared_bytes=48 << 10, state_bytes=3 << 20)
CUDA_SOURCES = ("gpu", "launch", "driver")
CALLED_WHEN_OPENED = (
    *("cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuStreamCreate", "cuModuleLoadDataEx"),
    *("cuModuleGetFunction", "cuFuncSetAttribute", "cuOccupancyMaxActiveClusters", "cuMemAlloc_v2", "cuMemcpyHtoD_v2"),
    *("cuMemsetD8_v2", "cuStreamSynchronize", "cuMemHostAlloc", "cuMemHostGetDevicePointer_v2", "cuLaunchKernelEx"),
)

pytestmark = pytest.mark.skipif(not (shutil.which("gcc") and sys.platform == "linux"), reason="needs gcc on Linux")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The path of a driver without a GPU."""
    path = tmp_path_factory.mktemp("driver") / "libcuda.so.1"
    command = ["gcc", "-std=c11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-I", EXTENSIONS, FAKE, "-o", path]
    subprocess.run([*command, "-lpthread"], check=True)
    return str(path)


@pytest.fixture
def fake(library, monkeypatch):
    """Make things go wrong, from here on: `fake("cuMemAlloc_v2=2")`; see libcuda.c."""
    monkeypatch.delenv("FAKE_CUDA", raising=False)
    return lambda told: monkeypatch.setenv("FAKE_CUDA", told)


def live(library):
    """What was taken from the driver and not given back."""
    return ctypes.c_int.in_dll(ctypes.CDLL(library), "fake_live").value


def open_device(library):
    weights, silence = np.arange(1000, dtype=np.uint8), np.zeros((2, 4), np.float32)
    return _cuda.GpuDevice(NETWORK, PLAN, SLOTS, weights, silence, b"cubin", library)


class Chunk(ctypes.Structure):
    """device_chunk_t."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("frames", "active", "told")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in ("slots", "tellings", "conditioning", "phasors", "rotation")),
        *((name, ctypes.c_void_p) for name in ("forced", "outputs", "drawn")),
    )


class Launch(ctypes.Structure):
    """wavenet_launch_t."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("weights", "state", "silence", "slots", "tellings", "conditioning")),
        *((name, ctypes.c_void_p) for name in ("phasors", "rotation", "forced", "outputs", "drawn", "done")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_int32) for name in ("frames", "active", "told")),
        ("sequence", ctypes.c_uint32),
    )


class Native(ctypes.Structure):
    """device_t."""

    _fields_ = (
        ("render", ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p)),
        ("context", ctypes.c_void_p),
    )


def render(device, slots=(1, 4), frames=32, forced=None, **arrays):
    """(whether it went well, drawn (SLOTS, FRAMES), NaN where nothing was, outputs or None): one chunk."""
    tellings = np.zeros(len(slots), _engine.TOLD)
    tellings["slot"], tellings["temperature"] = slots, 0.5
    told = dict.fromkeys(("conditioning", "phasors", "rotation"), np.zeros((len(slots), 64), np.float32)) | arrays
    drawn = np.full((SLOTS, FRAMES), np.nan, np.float32)
    told |= {"slots": np.array(slots, np.int32), "tellings": tellings, "drawn": drawn}
    if forced is not None:
        told |= {"forced": forced, "outputs": np.full((SLOTS, FRAMES, 1), np.nan, np.float32)}
    pointers = {name: array.ctypes.data for name, array in told.items()}
    chunk = Chunk(frames=frames, active=len(slots), told=len(slots), seed=7, **pointers)
    good = Native.from_address(device.address).render(device.address, ctypes.addressof(chunk))
    return good, drawn, told.get("outputs")


# --- declarations ----------------------------------------------------------------------------------------------------


def declared(header, functions, folder):
    """What a header says of everything in driver.h: numbers, sizes, offsets, and the names that functions have."""
    constants = re.findall(r"\b(CUDA_\w+|CU_\w+) = ", (EXTENSIONS / "cuda/driver.h").read_text())
    members = ("gridDimX", "gridDimZ", "blockDimX", "blockDimZ", "sharedMemBytes", "hStream", "attrs", "numAttrs")
    lines = [f'printf("%lld\\n", (long long)({constant}));' for constant in constants]
    lines += [f'printf("%zu\\n", sizeof({name}));' for name in ("CUlaunchConfig", "CUlaunchAttribute", "CUdeviceptr")]
    lines += [f'printf("%zu\\n", offsetof(CUlaunchConfig, {member}));' for member in members]
    lines += [f'printf("%zu\\n", offsetof(CUlaunchAttribute, {member}));' for member in ("id", "value.clusterDim.z")]
    lines += [f"puts(NAME({function}));" for function in functions]
    source, program = folder / "declared.c", folder / "declared"
    text = "#include <stddef.h>\n#include <stdio.h>\n#define TEXT(name) #name\n#define NAME(name) TEXT(name)\n"
    source.write_text(f'{text}#include "{header}"\nint main(void)\n{{\n' + "\n".join(lines) + "\nreturn 0;\n}\n")
    subprocess.run(["gcc", "-std=c11", "-Wno-deprecated-declarations", source, "-o", program], check=True)
    return subprocess.check_output([program], text=True).splitlines()


def test_declarations_are_those_of_the_toolkit(tmp_path):
    toolkit = next(Path("/usr/local").glob("cuda*/include/cuda.h"), None)
    if toolkit is None:
        pytest.skip("no CUDA toolkit here")
    exported = re.findall(r"FUNCTION\(\w+, (cu\w+),", (EXTENSIONS / "cuda/driver.h").read_text())
    ours = declared(EXTENSIONS / "cuda/driver.h", exported, tmp_path)
    theirs = declared(toolkit, [re.sub(r"_v\d$", "", name) for name in exported], tmp_path)
    assert ours[-len(exported) :] == exported
    assert ours == theirs


# --- rendering -------------------------------------------------------------------------------------------------------


def test_samples_come_back_for_the_voices_of_the_chunk_alone(library, fake):
    device = open_device(library)
    good, drawn, _ = render(device, slots=(1, 4), frames=32)
    expected = np.full((SLOTS, FRAMES), np.nan, np.float32)
    for slot in (1, 4):
        expected[slot, :32] = (100 * slot + np.arange(32)) / 1024 + 0.5
    assert good
    np.testing.assert_array_equal(drawn, expected)


def test_the_kernel_is_told_what_the_engine_tells(library, fake):
    device = open_device(library)
    generator = np.random.default_rng(0)
    sizes = {"conditioning": CONFIG.conditioning_channels, "phasors": 6, "rotation": 6}
    told = {name: generator.random((2, size), np.float32) for name, size in sizes.items()}
    render(device, frames=17, **told)
    launch = Launch.in_dll(ctypes.CDLL(library), "fake_launch")
    assert (launch.frames, launch.active, launch.told, launch.seed) == (17, 2, 2, 7)
    assert (launch.forced, launch.outputs) == (None, None)
    for name, array in told.items():
        address = ctypes.cast(getattr(launch, name), ctypes.POINTER(ctypes.c_float))
        np.testing.assert_array_equal(np.ctypeslib.as_array(address, array.shape), array)
    weights = np.ctypeslib.as_array(ctypes.cast(launch.weights, ctypes.POINTER(ctypes.c_uint8)), (1000,))
    np.testing.assert_array_equal(weights, np.arange(1000, dtype=np.uint8))
    state = np.ctypeslib.as_array(ctypes.cast(launch.state, ctypes.POINTER(ctypes.c_uint8)), (PLAN.state_bytes,))
    assert not state.any()


def test_outputs_of_forced_samples_come_back_when_they_are_asked_for(library, fake):
    device = open_device(library)
    forced = np.random.default_rng(1).random((SLOTS, FRAMES), np.float32)
    good, _, outputs = render(device, slots=(0, 5), frames=FRAMES, forced=forced)
    assert good
    np.testing.assert_array_equal(outputs[[0, 5], :, 0], forced[[0, 5]])
    assert np.isnan(outputs[1:5]).all()


def test_a_late_answer_is_waited_for(library, fake):
    device = open_device(library)
    fake("kernel=late")
    good, drawn, _ = render(device)
    assert good
    assert drawn[1, 31] == 131 / 1024 + 0.5
    counted = device.counters()
    assert (counted["chunks"], counted["slept"]) == (1, 1)
    assert counted["longest_us"] >= 20_000


def test_rendering_allocates_and_locks_nothing(library, fake, tmp_path):
    assert count_calls(library, tmp_path) == 0


def test_a_planted_allocation_is_counted(library, fake, tmp_path):
    assert count_calls(library, tmp_path, "planted") == 200


def count_calls(library, folder, *arguments):
    wrapped = ("malloc", "calloc", "realloc", "aligned_alloc", "free", "pthread_mutex_lock")
    sources = [Path(__file__).with_name("gpu_allocations.c"), *(EXTENSIONS / f"cuda/{name}.c" for name in CUDA_SOURCES)]
    flags = ["-std=c11", "-I", EXTENSIONS, *(f"-Wl,--wrap={name}" for name in wrapped)]
    program = folder / "gpu_allocations"
    subprocess.run(["gcc", *sources, *flags, "-o", program, "-ldl", "-lpthread"], check=True)
    return int(subprocess.check_output([program, library, *arguments]))


# --- failing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", CALLED_WHEN_OPENED)
def test_what_the_driver_refuses_when_it_is_opened_is_told_and_all_is_given_back(library, fake, function):
    before = live(library)
    fake(f"{function}=999")
    words = f"{function.removesuffix('_v2')}: paper is torn (CUDA_ERROR_OF_PAPER, 999)"
    with pytest.raises(OSError, match=re.escape(words)):
        open_device(library)
    assert live(library) == before


def test_a_closed_device_has_given_everything_back(library, fake):
    before = live(library)
    device = open_device(library)
    render(device, forced=np.zeros((SLOTS, FRAMES), np.float32))
    assert live(library) > before
    device.close()
    assert (live(library), device.address) == (before, 0)


def test_voices_that_do_not_fit_are_told_in_a_line(library, fake):
    fake("cuMemAlloc_v2=2")
    with pytest.raises(OSError, match=r"^its memory has no room for 6 voices \(4 MiB\); ask for fewer$"):
        open_device(library)


def test_clusters_that_do_not_fit_are_told_in_a_line(library, fake):
    fake("clusters=0")
    with pytest.raises(
        OSError, match=r"^4 blocks in a cluster, each of 64 threads and 48 KiB of shared memory, do not"
    ):
        open_device(library)


def test_a_missing_driver_is_told_in_a_line(tmp_path):
    missing = str(tmp_path / "libcuda.so.1")
    with pytest.raises(OSError, match=f"^no NVIDIA driver is installed: {re.escape(missing)} cannot be loaded$"):
        _cuda.list_gpus(missing)


def test_a_driver_without_a_function_is_too_old(tmp_path):
    path, source = tmp_path / "libcuda.so.1", tmp_path / "old.c"
    source.write_text("int cuInit(unsigned int flags) { return (int)flags; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", source, "-o", path], check=True)
    with pytest.raises(OSError, match=r"^the NVIDIA driver is too old: .*libcuda\.so\.1 has no cuDriverGetVersion$"):
        _cuda.list_gpus(str(path))


@pytest.mark.parametrize(
    ("fate", "why"),
    [
        ("cuLaunchKernelEx=701", "cuLaunchKernelEx: paper is torn (CUDA_ERROR_OF_PAPER, 701)"),
        ("kernel=dies", "the kernel: paper is torn (CUDA_ERROR_OF_PAPER, 719)"),
        ("kernel=ends", "the kernel ended without an answer"),
        ("cuCtxSetCurrent=201", "cuCtxSetCurrent: paper is torn (CUDA_ERROR_OF_PAPER, 201)"),
    ],
)
def test_a_failed_device_stays_silent_says_why_and_gives_everything_back(library, fake, fate, why):
    before = live(library)
    device = open_device(library)
    assert device.problem is None
    fake(fate)
    assert not render(device)[0]
    fake("")
    good, drawn, _ = render(device)
    assert not good
    assert np.isnan(drawn).all()
    assert device.problem == why
    device.close()
    assert live(library) == before


def test_a_kernel_that_never_answers_is_given_up_after_two_seconds_with_its_memory(library, fake):
    before = live(library)
    device = open_device(library)
    opened = live(library)
    fake("kernel=never")
    started_s = time.monotonic()
    assert not render(device)[0]
    assert time.monotonic() - started_s >= 2
    assert device.problem == "the kernel has not answered for 2 s"
    device.close()
    assert live(library) == opened > before


def test_a_kernel_that_was_given_up_and_has_ended_since_gives_everything_back(library, fake):
    before = live(library)
    device = open_device(library)
    fake("kernel=never")
    assert not render(device)[0]
    fake("cuStreamQuery=0")
    device.close()
    assert live(library) == before


def test_a_kernel_that_does_not_answer_is_found_before_the_first_note(library, fake):
    fake("trial=ends")
    with pytest.raises(OSError, match=r"^the kernel ended without an answer$"):
        open_device(library)


def test_a_forked_process_renders_nothing_and_leaves_the_gpu_alone(library, fake):
    before = live(library)
    device = open_device(library)
    child = os.fork()
    if child == 0:
        good, _, _ = render(device)
        opened = live(library)
        device.close()
        os._exit(0 if not good and live(library) == opened else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert render(device)[0]
    device.close()
    assert live(library) == before


# --- as the engine has it --------------------------------------------------------------------------------------------


@pytest.fixture
def playing(library, fake, monkeypatch):
    """An Engine on the driver without a GPU: `playing(told)`, see libcuda.c; nothing is compiled for it."""
    monkeypatch.setenv("RTWAVE_LIBCUDA", library)
    monkeypatch.setattr(cuda_compile, "compiler_version", lambda: (13, 0))
    monkeypatch.setattr(cuda_compile, "compile_kernel", lambda defines, compute_capability: b"cubin")

    def make(told="", **fields):
        fake(told)
        return Engine(WEIGHTS, **({"voices": 2, "device": "cuda"} | fields))

    return make


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("devices=0", "engine cuda has no GPU to play on: the NVIDIA driver sees none; play with --engine cpu"),
        (
            "major=7",
            "engine cuda has no GPU to play on: compute capability 8.0 or later is needed, this is Paper GPU, compute "
            "capability 7.0, driver for CUDA 13.0; play with --engine cpu",
        ),
        (
            "cuInit=3",
            "engine cuda has no GPU to play on: cuInit: paper is torn (CUDA_ERROR_OF_PAPER, 3); play with --engine cpu",
        ),
        (
            "driver=12040",
            "engine cuda compiles with CUDA 13.0, the driver runs up to 12.4; update the NVIDIA driver",
        ),
        (
            "cuMemHostAlloc=2",
            "engine cuda cannot use Paper GPU: cuMemHostAlloc: out of memory (CUDA_ERROR_OUT_OF_MEMORY, 2)",
        ),
    ],
)
def test_what_keeps_a_gpu_from_playing_is_told_in_a_line(playing, told, line):
    with pytest.raises(RtwaveError) as raised:
        playing(told)
    assert str(raised.value) == line


def test_where_no_cluster_fits_the_blocks_stand_alone(playing):
    playing()
    assert cuda.open_gpu(WEIGHTS, SLOTS, "float16").plan.cluster > 1
    playing("clusters=0")
    assert cuda.open_gpu(WEIGHTS, SLOTS, "float16").plan.cluster == 1


def test_an_engine_whose_gpu_fails_says_so_once_and_is_silent(playing, fake):
    engine = playing()
    engine.note_on(60, 100)
    assert engine.render(64).any()
    fake("kernel=dies")
    with pytest.raises(RtwaveError, match=r"^engine cuda failed \(the kernel: paper is torn .*, all is silent"):
        engine.render(512)
    assert not engine.render(64).any()


def test_doctor_tells_of_the_gpu(playing, fake):
    assert cuda.describe() == (True, "Paper GPU, compute capability 9.0, driver for CUDA 13.0; play --engine cuda")
    fake("driver=12040")
    good, words = cuda.describe()
    assert not good
    assert words.endswith("the driver runs up to 12.4; update the NVIDIA driver")
    fake("devices=0")
    assert cuda.describe() == (True, "the processor plays, for no GPU can: the NVIDIA driver sees none")
