"""Find, read, check and write presets: a folder with preset.toml, a weights file and the licence of its sound."""

import contextlib
import dataclasses
import hashlib
import re
import reprlib
import shutil
import tempfile
import tomllib
from itertools import chain
from numbers import Real
from pathlib import Path

import msgspec
import platformdirs

from .engine.control_map import check_control_map
from .errors import RtwaveError
from .wavenet.precision import PRECISIONS
from .wavenet.weights import Weights

PRESET_FILE = "preset.toml"
HIGHEST_PROGRAM = 128 * 128 * 128 - 1
"""MIDI has 128 × 128 banks of 128 programs."""

MOST_BITS = 1e6
"""Of a sample; far above what any network needs."""

_RANGES = {
    "temperature": (0.0, 2.0, ""),
    "gain_db": (-60.0, 12.0, " dB"),
    "polyphony": (1, 256, " voices"),
    "release": (0.1, 20.0, ""),
    "velocity_curve": (0.1, 10.0, ""),
    "timbre": (0.0, 1.0, ""),
}


class Playing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a preset is played unless told otherwise.

    `temperature` 0..2 and the range the mod wheel sweeps; `gain_db` −60..12; `polyphony` in voices; `release`
    multiplies the damper's time; `velocity_curve` is the exponent on velocity; `timbre` 0..1 is where that control
    starts: from the first of several timbres to the last, or from dull to bright. A bad value raises RtwaveError.
    """

    temperature: float = 0.3
    temperature_range: tuple[float, float] = (0.0, 1.0)
    gain_db: float = 0.0
    polyphony: int = 8
    release: float = 1.0
    velocity_curve: float = 1.0
    timbre: float = 0.5

    def __post_init__(self) -> None:
        for name, (low, high, unit) in _RANGES.items():
            value = getattr(self, name)
            kind = int if isinstance(low, int) else Real
            if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
                came = f"{value:g}" if isinstance(value, Real) else repr(value)
                raise RtwaveError(f"{name} is {came}, expected {low:g} to {high:g}{unit}")
        sweep = self.temperature_range
        pair = isinstance(sweep, tuple | list) and len(sweep) == 2 and all(isinstance(end, Real) for end in sweep)
        if not pair or not 0.0 <= sweep[0] <= sweep[1] <= 2.0:
            raise RtwaveError(f"temperature_range is {sweep!r}, expected two rising values in 0 to 2")

    @property
    def temperature_min(self) -> float:
        """Lower end of the mod wheel's sweep."""
        return self.temperature_range[0]

    @property
    def temperature_max(self) -> float:
        """Upper end of the mod wheel's sweep."""
        return self.temperature_range[1]


class PresetFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What preset.toml says, field for field."""

    name: str
    description: str
    sha256: str
    license: str
    source: str
    model: str = "model.safetensors"
    demo: str | None = None
    program: int | None = None
    playing: Playing = Playing()
    controls: dict[str, object] = {}
    precision: dict[str, object] = {}


@dataclasses.dataclass(frozen=True)
class Preset:
    """A preset read and checked: ready to hand to Engine.

    `demo` is the preset's own phrase, or None; `program` the number by which MIDI calls it, 128 × bank + program, or
    None for whichever is free; `controls` its control map, from names to MIDI controllers; `precision` the bits per
    sample of each precision on held-out recordings, empty where nobody measured them.
    """

    name: str
    description: str
    license: str
    source: str
    folder: Path
    weights: Weights = dataclasses.field(repr=False)
    playing: Playing = dataclasses.field(default_factory=Playing)
    demo: Path | None = None
    program: int | None = None
    controls: dict[str, int] = dataclasses.field(default_factory=dict)
    precision: dict[str, float] = dataclasses.field(default_factory=dict)

    def with_playing(self, **changes: float | None) -> "Preset":
        """A copy whose playing parameters differ where a value other than None is given."""
        given = {name: value for name, value in changes.items() if value is not None}
        return dataclasses.replace(self, playing=msgspec.structs.replace(self.playing, **given))


def user_presets_folder() -> Path:
    """Where a user's own presets live on this platform."""
    return Path(platformdirs.user_data_dir("rtwave", appauthor=False)) / "presets"


def preset_folders(own: bool = True) -> dict[str, Path]:
    """Folder of every preset to be found by name: the user's `own` first, then those that came with rtwave."""
    package = Path(__file__).parent
    found: dict[str, Path] = {}
    rooms = (user_presets_folder(), package / "_presets", package.parent / "presets")
    for room in rooms if own else rooms[1:]:
        for file in sorted(room.glob(f"*/{PRESET_FILE}")):
            found.setdefault(file.parent.name, file.parent)
    return found


def load_preset(name_or_path: str | Path) -> Preset:
    """Read and check a preset by name, folder or preset.toml; anything amiss raises RtwaveError with one line."""
    folder = _find(name_or_path)
    file = folder / PRESET_FILE
    described = _read_file(file)
    model = _inside(folder, described.model, "model")
    try:
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
    except OSError as error:
        raise RtwaveError(f"{model}: cannot be read ({error.strerror}); fetch or export the preset again") from None
    if digest != described.sha256.lower():
        raise RtwaveError(
            f"{model}: sha256 is {digest[:12]}…, {PRESET_FILE} expects {described.sha256[:12]}…; "
            "the file is damaged or was changed: fetch or export the preset again"
        )
    return Preset(
        name=described.name,
        description=described.description,
        license=described.license,
        source=described.source,
        folder=folder,
        weights=Weights.load(model),
        playing=described.playing,
        demo=_inside(folder, described.demo, "demo") if described.demo else None,
        program=described.program,
        controls=described.controls,
        precision=described.precision,
    )


def write_preset(
    folder: str | Path,
    weights: Weights,
    *,
    name: str,
    description: str | None = None,
    license: str | None = None,
    source: str | None = None,
    playing: Playing | None = None,
    license_text: str | None = None,
    demo: str | Path | None = None,
    program: int | None = None,
    controls: dict[str, int] | None = None,
    precision: dict[str, float] | None = None,
) -> Preset:
    """Write a preset folder (weights, preset.toml, LICENSE.txt, the demo's copy) and read it back, checked.

    `license_text` is the whole text for LICENSE.txt; `demo` a MIDI file; `program`, `controls` and `precision` as in
    Preset. What is None stays as a preset already in that folder has it, but `precision` only beside the weights that
    it was measured of. The new preset takes its place whole or, with RtwaveError, not at all.
    """
    folder = Path(folder).resolve()
    if demo is not None and not Path(demo).is_file():
        raise RtwaveError(f"{demo}: no such file, expected a MIDI file as the preset's demo")
    previous = _previous(folder)
    kept = {} if previous is None else msgspec.structs.asdict(previous)
    if previous is not None and precision is None:
        precision = _kept_precision(folder, previous, weights)
    given = {"description": description, "license": license, "source": source, "playing": playing}
    given |= {"program": program, "controls": controls, "precision": precision}
    described = kept | {field: value for field, value in given.items() if value is not None} | {"name": name}
    described = {"description": "", "license": "unknown", "source": "unknown"} | described
    if license_text is None and (previous is None or license or source):
        license_text = f"{described['license']}\n\n{described['source']}\n"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as room:
            new, old = Path(room) / "new", Path(room) / "old"
            if previous is None:
                new.mkdir()
            else:
                shutil.copytree(folder, new)
            _fill(new, weights, described, license_text, demo)
            load_preset(new)
            _swap(folder, new, old)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RtwaveError(f"{folder}: the preset cannot be written ({reason}); name another folder") from None
    return load_preset(folder)


def kept_playing(folder: Path) -> Playing | None:
    """How a preset that stands in a folder is played, None where there is none."""
    previous = _previous(folder)
    return None if previous is None else previous.playing


def _previous(folder: Path) -> PresetFile | None:
    """The preset that stands in a folder, None where there is none; what else may stand there is not ours to touch."""
    if (folder / PRESET_FILE).is_file():
        return _read_file(folder / PRESET_FILE)
    if folder.is_dir() and not any(folder.iterdir()):
        return None
    if folder.exists():
        raise RtwaveError(f"{folder}: holds something other than a preset; name a new folder or a preset's")
    return None


def _kept_precision(folder: Path, previous: PresetFile, weights: Weights) -> dict[str, object]:
    """What a preset says of its precisions, if these are the weights that it says it of."""
    try:
        old = Weights.load(folder / previous.model)
    except RtwaveError:
        return {}
    return previous.precision if old.same_network(weights) else {}


def _fill(new: Path, weights: Weights, described: dict, license_text: str | None, demo: str | Path | None) -> None:
    """Make a preset of the folder `new`."""
    model = new / "model.safetensors"
    weights.save(model)
    described |= {"model": model.name, "sha256": hashlib.sha256(model.read_bytes()).hexdigest()}
    if demo is not None:
        shutil.copyfile(demo, new / "demo.mid")
        described["demo"] = "demo.mid"
    if license_text is not None:
        (new / "LICENSE.txt").write_text(license_text, encoding="utf-8")
    (new / PRESET_FILE).write_text(_to_toml(PresetFile(**described)), encoding="utf-8")


def _swap(folder: Path, new: Path, old: Path) -> None:
    """Put `new` where `folder` is, which becomes `old`."""
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def _find(name_or_path: str | Path) -> Path:
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # no name of a file, or of an unknown user's
        path = Path(name_or_path).expanduser()
        if path.name == PRESET_FILE and path.is_file():
            return path.parent
        if (path / PRESET_FILE).is_file():
            return path
    folders = preset_folders()
    if str(name_or_path) in folders:
        return folders[str(name_or_path)]
    there = ", ".join(folders) or "none"
    raise RtwaveError(
        f"no preset {str(name_or_path)!r}: expected a folder with a {PRESET_FILE}, or a name (there are: {there})"
    )


def _read_file(file: Path) -> PresetFile:
    try:
        described = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), PresetFile)
    except OSError as error:
        raise RtwaveError(f"{file}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RtwaveError(f"{file}: not a TOML file: {error}") from None
    except msgspec.ValidationError as error:
        raise RtwaveError(f"{file}: {_explain(str(error))}") from None
    except RtwaveError as error:
        raise RtwaveError(f"{file}: [playing] {error}") from None
    try:
        check_control_map(described.controls)
    except RtwaveError as error:
        raise RtwaveError(f"{file}: [controls] {error}") from None
    if described.program is not None and not 0 <= described.program <= HIGHEST_PROGRAM:
        raise RtwaveError(f"{file}: program is {described.program}, expected 0 to {HIGHEST_PROGRAM}, 128 to a bank")
    _check_precision(file, described)
    return described


def _check_precision(file: Path, described: PresetFile) -> None:
    for name, bits in described.precision.items():
        if name not in PRECISIONS:
            raise RtwaveError(f"{file}: [precision] {name!r} is unknown, expected one of {', '.join(PRECISIONS)}")
        if not isinstance(bits, Real) or isinstance(bits, bool) or not abs(bits) <= MOST_BITS:
            came = reprlib.repr(bits)
            raise RtwaveError(f"{file}: [precision] {name} is {came}, expected bits per sample, a finite number")


def _explain(problem: str) -> str:
    """msgspec's words for a bad field, in ours."""
    unknown = re.search(r"unknown field `(.+?)`", problem)
    if not unknown:
        return problem
    room, struct = (" in [playing]", Playing) if "$.playing" in problem else ("", PresetFile)
    return f"unknown field {unknown[1]!r}{room}, expected one of {', '.join(struct.__struct_fields__)}"


def _inside(folder: Path, name: str, field: str) -> Path:
    """A file the preset names, which must lie in its own folder."""
    if Path(name).name != name:
        raise RtwaveError(f"{folder / PRESET_FILE}: {field} is {name!r}, expected a file name in the same folder")
    if not (folder / name).is_file():
        raise RtwaveError(f"{folder / name}: no such file, though {PRESET_FILE} names it as its {field}")
    return folder / name


def _to_toml(described: PresetFile) -> str:
    def lines(fields: dict[str, object]) -> list[str]:
        # JSON's strings, numbers and arrays of numbers are TOML's too
        return [f"{key} = {msgspec.json.encode(item).decode()}" for key, item in fields.items() if item is not None]

    fields = msgspec.structs.asdict(described)
    tables = {"playing": msgspec.structs.asdict(fields.pop("playing"))}
    tables |= {name: fields.pop(name) for name in ("controls", "precision")}
    filled = [["", f"[{name}]", *lines(table)] for name, table in tables.items() if table]
    return "\n".join([*lines(fields), *chain.from_iterable(filled)]) + "\n"
