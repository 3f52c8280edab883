"""Curves, notes and their spectrograms for TensorBoard; without its package there are none, and a line says so."""

import warnings
from pathlib import Path

import numpy as np

from .spectra import spectrogram_db

RANGE_DB = 90.0


class Curves:
    """Writes to a folder that `tensorboard --logdir` shows; `missing` says in a line why nothing is written."""

    def __init__(self, folder: Path) -> None:
        self.missing: str | None = None
        self._writer = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what it imports
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(str(folder))
        except ImportError:
            self.missing = "no TensorBoard curves: tensorboard is not installed (pip install tensorboard)"
        except OSError as error:
            self._give_up(error)

    def figures(self, step: int, values: dict[str, float | None]) -> None:
        """One point of each curve; None is no point."""
        for name, value in values.items():
            if value is not None:
                self._write("add_scalar", name, value, step)

    def sound(self, step: int, name: str, sound: np.ndarray, sample_rate: int) -> None:
        """A note to hear and to see."""
        self._write("add_audio", name, np.clip(sound, -1.0, 1.0)[None], step, sample_rate)
        self._write("add_image", f"{name}_spectrogram", spectrogram(sound, sample_rate), step, dataformats="HW")

    def flush(self) -> str | None:
        """Write out; returns why not, once, where that cannot be."""
        self._write("flush")
        told, self.missing = self.missing, None
        return told

    def close(self) -> None:
        """Write what is left."""
        self._write("close")
        self._writer = None

    def _write(self, method: str, *arguments, **named) -> None:
        if self._writer is None:
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                getattr(self._writer, method)(*arguments, **named)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._writer = None
        self.missing = f"no more TensorBoard curves: they cannot be written ({error.strerror or error})"


def spectrogram(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """Levels of a sound as brightness 0..1, float32 (frequencies, moments), low notes at the bottom."""
    level_db = spectrogram_db(sound, sample_rate)
    return np.clip(1.0 + (level_db - level_db.max()) / RANGE_DB, 0.0, 1.0)[::-1].astype(np.float32)
