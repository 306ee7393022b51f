"""Collect the strokes and labels of a drawing, and the rectangles that they cover."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from circuitvlm.circuit.draw.frame import XY
from circuitvlm.circuit.draw.labels import Label, Rect, TextLine
from circuitvlm.circuit.draw.styles import Style


@dataclass(frozen=True, slots=True)
class Body:
    """A two-pin symbol on the page, in pixels.

    `x`, `y` is its centre and `dx`, `dy` the unit vector from its first pin to its second. `start_lead` and `end_lead`
    are the distances from its centre to its two pins, `unit` is the length of one unit of its outline.
    """

    x: float
    y: float
    dx: float
    dy: float
    half_length: float
    half_width: float
    start_lead: float
    end_lead: float
    unit: float

    @property
    def is_vertical(self) -> bool:
        """Whether the axis is vertical."""
        return abs(self.dy) > abs(self.dx)

    def point(self, axial: float, lateral: float) -> XY:
        """A point `axial` along the axis, and `lateral` to the right of its direction."""
        return self.x + axial * self.dx - lateral * self.dy, self.y + axial * self.dy + lateral * self.dx

    def point_below(self, axial: float, lateral: float) -> XY:
        """A point `axial` along the axis, and `lateral` below it, or to the right of a vertical axis."""
        return self.x + axial * self.dx + lateral * abs(self.dy), self.y + axial * self.dy + lateral * abs(self.dx)


@dataclass(slots=True)
class Canvas:
    """A drawing while it is made. A `width` of 0 means that the size of the page is not known yet.

    `fragments` are SVG elements, `ink` the rectangles that are covered, `overlap` the area on which labels overlap
    something, in square pixels. `labels` are placed last, and become `label_lines`; `small_lines` are the texts in the
    smaller font. `signed_bodies` are the sources that need a plus and a minus, `bodies` all two-pin symbols by device.
    `controls` are the names of the quantities that control sources. `caption_rects` are the rectangles of signs and
    formulas that are fragments already.
    """

    width: int
    height: int
    style: Style
    fragments: list[str] = field(default_factory=list)
    label_lines: list[TextLine] = field(default_factory=list)
    small_lines: list[TextLine] = field(default_factory=list)
    ink: list[Rect] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    signed_bodies: list[Body] = field(default_factory=list)
    caption_rects: list[Rect] = field(default_factory=list)
    bodies: dict[str, Body] = field(default_factory=dict)
    controls: dict[str, str] = field(default_factory=dict)
    overlap: float = 0.0

    @property
    def limits(self) -> Rect:
        """The rectangle in which labels may stand: the page without a border of one pixel."""
        return (1.0, 1.0, self.width - 1.0, self.height - 1.0) if self.width else (-math.inf,) * 2 + (math.inf,) * 2

    def is_covered(self, rect: Rect) -> bool:
        """Whether a rectangle overlaps ink, or lies partly outside of the page."""
        x0, y0, x1, y1 = rect
        is_inside = x0 >= 0 and y0 >= 0 and x1 <= self.width and y1 <= self.height
        return not is_inside or any(x0 < c and a < x1 and y0 < d and b < y1 for a, b, c, d in self.ink)

    def draw_line(self, *points: XY) -> None:
        """A polyline, with one rectangle of ink for each segment."""
        half = self.style.line_width / 2
        self.fragments.append(f'<path d="M{path_points(points)}"/>')
        self.ink += [
            (min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half)
            for (x0, y0), (x1, y1) in pairwise(points)
        ]

    def draw_dot(self, x: float, y: float, *, radius: float) -> None:
        """A filled circle."""
        self.fragments.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2f}" fill="#000" stroke="none"/>')
        self.ink.append((x - radius, y - radius, x + radius, y + radius))

    def draw_outline(
        self, stroke: str, fill: str, *, x: float, y: float, scale: float, angle: float = 0.0, shift: float = 0.0
    ) -> None:
        """The SVG paths of a symbol, moved by `shift` units along its axis, scaled, turned, and moved to (x, y).

        `angle` is in degrees.
        """
        attributes = (
            f' transform="translate({x:.2f} {y:.2f}) rotate({angle:.0f}) scale({scale:.3f}) translate({shift:.3f} 0)"'
            f' stroke-width="{self.style.line_width / scale:.4f}"'
        )
        self.fragments += [
            f'<path d="{path}"{colour}{attributes}/>' for path, colour in ((fill, ' fill="#000"'), (stroke, "")) if path
        ]

    def add_small_text(self, text: str, *, x: float, y: float) -> None:
        """A text that belongs to a symbol, centred at (x, y)."""
        size = self.style.with_small_font().font_size
        self.small_lines.append(TextLine(text=text, x=x, y=y + 0.36 * size, anchor="middle"))


def path_points(points: Sequence[XY]) -> str:
    """Points as SVG path data, connected by lines."""
    return "L".join(f"{x:.2f} {y:.2f}" for x, y in points)


def arrow_svg(tail: XY, neck: XY, corners: Sequence[XY], *, attributes: str = "") -> str:
    """An arrow: a shaft from the tail to the neck, with SVG attributes, and the corners of its filled head."""
    return (
        f'<path d="M{path_points((tail, neck))}"{attributes}/>'
        f'<path d="M{path_points(corners)}Z" fill="#000" stroke="none"/>'
    )


def sign_path(sign: str, x: float, y: float, *, arm: float) -> str:
    """A + or a - centred at (x, y) as SVG path data; `arm` is half of its width."""
    return f"M{x - arm:.2f} {y:.2f}h{2 * arm:.2f}" + (f"M{x:.2f} {y - arm:.2f}v{2 * arm:.2f}" if sign == "+" else "")


def ellipse_points(
    x: float, y: float, radius_x: float, radius_y: float, *, start: float, stop: float, chord: float
) -> tuple[XY, ...]:
    """A part of an ellipse around (x, y); angles in degrees, `chord` is the angle of one chord."""
    steps = max(2, round(abs(stop - start) / chord))
    angles = [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]
    return tuple((x + radius_x * math.cos(a), y + radius_y * math.sin(a)) for a in angles)


def bounding_box(*points: XY) -> Rect:
    """The smallest rectangle around some points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
