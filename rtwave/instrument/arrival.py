"""When a MIDI message came, from what its driver says of the time between messages and from when it was fetched."""

WINDOW_NS = 10_000_000_000
"""The least lateness is that of this window and the one before it, so that drifting clocks are followed."""

EARLIEST_NS = 50_000_000
"""A message is never taken to be older than this when it is fetched: beyond it the driver's clock is not believed."""

LONGEST_S = 86_400


class ArrivalClock:
    """Moments of arrival on the computer's clock, free of the delay until a message is fetched.

    Drivers tell how long after the message before it each one came. Their sum is a clock that only lacks an offset: the
    least that a message was lately fetched behind it. Times in ns. Pure; one thread, one port.
    """

    def __init__(self) -> None:
        self._device_ns = 0.0
        self._arrival_ns = 0
        self._start_again(0.0, -2 * WINDOW_NS)

    def arrival(self, delta_s: float, fetched_ns: int) -> int:
        """When a message came that was fetched at `fetched_ns`, `delta_s` after the one before it.

        Never later than `fetched_ns` and never more than EARLIEST_NS before it; never before the one before it, as long
        as `fetched_ns` does not fall.
        """
        if 0.0 < delta_s < LONGEST_S:
            self._device_ns += delta_s * 1e9
        offset_ns = fetched_ns - self._device_ns
        age_ns = fetched_ns - self._window_ns
        if age_ns >= 2 * WINDOW_NS:
            self._start_again(offset_ns, fetched_ns)
        elif age_ns >= WINDOW_NS:
            self._window_ns, self._before_ns, self._least_ns = fetched_ns, self._least_ns, offset_ns
        self._least_ns = min(self._least_ns, offset_ns)
        if offset_ns - min(self._least_ns, self._before_ns) > EARLIEST_NS:  # messages were lost, or it began anew
            self._start_again(offset_ns, fetched_ns)
        arrival_ns = round(self._device_ns + min(self._least_ns, self._before_ns))
        self._arrival_ns = min(max(arrival_ns, self._arrival_ns, fetched_ns - EARLIEST_NS), fetched_ns)
        return self._arrival_ns

    def _start_again(self, offset_ns: float, now_ns: int) -> None:
        self._least_ns = self._before_ns = offset_ns
        self._window_ns = now_ns
