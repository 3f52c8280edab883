"""The GPU's kernel compiles, without a GPU; and what was compiled once is not compiled again."""

import os
import subprocess
import sys

import pytest

from rtwave.engine import cuda_compile, cuda_plan
from rtwave.engine.cuda_compile import compile_kernel
from rtwave.errors import RtwaveError
from rtwave.wavenet.config import WaveNetConfig

SMALL = WaveNetConfig(
    dilations=(1, 2, 4, 8), residual_channels=16, skip_channels=16, head_channels=32, excitation="partials", partials=8
)
GPUS = {
    "data centre": cuda_plan.DeviceProperties("H100", (9, 0), 132, 232_448, 16),
    "without clusters": cuda_plan.DeviceProperties("A100", (8, 0), 108, 166_912, 1),
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own, empty."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(cuda_compile, "cache_folder", lambda: folder)
    return folder


@pytest.fixture
def compilations(monkeypatch):
    """What a compiler that is none was asked for: (defines, architecture)."""
    asked = []

    def compile_nothing(folder, defines, architecture, source):
        asked.append((defines, architecture))
        return f"{len(asked)} {defines} {architecture}".encode()

    monkeypatch.setattr(cuda_compile, "_compile", compile_nothing)
    monkeypatch.setattr(cuda_compile, "compiler_version", lambda: (13, 0))
    return asked


@pytest.mark.parametrize(
    ("gpu", "precision"),
    [("data centre", "float16"), ("data centre", "float32"), ("without clusters", "bfloat16")],
)
def test_the_kernel_compiles(cache, gpu, precision):
    pytest.importorskip("cuda.core")
    plan = cuda_plan.plan(SMALL, precision, 12, GPUS[gpu])
    code = compile_kernel(plan.defines, GPUS[gpu].compute_capability)
    assert code.startswith(b"\x7fELF")
    assert b"wavenet_render" in code


def test_what_does_not_compile_is_told_in_a_line(cache):
    pytest.importorskip("cuda.core")
    with pytest.raises(RtwaveError, match=r"the GPU's kernel does not compile for sm_90 \(.*error: .*\)$") as raised:
        compile_kernel({"LAYERS": "1"}, (9, 0))
    assert "\n" not in str(raised.value)
    assert not list(cache.glob("*"))


def test_a_kernel_is_compiled_once(cache, compilations):
    assert compile_kernel({"R": "16"}, (9, 0)) == compile_kernel({"R": "16"}, (9, 0))
    assert len(compilations) == 1


def test_order_of_macros_is_no_difference(cache, compilations):
    assert compile_kernel({"R": "16", "S": "32"}, (9, 0)) == compile_kernel({"S": "32", "R": "16"}, (9, 0))


@pytest.mark.parametrize("changed", ["macro", "GPU", "compiler", "source", "header"])
def test_a_change_is_compiled_anew(cache, compilations, tmp_path, monkeypatch, changed):
    (tmp_path / "wavenet.cu").write_text("kernel")
    (tmp_path / "shape.h").write_text("header")
    monkeypatch.setattr(cuda_compile, "source_folder", lambda: tmp_path)
    before = compile_kernel({"R": "16"}, (9, 0))
    if changed == "compiler":
        monkeypatch.setattr(cuda_compile, "compiler_version", lambda: (13, 1))
    if changed in ("source", "header"):
        (tmp_path / {"source": "wavenet.cu", "header": "shape.h"}[changed]).write_text("another")
    macros, capability = {"R": "32" if changed == "macro" else "16"}, (9, 1) if changed == "GPU" else (9, 0)
    assert compile_kernel(macros, capability) != before
    assert len(compilations) == 2


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda whole: whole[:-1] + b"!", lambda whole: b""])
def test_a_damaged_file_is_compiled_anew_and_mended(cache, compilations, damage):
    compile_kernel({}, (9, 0))
    (kept,) = cache.iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    assert compile_kernel({}, (9, 0)).startswith(b"2 ")
    assert compile_kernel({}, (9, 0)).startswith(b"2 ")


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, compilations, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(cuda_compile, "cache_folder", lambda: tmp_path / "file/kernels")
    assert compile_kernel({}, (9, 0)).startswith(b"1 ")
    assert compile_kernel({}, (9, 0)).startswith(b"2 ")


def test_two_processes_at_once_end_with_one_whole_file(tmp_path):
    pytest.importorskip("cuda.core")
    code = (
        "from rtwave.engine import cuda_compile, cuda_plan; from rtwave.wavenet.config import WaveNetConfig\n"
        "gpu = cuda_plan.DeviceProperties('H100', (9, 0), 132, 232448, 16)\n"
        "config = WaveNetConfig(dilations=(1, 2), residual_channels=16, skip_channels=16, head_channels=16)\n"
        "plan = cuda_plan.plan(config, 'float32', 8, gpu)\n"
        "print(hash(cuda_compile.compile_kernel(plan.defines, (9, 0))), cuda_compile.cache_folder())"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(said) == 1
    assert [path.suffix for path in tmp_path.glob("*/kernels/*")] == [".cubin"]


def test_a_missing_cuda_core_is_told_in_a_line(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.core", None)
    with pytest.raises(RtwaveError, match=r"^cuda-core is not installed \(.*\); pip install 'rtwave\[cuda\]'$"):
        compile_kernel({}, (9, 0))


def test_a_missing_nvrtc_is_told_in_a_line(cache, monkeypatch):
    bindings = pytest.importorskip("cuda.bindings.nvrtc")

    def search():
        raise RuntimeError("searched here,\nand there")

    monkeypatch.setattr(bindings, "nvrtcVersion", search)
    with pytest.raises(RtwaveError, match=r"^NVRTC cannot be loaded \(searched here, and there\); pip install nvidia-"):
        compile_kernel({}, (9, 0))
