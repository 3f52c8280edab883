"""`rtwave devices`: what sound can come out of, and what can be played on."""

import msgspec

from ..audio.devices import choose_device, list_devices
from ..errors import RtwaveError
from ..instrument.midi import list_ports
from . import options


def devices(json: options.JsonOption = False) -> None:
    """List sound cards and MIDI ports; * marks what play takes when it is not told.

    \b
    Example:
      rtwave devices
    """
    try:
        outputs, audio_problem = list_devices(), None
    except RtwaveError as error:
        outputs, audio_problem = [], str(error)
    ports, midi_problem = list_ports()
    if json:
        listing = {
            "audio": [msgspec.structs.asdict(output) for output in outputs],
            "audio_problem": audio_problem,
            "midi": [{"name": port.name, "api": port.api_name, "default": port.default} for port in ports],
            "midi_problem": midi_problem,
        }
        print(msgspec.json.format(msgspec.json.encode(listing)).decode())
        return
    chosen = choose_device().index
    print("Audio outputs:")
    for output in outputs:
        mark = "*" if output.index == chosen else " "
        print(f" {mark} {output.index:2}  {output.description} ({output.channels} channels, {output.sample_rate} Hz)")
    if not outputs:
        print(f"   none: {audio_problem or 'no sound card'}; play goes to a null output, without sound")
    print("MIDI inputs:")
    for port in ports:
        print(f" {'*' if port.default else ' '} {port.api_name}: {port.name}")
    if not ports:
        print(f"   none: {midi_problem or 'nothing is connected'}; play listens to the computer's keys")
