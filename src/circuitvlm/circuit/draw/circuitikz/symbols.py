"""What does a component look like in CircuiTikZ? American symbols, thick on thin wires.

Lengths are pixels of a page at 200 dots per inch, measured on drawings that CircuiTikZ made with a line width of 1 pt;
the axis of a symbol is x, from its first pin to its second, its middle (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

XY = tuple[float, float]
Outline = tuple[XY, ...]

WIRE, THICK = 2.77, 5.7
"""Line widths of wires and of symbols."""

RADIUS, DIAMOND = 35.7, 41.5
PLATE, GAP = 28.5, 9.5
NODE = 14.6
"""Radius of the circle around a node's number."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """`strokes` and `fills` are polylines; `half` is half the length between the ends of the leads, `side` half the
    extent across, line width included. The wire of a `through` symbol runs on behind its strokes.
    """

    strokes: tuple[Outline, ...]
    half: float
    side: float
    fills: tuple[Outline, ...] = ()
    join: Literal["bevel", "miter"] = "miter"
    through: bool = False


def _arc(x: float, y: float, across: float, along: float, *, start: float, stop: float) -> Outline:
    """Part of an ellipse, angles in degrees, 10 degrees a chord."""
    steps = max(2, round(abs(stop - start) / 10))
    angles = [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]
    return tuple((x + across * math.cos(a), y + along * math.sin(a)) for a in angles)


def _zigzag() -> Symbol:
    step, height = 6.6, 12.7
    peaks = tuple(((2 * i - 5) * step, height if i % 2 else -height) for i in range(6))
    return Symbol(strokes=(((-6 * step, 0), *peaks, (6 * step, 0)),), half=6 * step, side=height + 3, join="bevel")


def _capacitor() -> Symbol:
    plates = tuple(((x, -PLATE), (x, PLATE)) for x in (-GAP, GAP))
    return Symbol(strokes=plates, half=GAP, side=PLATE)


def _inductor() -> Symbol:
    bump, height = 13.2, 17.0
    arcs = [_arc(bump * (2 * i - 3), 0, bump, height, start=180, stop=360) for i in range(4)]
    return Symbol(strokes=(tuple(point for arc in arcs for point in arc),), half=4 * bump, side=height + 3)


def _arrow(tail: float, tip: float, *, head: float, wing: float) -> tuple[Outline, Outline]:
    """Shaft and head of an arrow along the axis."""
    return ((tail, 0), (tip - head, 0)), ((tip - head, -wing), (tip, 0), (tip - head, wing))


_CIRCLE = _arc(0, 0, RADIUS, RADIUS, start=0, stop=360)
_RHOMB = ((-DIAMOND, 0.0), (0.0, -DIAMOND), (DIAMOND, 0.0), (0.0, DIAMOND), (-DIAMOND, 0.0))
_STEP = ((0.0, -18.0), (18.0, -18.0), (18.0, 0.0), (-18.0, 0.0), (-18.0, 18.0), (0.0, 18.0))
_SHAFT, _HEAD = _arrow(-25, 27, head=19, wing=9.5)
_LONG_SHAFT, _LONG_HEAD = _arrow(-29, 35, head=22, wing=10.4)
_ROUND, _SHARP = RADIUS + THICK / 2, DIAMOND + THICK / 2

SYMBOLS: dict[str, Symbol] = {
    "R": _zigzag(),
    "C": _capacitor(),
    "L": _inductor(),
    "V": Symbol(strokes=(_CIRCLE,), half=RADIUS, side=_ROUND, through=True),
    "step": Symbol(strokes=(_CIRCLE, _STEP), half=RADIUS, side=_ROUND, through=True),
    "I": Symbol(strokes=(_CIRCLE, _SHAFT), fills=(_HEAD,), half=RADIUS, side=_ROUND),
    "E": Symbol(strokes=(_RHOMB,), half=DIAMOND, side=_SHARP),
    "H": Symbol(strokes=(_RHOMB,), half=DIAMOND, side=_SHARP),
    "G": Symbol(strokes=(_RHOMB, _LONG_SHAFT), fills=(_LONG_HEAD,), half=DIAMOND, side=_SHARP),
    "F": Symbol(strokes=(_RHOMB, _LONG_SHAFT), fills=(_LONG_HEAD,), half=DIAMOND, side=_SHARP),
    "probe": Symbol(strokes=(), half=0.0, side=WIRE / 2, through=True),
}
"""By kind of device; a source that steps and a current probe have their own."""
