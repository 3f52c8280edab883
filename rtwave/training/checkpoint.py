"""What a run leaves on disk: its options, its state for `--resume`, its averaged weights, its log."""

import contextlib
import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..errors import RtwaveError
from ..wavenet.config import WaveNetConfig

STATE = {"config", "options", "corpus", "step", "network", "averaged", "optimizer"}
"""What a checkpoint holds."""


class TrainingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run learns. `batch` segments a step, of all processes together; `length` counted samples a segment.

    `noise` and `swing` as in Dataset, falling along a line to `noise_end` of themselves at the last step; rates per
    step. `rounded` as in rounding.py.
    """

    steps: int = 20_000
    batch: int = 8
    length: int = 4096
    learning_rate: float = 4e-3
    schedule: str = "one-cycle"
    ema: float = 0.999
    clip_norm: float = 1.0
    noise: float = 0.015
    swing: float = 0.0
    noise_end: float = 1.0
    seed: int = 0
    precision: str = "auto"
    engine: str = "auto"
    compile: bool = False
    rounded: bool = False
    validate_every: int = 500

    def __post_init__(self) -> None:
        def require(good: bool, field: str, expected: str) -> None:
            if not good:
                raise RtwaveError(f"training: {field} is {getattr(self, field)!r}, expected {expected}")

        require(self.steps >= 1, "steps", "1 or more")
        require(self.batch >= 1, "batch", "1 or more")
        require(self.length >= 64, "length", "64 samples or more")
        require(0.0 < self.learning_rate <= 1.0, "learning_rate", "more than 0, at most 1")
        require(self.schedule in ("one-cycle", "cosine"), "schedule", "'one-cycle' or 'cosine'")
        require(0.0 <= self.ema < 1.0, "ema", "0 to less than 1")
        require(self.clip_norm > 0.0, "clip_norm", "more than 0")
        require(0.0 <= self.noise <= 1.0, "noise", "0 to 1")
        require(0.0 <= self.swing <= 1.0, "swing", "0 to 1")
        require(0.0 <= self.noise_end <= 1.0, "noise_end", "0 to 1")
        require(self.precision in ("auto", "float32", "bfloat16"), "precision", "'auto', 'float32' or 'bfloat16'")
        require(self.engine in ("auto", "torch", "native"), "engine", "'auto', 'torch' or 'native'")
        require(self.validate_every >= 1, "validate_every", "1 or more")


class Run:
    """A run's folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.state_path = self.folder / "checkpoint.pt"
        self.record_path = self.folder / "run.json"
        self.weights_path = self.folder / "model.safetensors"
        self.log_path = self.folder / "log.csv"
        self.notes_folder = self.folder / "notes"
        self.curves_folder = self.folder / "tensorboard"

    def create(self) -> None:
        """Make the folder; RtwaveError where that cannot be."""
        try:
            self.notes_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RtwaveError(f"{self.folder}: cannot be made ({error.strerror}); choose another --out") from None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep the folder to this process for a while; RtwaveError when another one trains in it."""
        import fcntl  # every Unix has it

        with contextlib.ExitStack() as open_files:
            try:
                lock = open_files.enter_context((self.folder / "lock").open("a+"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock.truncate(0)
                lock.write(str(os.getpid()))
                lock.flush()
            except BlockingIOError:
                lock.seek(0)
                raise RtwaveError(
                    f"{self.folder}: process {lock.read() or 'unknown'} trains in it; "
                    "wait until it has ended or choose another --out"
                ) from None
            except OSError:  # a full disk, or one that knows no locks: the guard is not worth the run
                pass
            yield

    def take_up(self, resume: bool) -> dict | None:
        """The state to go on from, None for a new run; RtwaveError rather than overwrite what is here."""
        if not resume and not self.state_path.exists():
            if self.weights_path.exists():
                raise RtwaveError(f"{self.weights_path}: is there, and is no run's; choose another --out")
            return None
        state = self.load_state()
        if not resume:
            raise RtwaveError(
                f"{self.folder}: holds a run at step {state['step']}; add --resume or choose another --out"
            )
        return state

    def save_state(self, state: dict) -> None:
        """Write the state whole or, with RtwaveError, not at all, and beside it what export needs without torch."""
        import torch

        written = io.BytesIO()
        torch.save(state, written)
        record = {name: state[name] for name in ("corpus", "origin") if state.get(name)}
        write_whole(self.record_path, msgspec.json.encode(record))
        write_whole(self.state_path, written.getvalue())

    def load_state(self) -> dict:
        """The state that `save_state` wrote; RtwaveError when there is none or it is damaged."""
        import torch

        if not self.state_path.is_file():
            raise RtwaveError(f"{self.folder}: no checkpoint.pt to resume from; train without --resume first")
        try:
            state = torch.load(self.state_path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises half a dozen kinds for a damaged file
            raise RtwaveError(
                f"{self.state_path}: damaged ({type(error).__name__}); train into another --out"
            ) from None
        if not (isinstance(state, dict) and state.keys() >= STATE):
            raise RtwaveError(f"{self.state_path}: is no checkpoint of a run; train into another --out")
        return state

    def corpus_folder(self) -> str:
        """The corpus it learned from; RtwaveError when the folder does not say."""
        if not self.record_path.is_file():
            if not self.state_path.is_file():
                raise RtwaveError(f"{self.folder}: does not say what corpus it was learned from; name it with --corpus")
            return self.load_state()["corpus"]
        try:
            return msgspec.json.decode(self.record_path.read_bytes(), type=dict[str, str])["corpus"]
        except (OSError, msgspec.DecodeError, KeyError) as error:
            raise RtwaveError(f"{self.record_path}: damaged ({error}); name the corpus with --corpus") from None

    def origin(self) -> str:
        """The presets that it started from, as Origin tells them; empty where there are none."""
        try:
            return msgspec.json.decode(self.record_path.read_bytes(), type=dict[str, str]).get("origin", "")
        except (OSError, msgspec.DecodeError):
            return ""

    def log(self, row: dict[str, float | None]) -> None:
        """Add one line to log.csv, and a column for what was not measured before; RtwaveError where that cannot be.

        Lines of this step and later ones go: a run that was killed takes up its last checkpoint and comes by again.
        """
        rows = []
        try:
            with self.log_path.open(newline="", encoding="utf-8", errors="replace") as file:
                rows = [each for each in csv.DictReader(file) if _step_of(each) < row["step"]]
        except FileNotFoundError:
            pass
        except (OSError, csv.Error) as error:
            raise RtwaveError(f"{self.log_path}: cannot be read ({error}); move it away") from None
        columns = [name for name in (rows[0] if rows else {}) if name is not None]
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, columns + [name for name in row if name not in columns], extrasaction="ignore")
        writer.writeheader()
        writer.writerows([*rows, row])
        write_whole(self.log_path, table.getvalue().encode())


def _step_of(row: dict[str, str]) -> int:
    """A line's step; what is damaged stands before all."""
    step = row.get("step") or ""
    return int(step) if step.isdecimal() else -1


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or, with RtwaveError, leave what is there (a temporary beside it, then renamed)."""
    temporary = path.with_suffix(".partial")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # some disks tell only now that they are full
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RtwaveError(f"{path}: cannot be written ({error.strerror})") from None


def read_config(state: dict) -> WaveNetConfig:
    """The network configuration that a saved state belongs to."""
    return WaveNetConfig.from_json(state["config"])


def read_options(state: dict) -> TrainingOptions:
    """The options that a saved state was trained with: what is not there is as usual, what is unknown is left out."""
    saved = msgspec.json.decode(state["options"])
    return TrainingOptions(**{name: saved[name] for name in TrainingOptions.__struct_fields__ if name in saved})
