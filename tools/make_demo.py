"""Write each preset's demo.mid: phrases of our own, one for each instrument of the bank.

python tools/make_demo.py [NAME ...]
"""

import argparse
from pathlib import Path

from demos import keyboards, sustained

PRESETS = Path(__file__).resolve().parents[1] / "presets"
PHRASES = {
    "piano": keyboards.piano,
    "piano-lite": keyboards.piano_lite,
    "mallets": keyboards.mallets,
    "bass": keyboards.bass,
    "drums": keyboards.drums,
    "strings": sustained.strings,
    "choir": sustained.choir,
    "flute": sustained.flute,
    "morph": sustained.morph,
    "drift": sustained.drift,
}


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all that are in the folder by default")
    parser.add_argument("--out", type=Path, default=PRESETS, help="folder of presets, each in a folder of its name")
    arguments = parser.parse_args()
    for name in arguments.names or [name for name in PHRASES if (arguments.out / name).is_dir()]:
        if name not in PHRASES:
            parser.error(f"{name} is no preset of the bank, expected some of {', '.join(PHRASES)}")
        file = arguments.out / name / "demo.mid"
        file.parent.mkdir(parents=True, exist_ok=True)
        print(f"{file}: {PHRASES[name]().save(file):.1f} s")


if __name__ == "__main__":
    main()
