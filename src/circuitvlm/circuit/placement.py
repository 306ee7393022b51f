"""Describe where the symbols, wires, dots and the ground sign of a circuit lie on a grid.

Points are (column, row), and rows grow downwards. Two wires are connected where one ends on the other, or where they
cross in a dot. A crossing without a dot is no connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

Point = tuple[float, float]
Edge = tuple[Point, Point]
Form = Literal["edge", "transistor", "box"]

BOX_OVERHANG = 0.3
"""Columns by which a box is wider than its outermost pins, on either side."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """The symbol of one device. `pins` are the points where wires begin, in the order of the device's pins.

    An "edge" stands on the straight line between its two pins. A "transistor" has its main pins on a vertical line, the
    gate or base to the left and the bulk to the right. A "box" has its pins on its upper and lower side.
    """

    device: str
    form: Form
    pins: tuple[Point, ...]
    centre: Point


@dataclass(frozen=True, slots=True)
class Mark:
    """A named voltage or current in a drawing.

    A "voltage" is drawn as + at the first pin of the device and - at the second. A "current" is drawn as an arrow from
    the first pin to the second. This is the passive sign convention of `solve.numeric.Solution`. `is_reversed`
    exchanges the two pins.
    """

    kind: Literal["voltage", "current"]
    name: str
    device: str
    is_reversed: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """A circuit on the grid. `node_labels` are pairs (node, point where its number may stand).

    `marks` are the quantities that control sources. `controls` are pairs (controlled source, name of its mark).
    `columns` and `rows` are the positions of the grid lines in centimetres; where they are empty, the drawing code
    chooses them.
    """

    symbols: tuple[Symbol, ...]
    wires: tuple[tuple[Point, ...], ...]
    dots: tuple[Point, ...]
    ground: Point | None
    node_labels: tuple[tuple[str, Point], ...] = ()
    marks: tuple[Mark, ...] = ()
    controls: tuple[tuple[str, str], ...] = ()
    columns: tuple[float, ...] = ()
    rows: tuple[float, ...] = ()

    @property
    def size(self) -> tuple[float, float]:
        """Distance from the first grid line to the last, in columns and in rows."""
        points = [p for s in self.symbols for p in (s.centre, *s.pins)] + [p for wire in self.wires for p in wire]
        points += [(x + BOX_OVERHANG, y) for s in self.symbols if s.form == "box" for x, y in s.pins]
        return max((x for x, _ in points), default=0), max((y for _, y in points), default=0)


def edge_symbol(device: str, pins: Edge) -> Symbol:
    """A two-pin symbol between two points."""
    (x0, y0), (x1, y1) = pins
    return Symbol(device=device, form="edge", pins=pins, centre=((x0 + x1) / 2, (y0 + y1) / 2))


def reading_order(placement: Placement) -> tuple[str, ...]:
    """Device names sorted by the centres of the symbols, first x, then y: column by column, top to bottom.

    A symbol between two columns comes after those of the left column and before those of the right one.
    """
    return tuple(symbol.device for symbol in sorted(placement.symbols, key=lambda symbol: symbol.centre))


def straight_wires(edges: Sequence[Edge]) -> tuple[Edge, ...]:
    """Join the unit edges of a drawing without crossings into the longest straight wires."""
    wires: list[Edge] = []
    for axis in (0, 1):
        units = sorted({min(e) for e in edges if e[0][axis] != e[1][axis]}, key=lambda p: (p[1 - axis], p[axis]))
        for point in units:
            is_continued = bool(wires) and wires[-1][1] == point and wires[-1][0][1 - axis] == point[1 - axis]
            start = wires.pop()[0] if is_continued else point
            wires.append((start, (point[0] + 1, point[1]) if axis == 0 else (point[0], point[1] + 1)))
    return tuple(wires)


def junctions(edges: Iterable[Edge]) -> tuple[Point, ...]:
    """Points where three or more unit edges (wires or symbols) meet."""
    degrees = Counter(chain.from_iterable(edges))
    return tuple(sorted(point for point in degrees if degrees[point] > 2))


def lies_on(point: Point, segment: Edge) -> bool:
    """Whether the point lies on a horizontal or vertical segment, its ends included."""
    (x0, y0), (x1, y1) = segment
    return min(x0, x1) <= point[0] <= max(x0, x1) and min(y0, y1) <= point[1] <= max(y0, y1)
