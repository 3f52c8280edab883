"""The house rules that imports can show: arrows point one way, and each path carries only its own luggage."""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rtwave"

ALLOWED = {
    "errors": set(),
    "quiet": set(),
    "wavenet": {"errors"},
    "engine": {"errors", "wavenet", "_engine", "_stream", "_cuda"},
    "presets": {"errors", "wavenet", "engine"},
    "audio": {"errors", "quiet", "engine", "_stream", "_outlet"},
    "instrument": {"errors", "quiet", "wavenet", "engine", "presets", "_jack_midi"},
    "training": {"errors", "wavenet", "engine", "presets", "_segments", "_stack"},
    "cli": {"errors", "wavenet", "engine", "presets", "audio", "instrument", "training"},
    "__main__": {"cli"},
    "__init__": {"errors"},
}
"""What each room may import of rtwave; for annotations alone (TYPE_CHECKING) any room may."""

TRAINING_LIBRARIES = {"torch", "scipy", "librosa", "soxr", "matplotlib", "tensorboard"}
PLAYING_LIBRARIES = {"sounddevice", "rtmidi", "mido"}


def room_of(file):
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(source, depth):
    """Rooms of rtwave that a source file `depth` folders deep imports, wherever in it the import stands."""
    tree = ast.parse(source)
    typing_only = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in set(ast.walk(tree)) - typing_only:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("rtwave.")]
            names = [name.removeprefix("rtwave.") for name in names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level == 0 and base.split(".")[0] == "rtwave":
                base = base.removeprefix("rtwave").removeprefix(".")
            elif node.level != depth + 1:
                continue
            names = [base] if base else [alias.name for alias in node.names]
        yield from (name.split(".")[0] for name in names if not name.startswith("__"))


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_arrows_point_one_way(file):
    room = room_of(file)
    rooms = set(imported_rooms(file.read_text(encoding="utf-8"), len(file.relative_to(PACKAGE).parts) - 1))
    assert rooms <= ALLOWED[room] | {room}


@pytest.mark.parametrize(
    "source",
    [
        "from ..audio import stream",
        "from .. import audio",
        "from rtwave.audio.stream import Stream",
        "from rtwave import audio",
        "import rtwave.audio.stream",
        "def play():\n    from ..audio.stream import Stream",
    ],
)
def test_the_checker_sees_every_kind_of_import(source):
    assert set(imported_rooms(source, 1)) == {"audio"}


def modules_after(code):
    listing = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in listing.stdout.split()}


PLAYING = "import rtwave, rtwave.presets, rtwave.cli.play, rtwave.cli.render, rtwave.instrument.render"
LEARNING = (
    "import rtwave.training.trainer, rtwave.training.prepare, rtwave.training.evaluate, rtwave.training.judge.page, "
    "rtwave.cli.train, rtwave.cli.prepare, rtwave.cli.export, rtwave.cli.evaluate"
)


def test_every_room_is_installed():
    described = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    rooms = {file.parent.relative_to(PACKAGE.parent).as_posix() for file in PACKAGE.rglob("*.py")}
    assert {room.replace("/", ".") for room in rooms} == set(described["tool"]["setuptools"]["packages"])


def test_playing_never_imports_what_training_or_a_gpu_needs():
    assert not modules_after(PLAYING) & (TRAINING_LIBRARIES | {"cuda"})


def test_training_never_imports_audio_or_midi():
    pytest.importorskip("torch")
    assert not modules_after(LEARNING) & PLAYING_LIBRARIES


def test_the_first_sound_waits_for_no_progress_bar():
    assert not modules_after(PLAYING) & {"rich", "soundfile"}


def test_rooms_and_files_are_there_without_being_imported_first():
    pytest.importorskip("torch")
    modules_after("import rtwave\nrtwave.wavenet.network.WaveNet, rtwave.engine.Engine, rtwave.presets.load_preset")


def test_the_package_alone_imports_nothing_heavy():
    assert not modules_after("import rtwave, rtwave.wavenet") & (TRAINING_LIBRARIES | PLAYING_LIBRARIES | {"numpy"})


@pytest.mark.parametrize("module", ["rtwave", "rtwave.wavenet"])
def test_an_unknown_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        importlib.import_module(module).colour  # noqa: B018
