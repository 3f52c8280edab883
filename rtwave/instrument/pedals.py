"""What holds each note: keys, the sustain pedal, the sostenuto pedal; and how soft the soft pedal makes it."""

HALF_PEDAL, FULL_PEDAL = 16, 64
"""Of 0..127: from here the dampers lose force, and from here, as MIDI says, they are off the strings."""

SOFTEST = 0.6
"""Share of the velocity that the soft pedal leaves when it is all the way down."""

Note = tuple[int, int]
"""Channel and number of a note as the engine knows it."""

Key = tuple[int, int]
"""Channel and number of a key as MIDI told of it."""


class Pedals:
    """The keys that are down, the three pedals, and the notes that hang on them. Pure; one thread.

    Several keys may hold one note. What a call lets go it returns, in order.
    """

    def __init__(self) -> None:
        self._down: dict[Key, Note] = {}
        self._hanging: set[Note] = set()  # their keys are up, a pedal holds them
        self._caught: set[Note] = set()  # by the sostenuto pedal
        self._sustain = self._soft = 0
        self._sostenuto = False

    def press(self, key: Key, note: Note) -> list[Note]:
        """A key goes down and strikes `note`; lets go what the same key held before, if that was another."""
        released = self.release(key) if self._down.get(key, note) != note else []
        self._down[key] = note
        self._hanging.discard(note)
        return released

    def release(self, key: Key) -> list[Note]:
        """A key comes up."""
        note = self._down.pop(key, None)
        if note is not None and note not in self._down.values():
            self._hanging.add(note)
        return self._drop()

    def release_channels(self, channels: range | list[int]) -> list[Note]:
        """All keys of these MIDI channels come up."""
        return [note for key in sorted(self._down) if key[0] in channels for note in self.release(key)]

    def clear(self) -> None:
        """Forget every note: something else has ended them. The pedals stay where they are."""
        self._down.clear()
        self._hanging.clear()
        self._caught.clear()

    def sustain(self, value: int) -> list[Note]:
        """The sustain pedal is at `value` 0..127."""
        self._sustain = value
        return self._drop()

    def sostenuto(self, value: int) -> list[Note]:
        """The sostenuto pedal is at `value`: going down it catches the notes whose keys are down."""
        down = value >= FULL_PEDAL
        if down and not self._sostenuto:
            self._caught = set(self._down.values())
        elif not down:
            self._caught.clear()
        self._sostenuto = down
        return self._drop()

    def soft(self, value: int) -> None:
        """The soft pedal is at `value` 0..127; it counts for the notes struck from now on."""
        self._soft = value

    def lift(self) -> list[Note]:
        """All three pedals come up."""
        self._soft = 0
        return self.sustain(0) + self.sostenuto(0)

    @property
    def damper(self) -> float:
        """Share of the dampers' force that the sustain pedal leaves: 1 up, 0 down."""
        share = (FULL_PEDAL - self._sustain) / (FULL_PEDAL - HALF_PEDAL)
        return min(max(share, 0.0), 1.0)

    @property
    def softness(self) -> float:
        """Share of the velocity that the soft pedal leaves."""
        return 1.0 - (1.0 - SOFTEST) * self._soft / 127.0

    @property
    def empty(self) -> bool:
        """Whether nothing holds any note."""
        return not self._down and not self._hanging

    def note_of(self, key: Key) -> Note | None:
        """The note that a key holds, None if it is up."""
        return self._down.get(key)

    def pressed(self, channel: int) -> list[Note]:
        """The notes of an engine's channel whose keys are down."""
        return sorted({note for note in self._down.values() if note[0] == channel})

    def _drop(self) -> list[Note]:
        if self._sustain >= FULL_PEDAL:
            return []
        dropped = sorted(self._hanging - self._caught)
        self._hanging.difference_update(dropped)
        return dropped
