"""What is held down on one instrument, so that it can be let go when the instrument is gone."""

from .messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    RESET_CONTROLLERS,
    SOFT,
    SOSTENUTO,
    SUSTAIN,
    Message,
)

PEDALS = (SUSTAIN, SOSTENUTO, SOFT)
AT_REST = {PITCH_BEND: (0, 64), CHANNEL_PRESSURE: (0, 0)}
"""Where the hand leaves what springs back by itself."""


class Held:
    """Keys and pedals that are down and wheels that are turned: as sets of (channel, key), (channel, controller) and
    (channel, kind). Pure; one thread."""

    def __init__(self) -> None:
        self.keys: set[tuple[int, int]] = set()
        self.pedals: set[tuple[int, int]] = set()
        self.turned: set[tuple[int, int]] = set()

    def note(self, message: Message) -> None:
        """Take note of what a message puts down or lets go."""
        place = message.channel, message.data1
        if message.kind == NOTE_ON and message.data2:
            self.keys.add(place)
        elif message.kind in (NOTE_ON, NOTE_OFF):
            self.keys.discard(place)
        elif message.kind in AT_REST:
            rests = (message.data1, message.data2) == AT_REST[message.kind]
            (self.turned.discard if rests else self.turned.add)((message.channel, message.kind))
        elif message.kind == CONTROL_CHANGE:
            if message.data1 in PEDALS:
                (self.pedals.add if message.data2 else self.pedals.discard)(place)
            elif message.data1 == RESET_CONTROLLERS:
                self.pedals -= {(message.channel, pedal) for pedal in PEDALS}
                self.turned -= {(message.channel, kind) for kind in AT_REST}
            elif message.data1 == ALL_SOUND_OFF or message.data1 >= ALL_NOTES_OFF:
                self.keys -= {(message.channel, key) for key in range(128)}

    def release(self, others: list["Held"]) -> list[Message]:
        """Messages that let everything go but what `others` hold down too."""
        keys = self.keys.difference(*(other.keys for other in others))
        pedals = self.pedals.difference(*(other.pedals for other in others))
        turned = self.turned.difference(*(other.turned for other in others))
        return [
            *(Message(NOTE_OFF, channel, key, 64) for channel, key in sorted(keys)),
            *(Message(CONTROL_CHANGE, channel, pedal, 0) for channel, pedal in sorted(pedals)),
            *(Message(kind, channel, *AT_REST[kind]) for channel, kind in sorted(turned)),
        ]
