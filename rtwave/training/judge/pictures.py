"""The pictures of an evaluation, each a PNG (bytes) that matplotlib draws."""

import io
from collections.abc import Callable
from itertools import pairwise

import matplotlib as mpl
import numpy as np

from ..corpus import Corpus
from ..spectra import HOP_S, spectrogram_db
from .figures import HeldOut, Judgement
from .player import Player, recorded
from .stft_distance import COMPARED_S
from .verdicts import LAYER_DISTANCE, octave_decays

mpl.use("Agg")

PRESET, RECORDING = "#c4501b", "#2c5d8f"
PAIRS = 6
RANGE_DB = 85.0


def draw(size: tuple[float, float], paint: Callable[..., None], rows: int = 1, columns: int = 1) -> bytes:
    """What `paint` draws on a figure's axes, as a PNG."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    paint(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    pyplot.close(figure)
    return buffer.getvalue()


def pairs(found: Judgement, player: Player, corpus: Corpus) -> bytes:
    """Spectrograms of held-out recordings above, of the preset below: from the lowest key to the highest."""
    entries = sorted((e for e in corpus.index.entries if e.held_out), key=lambda e: (e.timbre, e.note, e.velocity))
    picked = np.unique(np.linspace(0, len(entries) - 1, min(PAIRS, len(entries))).round().astype(int))
    chosen, rate = [entries[index] for index in picked], found.sample_rate

    def paint(axes: np.ndarray) -> None:
        for column, entry in enumerate(chosen):
            recording = recorded(corpus, entry, COMPARED_S)
            both = [spectrogram_db(each, rate) for each in (recording, player.entry(entry, COMPARED_S))]
            top = both[0].max()
            for row, picture in enumerate(both):
                extent = (0.0, picture.shape[1] * HOP_S, 0.0, rate / 2000.0)
                axes[row, column].imshow(
                    picture, origin="lower", aspect="auto", extent=extent, vmin=top - RANGE_DB, vmax=top, cmap="magma"
                )
                axes[row, column].set_xlim(0.0, COMPARED_S)
            axes[0, column].set_title(f"key {entry.note:g}, velocity {entry.velocity:g}", fontsize=9)
        for row, side in enumerate(("recording, kHz", "preset, kHz")):
            axes[row, 0].set_ylabel(side)

    return draw((2.2 * len(chosen) + 0.6, 5.0), paint, 2, len(chosen))


def distances(found: Judgement) -> bytes:
    """Each held-out note's distance beside its yardsticks."""
    notes = sorted(found.held_out, key=lambda each: (each.timbre, each.key, each.velocity))
    across = np.arange(len(notes))

    def paint(axes: np.ndarray) -> None:
        axis = axes[0, 0]
        axis.bar(across, [each.distance for each in notes], color=PRESET, label="preset")
        axis.scatter(across, [each.audible_distance for each in notes], color="k", s=16, label="preset, audible part")
        for name, label, mark in (
            ("softer", "next softer recording", "v"),
            ("other", "another instrument", "s"),
            ("semitones", "two semitones off", "^"),
        ):
            values = [np.nan if getattr(each, name) is None else getattr(each, name) for each in notes]
            if not np.isnan(values).all():
                axis.plot(across, values, mark, color=RECORDING, markersize=5, label=label, alpha=0.7)
        axis.axhline(LAYER_DISTANCE, color="0.5", lw=1, ls="--")
        axis.set_xticks(across, [f"{each.key:g}\nv{each.velocity:g}" for each in notes], fontsize=7)
        axis.set_ylabel("distance")
        axis.legend(fontsize=8, ncols=5)

    return draw((11.0, 3.4), paint)


def blame(found: Judgement) -> bytes:
    """A map of where the difference lies: red where the preset is too loud, blue where too soft."""

    def paint(axes: np.ndarray) -> None:
        lowest, axis = found.blame.bands_hz[:-1], axes[0, 0]
        louder = np.array(found.blame.louder_db)
        image = axis.imshow(louder, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-10.0, vmax=10.0)
        for row, column in np.ndindex(louder.shape):
            words = f"{louder[row, column]:+.0f}\n±{found.blame.off_db[row][column]:.0f}"
            axis.text(column, row, words, ha="center", va="center", fontsize=8)
        times = [f"{1000 * start:g}–{1000 * end:g} ms" for start, end in pairwise(found.blame.times_s)]
        axis.set_xticks(range(len(times)), times, fontsize=8)
        axis.set_yticks(range(len(lowest)), [f"from {edge:g} Hz" for edge in lowest], fontsize=8)
        axis.figure.colorbar(image, label="preset louder, dB")

    return draw((9.0, 3.8), paint)


def by_key(found: Judgement) -> bytes:
    """Pitch, level, brightness, purity and noise over the keyboard, a dot a note."""

    def difference(note: object, first: str, second: str) -> float:
        both = getattr(note, first), getattr(note, second)
        return np.nan if None in both else both[0] - both[1]

    rows = [
        ("pitch error, cents", lambda n: np.nan if n.cents is None else n.cents, 5.0),
        ("level error, dB", lambda n: difference(n, "level_db", "recorded_level_db"), 3.0),
        ("level error after 2 s, dB", lambda n: difference(n, "late_level_db", "recorded_late_level_db"), 6.0),
        ("purity − recording's, dB", lambda n: difference(n, "purity_db", "recorded_purity_db"), 6.0),
        ("noise − recording's, dB", lambda n: difference(n, "noise_dbfs", "recorded_noise_dbfs"), 6.0),
    ]
    rows = [row for row in rows if not np.isnan([row[1](note) for note in found.notes]).all()]
    keys = [note.key for note in found.notes]
    colours = [note.velocity for note in found.notes]

    def paint(axes: np.ndarray) -> None:
        for axis, (title, figure, bound) in zip(axes[:, 0], rows, strict=True):
            axis.axhspan(-bound, bound, color="0.93")
            dots = axis.scatter(keys, [figure(note) for note in found.notes], c=colours, s=14, cmap="viridis")
            axis.set_ylabel(title, fontsize=8)
            axis.grid(alpha=0.3)
        axes[-1, 0].set_xlabel("key")
        axes[0, 0].figure.colorbar(dots, ax=list(axes[:, 0]), label="velocity")

    return draw((10.0, 1.7 * len(rows)), paint, len(rows))


def velocities(found: Judgement) -> bytes:
    """Level and brightness from soft to loud, the preset's beside the recordings'."""
    curves = found.velocities[:: max(1, len(found.velocities) // 8)][:8]

    def paint(axes: np.ndarray) -> None:
        for column, curve in enumerate(curves):
            for row, figure in enumerate(("level_db", "brightness_hz")):
                for side, colour in (("recorded_", RECORDING), ("", PRESET)):
                    values = [np.nan if v is None else v for v in getattr(curve, side + figure)]
                    axes[row, column].plot(curve.velocities, values, ".-", color=colour)
                axes[row, column].tick_params(labelsize=7)
            axes[0, column].set_title(f"key {curve.key}", fontsize=9)
        axes[0, 0].set_ylabel("level, dBFS")
        axes[1, 0].set_ylabel("brightness, Hz")

    return draw((1.5 * len(curves) + 0.6, 3.6), paint, 2, len(curves))


def decays(found: Judgement) -> bytes:
    """How fast notes die away, octave by octave, and how long a released key takes to end."""
    octaves = octave_decays(found.notes)
    damped = [(note.key, 1000.0 * note.damping_s) for note in found.notes if note.damping_s is not None]

    def paint(axes: np.ndarray) -> None:
        across = np.arange(len(octaves))
        axes[0, 0].bar(across - 0.2, [each[2] for each in octaves], 0.4, color=RECORDING, label="recordings")
        axes[0, 0].bar(across + 0.2, [each[1] for each in octaves], 0.4, color=PRESET, label="preset")
        axes[0, 0].set_xticks(across, [f"key {each[0]}…" for each in octaves], fontsize=8)
        axes[0, 0].set_ylabel("decay of held notes, dB/s")
        axes[0, 0].legend(fontsize=8)
        if damped:
            axes[0, 1].plot(*zip(*damped, strict=True), "o", color=PRESET, markersize=4, label="preset")
            expected = next(n.expected_damping_s for n in found.notes if n.damping_s is not None)
            axes[0, 1].axhline(1000.0 * expected, color=RECORDING, label="the damper")
            axes[0, 1].set_ylabel("after note-off: ms to fall to 1/e")
            axes[0, 1].set_xlabel("key")
            axes[0, 1].set_ylim(bottom=0.0)
            axes[0, 1].legend(fontsize=8)
        else:
            axes[0, 1].axis("off")

    return draw((10.0, 3.0), paint, 1, 2)


def textures(found: Judgement) -> bytes:
    """Level over a minute, and by temperature: a row a timbre."""

    def paint(axes: np.ndarray) -> None:
        for (over_time, by_temperature), heard in zip(axes, found.textures, strict=True):
            over_time.plot(heard.level_db, color=PRESET, label="preset")
            over_time.axhline(heard.recorded_level_db, color=RECORDING, label="recordings")
            over_time.set_ylabel("level, dBFS" if len(axes) == 1 else f"timbre {heard.timbre:g}, dBFS")
            by_temperature.plot(
                list(heard.level_by_temperature), list(heard.level_by_temperature.values()), "o-", color=PRESET
            )
        axes[0, 0].legend(fontsize=8)
        axes[-1, 0].set_xlabel("s")
        axes[-1, 1].set_xlabel("temperature")

    return draw((10.0, 2.0 * len(found.textures) + 1.0), paint, len(found.textures), 2)


def worst(held_out: list[HeldOut], count: int = 3) -> list[HeldOut]:
    """The notes farthest from their recordings."""
    return sorted(held_out, key=lambda each: -each.distance)[:count]
