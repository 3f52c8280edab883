"""Small drawings for pages: inline SVG whose colours come from the page, so that they suit light and dark."""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

import numpy as np

from ..wavenet.keys import key_name

_BLACK = {1, 3, 6, 8, 10}
_LEFT, _RIGHT, _TOP = 52, 20, 8


class Plot:
    """A plane of width x height units from x[0] to x[1] and y[0] to y[1]; `str()` is its SVG element."""

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], *, width: int = 1000, height: int = 260, below: int = 26
    ) -> None:
        self.x, self.y = x, y
        self.width, self.height, self.below = width, height, below
        self._parts: list[str] = []

    def across(self, value: float) -> float:
        share = (value - self.x[0]) / (self.x[1] - self.x[0])
        return round(_LEFT + share * (self.width - _LEFT - _RIGHT), 1)

    def up(self, value: float) -> float:
        share = (value - self.y[0]) / (self.y[1] - self.y[0])
        return round(self.height - self.below - share * (self.height - self.below - _TOP), 1)

    def add(self, element: str) -> None:
        self._parts.append(element)

    def horizontal_lines(self, values: Iterable[float], labels: Iterable[str]) -> None:
        """A thin line across at each value, named at its left."""
        for value, label in zip(values, labels, strict=True):
            height = self.up(value)
            self.add(f'<path class="grid" d="M{_LEFT} {height}H{self.width - _RIGHT}"/>')
            self.text(_LEFT - 6, height + 4, label, anchor="end")

    def ticks_below(self, values: Iterable[float], labels: Iterable[str]) -> None:
        """A name below each value."""
        for value, label in zip(values, labels, strict=True):
            self.text(self.across(value), self.height - self.below + 16, label, anchor="middle")

    def text(self, x: float, y: float, text: str, *, anchor: str = "start") -> None:
        self.add(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>')

    def dot(self, x: float, y: float, *, radius: float, colour: str, title: str, hollow: bool = False) -> None:
        """A dot; hollow ones are rings."""
        style = f'fill="none" stroke="{colour}" stroke-width="2.2"' if hollow else f'fill="{colour}" fill-opacity="0.8"'
        place = f'cx="{self.across(x)}" cy="{self.up(y)}" r="{radius:.1f}"'
        self.add(f"<circle {place} {style}><title>{escape(title)}</title></circle>")

    def box(self, x: tuple[float, float], y: tuple[float, float], *, css: str, title: str) -> None:
        """A filled rectangle, at least a pixel wide and high."""
        left, top = self.across(x[0]), self.up(y[1])
        width, height = max(self.across(x[1]) - left, 1.0), max(self.up(y[0]) - top, 1.0)
        place = f'x="{left}" y="{top}" width="{width:.1f}" height="{height:.1f}"'
        self.add(f'<rect {place} rx="1.5" class="{css}"><title>{escape(title)}</title></rect>')

    def line(self, x: Sequence[float], y: Sequence[float], *, css: str) -> None:
        points = " ".join(f"{self.across(a)},{self.up(b)}" for a, b in zip(x, y, strict=True))
        self.add(f'<polyline class="{css}" points="{points}"/>')

    def keyboard(self) -> None:
        """The keys of a piano below the plane, x being MIDI notes, and a name at every C."""
        top = self.height - self.below + 3
        low, high = int(np.ceil(self.x[0] + 0.5)), int(np.floor(self.x[1] - 0.5))
        for key in range(low, high + 1):
            left, right = self.across(key - 0.5), self.across(key + 0.5)
            css = "black" if key % 12 in _BLACK else "white"
            self.add(f'<rect class="{css}" x="{left}" y="{top}" width="{right - left:.1f}" height="11"/>')
            if key % 12 == 0:
                self.text((left + right) / 2, top + 24, key_name(key), anchor="middle")

    def __str__(self) -> str:
        size = f'viewBox="0 0 {self.width} {self.height}"'
        return f'<svg {size} role="img" xmlns="http://www.w3.org/2000/svg">{"".join(self._parts)}</svg>'


def wave(samples: np.ndarray, seconds: float, onset_s: float, *, width: int = 240, height: int = 70) -> str:
    """A sound's outline over `seconds`, with a line at its onset."""
    edges = np.linspace(0, len(samples), width + 1).astype(int)
    scale = (height / 2 - 3) / max(float(np.abs(samples).max(initial=0.0)), 1e-9)
    columns = [samples[a : max(b, a + 1)] for a, b in pairwise(edges)]
    high = [height / 2 - scale * float(column.max(initial=0.0)) for column in columns]
    low = [height / 2 - scale * float(column.min(initial=0.0)) for column in columns]
    upper = " ".join(f"{n},{value:.1f}" for n, value in enumerate(high))
    lower = " ".join(f"{n},{low[n] + 0.6:.1f}" for n in reversed(range(width)))
    at = round(width * onset_s / seconds, 1)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" xmlns="http://www.w3.org/2000/svg">'
        f'<polygon class="wave" points="{upper} {lower}"/><path class="onset" d="M{at} 0V{height}"/></svg>'
    )


def ramp(share: float) -> str:
    """A colour from soft (0, blue) over violet to loud (1, orange), of one lightness on light and dark."""
    hue = (225.0 + 165.0 * float(np.clip(share, 0.0, 1.0))) % 360.0
    return f"hsl({hue:.0f} 75% 58%)"
