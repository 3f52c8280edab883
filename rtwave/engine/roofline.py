"""What one core of this machine could do at best: stream weights out of cache, multiply and add in registers."""

import math

import msgspec

from .. import _engine


class Rates(msgspec.Struct, frozen=True):
    """Best rates of one core: `streaming` in bytes/s at a network's size, `multiplying` in multiply-adds/s."""

    streaming: float
    multiplying: float

    @classmethod
    def measure(cls, network: _engine.Network) -> "Rates":
        """Measure both as the network would meet them: its bytes, its instruction set, its precision."""
        return cls(
            streaming=_engine.streaming_rate(network.instruction_set, network.weight_bytes),
            multiplying=_engine.multiply_rate(network.instruction_set, network.precision),
        )


def roofline(network: _engine.Network, rates: Rates, voices: int, threads: int) -> float:
    """Samples/s of all voices together at the limit of the plain schedule: every core reads every weight once a step.

    Voices spread evenly over the threads, one core each; a step ends with the core that has most of them, and takes it
    the longer of reading all weights and doing all its voices' multiply-adds. A schedule that multiplies the past taps
    of several steps at once reads fewer bytes, and could pass this limit where reading is what takes longer.
    """
    most = math.ceil(voices / threads)
    step_s = max(network.weight_bytes / rates.streaming, most * network.multiplies / rates.multiplying)
    return voices / step_s
