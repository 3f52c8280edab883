"""The engine a program holds: a network's voices, played by commands, heard by `render`."""

import os
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from .. import _engine
from ..errors import RtwaveError
from ..wavenet.config import WaveNetConfig
from ..wavenet.precision import activation_steps, best_precision
from ..wavenet.weights import Weights
from .commands import AllNotesOff, AllSoundOff, Command, Control, Limit, NoteControl, NoteOff, NoteOn
from .controls import CONTROLS, NOTE_CONTROLS
from .devices import MAX_DEVICE_VOICES, check_device, choose_device_precision, open_device

if TYPE_CHECKING:
    from ..presets import Preset

MAX_VOICES = 256
MAX_THREADS = 64
_NOW = -1


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_instruction_set(name: str = "auto") -> str:
    """The kernels to run: RTWAVE_INSTRUCTION_SET if set and `name` is "auto", else `name`, else the machine's best.

    Raises RtwaveError listing those available when this machine cannot run them.
    """
    forced = os.environ.get("RTWAVE_INSTRUCTION_SET") if name == "auto" else None
    wanted = forced or name
    available = _engine.instruction_sets()
    if wanted == "auto":
        return available[-1]
    if wanted not in available:
        what = "RTWAVE_INSTRUCTION_SET" if forced else "instruction set"
        raise RtwaveError(f"{what} is {wanted!r}, this machine has {', '.join(available)}")
    return wanted


def precisions(instruction_set: str) -> list[str]:
    """The precisions that an instruction set of this machine has, fastest first."""
    return _engine.precisions(instruction_set)


def choose_precision(name: str, bits: dict[str, float], instruction_set: str) -> str:
    """The precision to run: `name`, or for "auto" the fastest that a preset's `bits` per sample allow.

    Raises RtwaveError listing those that the instruction set has.
    """
    available = precisions(instruction_set)
    if name == "auto":
        return best_precision(bits, available)
    if name not in available:
        raise RtwaveError(f"precision is {name!r}, {instruction_set} has auto, {', '.join(available)}")
    return name


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or not low <= value <= high:
        raise RtwaveError(f"{name} is {value!r}, expected a whole number from {low} to {high}")


class Engine:
    """Up to `voices` notes of one network, one sample per step.

    `model`: a Preset or Weights. `seed` fixes the random streams: same model, seed, commands, instruction set and
    precision give the same samples, bit for bit, whatever the block sizes and the number of threads. `threads` 1..64:
    the one that renders, and others that take voices off it; from two voices on they pay, up to the number of cores.
    `instruction_set`: "auto" or a name as `bench` shows it. `precision`: "float32", "bfloat16", "int8", or "auto" for
    the fastest that the preset's own measurement allows, which without one is float32. `sample_rate` in Hz is that of
    `render` (None: the model's); frames of commands are always the model's. Commands may come from any thread; one
    thread renders.

    `device`: one of DEVICES of devices.py, or an object as open_device gives them: renders the voices in the place of
    the instruction set, up to 4096 of them, in "float32", "bfloat16" or "float16" ("auto": as fast as it can well do),
    to its own rounding; the threads then share what is left to do for each voice. When it fails, all is silent from
    there on, and `take_problem` says why.
    """

    def __init__(
        self,
        model: "Preset | Weights",
        voices: int = 8,
        seed: int = 0,
        instruction_set: str = "auto",
        precision: str = "auto",
        threads: int = 1,
        sample_rate: int | None = None,
        device: object = "cpu",
    ) -> None:
        self.device = check_device(device) if isinstance(device, str) else type(device).__name__
        on_cpu = device == "cpu"
        _check_whole("voices", voices, 1, MAX_VOICES if on_cpu else MAX_DEVICE_VOICES)
        _check_whole("seed", seed, 0, 2**64 - 1)
        _check_whole("threads", threads, 1, MAX_THREADS)
        weights = model if isinstance(model, Weights) else getattr(model, "weights", None)
        if not isinstance(weights, Weights):
            raise RtwaveError(f"model is {type(model).__name__}, expected a Preset or Weights")
        playing = getattr(model, "playing", None)
        self.config: WaveNetConfig = weights.config
        self.voices = voices
        self.threads = threads
        self.model_rate = self.config.sample_rate
        self.sample_rate = self.model_rate if sample_rate is None else sample_rate
        _check_whole("sample_rate", self.sample_rate, 1_000, 768_000)
        controls = [
            (control.low, control.high, control.check(getattr(playing, name, control.default)))
            for name, control in CONTROLS.items()
        ]
        self.instruction_set = choose_instruction_set(instruction_set)
        if on_cpu:
            self.precision = choose_precision(precision, getattr(model, "precision", {}), self.instruction_set)
        else:
            self.precision = choose_device_precision(precision, self.device)
        steps = activation_steps(weights) if self.precision == "int8" else None
        self._weights, self._asked_device, self._told_problem = weights, device, False
        self._forced: _engine.Device | None = None  # the device that teacher forcing has for itself
        try:
            network = _engine.Network(weights, self.instruction_set, self.precision if on_cpu else "float32", steps)
            renderer = None if on_cpu else self._open(voices + _engine.SPARE_SLOTS)
            self.native = _engine.NativeEngine(network, weights, controls, voices, threads, seed, renderer)
        except MemoryError:
            raise RtwaveError(
                f"the system has no room for {voices} voices on {threads} threads; ask for fewer"
            ) from None
        self._resampler = None
        if self.sample_rate != self.model_rate:
            from .._stream import Resampler

            self._resampler = Resampler(self.model_rate, self.sample_rate)

    def _open(self, slots: int) -> _engine.Device:
        device = self._asked_device
        if isinstance(device, str):
            device = open_device(device, self._weights, slots, self.precision)
        return _engine.Device(device, self.config, slots)

    def note_on(self, note: int, velocity: int, at: int | None = None, tag: int = 0) -> None:
        """Strike a key: `note` 0..127, `velocity` 1..127; `at`, `tag` as in `submit`."""
        self.submit([NoteOn(note, velocity)], at, tag)

    def note_off(self, note: int, at: int | None = None, tag: int = 0) -> None:
        """Let a key go; `at`, `tag` as in `submit`."""
        self.submit([NoteOff(note)], at, tag)

    def control(self, name: str, value: float, at: int | None = None, tag: int = 0) -> None:
        """Set a control of rtwave/engine/controls.py in its own unit; `at`, `tag` as in `submit`."""
        self.submit([Control(name, value)], at, tag)

    def all_notes_off(self, at: int | None = None, tag: int = 0) -> None:
        """Let every key go; `at`, `tag` as in `submit`."""
        self.submit([AllNotesOff()], at, tag)

    def all_sound_off(self, at: int | None = None, tag: int = 0) -> None:
        """Silence everything within 5 ms; `at`, `tag` as in `submit`."""
        self.submit([AllSoundOff()], at, tag)

    def submit(self, commands: Sequence[Command], at: int | None = None, tag: int = 0) -> None:
        """Queue commands as one batch, applied in order just before model frame `at` sounds (None: the next frame).

        A frame already rendered counts as the next. `tag` 1..2**31 − 1 is given back by `applied`, once a command.
        Raises RtwaveError when the queue is full; then none of the batch is queued.
        """
        if at is not None:
            _check_whole("at", at, 0, 2**63 - 1)
        _check_whole("tag", tag, 0, _engine.LIMIT_TAG - 1)
        frame = _NOW if at is None else at
        if not self.native.push([(frame, tag, *_record(command)) for command in commands]):
            raise RtwaveError(
                f"command queue is full ({len(commands)} dropped); render what is queued before sending more"
            )

    def applied(self) -> list[tuple[int, int]]:
        """(tag, model frame) of every tagged command applied since the last call, in order.

        With them comes what the renderer did of its own accord: LIMIT_TAG of rtwave._engine + voices, for a new limit.
        """
        return self.native.take_echoes()

    def render(self, frames: int) -> np.ndarray:
        """The next samples at `sample_rate`, mono float32 (frames,) within −1..1.

        Raises RtwaveError once when the device has failed, and gives silence from then on.
        """
        _check_whole("frames", frames, 0, 2**40)
        if self._resampler is None:
            samples = self.native.render(frames)
        else:
            samples = self._resampler.process(self.native.render(self._resampler.needed(frames)), frames)
        self._raise_problem()
        return samples

    def render_voices(self, frames: int) -> np.ndarray:
        """What each voice says in the next frames, float32 (slots, frames) at the model's rate, by itself.

        A note has the row of its slot, the lowest that was free when it was struck; there are a few more slots than
        voices, for those that fade away. A row holds what `render` gives of that note alone; raises as that does.
        """
        _check_whole("frames", frames, 0, 2**40)
        rows = self.native.render_voices(frames)
        self._raise_problem()
        return rows

    def _raise_problem(self) -> None:
        problem = self.take_problem()
        if problem:
            raise RtwaveError(problem)

    def teacher_force(
        self, samples: np.ndarray, conditioning: np.ndarray, excitation: np.ndarray | None = None
    ) -> np.ndarray:
        """Outputs (T, outputs) float32 of the engine's own kernels, stepped through given samples from zero rings.

        On a device: those of another one of its kind, of one voice.
        samples (T,) classes or float32; conditioning (C, T); excitation (2K, T), or None for zeros. outputs[t] predicts
        sample t + 1; conditioning[:, t] and excitation[:, t] belong to the sample predicted. Changes no voice.
        """
        config = self.config
        samples = _float32("samples", samples)
        if samples.ndim != 1:
            raise RtwaveError(f"samples have shape {samples.shape}, expected (T,)")
        frames = len(samples)
        if excitation is None:
            excitation = np.zeros((config.excitation_channels, frames), np.float32)
        conditioning, excitation = _float32("conditioning", conditioning), _float32("excitation", excitation)
        for name, signal, channels in (
            ("conditioning", conditioning, config.conditioning_channels),
            ("excitation", excitation, config.excitation_channels),
        ):
            if signal.shape != (channels, frames):
                raise RtwaveError(f"{name} has shape {signal.shape}, expected {(channels, frames)}")
        if config.output == "mulaw":
            classes = (samples >= 0) & (samples < config.quantization_channels) & (samples == np.floor(samples))
            if not classes.all():
                highest = config.quantization_channels - 1
                raise RtwaveError(f"samples hold other than classes, expected whole numbers from 0 to {highest}")
        inputs = np.ascontiguousarray(samples[None]), _frame_major(conditioning), _frame_major(excitation)
        if self.native.device is None:
            return self.native.network.teacher_force(*inputs)[0]
        self._forced = self._forced or self._open(1)
        try:
            return self._forced.teacher_force(*inputs)[0]
        except RuntimeError as error:
            raise RtwaveError(f"engine {self.device} failed ({error}); play on with --engine cpu") from None

    def counters(self) -> dict[str, int]:
        """Events since the start: faults, stolen_voices, dropped_commands, dropped_echoes, notes. Any thread."""
        return self.native.counters()

    @property
    def frame(self) -> int:
        """The model frame to be rendered next. Any thread."""
        return self.native.frame

    @property
    def active_voices(self) -> int:
        """Notes sounding, 0..voices; those fading away do not count. Any thread."""
        return self.native.active_voices

    def take_problem(self) -> str | None:
        """When the device has failed, once: why everything is silent, in a line. Any thread."""
        if self._told_problem or not self.native.failed:
            return None
        self._told_problem = True
        why = self.native.device.problem or "it does not say why"
        return f"engine {self.device} failed ({why}), all is silent from here on; begin anew, or with --engine cpu"

    @property
    def memory_locked(self) -> bool:
        """Whether the system keeps all that rendering needs out of swap."""
        return self.native.memory_locked

    @property
    def limit(self) -> int:
        """Notes that may sound at once, 1..voices: all, unless a Limit or an overload says fewer. Any thread."""
        return self.native.limit


def _record(command: Command) -> tuple[int, int, int, int, int, float]:
    """Type, channel, note, velocity, id and value of command_t in extensions/engine.h."""
    match command:
        case NoteOn(note=note, velocity=velocity, channel=channel, stream=stream):
            return 0, channel, note, velocity, 0 if stream is None else stream + 1, 0.0
        case NoteOff(note=note, channel=channel):
            return 1, channel, note, 0, 0, 0.0
        case Control(name=name, value=value):
            return 2, 0, 0, 0, CONTROLS[name].id, value
        case AllNotesOff():
            return 3, 0, 0, 0, 0, 0.0
        case AllSoundOff():
            return 4, 0, 0, 0, 0, 0.0
        case NoteControl(name=name, value=value, note=note, channel=channel):
            return 5, channel, -1 if note is None else note, 0, NOTE_CONTROLS[name].id, value
        case Limit(voices=voices):
            return 6, 0, 0, 0, 0, float(voices)
    raise RtwaveError(f"command is {command!r}, expected one of rtwave.engine.commands")


def _float32(name: str, signal: object) -> np.ndarray:
    try:
        return np.asarray(signal, np.float32)
    except (TypeError, ValueError):
        raise RtwaveError(f"{name} is {type(signal).__name__}, expected an array of numbers") from None


def _frame_major(signal: np.ndarray) -> np.ndarray:
    """(channels, T) as (1, T, channels)."""
    return np.ascontiguousarray(signal.T[None])
