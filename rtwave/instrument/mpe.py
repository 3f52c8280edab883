"""MPE: zones of MIDI channels that carry one note each (MIDI Polyphonic Expression 1.0, RP-053)."""

import dataclasses

LOWER, UPPER = 0, 15
"""Master channels of the two zones."""

MOST_MEMBERS = 15
MEMBER_BEND_RANGE = 48.0
WIDEST_BEND = 96.0


class Zones:
    """Which channels belong to a zone. Pure; one thread."""

    def __init__(self) -> None:
        self._count = {LOWER: 0, UPPER: 0}

    def configure(self, master: int, members: int) -> list[int]:
        """Give a zone so many member channels, none ends it; the other zone shrinks where they would overlap.

        Returns the channels that start anew: the master, its members, and those whose zone is another than before.
        """
        before = [self.zone_of(channel) for channel in range(16)]
        members, other = min(members, MOST_MEMBERS), LOWER + UPPER - master
        self._count[master] = members
        if members:
            self._count[other] = min(self._count[other], max(MOST_MEMBERS - 1 - members, 0))
        own = (master, *self._led_by(master))
        return [each for each in range(16) if each in own or self.zone_of(each) != before[each]]

    def zone_of(self, channel: int) -> range:
        """Members of the zone in which `channel` is a member; empty where it is none."""
        for zone in (self._led_by(LOWER), self._led_by(UPPER)):
            if channel in zone:
                return zone
        return range(0)

    def _led_by(self, master: int) -> range:
        count = self._count[master]
        return range(1, 1 + count) if master == LOWER else range(UPPER - count, UPPER)

    @property
    def common(self) -> int:
        """The engine's channel for the notes of all channels that are no members."""
        return UPPER if self.zone_of(LOWER) else LOWER

    @property
    def members(self) -> list[int]:
        """All member channels."""
        return [channel for channel in range(16) if self.zone_of(channel)]


@dataclasses.dataclass
class Touch:
    """What the fingers do on one channel: `wheel` −1..1, `pressure` 0..1, `timbre` −0.5..0.5."""

    wheel: float = 0.0
    pressure: float = 0.0
    timbre: float = 0.0
