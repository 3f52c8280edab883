"""`rtwave doctor`: what would keep this machine from playing, in plain words."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec

from ..audio import rtkit
from ..audio.devices import choose_device, list_devices
from ..engine import cuda
from ..engine.engine import Engine, choose_instruction_set, choose_precision, cores
from ..errors import RtwaveError
from ..instrument.midi import list_ports
from ..presets import Preset, load_preset, preset_folders
from . import options

MEASURED_VOICES = 4
MEASURED_S = 0.2
MEASURED_KEYS = (48, 55, 60, 64)
LOCKED_BYTES = 8 << 20  # a stream that records at 96 kHz, the piano, and another preset beside it


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, whether it is as playing wants it, and a sentence for the player."""

    subject: str
    good: bool
    words: str


def doctor(json: options.JsonOption = False) -> None:
    """Tell what would keep this machine from playing. Warnings are told and do not fail.

    \b
    Example:
      rtwave doctor
    """
    findings = []
    for look in (_audio, _midi, _priority, _memory_lock, _cores, _gpu, _presets):
        for finding in look():
            findings.append(finding)
            if not json:
                print(f"{'ok ' if finding.good else '!! '} {finding.subject}: {finding.words}", flush=True)
    if json:
        print(msgspec.json.format(msgspec.json.encode(findings)).decode())


def _audio() -> list[Finding]:
    try:
        outputs = list_devices()
    except RtwaveError as error:
        return [Finding("sound", False, str(error))]
    if not outputs:
        words = "PortAudio works and finds no sound card: play keeps time without sound, render writes files"
        return [Finding("sound", False, words)]
    host_apis = ", ".join(dict.fromkeys(output.host_api for output in outputs))
    return [Finding("sound", True, f"{len(outputs)} outputs ({host_apis}); play takes {choose_device().description}")]


def _midi() -> list[Finding]:
    ports, problem = list_ports()
    if problem:
        return [Finding("MIDI", False, f"{problem}: play listens to the computer's keys")]
    heard = [port.name for port in ports if port.default]
    if not heard:
        return [Finding("MIDI", False, "no keyboard is there: connect one, or open a port with play --virtual")]
    return [Finding("MIDI", True, f"play listens to {', '.join(heard)}")]


def _priority() -> list[Finding]:
    if not hasattr(os, "sched_setscheduler"):
        return [Finding("priority", True, "this system has no SCHED_FIFO; PortAudio asks for its own priority")]
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError as error:
        if _granted_by_realtimekit():
            return [Finding("priority", True, "real-time priority is granted by RealtimeKit")]
        words = (
            f"real-time priority is refused ({error.strerror}): a busy machine may make drop-outs; "
            "add '@audio - rtprio 70' to /etc/security/limits.d/audio.conf"
        )
        return [Finding("priority", False, words)]
    os.sched_setscheduler(0, policy, parameters)
    return [Finding("priority", True, "real-time priority (SCHED_FIFO) is granted")]


def _granted_by_realtimekit() -> bool:
    with ThreadPoolExecutor(1) as pool:  # a thread that is to have it, and ends
        return pool.submit(lambda: rtkit.make_realtime(threading.get_native_id())).result() is None


def _memory_lock() -> list[Finding]:
    try:
        import resource
    except ImportError:  # Windows
        return []
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit == resource.RLIM_INFINITY or limit >= LOCKED_BYTES or os.geteuid() == 0:
        return [Finding("memory", True, "what makes the sound can be locked against swapping")]
    words = (
        f"only {limit >> 10} KiB can be locked against swapping, too little for presets, sound and recording; "
        "add '@audio - memlock unlimited' to /etc/security/limits.d/audio.conf"
    )
    return [Finding("memory", False, words)]


def _cores() -> list[Finding]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    good = load < 0.8 * cores()
    busy = "" if good else ": other programs keep them busy, close some"
    instructions = f"plays with {choose_instruction_set()} instructions"
    return [Finding("processor", good, f"{cores()} cores, {instructions}; load is {load:.1f}{busy}")]


def _gpu() -> list[Finding]:
    return [Finding("GPU", *cuda.describe())]


def _presets() -> list[Finding]:
    found = [_preset(name, folder) for name, folder in preset_folders().items()]
    return found or [Finding("presets", False, "none is found: export one, or play with --preset PATH")]


def _preset(name: str, folder: object) -> Finding:
    subject = f"preset {name}"
    try:
        preset = load_preset(folder)
        voices = measure_voices(preset)
    except RtwaveError as error:
        return Finding(subject, False, str(error))
    wanted = preset.playing.polyphony
    precision = choose_precision("auto", preset.precision, choose_instruction_set())
    words = f"{voices} voices in real time on one core, {precision}"
    if voices < wanted:
        words += f", fewer than its {wanted}: play it with --voices {max(voices, 1)}"
    return Finding(subject, voices >= wanted, words)


def measure_voices(preset: Preset) -> int:
    """Voices that one core plays in real time, by the best of three short runs."""
    engine = Engine(preset, voices=MEASURED_VOICES)
    frames = round(MEASURED_S * engine.model_rate)
    for key in MEASURED_KEYS:
        engine.note_on(key, 100)
    engine.render(engine.model_rate // 100)
    best_s = float("inf")
    for _ in range(3):
        started_s = time.perf_counter()
        engine.render(frames)
        best_s = min(best_s, time.perf_counter() - started_s)
    return int(MEASURED_VOICES * frames / engine.model_rate / best_s)
