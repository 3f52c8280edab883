"""The plan of the CUDA kernel: what it refuses, what fits, how weights are packed, that it compiles."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtwave.engine.cuda_plan import DeviceProperties, fragments, pack, plan
from rtwave.errors import RtwaveError
from rtwave.presets import load_preset
from rtwave.wavenet.config import WaveNetConfig

from .networks import ODD_SIZES, network

SOURCE = Path(__file__).parents[2] / "extensions" / "cuda" / "wavenet.cu"
H200 = DeviceProperties("NVIDIA H200", (9, 0), 132, 232_448, 16)
A100 = DeviceProperties("NVIDIA A100", (8, 0), 108, 166_912, 1)
LAPTOP = DeviceProperties("NVIDIA RTX 4050", (8, 9), 20, 101_376, 1)

CLASSES = {"output": "mulaw", "skip_channels": 256, "head_channels": 256}
NARROW = WaveNetConfig(dilations=tuple(2**i for i in range(10)) * 2, residual_channels=64, **CLASSES)
BROAD = WaveNetConfig(dilations=tuple(2**i for i in range(10)) * 3, residual_channels=128, **CLASSES)


def piano() -> WaveNetConfig:
    return load_preset("piano").weights.config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "int8"}, "precision is 'int8', the CUDA engine has float32, bfloat16, float16"),
        (
            {"properties": replace(LAPTOP, compute_capability=(7, 5))},
            "has compute capability 7.5, the CUDA engine need",
        ),
        ({"properties": replace(LAPTOP, multiprocessors=3)}, "does not fit NVIDIA RTX 4050 .3 blocks of 99 KiB."),
        (
            {"config": WaveNetConfig(residual_channels=600)},
            "residual_channels is 600, the CUDA engine takes at most 512",
        ),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_line(change, message):
    asked = {"config": NARROW, "precision": "float16", "slots": 8, "properties": LAPTOP} | change
    with pytest.raises(RtwaveError, match=message) as refusal:
        plan(**asked)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("slots", [1, 8, 60, 4096])
@pytest.mark.parametrize("gpu", [H200, A100, LAPTOP], ids=lambda gpu: gpu.name)
def test_every_plan_fits_its_gpu(gpu, slots, precision):
    for config in (NARROW, piano(), *(network(**fields).config for fields in ODD_SIZES.values())):
        made = plan(config, precision, slots, gpu)
        assert made.shared_bytes <= gpu.shared_bytes_per_block
        assert made.blocks <= gpu.multiprocessors
        assert made.cluster <= gpu.max_cluster
        assert made.blocks % made.cluster == 0
        assert [n for block in made.layers for n in block] == list(range(len(config.dilations)))
        assert made.layers[-1] == ()
        groups = -(-slots // made.voices)
        assert made.layout.tiles * made.layout.pipes >= groups


def test_one_voice_gets_a_cluster_and_thousands_all_multiprocessors():
    one, many = plan(NARROW, "float16", 1, H200), plan(NARROW, "float16", 4096, H200)
    assert one.cluster == one.blocks > 1
    assert many.blocks > 100


@pytest.mark.parametrize("columns", [16, 48])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_every_weight_has_its_place_in_a_fragment(precision, columns):
    rows = 32
    matrix = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns) % 251  # exact in every precision
    packed = fragments(matrix, precision).reshape(2, columns // 16, -1)
    for row, column in np.ndindex(rows, columns):
        half, group, step, quad = row % 16 // 8, row % 8, column // 16, column % 16 // 4
        if precision == "float32":
            place = (quad * 16 + row % 16) * 4 + column % 4
        else:  # lane, then its registers: m16n8k16 has rows g and g + 8 by turns
            place = (4 * group + quad) * 8 + column % 4 // 2 * 4 + half * 2 + column % 2
        found = packed[row // 16, step, place]
        if precision == "bfloat16":
            found = np.array(int(found) << 16, np.uint32).view(np.float32)
        assert found == matrix[row, column]


def test_float16_weights_beyond_its_range_are_the_largest_it_has():
    packed = fragments(np.full((16, 16), -1e9, np.float32), "float16")
    assert (packed == np.float16(-65504.0)).all()


def test_packing_fills_what_the_plan_says():
    for name, fields in ODD_SIZES.items():
        weights = network(**fields)
        made = plan(weights.config, "float16", 8, H200)
        packed = pack(weights, made)
        assert packed.shape == (made.weight_bytes,), name
        assert packed.dtype == np.uint8


def compiled(config: WaveNetConfig, slots: int, gpu: DeviceProperties, precision: str, folder: Path) -> str:
    """What the compiler says of a kernel for one GPU."""
    if not shutil.which("nvcc"):
        pytest.skip("nvcc is not there")
    macros = folder / "macros.h"
    lines = (f"#define {name} {value}\n" for name, value in plan(config, precision, slots, gpu).defines.items())
    macros.write_text("".join(lines))
    architecture = "-arch=sm_{}{}".format(*gpu.compute_capability)
    command = ["nvcc", "-std=c++17", architecture, "-cubin", "-Xptxas", "-v", "-include", macros, SOURCE]
    result = subprocess.run([*command, "-o", folder / "kernel.cubin"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("slots", [1, 4096])
@pytest.mark.parametrize("network", ["narrow", "broad", "piano"])
def test_the_kernel_compiles_for_an_h200_without_warnings_or_spills(network, slots, tmp_path):
    config = {"narrow": NARROW, "broad": BROAD, "piano": piano()}[network]
    said = compiled(config, slots, H200, "float16", tmp_path)
    assert "warning" not in said
    assert set(re.findall(r"(\d+) bytes (?:stack frame|spill)", said)) == {"0"}


def test_the_kernel_compiles_for_an_a100(tmp_path):
    assert "warning" not in compiled(NARROW, 8, A100, "bfloat16", tmp_path)
