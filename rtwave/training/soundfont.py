"""SoundFonts: a preset's notes rendered by the program fluidsynth, dry and in float, and cut apart by their times."""

import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from ..errors import RtwaveError
from .recordings import SILENT_PEAK
from .sf2 import Preset, read_presets
from .sources import MOST_TIMBRES, Found, Recording, Skipped

RATE = 48_000
VELOCITIES = (20, 40, 60, 80, 100, 120)
EVERY, MARGIN, LOWEST, HIGHEST = 3, 3, 21, 108
"""Keys by default: every third, from three below the lowest recorded one to three above the highest."""
NOTE_S, DRUM_S, REST_S = 6.0, 3.0, 0.1
NOTES_PER_RENDERING = 24
DRUM_BANK, DRUM_CHANNEL = 128, 9
DRUMS = {
    36: "kick",
    37: "side stick",
    38: "snare",
    39: "clap",
    41: "low floor tom",
    42: "closed hat",
    43: "high floor tom",
    45: "low tom",
    46: "open hat",
    47: "low-mid tom",
    48: "high-mid tom",
    49: "crash",
    50: "high tom",
    51: "ride",
    54: "tambourine",
    56: "cowbell",
}
"""What is taken of a kit, unless other keys are named, as General MIDI names it."""
LEFT_BEHIND = 10.0
"""Left, as of any recording, but where the right channel is this many times as strong."""
TAP_S, DECAY_S, TAP_REST_S, TAPS, TAP_VELOCITY = 0.5, 0.25, 2.0, 8, 100
"""The release is heard on short notes: long ones may have ended of themselves before they are let go."""
RELEASE_DB, RELEASE_WINDOW_S, LONGEST_RELEASE_S, QUIET = 20.0, 0.01, 10.0, 1e-4
DECIBELS = 20.0 / np.log(10.0)


@dataclass(frozen=True)
class _Slot:
    """A note, and where it lies in the rendering, rest and all."""

    key: int
    velocity: int
    start: int
    peak: float


class _Rendering:
    """A preset's notes, rendered into a file of float32 samples that is gone with the last who reads it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rtwave-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, True)
        self.sounds = self._folder / "notes.f32"

    def scratch(self, name: str) -> Path:
        return self._folder / name


def find_programs(
    path: Path,
    programs: Sequence[int],
    *,
    bank: int = 0,
    keys: Sequence[int] | None = None,
    every: int = EVERY,
    velocities: Sequence[int] = VELOCITIES,
    seconds: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """Notes of one or more programs of a SoundFont, each program a timbre; in bank 128 each key is one.

    Held for `seconds`, 6 by default (drums 3). `keys` None: where it was recorded, and between, each `every`th.
    RtwaveError where the file is no SoundFont, has no such program, or cannot be rendered.
    """
    if shutil.which("fluidsynth") is None:
        raise RtwaveError("fluidsynth is not installed; it renders SoundFonts: apt install fluidsynth")
    presets = read_presets(path)
    for program in programs:
        if (bank, program) not in presets:
            known = ", ".join(f"{number} {presets[at, number].name}" for at, number in sorted(presets) if at == bank)
            has = f"it has {known}" if known else f"banks are {', '.join(map(str, sorted({at for at, _ in presets})))}"
            raise RtwaveError(f"{path}: no program {program} in bank {bank}; {has}")
    if bank == DRUM_BANK and len(programs) > 1:
        raise RtwaveError(f"{path}: {len(programs)} programs of drums, expected one kit")
    if bank == DRUM_BANK and keys is not None and len(keys) > MOST_TIMBRES:
        raise RtwaveError(f"{path}: {len(keys)} drums, at most {MOST_TIMBRES}; name fewer with --keys")
    found, dampers = Found([], timbres=[presets[bank, program].name for program in programs]), []
    for number, program in enumerate(programs):
        preset = presets[bank, program]
        hold_s = seconds or (DRUM_S if bank == DRUM_BANK else NOTE_S)
        chosen = _default_keys(preset, bank, every) if keys is None else keys
        notes = [(key, velocity) for key in chosen for velocity in velocities]

        def advance(done: int, total: int, number: int = number) -> None:
            progress(number * total + done, len(programs) * total)

        rendering, slots = _render(path, bank, program, notes, hold_s, REST_S, advance)
        for slot in slots:
            place = f"{path}, bank {bank}, program {program}, key {slot.key}, velocity {slot.velocity}"
            if slot.peak < SILENT_PEAK:
                found.skipped.append(Skipped(place, "the preset is silent there"))
                continue
            name = DRUMS.get(slot.key, "key") if bank == DRUM_BANK else preset.name
            name = f"{name} {slot.key} v{slot.velocity}"
            load = partial(_read, rendering, slot.start, int(hold_s * RATE))
            found.recordings.append(
                Recording(name, place, float(slot.key), float(slot.velocity), load, timbre=float(number))
            )
        if bank != DRUM_BANK and chosen:
            dampers += _measure_dampers(path, bank, program, chosen[:: -(-len(chosen) // TAPS)])
    if not found.recordings:
        raise RtwaveError(
            f"{path}: {', '.join(found.timbres)} is silent at every one of these keys; choose other --keys"
        )
    if dampers:
        found.damper_s = float(np.median(dampers))
    return found


def _default_keys(preset: Preset, bank: int, every: int) -> list[int]:
    if bank == DRUM_BANK:
        return list(DRUMS)
    low, high = (preset.roots[0] - MARGIN, preset.roots[-1] + MARGIN) if preset.roots else (LOWEST, HIGHEST)
    return list(range(max(low, LOWEST), min(high, HIGHEST) + 1, every))


def _read(rendering: _Rendering, start: int, samples: int) -> tuple[np.ndarray, int]:
    return np.fromfile(rendering.sounds, np.float32, samples, offset=4 * start), RATE


def _render(
    path: Path,
    bank: int,
    program: int,
    notes: list[tuple[int, int]],
    hold_s: float,
    rest_s: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[_Rendering, list[_Slot]]:
    """All notes (key, velocity) into one file of mono float32 samples at RATE, end to end, each with its rest."""
    rendering, slots = _Rendering(), []
    parts = [notes[start : start + NOTES_PER_RENDERING] for start in range(0, len(notes), NOTES_PER_RENDERING)]
    length = int((hold_s + rest_s) * RATE)

    def render(number: int) -> np.ndarray:
        midi, wave = rendering.scratch(f"{number}.mid"), rendering.scratch(f"{number}.wav")
        _write_midi(midi, bank, program, parts[number], hold_s, rest_s)
        _run_fluidsynth(path, midi, wave)
        sound = soundfile.read(wave, dtype="float32", always_2d=True)[0]
        wave.unlink()
        if len(sound) < length * len(parts[number]):
            raise RtwaveError(f"{path}: fluidsynth stopped after {len(sound) / RATE:.0f} s; is the disk full?")
        return sound

    try:
        with rendering.sounds.open("wb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
            for part, sound in zip(parts, pool.map(render, range(len(parts))), strict=True):
                for number, (key, velocity) in enumerate(part):
                    left, right = sound[number * length : (number + 1) * length].T[:2]
                    note = right if np.square(right).sum() > LEFT_BEHIND * np.square(left).sum() else left
                    slots.append(_Slot(key, velocity, file.tell() // 4, float(np.abs(note).max())))
                    file.write(np.ascontiguousarray(note))
                progress(len(slots), len(notes))
    except OSError as error:
        raise RtwaveError(f"{rendering.sounds.parent}: cannot be rendered into ({error.strerror}); make room") from None
    return rendering, slots


def _measure_dampers(path: Path, bank: int, program: int, keys: Sequence[int]) -> list[float]:
    """Time constants with which notes of these keys end, each struck and let go."""
    rendering, taps = _render(path, bank, program, [(key, TAP_VELOCITY) for key in keys], TAP_S, TAP_REST_S)
    notes = (_read(rendering, tap.start, int((TAP_S + TAP_REST_S) * RATE))[0] for tap in taps)
    return [damper for note in notes if (damper := _damper_s(note)) is not None]


def _damper_s(note: np.ndarray) -> float | None:
    """Time constant with which a tap ends when it is let go, beyond its own decay; None where it had ended before."""
    window = int(RELEASE_WINDOW_S * RATE)
    power = np.square(note[: len(note) // window * window].astype(np.float64)).reshape(-1, window).mean(axis=1)
    level, off = np.log(np.sqrt(power) + 1e-12), round(TAP_S / RELEASE_WINDOW_S)
    before, end = level[off - 1 - round(DECAY_S / RELEASE_WINDOW_S)], level[off - 1]
    if end < np.log(QUIET):
        return None
    fallen = np.flatnonzero(level[off:] < end - RELEASE_DB / DECIBELS)
    last = off + int(fallen[0]) if len(fallen) else len(level) - 1
    released = (end - level[last]) / ((last - off + 1) * RELEASE_WINDOW_S)
    own = max(0.0, (before - end) / DECAY_S)
    return float(1.0 / max(released - own, 1.0 / LONGEST_RELEASE_S))


def _write_midi(
    path: Path, bank: int, program: int, notes: list[tuple[int, int]], hold_s: float, rest_s: float
) -> None:
    """A MIDI file in milliseconds: each note held, let go, and cut off before the next."""
    import mido  # a library of playing, and here but for its files

    channel = DRUM_CHANNEL if bank == DRUM_BANK else 0
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    if bank != DRUM_BANK:
        track.append(mido.Message("control_change", channel=channel, control=0, value=bank))
    track.append(mido.Message("program_change", channel=channel, program=program))
    cut_off = 0
    for key, velocity in notes:
        track += [
            mido.Message("control_change", channel=channel, control=120, time=cut_off),
            mido.Message("note_on", channel=channel, note=key, velocity=velocity),
            mido.Message("note_off", channel=channel, note=key, time=int(1000 * hold_s)),
        ]
        cut_off = int(1000 * rest_s)
    track.append(mido.Message("control_change", channel=channel, control=120, time=cut_off + 1000))
    mido.MidiFile(ticks_per_beat=1000, tracks=[track]).save(path)


def _run_fluidsynth(path: Path, midi: Path, wave: Path) -> None:
    """Render a MIDI file without reverb and chorus, and without the user's own settings."""
    command = ["fluidsynth", "-n", "-i", "-f", os.devnull, "-R", "0", "-C", "0", "-r", str(RATE), "-O", "float"]
    command += ["-T", "wav", "-o", "synth.dynamic-sample-loading=1", "-F", str(wave), str(path), str(midi)]
    said = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if said.returncode or not wave.is_file() or "Failed to load SoundFont" in said.stderr:
        lines = [line for line in said.stderr.splitlines() if line.strip()]
        raise RtwaveError(f"{path}: fluidsynth cannot render it ({lines[-1] if lines else 'it does not say why'})")
