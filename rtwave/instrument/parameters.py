"""Registered parameters (RPN): several control changes that together set one number."""

from . import messages as midi

BEND_RANGE, FINE_TUNING, COARSE_TUNING, MPE_ZONE = 0, 1, 2, 6
CENTS = 100

_NONE = 0x3FFF
"""The null parameter, by which senders close what they have opened."""


class Parameters:
    """The parameters of one MIDI channel. Pure; one thread.

    Bend range counts in semitones and cents, fine tuning in 14 bits with 0 in the middle, coarse tuning and zone in
    whole numbers. Parameters that nobody registered (NRPN) move nothing.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Every parameter as it starts."""
        self._chosen = _NONE
        self._registered = False
        self._data = {BEND_RANGE: (2, 0), FINE_TUNING: (64, 0), COARSE_TUNING: (64, 0), MPE_ZONE: (0, 0)}

    def close(self) -> None:
        """Choose no parameter."""
        self._chosen = _NONE

    def control_change(self, controller: int, value: int) -> int | None:
        """Hear a controller of 6, 38 and 96 to 101; returns the number of the parameter it has set, if any."""
        if controller in (midi.RPN, midi.RPN_LSB, midi.NRPN, midi.NRPN_LSB):
            registered = controller in (midi.RPN, midi.RPN_LSB)
            chosen = self._chosen if registered == self._registered else _NONE
            coarse = controller in (midi.RPN, midi.NRPN)
            self._registered = registered
            self._chosen = value << 7 | chosen & 0x7F if coarse else chosen & 0x3F80 | value
            return None
        if not self._registered or self._chosen not in self._data:
            return None
        self._data[self._chosen] = self._entered(controller, value)
        return self._chosen

    def _entered(self, controller: int, value: int) -> tuple[int, int]:
        coarse, fine = self._data[self._chosen]
        match controller:
            case midi.DATA_ENTRY:
                return value, 0
            case midi.DATA_ENTRY_LSB:
                return coarse, value
        step = 1 if controller == midi.DATA_INCREMENT else -1
        if self._chosen in (COARSE_TUNING, MPE_ZONE):
            return min(max(coarse + step, 0), 127), fine
        base = CENTS if self._chosen == BEND_RANGE else 128
        return divmod(min(max(coarse * base + fine + step, 0), 128 * base - 1), base)

    def set_bend_range(self, semitones: float) -> None:
        """Set the bend range without a message."""
        self._data[BEND_RANGE] = divmod(round(semitones * CENTS), CENTS)

    @property
    def bend_range(self) -> float:
        """Semitones to either side."""
        coarse, fine = self._data[BEND_RANGE]
        return coarse + fine / CENTS

    @property
    def tuning(self) -> float:
        """Semitones of the fine tuning, −1..1."""
        coarse, fine = self._data[FINE_TUNING]
        return ((coarse << 7 | fine) - 8192) / 8192

    @property
    def transpose(self) -> int:
        """Semitones of the coarse tuning, −64..63."""
        return self._data[COARSE_TUNING][0] - 64

    @property
    def members(self) -> int:
        """Member channels of the MPE zone that this channel leads, 0 for none."""
        return self._data[MPE_ZONE][0]
