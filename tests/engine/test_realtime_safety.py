"""What the audio path must never call: seen at link time in the kernels, and at run time in engine_render."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..sanitizer import run_under_thread_sanitizer

EXTENSIONS = Path(__file__).parents[2] / "extensions"
ROOMS = (
    *("engine", "ensemble", "ensemble_device", "workers", "voice", "period", "partials", "wavenet", "state", "matrix"),
    *("kernels/kernels", "kernels/portable"),
)
SOURCES = [f"{room}.c" for room in ROOMS]
AVX2, AVX512 = ["-mavx2", "-mfma"], ["-mfma", *(f"-mavx512{part}" for part in ("f", "dq", "bw", "vl"))]
KERNELS = {
    "avx2": AVX2,
    "avx2_vnni": [*AVX2, "-mavxvnni"],
    "avx512": AVX512,
    "avx512_vnni": [*AVX512, "-mavx512vnni"],
    "avx512_amx": [*AVX512, "-mavx512vnni", "-mamx-tile", "-mamx-int8"],
}
ALLOCATIONS = Path(__file__).with_name("allocations.c")
WRAPPED = ["malloc", "calloc", "realloc", "aligned_alloc", "free", "pthread_mutex_lock"]

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("nm") and sys.platform == "linux"), reason="needs gcc and nm on Linux"
)


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """The engine's objects, built without optimisation, which leaves calls as they are written."""
    folder = tmp_path_factory.mktemp("objects")
    names = SOURCES if subprocess.check_output(["gcc", "-dumpmachine"]).startswith(b"x86_64") else []
    if not names:
        pytest.skip("builds the kernels of x86-64")
    command = ["gcc", "-std=c11", "-O1", "-fno-math-errno", "-I", str(EXTENSIONS), "-c"]
    kernels = [(f"kernels/{name}.c", flags) for name, flags in KERNELS.items()]
    built = {}
    for source, flags in [*((name, []) for name in names), *kernels]:
        built[source] = folder / (Path(source).stem + ".o")
        subprocess.run([*command, *flags, str(EXTENSIONS / source), "-o", str(built[source])], check=True)
    return built


@pytest.mark.parametrize("kernel", ["portable", *KERNELS])
def test_kernels_call_nothing_but_memory_moves(objects, kernel):
    listed = subprocess.check_output(["nm", "-u", str(objects[f"kernels/{kernel}.c"])], text=True)
    called = {line.split()[-1] for line in listed.splitlines()}
    assert called <= {"memset", "memcpy", "memmove", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}


def count_calls(objects, tmp_path, *arguments):
    program = tmp_path / "allocations"
    wraps = [f"-Wl,--wrap={name}" for name in WRAPPED]
    built = [str(path) for path in objects.values()]
    command = ["gcc", "-std=c11", "-I", str(EXTENSIONS), str(ALLOCATIONS), *built, *wraps, "-lm", "-lpthread"]
    subprocess.run([*command, "-o", program], check=True)
    return int(subprocess.check_output([program, *arguments]))


@pytest.mark.parametrize("renderer", ["kernels", "device"])
@pytest.mark.parametrize("threads", ["1", "2", "4"])
def test_rendering_allocates_and_locks_nothing(objects, tmp_path, threads, renderer):
    assert count_calls(objects, tmp_path, threads, renderer) == 0


def test_a_planted_allocation_is_counted(objects, tmp_path):
    assert count_calls(objects, tmp_path, "1", "kernels", "renderer") == 400
    assert count_calls(objects, tmp_path, "2", "kernels", "helper") > 0


@pytest.mark.parametrize("renderer", ["kernels", "device"])
def test_thread_sanitizer_finds_no_race_between_the_renderer_and_its_helpers(objects, tmp_path, renderer):
    kernels = [built for source, built in objects.items() if source.startswith("kernels/")]
    sources = [EXTENSIONS / source for source in SOURCES if not source.startswith("kernels/")]
    wraps = [f"-Wl,--wrap={name}" for name in WRAPPED]
    result = run_under_thread_sanitizer(tmp_path, [ALLOCATIONS, *sources, *kernels], *wraps, arguments=["3", renderer])
    assert (result.returncode, result.stderr) == (0, "")


def test_thread_sanitizer_finds_no_race_while_a_playing_rack_is_switched(objects, tmp_path):
    kernels = [built for source, built in objects.items() if source.startswith("kernels/")]
    rooms = [source for source in SOURCES if not source.startswith("kernels/")]
    sources = [EXTENSIONS / source for source in [*rooms, "rack.c", "resampler.c", "stream.c", "governor.c"]]
    stress = Path(__file__).with_name("rack_stress.c")
    result = run_under_thread_sanitizer(tmp_path, [stress, *sources, *kernels])
    assert (result.returncode, result.stderr) == (0, "")
