"""Programs: presets by the numbers that MIDI calls them, made ready while the music goes on."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..engine.engine import Engine, choose_instruction_set
from ..errors import RtwaveError
from ..presets import Preset, load_preset, preset_folders
from .settings import Settings

DEFAULT_PRESET = "piano"


class Program(NamedTuple):
    """A preset ready to be played: its engine at frame 0, and the settings that make it once more."""

    preset: Preset
    engine: Engine
    settings: Settings


def load_program(settings: Settings, threads: int = 1, device: str = "cpu") -> Program:
    """Read a preset and build its engine; what is None in `settings` is the preset's own. Raises RtwaveError.

    An instruction set that this machine has not is replaced by its best one. `threads` and `device` as in Engine.
    """
    preset = load_preset(DEFAULT_PRESET if settings.preset is None else settings.preset)
    preset = preset.with_playing(temperature=settings.temperature, gain_db=settings.gain_db)
    engine = Engine(
        preset,
        voices=preset.playing.polyphony if settings.voices is None else settings.voices,
        seed=settings.seed or 0,
        instruction_set=_instruction_set(settings.instruction_set),
        precision=settings.precision or "auto",
        threads=threads,
        device=device,
    )
    settled = msgspec.structs.replace(
        settings,
        preset=_findable(preset.folder),
        seed=settings.seed or 0,
        voices=engine.voices,
        temperature=preset.playing.temperature,
        gain_db=preset.playing.gain_db,
        precision=engine.precision,
        instruction_set=engine.instruction_set,
    )
    return Program(preset, engine, settled)


class Programs:
    """Answers program changes: loads presets on a thread of its own, and tells what goes wrong in one line.

    `load` makes a Program of a preset's folder; `current` gives the folder of what plays now, which is one of the
    programs wherever it lies. `choose` may come from any thread.
    """

    def __init__(
        self, load: Callable[[Path], Program], current: Callable[[], Path], tell: Callable[[str], None]
    ) -> None:
        self._load, self._current, self._tell = load, current, tell
        self._first = current()
        self._folders: dict[int, Path] | None = None
        self._lock = threading.Lock()
        self._wanted: tuple[int, Callable[[int, Program], None]] | None = None
        self._thread: threading.Thread | None = None

    def choose(self, number: int, ready: Callable[[int, Program], None]) -> None:
        """Load a program; `ready` is called with its number and itself, on another thread, unless the next comes first.

        Returns at once. What plays already is not loaded again.
        """
        with self._lock:
            self._wanted = number, ready
            if self._thread is None:
                # not at a lower priority: it holds the interpreter's lock at times, and a key press would wait for it
                self._thread = threading.Thread(target=self._work, name="rtwave programs", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Return when nothing is being loaded."""
        thread = self._thread
        if thread:
            thread.join()

    def folders(self) -> dict[int, Path]:
        """The folder of each program, by its number, as number_programs says: what plays at the start among them."""
        if self._folders is None:
            self._folders = number_programs([*preset_folders().values(), self._first])
        return self._folders

    def _work(self) -> None:
        while True:
            with self._lock:
                wanted, self._wanted = self._wanted, None
                if wanted is None:
                    self._thread = None
                    return
            number, ready = wanted
            try:
                self._answer(number, ready)
            except RtwaveError as error:
                self._tell(f"program {number}: {error}; playing on with {self._current().name}")

    def _answer(self, number: int, ready: Callable[[int, Program], None]) -> None:
        folders = self.folders()
        if number not in folders:
            there = ", ".join(f"{each} {folder.name}" for each, folder in folders.items())
            raise RtwaveError(f"no preset has this number (there are: {there})")
        if folders[number].resolve() == self._current().resolve():
            return
        program = self._load(folders[number])
        if self._wanted is None:
            ready(number, program)
            self._tell(f"program {number}: {program.preset.name}")


def number_programs(folders: Iterable[Path]) -> dict[int, Path]:
    """The presets in these folders, resolved, by the numbers that MIDI calls them: 128 × bank + program, in order.

    A preset has the number that it names itself, unless another took it; the others take those that are free.
    """
    different = list(dict.fromkeys(folder.resolve() for folder in folders))
    numbered: dict[int, Path] = {}
    unnumbered = []
    for folder in different:
        number = _own_number(folder)
        if number is None or number in numbered:
            unnumbered.append(folder)
        else:
            numbered[number] = folder
    free = (number for number in range(len(different)) if number not in numbered)
    return dict(sorted((numbered | dict(zip(free, unnumbered, strict=False))).items()))


def _own_number(folder: Path) -> int | None:
    try:
        return load_preset(folder).program
    except RtwaveError:
        return None  # said when it is called for


def _instruction_set(wanted: str | None) -> str:
    try:
        return choose_instruction_set(wanted or "auto")
    except RtwaveError:
        return choose_instruction_set("auto")


def _findable(folder: Path) -> str:
    """A preset's name where that is enough to find it, else its path in a form that holds in any folder."""
    named, folder = preset_folders().get(folder.name), folder.resolve()
    return folder.name if named is not None and named.resolve() == folder else str(folder)
