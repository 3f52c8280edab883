"""A preset's picture: its own phrase, and below it recordings beside what the preset makes of the same notes.

    python tools/spectrogram.py presets/piano --corpus corpora/piano
    python tools/spectrogram.py presets/piano                           without recordings: the phrase alone

Writes spectrogram.png into the preset's folder, or to --out.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

from rtwave import Engine, load_preset, render_midi
from rtwave.presets import Preset
from rtwave.training.corpus import Corpus, Entry
from rtwave.training.spectra import spectrogram_db

mpl.use("Agg")

MOST_NOTES, NOTE_S, HELD = 8, 1.4, 0.85
USUAL_VELOCITY = 90.0
WINDOW_S, HOP_S = 0.05, 0.01
RANGE_DB, SILENCE = 80.0, 1e-3
COLOURS = 32
"""What keeps the file small."""


def chosen(corpus: Corpus) -> list[Entry]:
    """Some recordings of a usual velocity, from the lowest to the highest, and from timbre to timbre."""
    entries = corpus.index.entries
    places = sorted({(entry.timbre, entry.note) for entry in entries})
    count = min(MOST_NOTES, len(places))
    few = [places[round(n * (len(places) - 1) / max(count - 1, 1))] for n in range(count)]
    same = [[entry for entry in entries if (entry.timbre, entry.note) == place] for place in few]
    return [min(group, key=lambda entry: abs(entry.velocity - USUAL_VELOCITY)) for group in same]


def recorded(corpus: Corpus, entries: list[Entry]) -> np.ndarray:
    """The recordings one after another, damped where the preset is released."""
    rate, index = corpus.index.sample_rate, corpus.index
    step, off = round(NOTE_S * rate), round(HELD * NOTE_S * rate)
    sound = np.zeros(len(entries) * step, np.float32)
    for number, entry in enumerate(entries):
        note = np.array(corpus.sound(entry, 0, step))
        if index.is_damped(entry.note):
            note[off:] *= np.exp(-np.arange(len(note[off:])) / (index.damper_s * rate))
        sound[number * step :][: len(note)] = note
    return sound


def played(preset: Preset, corpus: Corpus, entries: list[Entry]) -> np.ndarray:
    """The same notes at the recordings' own level, at the preset's own temperature."""
    engine = Engine(preset, voices=2)
    rate, last = engine.sample_rate, len(corpus.index.timbres) - 1
    step = round(NOTE_S * rate)
    engine.control("gain_db", 0.0)
    for number, entry in enumerate(entries):
        if corpus.index.kind != "drums" and last > 0:
            engine.control("timbre", entry.timbre / last, at=number * step)
        engine.note_on(round(entry.note), round(entry.velocity), at=number * step)
        engine.note_off(round(entry.note), at=number * step + round(HELD * NOTE_S * rate))
    return engine.render(len(entries) * step)


def draw(sounds: dict[str, np.ndarray], rate: int, out: Path) -> None:
    """One panel for each sound, by its title."""
    from matplotlib import pyplot
    from PIL import Image

    figure, axes = pyplot.subplots(len(sounds), 1, figsize=(9, 2.3 * len(sounds)), layout="constrained", squeeze=False)
    for axis, (title, sound) in zip(axes[:, 0], sounds.items(), strict=True):
        power = spectrogram_db(sound, rate, WINDOW_S, HOP_S)
        extent = (0, len(sound) / rate, 0, rate / 2000)
        options = {"origin": "lower", "aspect": "auto", "cmap": "magma", "interpolation": "nearest"}
        axis.imshow(power, extent=extent, vmin=power.max() - RANGE_DB, vmax=power.max(), **options)
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_ylabel("kHz")
    axes[-1, 0].set_xlabel("seconds")
    figure.savefig(out, dpi=80)
    pyplot.close(figure)
    with Image.open(out) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", help="a name or a folder")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--out", type=Path, help="spectrogram.png in the preset's folder by default")
    arguments = parser.parse_args()
    preset = load_preset(arguments.preset)
    rate = preset.weights.config.sample_rate
    sounds = {}
    if preset.demo is not None:
        phrase = render_midi(preset.demo, preset.folder)
        audible = np.flatnonzero(np.abs(phrase) > SILENCE * np.abs(phrase).max())
        sounds[f"{preset.name}: its own phrase"] = phrase[: audible[-1] + 1]
    if arguments.corpus:
        corpus = Corpus(arguments.corpus)
        entries = chosen(corpus)
        sounds["Recordings"] = recorded(corpus, entries)
        sounds["The same notes, one sample at a time"] = played(preset, corpus, entries)
    out = arguments.out or preset.folder / "spectrogram.png"
    draw(sounds, rate, out)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
