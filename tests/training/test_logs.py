"""Curves for TensorBoard, and what happens where there is no such thing."""

import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("torch")

from rtwave.training.logs import Curves, spectrogram


def test_curves_notes_and_spectrograms_are_written(tmp_path):
    pytest.importorskip("tensorboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    curves = Curves(tmp_path)
    curves.figures(10, {"bits": 6.5, "held_out_bits": None})
    curves.figures(20, {"bits": 6.25})
    curves.sound(20, "note", np.sin(np.arange(4000) * 0.3).astype(np.float32), 16_000)
    assert curves.flush() is None
    curves.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = EventAccumulator(str(tmp_path)).Reload()
    assert [(point.step, point.value) for point in found.Scalars("bits")] == [(10, 6.5), (20, 6.25)]
    tags = found.Tags()
    assert (tags["scalars"], tags["audio"], tags["images"]) == (["bits"], ["note"], ["note_spectrogram"])


def test_without_the_package_a_single_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    curves = Curves(tmp_path)
    curves.figures(10, {"bits": 6.5})
    told = curves.flush()
    assert "tensorboard is not installed" in told
    assert "\n" not in told
    curves.figures(20, {"bits": 6.5})
    assert curves.flush() is None
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_ends_the_curves_and_not_the_run(tmp_path):
    class FullDisk:
        def add_scalar(self, *_):
            raise OSError(28, "No space left on device")

    curves = Curves(tmp_path)
    curves._writer = FullDisk()
    curves.figures(10, {"bits": 6.5})
    assert "cannot be written (No space left on device)" in curves.flush()
    curves.close()


def test_a_tone_is_a_bright_line_at_its_height():
    picture = spectrogram(np.sin(2 * np.pi * 0.125 * np.arange(8000)).astype(np.float32), 16_000)
    assert (picture.min(), picture.max()) == (0.0, 1.0)
    rows = picture.argmax(axis=0)
    assert set(rows) == {len(picture) - 1 - 128}
