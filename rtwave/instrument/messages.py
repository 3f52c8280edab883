"""MIDI 1.0 channel messages, and a parser that turns any bytes whatever into them."""

from typing import NamedTuple

NOTE_OFF, NOTE_ON, POLY_PRESSURE, CONTROL_CHANGE = 0x80, 0x90, 0xA0, 0xB0
PROGRAM_CHANGE, CHANNEL_PRESSURE, PITCH_BEND = 0xC0, 0xD0, 0xE0

MOD_WHEEL, VOLUME, EXPRESSION, SUSTAIN = 1, 7, 11, 64
ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF = 120, 121, 123

SYSEX, FIRST_REALTIME = 0xF0, 0xF8


class Message(NamedTuple):
    """One channel message: `kind` 0x80..0xE0, `channel` 0..15, data bytes 0..127 (`data2` 0 where there is none)."""

    kind: int
    channel: int
    data1: int
    data2: int = 0

    def to_bytes(self) -> bytes:
        """The two or three bytes on the wire, status first."""
        return bytes((self.kind | self.channel, self.data1, self.data2))[: 1 + data_bytes(self.kind)]


def data_bytes(kind: int) -> int:
    """Data bytes that follow a channel status."""
    return 1 if kind in (PROGRAM_CHANGE, CHANNEL_PRESSURE) else 2


class Parser:
    """Bytes to channel messages: keeps running status, lets realtime bytes through, skips what is not ours.

    `feed` takes any bytes in any pieces and never raises. One thread.
    """

    def __init__(self) -> None:
        self._status = 0
        self._data: list[int] = []

    def feed(self, data: bytes | list[int]) -> list[Message]:
        """Messages completed by `data`; a started one waits for the rest of its bytes."""
        messages = []
        for byte in data:
            if byte >= FIRST_REALTIME:
                continue
            if byte >= 0x80:
                self._status = byte if byte < SYSEX else 0
                self._data = []
            elif self._status:
                self._data.append(byte)
                if len(self._data) == data_bytes(self._status & 0xF0):
                    messages.append(Message(self._status & 0xF0, self._status & 0x0F, *self._data))
                    self._data = []
        return messages
