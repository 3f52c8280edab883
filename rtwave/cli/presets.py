"""`rtwave presets`: what can be played."""

from pathlib import Path

import msgspec

from ..engine.engine import choose_instruction_set, choose_precision
from ..errors import RtwaveError
from ..instrument.programs import number_programs
from ..presets import HIGHEST_PROGRAM, load_preset, preset_folders, user_presets_folder
from . import options


def presets(json: options.JsonOption = False) -> None:
    """List the presets that can be played by name.

    \b
    Example:
      rtwave presets
    """
    folders = preset_folders()
    programs = {folder: number for number, folder in number_programs(folders.values()).items()}
    listing = [_describe(name, folder, programs[folder.resolve()]) for name, folder in folders.items()]
    listing.sort(key=lambda entry: entry.get("program", HIGHEST_PROGRAM))
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
        timbres = f", timbre moves between {entry['timbres']}" if entry["timbres"] > 1 else ""
        print(f"  program {entry['program']}{_bank(entry['program'])}{timbres}{_controllers(entry['controls'])}")
        print(f"  {entry['source']}")
    if not listing:
        print(f"No presets found. Your own belong in {user_presets_folder()}.")


def _bank(program: int) -> str:
    return f" (bank {program // 128}, program {program % 128})" if program >= 128 else ""


def _controllers(controls: dict[str, int]) -> str:
    return "".join(f", {name} on CC {controller}" for name, controller in controls.items())


def _describe(name: str, folder: Path, program: int) -> dict[str, object]:
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
        "timbres": preset.weights.instrument.timbres,
        "precision": choose_precision("auto", preset.precision, choose_instruction_set()),
        "bits_per_sample": preset.precision,
        "program": program,
        "controls": preset.controls,
        "playing": msgspec.structs.asdict(preset.playing),
    }
