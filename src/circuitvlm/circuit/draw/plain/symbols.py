"""What does a component look like? Outlines taken from schemdraw once per process, as SVG paths in unit coordinates.

Schemdraw's elements are made (5-12 ms for a circuit) only to read their segments; drawings are then composed by
transforms. A shape starts at (0, 0) with its first pin and runs along +x; y grows downwards, as in SVG.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import schemdraw.elements as elm
from schemdraw.segments import Segment, SegmentArc, SegmentCircle, SegmentPoly

Outline = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Shape:
    """`stroke` and `fill` are SVG path data; `length` runs along the axis, `half` is the half width across it."""

    stroke: str
    fill: str
    length: float
    half: float


@dataclass(frozen=True, slots=True)
class Body:
    """A transistor: (0, 0) is the middle between its main pins, which lie at (0, -1), the first, and (0, 1).

    `control` is where its gate or base lead ends, left of them.
    """

    stroke: str
    fill: str
    control: tuple[float, float]


_ELEMENTS: dict[str, Callable[[], Any]] = {
    "resistor_zigzag": elm.Resistor,
    "resistor_box": elm.ResistorIEC,
    "inductor_bumps": elm.Inductor,
    "inductor_loops": elm.Inductor2,
    "capacitor": elm.Capacitor,
    "circle": elm.SourceV,
    "diamond": elm.SourceControlledV,
    "battery": elm.Battery,
    "cell": elm.BatteryCell,
    "diode": elm.Diode,
    "ground_bars": elm.Ground,
    "ground_triangle": elm.GroundSignal,
}
_SIGNED = {"circle", "diamond"}
_BODIES: dict[str, tuple[Callable[[], Any], tuple[str, str, str]]] = {
    "npn": (elm.BjtNpn, ("collector", "base", "emitter")),
    "pnp": (elm.BjtPnp, ("collector", "base", "emitter")),
    "njf": (elm.JFetN, ("drain", "gate", "source")),
    "pjf": (elm.JFetP, ("drain", "gate", "source")),
    "nmos": (partial(elm.NFet, bulk=True), ("drain", "gate", "source")),
    "pmos": (partial(elm.PFet, bulk=True), ("drain", "gate", "source")),
}


@cache
def shape(name: str) -> Shape:
    """The outline of a two-pin element (or of a ground sign, which hangs from (0, 0))."""
    segments = _ELEMENTS[name]().segments
    if name in _SIGNED:  # its own +/- would turn with the symbol: a minus must stay level, so draw.py writes them
        segments = [s for s in segments if isinstance(s, SegmentCircle) or len(s.path) > 4]
    stroked, filled = _outlines(segments)
    points = [point for outline in stroked + filled for point in outline]
    if name == "diode":
        stroked, filled = [stroked[-1]], filled or stroked[:1]
    return Shape(
        stroke=_path(stroked),
        fill=_path(filled, close=True),
        length=max(x for x, _ in points),
        half=max(abs(y) for _, y in points),
    )


@cache
def ground(name: str) -> Shape:
    """The outline of a ground sign, hanging from (0, 0): `length` is then its depth."""
    stroked, filled = _outlines(_ELEMENTS[name]().segments)
    points = [point for outline in stroked + filled for point in outline]
    return Shape(stroke=_path(stroked), fill="", length=max(y for _, y in points), half=max(abs(x) for x, _ in points))


@cache
def body(name: str) -> Body:
    """The outline of a transistor, its main pins at the right, the first one above."""
    make, (first, control, last) = _BODIES[name]
    element = make()
    (x0, y0), (xc, yc), (_, y1) = (map(float, element.anchors[pin]) for pin in (first, control, last))
    unit = abs(y0 - y1) / 2
    flip_x, flip_y = (-1 if xc > x0 else 1), (1 if y0 > y1 else -1)

    def turned(x: float, y: float) -> tuple[float, float]:
        """From schemdraw's units, in which y grows upwards."""
        return flip_x * (x - x0) / unit, -flip_y * (y - (y0 + y1) / 2) / unit

    stroked, filled = _outlines(element.segments)
    lines, areas = ([[turned(x, -y) for x, y in outline] for outline in group] for group in (stroked, filled))
    return Body(stroke=_path(lines), fill=_path(areas, close=True), control=turned(xc, yc))


def _outlines(segments: Iterable[object]) -> tuple[list[Outline], list[Outline]]:
    """(open lines, filled areas) of schemdraw's segments, y downwards."""
    stroked: list[Outline] = []
    filled: list[Outline] = []
    for segment in segments:
        if isinstance(segment, SegmentCircle):
            stroked.append(_arc(segment.center, segment.radius * 2, segment.radius * 2, 0.0, 360.0))
        elif isinstance(segment, SegmentArc):
            stroked.append(_arc(segment.center, segment.width, segment.height, segment.theta1, segment.theta2))
        elif isinstance(segment, SegmentPoly):
            filled.append([(float(x), -float(y)) for x, y in segment.verts])
        elif isinstance(segment, Segment):
            stroked.extend(_pieces(segment.path))
            if segment.arrow:
                filled.append(_arrow_head(segment.path[-2], segment.path[-1], segment.arrow))
        else:
            raise TypeError(
                f"schemdraw drew a {type(segment).__name__}; only lines, arcs, circles and polygons are read"
            )
    return stroked, filled


def _pieces(path: Iterable[tuple[float, float]]) -> list[Outline]:
    """A schemdraw path cut at its NaN points; single points are dropped."""
    pieces: list[Outline] = [[]]
    for x, y in path:
        if math.isnan(x):
            pieces.append([])
        else:
            pieces[-1].append((float(x), -float(y)))
    return [piece for piece in pieces if len(set(piece)) > 1]


def _arc(center: tuple[float, float], width: float, height: float, start: float, stop: float) -> Outline:
    """An elliptic arc as 12 chords per half turn."""
    steps = max(2, round(abs(stop - start) / 15))
    angles = [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]
    return [(float(center[0]) + width / 2 * math.cos(a), -float(center[1]) - height / 2 * math.sin(a)) for a in angles]


def _arrow_head(tail: tuple[float, float], tip: tuple[float, float], style: str) -> Outline:
    """A triangle at the tip of a line (at its tail for schemdraw's "<-")."""
    if style.startswith("<"):
        tail, tip = tip, tail
    dx, dy = float(tip[0] - tail[0]), float(tip[1] - tail[1])
    length = math.hypot(dx, dy)
    dx, dy = dx / length * 0.22, dy / length * 0.22
    base = (tip[0] - dx, tip[1] - dy)
    corners = [tip, (base[0] - dy / 2, base[1] + dx / 2), (base[0] + dy / 2, base[1] - dx / 2)]
    return [(float(x), -float(y)) for x, y in corners]


def _path(outlines: Iterable[Outline], close: bool = False) -> str:
    """SVG path data."""
    end = "Z" if close else ""
    return "".join("M" + "L".join(f"{x:.3f} {y:.3f}" for x, y in outline) + end for outline in outlines)
