"""The estimate by which layouts are compared: what must cost more does."""

from dataclasses import replace

import pytest

from rtwave.engine.cuda_cost import estimate
from rtwave.wavenet.config import WaveNetConfig
from rtwave.wavenet.weights import Weights

from .gpu_model import laid_out

CONFIG = WaveNetConfig(output="mulaw", dilations=(1, 2, 4, 8) * 3, residual_channels=64, skip_channels=256)


def layout(**choices):
    made = laid_out(Weights.random(CONFIG), "float16", **({"warps": 8, "per_stage": 3, "limit": 232_448} | choices))
    return made.layout


@pytest.mark.parametrize("name", ["present", "residual", "skip", "hidden", "output"])
def test_weights_that_lie_further_away_cost_more(name):
    near = layout()
    costs = [
        estimate(replace(near, places=near.places | {name: place})).around
        for place in ("registers", "shared", "global")
    ]
    assert costs == sorted(set(costs))


def test_past_taps_cost_the_block_and_not_the_way_round():
    near = layout()
    far = replace(near, places=near.places | {"past": "global"})
    assert estimate(far).around == estimate(near).around
    assert estimate(far).busiest > estimate(near).busiest


def test_a_longer_pipeline_has_more_hops_and_less_to_do_in_each_block():
    short, long = estimate(layout(per_stage=4, limit=10**6)), estimate(layout(per_stage=2, limit=10**6))
    assert long.around > short.around
    assert long.busiest < short.busiest


def test_hops_through_global_memory_cost_more():
    assert estimate(layout(clustered=False)).around > estimate(layout()).around


def test_more_voices_take_longer_once_a_pipeline_has_more_tiles_than_it_can_overlap():
    few, many = estimate(layout(slots=8)), estimate(layout(slots=800))
    assert few.frame == few.around
    assert many.frame == 100 * many.busiest
