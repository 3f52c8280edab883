"""Judge a preset, or a run before it is exported: everything that figures.py lists, in one call."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from ...engine.bench import measure
from ..corpus import Corpus
from ..evaluate import evaluate_model, open_to_judge
from . import sounding
from .figures import Judgement, Speed
from .held_out import judge_blame, judge_held_out
from .notes import choose_curves, choose_notes, judge_notes, judge_velocities
from .player import Player
from .texture import judge_textures
from .verdicts import VOICES, judge_verdicts

SILENT_S = 1.0
TIMED_S = 0.5
YARDSTICKS = {
    "distance": "this preset",
    "audible_distance": "this preset, of what is loud enough to be heard",
    "seen": "this preset, of recordings that training saw",
    "softer": "the next softer recording",
    "audible_softer": "the next softer recording, of what can be heard",
    "other": "another instrument",
    "semitones": "the recording itself, two semitones off",
    "without_partials": "this preset, if its partials were the recording's",
    "without_rest": "this preset, if all but its partials were the recording's",
}
"""Figures of HeldOut, in words."""


def judge(
    name_or_folder: str | Path,
    corpus: str | Path | None = None,
    *,
    yardstick: str | Path | None = None,
    thorough: bool = False,
    instruction_set: str = "auto",
    temperature: float | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> tuple[Judgement, Player, Corpus]:
    """Play and measure; also returns the two sides, for pictures of them.

    By the run's own corpus unless another is named; `yardstick` another instrument's corpus. RtwaveError where no
    recording of notes is held out, or a folder is not what it should be.
    """
    progress("bits per sample")
    model, opened = open_to_judge(name_or_folder, corpus)
    other = Corpus(yardstick) if yardstick else None
    bits = evaluate_model(model, opened, instruction_set)
    player = Player(model, instruction_set, bits.played, temperature)
    engine = player.engine()
    pitched_or_drums = opened.index.kind != "texture"
    found = Judgement(
        model=str(name_or_folder),
        corpus=str(opened.folder),
        kind=opened.index.kind,
        sample_rate=engine.sample_rate,
        precision=engine.precision,
        instruction_set=engine.instruction_set,
        thorough=thorough,
        silence_dbfs=sounding.level_db(engine.render(int(SILENT_S * engine.sample_rate))),
        bits=bits,
        speed=_speed(player),
        verdicts=[],
    )
    if pitched_or_drums:
        progress("notes")
        notes = judge_notes(player, opened, choose_notes(opened, thorough))
        progress("velocities")
        velocities = judge_velocities(player, opened, choose_curves(opened, thorough))
        progress("held-out recordings")
        held_out = judge_held_out(player, opened, other)
        blame = judge_blame(player, opened) if held_out else None
        found = msgspec.structs.replace(found, notes=notes, velocities=velocities, held_out=held_out, blame=blame)
    else:
        progress("texture")
        found = msgspec.structs.replace(found, textures=judge_textures(player, opened))
    return msgspec.structs.replace(found, verdicts=judge_verdicts(found)), player, opened


def _speed(player: Player) -> Speed:
    threads = min(2, os.cpu_count() or 1)
    report = measure(
        player.model,
        "",
        voices=VOICES,
        instruction_set=player.instruction_set,
        precision=player.precision,
        threads=threads,
        seconds=TIMED_S,
    )
    return Speed(
        voices=VOICES,
        threads=threads,
        times_real_time=report.times_real_time,
        voices_in_real_time=report.voices_in_real_time,
        machine=report.machine,
    )


def means(found: Judgement) -> dict[str, float]:
    """The mean of every figure of the held-out recordings that there is."""
    known = {name: [getattr(each, name) for each in found.held_out] for name in YARDSTICKS}
    known = {name: [value for value in values if value is not None] for name, values in known.items()}
    return {name: float(np.mean(values)) for name, values in known.items() if values}
