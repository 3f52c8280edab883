"""The map of a library: every key and velocity leads to a file, and `prepare` reads it as it was meant."""

import re

import numpy as np
import pytest

from rtwave.instrument.library import Library
from rtwave.instrument.sampler_map import sampler_map
from rtwave.presets import load_preset


def regions(text):
    """Each region's opcodes as read by a reader of its own."""
    group: dict[str, str] = {}
    for line in text.splitlines():
        opcodes = dict(re.findall(r"(\w+)=(\S+)", line))
        if line.startswith("<group>"):
            group = opcodes
        elif line.startswith("<region>"):
            yield group | opcodes


def answering(text, key, velocity):
    return [
        region["sample"]
        for region in regions(text)
        if int(region["lokey"]) <= key <= int(region["hikey"])
        and int(region["lovel"]) <= velocity <= int(region["hivel"])
    ]


@pytest.mark.parametrize("velocities", [(64,), (30, 64, 100), tuple(range(1, 128)), (1, 2, 127)])
@pytest.mark.parametrize("keys", [(60,), (60, 61, 70), (0, 127)])
def test_every_key_and_velocity_sounds_once_and_by_the_nearest(bell, keys, velocities):
    library = Library(keys=keys, velocities=velocities)
    text = sampler_map(load_preset(bell), library)
    assert len(list(regions(text))) == library.notes
    for key in range(128):
        for velocity in (1, 2, 31, 47, 64, 65, 126, 127):
            found = answering(text, key, velocity)
            if not keys[0] <= key <= keys[-1]:
                assert not found
                continue
            near = [
                library.name(key_near, velocity_near)
                for key_near in keys
                if abs(key_near - key) == min(abs(other - key) for other in keys)
                for velocity_near in velocities
                if abs(velocity_near - velocity) == min(abs(other - velocity) for other in velocities)
            ]
            assert len(found) == 1
            assert found[0] in near


def test_a_key_ends_as_its_damper_says_or_rings_on_without_one(bell):
    preset = load_preset(bell)
    preset.weights.instrument.release_s[:] = np.float32(0.1)
    preset.weights.instrument.release_s[100] = 0.0
    damped, free = regions(sampler_map(preset, Library(keys=(60, 100), velocities=(64,))))
    assert float(damped["ampeg_release"]) == pytest.approx(0.9)
    assert "ampeg_release" not in free
    assert (damped["loop_mode"], free["loop_mode"]) == ("no_loop", "one_shot")
