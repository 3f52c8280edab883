"""What a take says of itself beside its notes: the settings it was played with, and the limits that an overloaded
machine set to its voices. Both travel as text events, which other programs skip."""

from typing import NamedTuple

import msgspec

PREFIX = "rtwave "
LIMIT_PREFIX = "rtwave limit "


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a performance is played with; a render with the same settings gives the same samples.

    None stands for what the preset says; `channel` 0..15 or None for all; `sample_rate` in Hz. `tune_hz`,
    `velocity_curve`, `bend_range` in semitones, `mpe` and `controls` as Style takes them.
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
    instruction_set: str | None = None
    tune_hz: float | None = None
    velocity_curve: float | None = None
    bend_range: float | None = None
    mpe: bool | None = None
    controls: dict[str, int] | None = None


class VoiceLimit(NamedTuple):
    """From here on the engine of that number, counted from 0 in the order of their joining, has so many voices."""

    engine: int
    voices: int


def combine(asked: Settings, taken: Settings | None) -> Settings:
    """What is asked for, completed by what a take was played with."""
    if taken is None:
        return asked
    fields = ((name, getattr(asked, name)) for name in Settings.__struct_fields__)
    return Settings(**{name: getattr(taken, name) if value is None else value for name, value in fields})


def write_text(event: Settings | VoiceLimit) -> bytes:
    """The text of an event, UTF-8."""
    if isinstance(event, VoiceLimit):
        return f"{LIMIT_PREFIX}{event.engine} {event.voices}".encode()
    return PREFIX.encode() + msgspec.json.encode(event)


def read_text(text: bytes) -> Settings | VoiceLimit | None:
    """The event that a text is; None for a stranger's, which may well begin like ours."""
    if text.startswith(LIMIT_PREFIX.encode()):
        numbers = text.removeprefix(LIMIT_PREFIX.encode()).split()
        if len(numbers) == 2 and all(number.isdigit() and len(number) < 4 for number in numbers):
            return VoiceLimit(int(numbers[0]), int(numbers[1]))
        return None
    if not text.startswith(PREFIX.encode()):
        return None
    try:
        return msgspec.json.decode(text.removeprefix(PREFIX.encode()), type=Settings)
    except msgspec.DecodeError:
        return None
