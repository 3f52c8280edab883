"""`rtwave presets`: what can be played."""

from pathlib import Path

import msgspec

from ..engine.engine import choose_instruction_set, choose_precision
from ..errors import RtwaveError
from ..presets import load_preset, preset_folders, user_presets_folder
from . import options


def presets(json: options.JsonOption = False) -> None:
    """List the presets that can be played by name.

    \b
    Example:
      rtwave presets
    """
    listing = [_describe(name, folder) for name, folder in preset_folders().items()]
    if json:
        print(msgspec.json.format(msgspec.json.encode(listing)).decode())
        return
    for entry in listing:
        if entry["problem"]:
            print(f"{entry['name']}: cannot be played: {entry['problem']}")
            continue
        print(f"{entry['name']}: {entry['description']}")
        weights = f"{entry['parameters']:,} weights at {entry['sample_rate']} Hz, played in {entry['precision']}"
        print(f"  {weights}; licence {entry['license']}")
        print(f"  {entry['source']}")
    if not listing:
        print(f"No presets found. Your own belong in {user_presets_folder()}.")


def _describe(name: str, folder: Path) -> dict[str, object]:
    try:
        preset = load_preset(folder)
    except RtwaveError as error:
        return {"name": name, "folder": str(folder), "problem": str(error)}
    return {
        "name": name,
        "folder": str(folder),
        "problem": None,
        "description": preset.description,
        "license": preset.license,
        "source": preset.source,
        "sample_rate": preset.weights.config.sample_rate,
        "parameters": preset.weights.parameters,
        "precision": choose_precision("auto", preset.precision, choose_instruction_set()),
        "bits_per_sample": preset.precision,
        "playing": msgspec.structs.asdict(preset.playing),
    }
