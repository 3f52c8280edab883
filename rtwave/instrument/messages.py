"""MIDI 1.0 messages, and a parser that turns any bytes whatever into them."""

from typing import NamedTuple

NOTE_OFF, NOTE_ON, POLY_PRESSURE, CONTROL_CHANGE = 0x80, 0x90, 0xA0, 0xB0
PROGRAM_CHANGE, CHANNEL_PRESSURE, PITCH_BEND = 0xC0, 0xD0, 0xE0
SYSEX, SONG_POSITION, FIRST_REALTIME = 0xF0, 0xF2, 0xF8
CLOCK, START, CONTINUE, STOP = 0xF8, 0xFA, 0xFB, 0xFC

BANK, MOD_WHEEL, DATA_ENTRY, VOLUME, EXPRESSION, BANK_LSB, DATA_ENTRY_LSB = 0, 1, 6, 7, 11, 32, 38
SUSTAIN, SOSTENUTO, SOFT, TIMBRE = 64, 66, 67, 74
DATA_INCREMENT, DATA_DECREMENT, NRPN_LSB, NRPN, RPN_LSB, RPN = 96, 97, 98, 99, 100, 101
ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF = 120, 121, 123


class Message(NamedTuple):
    """One message: `kind` 0x80..0xE0 of a `channel` 0..15, or 0xF0 and above, which has none (0).

    Data bytes are 0..127, 0 where the kind has fewer.
    """

    kind: int
    channel: int
    data1: int = 0
    data2: int = 0

    def to_bytes(self) -> bytes:
        """The one to three bytes on the wire, status first."""
        return bytes((self.kind | self.channel, self.data1, self.data2))[: 1 + data_bytes(self.kind)]


def data_bytes(kind: int) -> int:
    """Data bytes that follow a status of this kind."""
    if kind >= FIRST_REALTIME:
        return 0
    return 1 if kind in (PROGRAM_CHANGE, CHANNEL_PRESSURE) else 2


class Parser:
    """Bytes to messages: keeps running status, hears clocks in the middle of others, skips what is not ours.

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
                if byte in (CLOCK, START, CONTINUE, STOP):
                    messages.append(Message(byte, 0))
            elif byte >= 0x80:
                self._status = byte if byte < SYSEX or byte == SONG_POSITION else 0
                self._data = []
            elif self._status:
                self._data.append(byte)
                if len(self._data) == data_bytes(self._status & 0xF0):
                    messages.append(self._message())
        return messages

    def _message(self) -> Message:
        data, self._data = self._data, []
        if self._status >= SYSEX:  # which running status does not repeat
            status, self._status = self._status, 0
            return Message(status, 0, *data)
        return Message(self._status & 0xF0, self._status & 0x0F, *data)


def panic(channel: int) -> list[Message]:
    """What silences an instrument and lets its pedals and wheels go, as messages of a channel."""
    controllers = (ALL_SOUND_OFF, SUSTAIN, SOSTENUTO, SOFT, RESET_CONTROLLERS)
    return [Message(CONTROL_CHANGE, channel, controller, 0) for controller in controllers]
