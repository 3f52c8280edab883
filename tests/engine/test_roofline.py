"""The limit of the plain schedule: what it follows from, and that this machine's own can be measured."""

from types import SimpleNamespace

import pytest

from rtwave import _engine
from rtwave.engine.bench import random_model
from rtwave.engine.engine import Engine
from rtwave.engine.roofline import Rates, roofline

NETWORK = SimpleNamespace(weight_bytes=1_000_000, multiplies=1_000_000)
RATES = Rates(streaming=100e9, multiplying=400e9)  # 10 us for all weights, 2.5 us for one voice's multiply-adds


@pytest.mark.parametrize(
    ("voices", "threads", "step_us"),
    [
        (1, 1, 10.0),
        (4, 1, 10.0),
        (8, 1, 20.0),
        (2, 2, 10.0),
        (8, 2, 10.0),
        (16, 2, 20.0),
        (9, 2, 12.5),
        (1, 8, 10.0),
    ],
)
def test_a_step_takes_the_longer_of_weights_and_multiply_adds_of_the_busiest_core(voices, threads, step_us):
    assert roofline(NETWORK, RATES, voices, threads) == pytest.approx(voices / step_us * 1e6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("instruction_set", _engine.instruction_sets())
def test_every_kernel_has_its_limits(instruction_set, precision):
    engine = Engine(random_model("2x4x4"), voices=1, instruction_set=instruction_set, precision=precision)
    rates = Rates.measure(engine.native.network)
    assert min(rates.streaming, rates.multiplying) > 0
