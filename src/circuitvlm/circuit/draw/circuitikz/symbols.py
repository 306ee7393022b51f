"""Define the symbols of CircuiTikZ: American symbols, with thick lines on thin wires.

Lengths are pixels of a page at 200 dots per inch, measured on drawings by CircuiTikZ with a line width of 1 pt. The
axis of a symbol is x, from its first pin to its second, and its centre is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from circuitvlm.circuit.draw.canvas import ellipse_points

Polyline = tuple[tuple[float, float], ...]

WIRE_LINE, SYMBOL_LINE = 2.77, 5.7
"""Line widths of wires and of symbols."""

RADIUS, DIAMOND = 35.7, 41.5
PLATE, PLATE_GAP = 28.5, 9.5
NODE_RADIUS = 14.6
"""Radius of the circle around the number of a node."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`strokes` and `fills` are polylines; `half_length` is half the distance of the ends of the leads.

    `half_width` is half the extent across the axis, line width included. A symbol with `wire_behind` has a wire from
    pin to pin behind its strokes.
    """

    strokes: tuple[Polyline, ...]
    half_length: float
    half_width: float
    fills: tuple[Polyline, ...] = ()
    line_join: Literal["bevel", "miter"] = "miter"
    wire_behind: bool = False


def _resistor() -> Shape:
    step, height = 6.6, 12.7
    zigzag = (-6 * step, 0), *(((2 * i - 5) * step, height if i % 2 else -height) for i in range(6)), (6 * step, 0)
    return Shape(strokes=(zigzag,), half_length=6 * step, half_width=height + 3, line_join="bevel")


def _inductor() -> Shape:
    bump, height = 13.2, 17.0
    arcs = [ellipse_points(bump * (2 * i - 3), 0, bump, height, start=180, stop=360, chord=10) for i in range(4)]
    return Shape(strokes=(tuple(point for arc in arcs for point in arc),), half_length=4 * bump, half_width=height + 3)


def _source(*marks: Polyline, radius: float = DIAMOND, fills: tuple[Polyline, ...] = (), wire: bool = False) -> Shape:
    """A source with polylines inside of its circle or diamond."""
    outline = _CIRCLE if radius == RADIUS else _RHOMBUS
    return Shape((outline, *marks), radius, half_width=radius + SYMBOL_LINE / 2, fills=fills, wire_behind=wire)


def _arrow(tail: float, tip: float, *, head: float, wing: float) -> tuple[Polyline, Polyline]:
    """Shaft and head of an arrow along the axis."""
    return ((tail, 0), (tip - head, 0)), ((tip - head, -wing), (tip, 0), (tip - head, wing))


_CIRCLE = ellipse_points(0, 0, RADIUS, RADIUS, start=0, stop=360, chord=10)
_RHOMBUS = ((-DIAMOND, 0.0), (0.0, -DIAMOND), (DIAMOND, 0.0), (0.0, DIAMOND), (-DIAMOND, 0.0))
_STEP = ((0.0, -18.0), (18.0, -18.0), (18.0, 0.0), (-18.0, 0.0), (-18.0, 18.0), (0.0, 18.0))
_PLATES = tuple(((x, -PLATE), (x, PLATE)) for x in (-PLATE_GAP, PLATE_GAP))
_SHAFT, _HEAD = _arrow(-25, 27, head=19, wing=9.5)
_LONG_SHAFT, _LONG_HEAD = _arrow(-29, 35, head=22, wing=10.4)

SHAPES: dict[str, Shape] = {
    "R": _resistor(),
    "C": Shape(strokes=_PLATES, half_length=PLATE_GAP, half_width=PLATE),
    "L": _inductor(),
    "V": _source(radius=RADIUS, wire=True),
    "step": _source(_STEP, radius=RADIUS, wire=True),
    "I": _source(_SHAFT, radius=RADIUS, fills=(_HEAD,)),
    **dict.fromkeys("EH", _source()),
    **dict.fromkeys("GF", _source(_LONG_SHAFT, fills=(_LONG_HEAD,))),
    "probe": Shape(strokes=(), half_length=0.0, half_width=WIRE_LINE / 2, wire_behind=True),
}
"""Shapes by kind of device; a voltage source that steps and a current probe have their own."""
