"""Collect the strokes and labels of a drawing, and the areas that they cover."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from circuitvlm.circuit.draw.frame import XY
from circuitvlm.circuit.draw.labels import Line, Rect, Spot
from circuitvlm.circuit.draw.styles import Style


@dataclass(frozen=True, slots=True)
class Body:
    """A two-pin symbol on the page: its middle, the unit vector from its first pin to its second, half its length and
    half its width, and half the distance of its pins.
    """

    x: float
    y: float
    dx: float
    dy: float
    along: float
    across: float
    reach: float

    def at(self, along: float, aside: float) -> XY:
        """A point beside the axis, `aside` below it, or right of it where it stands upright."""
        return self.x + along * self.dx + aside * abs(self.dy), self.y + along * self.dy + aside * abs(self.dx)


@dataclass(frozen=True, slots=True)
class Pole:
    """A source that needs a plus and a minus: its middle, the unit vector from plus to minus, its size."""

    x: float
    y: float
    dx: float
    dy: float
    scale: float


@dataclass(slots=True)
class Sketch:
    """A drawing while it grows: SVG fragments, labels, and the rectangles where ink lies already.

    `captions` are the rectangles of signs and formulas that are fragments already, `bodies` the two-pin symbols,
    `controls` the name of the quantity that controls a source.
    """

    width: int
    height: int
    style: Style
    fragments: list[str] = field(default_factory=list)
    labels: list[Line] = field(default_factory=list)
    signs: list[Line] = field(default_factory=list)
    taken: list[Rect] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    poles: list[Pole] = field(default_factory=list)
    captions: list[Rect] = field(default_factory=list)
    bodies: dict[str, Body] = field(default_factory=dict)
    controls: dict[str, str] = field(default_factory=dict)
    touched: float = 0.0

    def line(self, *points: XY) -> None:
        """A polyline, one rectangle of ink for each stretch."""
        half = self.style.line_width / 2
        self.fragments.append('<path d="M' + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + '"/>')
        for (x0, y0), (x1, y1) in pairwise(points):
            self.taken.append((min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half))

    def path(self, stroke: str, fill: str, *, x: float, y: float, angle: float, scale: float, shift: float) -> None:
        """A symbol's outline, moved along its axis by `shift` units, scaled, turned and brought to (x, y)."""
        turn = (
            f' transform="translate({x:.2f} {y:.2f}) rotate({angle:.0f}) scale({scale:.3f}) translate({shift:.3f} 0)"'
        )
        width = f' stroke-width="{self.style.line_width / scale:.4f}"'
        if fill:
            self.fragments.append(f'<path d="{fill}" fill="#000"{turn}{width}/>')
        if stroke:
            self.fragments.append(f'<path d="{stroke}"{turn}{width}/>')

    def touches(self, rect: Rect) -> bool:
        """Whether something lies in a rectangle, or it lies beyond the page."""
        x0, y0, x1, y1 = rect
        if x0 < 0 or y0 < 0 or x1 > self.width or y1 > self.height:
            return True
        return any(x0 < c and a < x1 and y0 < d and b < y1 for a, b, c, d in self.taken)

    def text(self, text: str, *, x: float, y: float, size: float) -> None:
        """A sign that belongs to a symbol, centred at (x, y)."""
        self.signs.append(Line(text=text, x=x, y=y + 0.36 * size, anchor="middle"))
