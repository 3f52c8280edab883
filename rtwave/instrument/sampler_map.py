"""The map of a library for samplers: an SFZ file (sfzformat.com), which says what sounds at which key."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ..presets import Preset

if TYPE_CHECKING:
    from .library import Library

RELEASE_TIME_CONSTANTS = 9.0
"""In an ampeg_release, as sfizz and ARIA have it: its envelope ends 78 dB down."""


def sampler_map(preset: Preset, library: "Library") -> str:
    """The text of the file, a region a note.

    A key or velocity between those of the library goes to the nearest. The notes' levels are in their files; a key that
    is let go ends as the preset's damper ends it, and rings on where it has none.
    """
    lines = [f"// {preset.name}, every note as rtwave plays it", "<global> amp_veltrack=0"]
    keys = _zones(library.keys, library.keys[0], library.keys[-1])
    velocities = _zones(library.velocities, 1, 127)
    release_s = preset.weights.instrument.release_s
    for key, (low_key, high_key) in zip(library.keys, keys, strict=True):
        damper_s = RELEASE_TIME_CONSTANTS * preset.playing.release * float(release_s[..., key].mean())
        end = f"loop_mode=no_loop ampeg_release={damper_s:.3f}" if damper_s > 0.0 else "loop_mode=one_shot"
        lines += ["", f"<group> lokey={low_key} hikey={high_key} pitch_keycenter={key} {end}"]
        for velocity, (low, high) in zip(library.velocities, velocities, strict=True):
            lines.append(f"<region> sample={library.name(key, velocity)} lovel={low} hivel={high}")
    return "\n".join(lines) + "\n"


def _zones(values: Sequence[int], low: int, high: int) -> list[tuple[int, int]]:
    """First and last number that goes to each of rising values; `low` to `high` in all."""
    borders = [low, *((left + right) // 2 + 1 for left, right in pairwise(values)), high + 1]
    return [(first, after - 1) for first, after in pairwise(borders)]
