"""What is drawn, and what does it connect? Symbols, wires, dots and the ground sign on a grid.

Points are (column, row), rows grow downwards. Wires meet where one ends on another, or where they cross in a dot; a
crossing without a dot is no connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from circuitvlm.circuit.graph import GROUND, Circuit

Point = tuple[float, float]
Edge = tuple[Point, Point]
Form = Literal["edge", "transistor", "box"]
Pin = tuple[str, int]
"""(device name, number of the pin in the order of the netlist line); ground is ("0", 0)."""

OVERHANG = 0.3
"""Columns by which a box is wider than its outermost pins, on either side."""

_INSET = 0.05


@dataclass(frozen=True, slots=True)
class Symbol:
    """One device. `pins` are where its outline ends and wires begin, in the device's pin order.

    An "edge" stands on the straight line between its two pins. A "transistor" has its main pins above one another, the
    gate or base left and the bulk right of them. A "box" has its pins on its upper and lower side.
    """

    device: str
    form: Form
    pins: tuple[Point, ...]
    centre: Point


@dataclass(frozen=True, slots=True)
class Mark:
    """A named quantity in a drawing.

    A "voltage" is drawn as + beside the first pin of the device and - beside the second, a "current" as an arrow that
    points from the first pin to the second: the passive sign convention of `numeric.Solution`. `reversed` turns either.
    """

    kind: Literal["voltage", "current"]
    name: str
    device: str
    reversed: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """A drawing on the grid; `labels` are (node, point where its number may stand).

    `marks` are the quantities that control sources, `controls` are (controlled source, name of its mark). `columns` and
    `rows` tell in centimetres where the grid lines lie; the drawing code chooses where they are ().
    """

    symbols: tuple[Symbol, ...]
    wires: tuple[tuple[Point, ...], ...]
    dots: tuple[Point, ...]
    ground: Point | None
    labels: tuple[tuple[str, Point], ...] = ()
    marks: tuple[Mark, ...] = ()
    controls: tuple[tuple[str, str], ...] = ()
    columns: tuple[float, ...] = ()
    rows: tuple[float, ...] = ()

    @property
    def size(self) -> tuple[float, float]:
        """Columns and rows from the first grid line to the last."""
        points = [p for s in self.symbols for p in (s.centre, *s.pins)] + [p for wire in self.wires for p in wire]
        points += [(x + OVERHANG, y) for s in self.symbols if s.form == "box" for x, y in s.pins]
        return max((x for x, _ in points), default=0), max((y for _, y in points), default=0)


def edge_symbol(device: str, pins: Edge) -> Symbol:
    """A two-pin symbol between two points."""
    (x0, y0), (x1, y1) = pins
    return Symbol(device=device, form="edge", pins=pins, centre=((x0 + x1) / 2, (y0 + y1) / 2))


def reading_order(placement: Placement) -> tuple[str, ...]:
    """Device names column by column, each column from top to bottom: by the centre of the symbol, first x, then y.

    A part between two columns comes after those of the left column and before those of the right one.
    """
    return tuple(symbol.device for symbol in sorted(placement.symbols, key=lambda symbol: symbol.centre))


def runs(edges: Iterable[Edge]) -> tuple[tuple[Point, Point], ...]:
    """Unit edges of a drawing without crossings, joined into the longest straight wires."""
    edges = list(edges)
    wires: list[tuple[Point, Point]] = []
    for axis in (0, 1):
        units = sorted({min(e) for e in edges if e[0][axis] != e[1][axis]}, key=lambda p: (p[1 - axis], p[axis]))
        start: Point | None = None
        for i, point in enumerate(units):
            start = point if start is None else start
            after = (point[0] + 1, point[1]) if axis == 0 else (point[0], point[1] + 1)
            if i + 1 == len(units) or units[i + 1] != after:
                wires.append((start, after))
                start = None
    return tuple(wires)


def junctions(edges: Iterable[Edge]) -> tuple[Point, ...]:
    """Points where three or more unit edges (wires or parts) meet."""
    arms = Counter(point for edge in edges for point in edge)
    return tuple(sorted(point for point, count in arms.items() if count > 2))


# -------------------------------------------------------------------------------------------------- reading it back


def nets_of(circuit: Circuit) -> frozenset[frozenset[Pin]]:
    """The sets of pins that a netlist joins."""
    nets: dict[str, set[Pin]] = {}
    for device in circuit.devices:
        for number, node in enumerate(device.nodes):
            nets.setdefault(node, {(GROUND, 0)} if node == GROUND else set()).add((device.name, number))
    return frozenset(frozenset(net) for net in nets.values())


def nets(placement: Placement) -> frozenset[frozenset[Pin]]:
    """The sets of pins that a drawing joins, read from its geometry alone.

    The controlling pins of a source lie where the + and the - of its voltage are drawn. Raises ValueError where the
    drawing is ambiguous: a wire through a symbol, or two symbols in one place.
    """
    stretches = [pair for wire in placement.wires for pair in pairwise(wire)]
    _check_bodies(placement.symbols, stretches)
    pins: dict[Pin, Point] = {(s.device, i): point for s in placement.symbols for i, point in enumerate(s.pins)}
    pins.update(_controlling(placement))
    if placement.ground is not None:
        pins[GROUND, 0] = placement.ground
    touching = {point: [i for i, stretch in enumerate(stretches) if on(point, stretch)] for point in pins.values()}
    group = list(range(len(stretches)))

    def find(i: int) -> int:
        while group[i] != i:
            i = group[i]
        return i

    for i, j in combinations(range(len(stretches)), 2):
        if _meet(stretches[i], stretches[j], dots=placement.dots):
            group[find(i)] = find(j)
    for first, *others in filter(None, touching.values()):
        for other in others:
            group[find(other)] = find(first)
    joined: dict[object, set[Pin]] = {}
    for pin, point in pins.items():  # where no wire ends, pins at the same point are joined to each other
        joined.setdefault(find(touching[point][0]) if touching[point] else point, set()).add(pin)
    return frozenset(frozenset(net) for net in joined.values())


def _controlling(placement: Placement) -> dict[Pin, Point]:
    """Where the plus and the minus stand of the voltage that controls a source."""
    marks = {mark.name: mark for mark in placement.marks if mark.kind == "voltage"}
    pins = {symbol.device: symbol.pins[:2] for symbol in placement.symbols}
    found: dict[Pin, Point] = {}
    for source, name in placement.controls:
        if name in marks:
            first, second = pins[marks[name].device][:: -1 if marks[name].reversed else 1]
            found[source, 2], found[source, 3] = first, second
    return found


def on(point: Point, stretch: Edge) -> bool:
    """Does the point lie on a level or upright stretch, its ends included?"""
    (x0, y0), (x1, y1) = stretch
    return min(x0, x1) <= point[0] <= max(x0, x1) and min(y0, y1) <= point[1] <= max(y0, y1)


def _meet(a: Edge, b: Edge, *, dots: Sequence[Point]) -> bool:
    """Do two level or upright stretches of wire touch in a way that joins them?"""
    if any(on(point, b) for point in a) or any(on(point, a) for point in b):
        return True
    level, upright = (a, b) if a[0][1] == a[1][1] else (b, a)
    crossing = (upright[0][0], level[0][1])
    return crossing in dots and on(crossing, level) and on(crossing, upright)


def _check_bodies(symbols: Iterable[Symbol], stretches: Iterable[Edge]) -> None:
    """No wire through a symbol, no symbol on another."""
    bodies = [(s.device, _body(s)) for s in symbols]
    for name, body in bodies:
        for stretch in stretches:
            if _overlap(body, (min(stretch), max(stretch))):
                raise ValueError(f"placement: a wire {stretch} runs through {name}, which stands at {body}")
    for (name, body), (other, its) in combinations(bodies, 2):
        if _overlap(body, its):
            raise ValueError(f"placement: {name} at {body} and {other} at {its} overlap")


def _body(symbol: Symbol) -> Edge:
    """Upper left and lower right corner of a symbol's ink, a little inside of its pins; a slim one for an edge."""
    points = (*symbol.pins, symbol.centre)
    (left, right), (top, bottom) = ((min(values), max(values)) for values in zip(*points, strict=True))
    inset_x, inset_y = (_INSET if right > left else -_INSET), (_INSET if bottom > top else -_INSET)
    return (left + inset_x, top + inset_y), (right - inset_x, bottom - inset_y)


def _overlap(a: Edge, b: Edge) -> bool:
    """Do two rectangles share more than their border?"""
    return all(a[0][axis] < b[1][axis] and b[0][axis] < a[1][axis] for axis in (0, 1))
