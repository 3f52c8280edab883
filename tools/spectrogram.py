"""The picture in the README: the recorded piano above, the preset below, the same notes at the same velocities.

python tools/spectrogram.py --preset piano --corpus corpora/piano --out docs/piano.png
"""

import argparse

import matplotlib as mpl
import numpy as np

from rtwave import Engine, load_preset
from rtwave.training.corpus import Corpus

mpl.use("Agg")

NOTES = ((36, 100), (48, 60), (60, 110), (72, 80), (84, 60))
NOTE_S = 1.6
WINDOW, HOP = 1024, 128
RANGE_DB = 85.0


def render(preset, rate: int) -> np.ndarray:
    """Each note held for most of its share of time, then released; played at the preset's own temperature."""
    engine = Engine(preset, voices=len(NOTES))
    engine.control("gain_db", 0.0)  # the recordings' own level
    for index, (key, velocity) in enumerate(NOTES):
        start = int(index * NOTE_S * rate)
        engine.note_on(key, velocity, at=start)
        engine.note_off(key, at=start + int(0.9 * NOTE_S * rate))
    return engine.render(int(len(NOTES) * NOTE_S * rate))


def recorded(corpus: Corpus, rate: int) -> np.ndarray:
    """The nearest recordings, damped where the preset is released."""
    sound = np.zeros(int(len(NOTES) * NOTE_S * rate), np.float32)
    for index, (key, velocity) in enumerate(NOTES):
        entry = min(corpus.index.entries, key=lambda e: (abs(e.note - key), abs(e.velocity - velocity)))
        note = np.array(corpus.sound(entry)[: int(NOTE_S * rate)])
        off = int(0.9 * NOTE_S * rate)
        note[off:] *= np.exp(-np.arange(len(note) - off) / (0.06 * rate))
        sound[int(index * NOTE_S * rate) :][: len(note)] += note
    return sound


def spectrogram_db(sound: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(sound, WINDOW // 2), WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW))) ** 2
    return 10.0 * np.log10(power.T + 1e-12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="piano")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    from matplotlib import pyplot

    preset, corpus = load_preset(arguments.preset), Corpus(arguments.corpus)
    rate = preset.weights.config.sample_rate
    figure, axes = pyplot.subplots(2, 1, figsize=(10, 5.6), sharex=True, layout="constrained")
    sounds = {"Recording": recorded(corpus, rate), "rtwave, one sample at a time": render(preset, rate)}
    top = max(spectrogram_db(sound).max() for sound in sounds.values())
    for axis, (title, sound) in zip(axes, sounds.items(), strict=True):
        extent = (0, len(sound) / rate, 0, rate / 2000)
        axis.imshow(
            spectrogram_db(sound),
            origin="lower",
            aspect="auto",
            extent=extent,
            vmin=top - RANGE_DB,
            vmax=top,
            cmap="magma",
        )
        axis.set_title(title, loc="left")
        axis.set_ylabel("kHz")
    axes[-1].set_xlabel("seconds: C2, C3, C4, C5, C6")
    figure.savefig(arguments.out, dpi=110)


if __name__ == "__main__":
    main()
