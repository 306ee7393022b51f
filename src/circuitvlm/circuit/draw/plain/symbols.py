"""Read the outlines of schemdraw's elements, once per process, as SVG paths in unit coordinates.

Schemdraw's elements are created only to read their segments, which takes 5 to 12 ms for a circuit. Drawings are then
composed by transforms. A shape starts at (0, 0) with its first pin and runs along +x; y grows downwards, as in SVG.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from typing import Any

import schemdraw.elements as elm
from schemdraw.segments import Segment, SegmentArc, SegmentCircle, SegmentPoly

from circuitvlm.circuit.draw.canvas import ellipse_points

Polyline = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Shape:
    """`stroke` and `fill` are SVG path data; `length` is along the axis, `half_width` across it."""

    stroke: str
    fill: str
    length: float
    half_width: float


@dataclass(frozen=True, slots=True)
class Transistor:
    """A transistor: (0, 0) is the middle between its main pins, of which the first is (0, -1) and the second (0, 1).

    `control` is the end of its gate or base lead, to their left.
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
    "diode": elm.Diode,
    "ground_bars": elm.Ground,
    "ground_triangle": elm.GroundSignal,
}
_TRANSISTORS: dict[str, tuple[Callable[[], Any], tuple[str, str, str]]] = {
    "npn": (elm.BjtNpn, ("collector", "base", "emitter")),
    "pnp": (elm.BjtPnp, ("collector", "base", "emitter")),
    "njf": (elm.JFetN, ("drain", "gate", "source")),
    "pjf": (elm.JFetP, ("drain", "gate", "source")),
    "nmos": (partial(elm.NFet, bulk=True), ("drain", "gate", "source")),
    "pmos": (partial(elm.PFet, bulk=True), ("drain", "gate", "source")),
}


@cache
def find_shape(name: str) -> Shape:
    """The outline of a two-pin element, or of a ground sign.

    A ground sign hangs down from (0, 0): its `length` is its depth, and it has no filled areas.
    """
    segments = _ELEMENTS[name]().segments
    if name in ("circle", "diamond"):  # schemdraw's + and - would turn with the symbol, but a minus stays horizontal
        segments = [s for s in segments if isinstance(s, SegmentCircle) or len(s.path) > 4]
    lines, areas = _polylines(segments)
    x, y = ([abs(point[axis]) for polyline in lines + areas for point in polyline] for axis in (0, 1))
    if name.startswith("ground"):
        return Shape(stroke=_path(lines), fill="", length=max(y), half_width=max(x))
    if name == "diode":
        lines, areas = [lines[-1]], areas or lines[:1]
    return Shape(stroke=_path(lines), fill=_path(areas, close=True), length=max(x), half_width=max(y))


@cache
def find_transistor(name: str) -> Transistor:
    """The outline of a transistor, its main pins at the right, the first one above."""
    element_class, (first, control, last) = _TRANSISTORS[name]
    element = element_class()
    (x0, y0), (xc, yc), (_, y1) = (map(float, element.anchors[pin]) for pin in (first, control, last))
    unit = abs(y0 - y1) / 2
    flip_x, flip_y = (-1 if xc > x0 else 1), (1 if y0 > y1 else -1)

    def transform(x: float, y: float) -> tuple[float, float]:
        """From schemdraw's units, where y grows upwards."""
        return flip_x * (x - x0) / unit, -flip_y * (y - (y0 + y1) / 2) / unit

    lines, areas = (
        [[transform(x, -y) for x, y in polyline] for polyline in group] for group in _polylines(element.segments)
    )
    return Transistor(stroke=_path(lines), fill=_path(areas, close=True), control=transform(xc, yc))


def _polylines(segments: Iterable[object]) -> tuple[list[Polyline], list[Polyline]]:
    """Open lines and filled areas of schemdraw's segments, y downwards."""
    lines: list[Polyline] = []
    areas: list[Polyline] = []
    for segment in segments:
        if isinstance(segment, SegmentCircle):
            lines.append(_arc(segment.center, segment.radius * 2, segment.radius * 2, 0.0, 360.0))
        elif isinstance(segment, SegmentArc):
            lines.append(_arc(segment.center, segment.width, segment.height, segment.theta1, segment.theta2))
        elif isinstance(segment, SegmentPoly):
            areas.append([(float(x), -float(y)) for x, y in segment.verts])
        elif isinstance(segment, Segment):
            lines.extend(_split_at_nan(segment.path))
            if segment.arrow:
                areas.append(_arrow_head(segment.path[-2], segment.path[-1], segment.arrow))
        else:
            raise TypeError(
                f"schemdraw element: expected lines, arcs, circles and polygons, got {segment!r}; "
                "install the version of schemdraw in constraints.txt"
            )
    return lines, areas


def _split_at_nan(path: Iterable[tuple[float, float]]) -> list[Polyline]:
    """A schemdraw path cut at its NaN points; single points are dropped."""
    pieces = groupby(path, key=lambda point: math.isnan(point[0]))
    polylines = [[(float(x), -float(y)) for x, y in piece] for is_gap, piece in pieces if not is_gap]
    return [polyline for polyline in polylines if len(set(polyline)) > 1]


def _arc(center: tuple[float, float], width: float, height: float, start: float, stop: float) -> Polyline:
    """An elliptic arc as 12 chords per half turn; angles in degrees."""
    x, y = map(float, center)
    return list(ellipse_points(x, -y, width / 2, -height / 2, start=start, stop=stop, chord=15))


def _arrow_head(tail: tuple[float, float], tip: tuple[float, float], style: str) -> Polyline:
    """A triangle at the tip of a line, or at its tail for schemdraw's style "<-"."""
    if style.startswith("<"):
        tail, tip = tip, tail
    dx, dy = float(tip[0] - tail[0]), float(tip[1] - tail[1])
    length = math.hypot(dx, dy)
    dx, dy = dx / length * 0.22, dy / length * 0.22
    base = (tip[0] - dx, tip[1] - dy)
    corners = tip, (base[0] - dy / 2, base[1] + dx / 2), (base[0] + dy / 2, base[1] - dx / 2)
    return [(float(x), -float(y)) for x, y in corners]


def _path(polylines: Iterable[Polyline], close: bool = False) -> str:
    """SVG path data."""
    return "".join(
        "M" + "L".join(f"{x:.3f} {y:.3f}" for x, y in polyline) + ("Z" if close else "") for polyline in polylines
    )
