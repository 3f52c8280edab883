"""What a loss should be after so many steps, and plain words for a run that is elsewhere.

The loss in nats per sample of what the network models: levelled, so that it says the same of soft recordings as of
loud ones. The bands are wide, and hold for the usual network, rate and batch at 16 to 48 kHz:

mu-law        starts at ln 256 = 5.5; the paper's own kind of data, a piano at 16 kHz, is below 2.0 after about 1,000
              steps and ends near 1.5. Levelled recordings use all classes all the time and cost about one nat more.
Gaussian      starts near −1.9, the entropy of a levelled tone of which nothing is known but its size; a sampled piano
              measured −2.6 after 100 steps, −3.3 after 1,000, −4.4 after 5,000, −5.0 after 12,000 (4.1 bits per sample
              of what it learned from, 5.9 of what it had not heard); flute and strings at 24 kHz −2.2 after 60 to 100,
              drums at 32 kHz −1.65 after 60, a drone −2.0. White noise stays at −0.6 whatever one does.
"""

from collections import deque

import numpy as np

from ..wavenet.config import WaveNetConfig

STEPS = (1, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)
GAUSSIAN_TONES = (
    (-3.5, -5.0, -6.0, -6.5, -7.0, -7.3, -7.6, -7.9),
    (9.9, 9.9, -1.9, -2.1, -2.4, -2.7, -3.0, -3.2),
)
GAUSSIAN_NOISES = ((-3.5, -5.0, -6.0, -6.5, -7.0, -7.3, -7.6, -7.9), (9.9, 9.9, 0.0, -0.3, -0.4, -0.4, -0.4, -0.4))
MULAW_PLAIN = ((5.0, 2.5, 1.2, 0.8, 0.6, 0.5, 0.5, 0.4), (5.8, 5.5, 4.5, 3.0, 2.0, 1.9, 1.8, 1.8))
MULAW_LEVELLED = ((5.0, 3.0, 2.0, 1.2, 0.9, 0.7, 0.6, 0.5), (5.8, 5.5, 5.2, 4.7, 4.2, 4.0, 3.9, 3.8))
"""(lowest, highest) that is expected at each of STEPS."""

REMEMBERED = 100
"""Steps of which the median counts: single batches with an attack in them cost a hundred times as much."""
EARLIEST_HINT = 300
WORSE_NATS = 1.0
RISING_BITS, FAR_BITS = 0.15, 3.5


def expected_nats(config: WaveNetConfig, pitched: bool, step: int) -> tuple[float, float]:
    """(lowest, highest) nats per sample that a healthy run shows after `step` steps."""
    if config.output == "mulaw":
        bands = MULAW_LEVELLED if config.leveling == "loudness" else MULAW_PLAIN
    else:
        bands = GAUSSIAN_TONES if pitched and config.leveling == "loudness" else GAUSSIAN_NOISES
    low, high = (float(np.interp(np.log(max(step, 1)), np.log(STEPS), edge)) for edge in bands)
    return low, high


class Watch:
    """Follows a run's loss; each thing that goes wrong is said once."""

    def __init__(self, config: WaveNetConfig, pitched: bool) -> None:
        self.config, self.pitched = config, pitched
        self._recent: deque[float] = deque(maxlen=REMEMBERED)
        self._best = self._best_held_out = np.inf
        self._risen = 0
        self._said: set[str] = set()

    @property
    def nats(self) -> float:
        """The loss as it stands: the median of the last steps."""
        return float(np.median(self._recent))

    def band(self, step: int) -> str:
        """The expected band, in words as short as can be."""
        low, high = expected_nats(self.config, self.pitched, step)
        return f"{low:.1f} to {high:.1f}" if high < 9.0 else f"above {low:.1f}"

    def step(self, step: int, *nats: float) -> list[str]:
        """Take note of the losses of some steps up to this one; returns what there is to say."""
        self._recent.extend(nats)
        if step < EARLIEST_HINT or len(self._recent) < REMEMBERED:
            return []
        now, (low, high) = self.nats, expected_nats(self.config, self.pitched, step)
        found = f"the loss is {now:.2f} nats at step {step}, expected {low:.1f} to {high:.1f}"
        hints = []
        if now > self._best + WORSE_NATS:
            hints += self._once("diverging", f"{found} and it was {self._best:.2f}: lower --learning-rate")
        elif now > high:
            hints += self._once(
                "stuck",
                f"{found}: hardly anything is learned; are the recordings at their true rate and pitch, "
                "neither noise nor silence? if they are, halve --learning-rate",
            )
        elif now < low:
            hints += self._once(
                "too good", f"{found}: hardly anything is left to learn; are the recordings mostly silence?"
            )
        self._best = min(self._best, now)
        return hints

    def held_out(self, step: int, bits: float, held_out_bits: float) -> list[str]:
        """Take note of a judgement, beside the bits of what was learned from; returns what there is to say."""
        self._risen = self._risen + 1 if held_out_bits > self._best_held_out + RISING_BITS else 0
        self._best_held_out = min(self._best_held_out, held_out_bits)
        found = f"step {step}: held-out recordings cost {held_out_bits:.2f} bits"
        remedy = "it learns them by heart: more recordings, or stop here"
        if self._risen == 2:
            return self._once("overfitting", f"{found}, and {self._best_held_out:.2f} before; {remedy}")
        if step >= EARLIEST_HINT and held_out_bits > bits + FAR_BITS:
            return self._once("overfitting", f"{found}, those learned from {bits:.2f}; {remedy}")
        return []

    def _once(self, kind: str, hint: str) -> list[str]:
        if kind in self._said:
            return []
        self._said.add(kind)
        return [hint]
