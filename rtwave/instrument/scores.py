"""MIDI files in and out: scores to be played, and takes of what was played, at exact model frames."""

import os
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import mido
import msgspec

from ..errors import RtwaveError
from .messages import Message, Parser

DEFAULT_TEMPO_US = 500_000
TAKE_PREFIX = "rtwave "
LONGEST_S = 86_400


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a take was played with; travels in it as a text event, so that a render of it gives the same samples.

    None stands for what the preset says; `channel` 0..15 or None for all; `sample_rate` in Hz.
    """

    preset: str | None = None
    seed: int | None = None
    voices: int | None = None
    temperature: float | None = None
    gain_db: float | None = None
    transpose: int | None = None
    channel: int | None = None
    sample_rate: int | None = None
    precision: str | None = None


class Score(NamedTuple):
    """A MIDI file in time order: `events` of (seconds, message), its whole length, a take's settings or None."""

    events: list[tuple[float, Message]]
    duration_s: float
    settings: Settings | None


def read_score(path: str | Path) -> Score:
    """Read a MIDI file of type 0 or 1 with all its tempo changes; a damaged one raises RtwaveError with one line."""
    try:
        with open(path, "rb") as file:
            midi = mido.MidiFile(file=file, clip=True)
            return _schedule(midi, str(path))
    except FileNotFoundError:
        raise RtwaveError(f"{path}: no such MIDI file") from None
    except (IsADirectoryError, PermissionError) as error:
        raise RtwaveError(f"{path}: cannot be read ({error.strerror}); expected a MIDI file") from None
    except EOFError:
        raise RtwaveError(f"{path}: the MIDI file ends too early; fetch or save it again") from None
    except (OSError, ValueError, LookupError, TypeError, OverflowError, mido.KeySignatureError) as error:
        raise RtwaveError(f"{path}: not a whole MIDI file ({error}); fetch or save it again") from None


def _schedule(midi: mido.MidiFile, path: str) -> Score:
    if midi.type == 2:
        raise RtwaveError(f"{path}: MIDI file of type 2, expected type 0 or 1; save it as one song")
    if midi.ticks_per_beat <= 0:
        raise RtwaveError(f"{path}: MIDI file in SMPTE time, expected ticks per beat; save it with a tempo")
    seconds_per_tick = DEFAULT_TEMPO_US * 1e-6 / midi.ticks_per_beat
    tick = tempo_tick = 0
    tempo_s = 0.0
    events, settings = [], None
    for message in mido.merge_tracks(midi.tracks):
        tick += message.time
        # counted from the last tempo change, so that a take's frames come back exact
        now_s = tempo_s + (tick - tempo_tick) * seconds_per_tick
        if message.type == "set_tempo":
            tempo_s, tempo_tick = now_s, tick
            seconds_per_tick = message.tempo * 1e-6 / midi.ticks_per_beat
        elif message.type == "text" and message.text.startswith(TAKE_PREFIX):
            settings = _read_settings(message.text)
        elif not message.is_meta:
            events += [(now_s, heard) for heard in Parser().feed(message.bytes())]
    duration_s = tempo_s + (tick - tempo_tick) * seconds_per_tick
    if duration_s > LONGEST_S:
        raise RtwaveError(f"{path}: the MIDI file lasts {duration_s:.0f} s, expected at most {LONGEST_S} s")
    return Score(events, duration_s, settings)


def _write_settings(settings: Settings) -> str:
    """UTF-8 in the clothes of Latin-1, which is what mido takes MIDI text for."""
    return TAKE_PREFIX + msgspec.json.encode(settings).decode("latin1")


def _read_settings(text: str) -> Settings | None:
    try:
        return msgspec.json.decode(text.removeprefix(TAKE_PREFIX).encode("latin1"), type=Settings)
    except msgspec.DecodeError:
        return None  # a stranger's text event that begins like ours


class Take:
    """What was played, message by message, each at the model frame where it was applied.

    A message that moves nothing at once (a key let go under the pedal) has no frame of its own and takes that of
    the message before it. One thread, or a lock around it.
    """

    def __init__(self, model_rate: int, settings: Settings) -> None:
        self._model_rate = model_rate
        self._settings = settings
        self._messages: list[Message] = []
        self._frames: list[int | None] = []

    def add(self, message: Message, frame: int | None = None) -> int:
        """Note a message; returns its tag, 1 or more, by which `applied` finds it."""
        self._messages.append(message)
        self._frames.append(frame)
        return len(self._messages)

    def applied(self, tag: int, frame: int) -> None:
        """Note where the engine applied the message of that tag."""
        self._frames[tag - 1] = frame

    def save(self, path: str | Path, end_frame: int) -> None:
        """Write a MIDI file whose tick is one model frame, or as near as MIDI can count; raises RtwaveError.

        It ends at `end_frame`; what was noted for later is left out.
        """
        ticks_per_beat, tempo_us = _tick_of(self._model_rate)
        text = _write_settings(self._settings)
        track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo_us), mido.MetaMessage("text", text=text)])
        previous = 0
        for message, frame in zip(self._messages, self._frames, strict=True):
            now = max(previous, frame or 0)
            if now > end_frame:
                break
            track.append(mido.Message.from_bytes(message.to_bytes(), time=now - previous))
            previous = now
        track.append(mido.MetaMessage("end_of_track", time=end_frame - previous))
        midi = mido.MidiFile(type=0, ticks_per_beat=ticks_per_beat, tracks=[track])
        temporary = Path(path).with_suffix(".partial")
        try:
            midi.save(temporary)
            temporary.replace(path)
        except OSError as error:
            raise RtwaveError(f"{path}: the take cannot be written ({error.strerror}); name another file") from None


def check_take_path(path: str | Path) -> None:
    """Raise RtwaveError unless a take can be written to `path`; nothing there is touched."""
    path = Path(path).absolute()
    if path.suffix.lower() not in (".mid", ".midi"):
        raise RtwaveError(f"{path}: unknown kind of take, expected a name that ends in .mid")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise RtwaveError(f"{path}: the take cannot be written there; name another file")


def _tick_of(model_rate: int) -> tuple[int, int]:
    """(ticks per beat, tempo in µs per beat) that make one tick one frame; MIDI counts to 32767 ticks a beat."""
    exact = (n for n in range(1, 129) if model_rate % n == 0 and 1_000_000 % n == 0 and model_rate // n <= 32_767)
    beats_per_s = next(chain(exact, [16]))
    return model_rate // beats_per_s, 1_000_000 // beats_per_s
