"""Read the connections of a placement from its geometry alone, to compare them with those of the netlist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise

import networkx as nx

from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.placement import Edge, Placement, Point, Symbol, lies_on

Pin = tuple[str, int]
"""(device name, number of the pin in the order of the netlist line); ground is ("0", 0)."""

INSET = 0.05
"""Grid units by which the outline of a symbol is smaller than the rectangle of its pins."""


def netlist_nets(circuit: Circuit) -> frozenset[frozenset[Pin]]:
    """The sets of pins that a netlist connects."""
    nets: dict[str, set[Pin]] = {}
    for device in circuit.devices:
        for number, node in enumerate(device.nodes):
            nets.setdefault(node, {(GROUND, 0)} if node == GROUND else set()).add((device.name, number))
    return frozenset(map(frozenset, nets.values()))


def drawn_nets(placement: Placement) -> frozenset[frozenset[Pin]]:
    """The sets of pins that a placement connects.

    The controlling pins of a source lie where the + and the - of its voltage are drawn. Raises ValueError where the
    drawing is ambiguous: a wire through a symbol, or two overlapping symbols.
    """
    segments = [pair for wire in placement.wires for pair in pairwise(wire)]
    check_outlines(placement.symbols, segments)
    pins: dict[Pin, Point] = {(s.device, i): point for s in placement.symbols for i, point in enumerate(s.pins)}
    pins |= controlling_pins(placement)
    if placement.ground is not None:
        pins[GROUND, 0] = placement.ground
    graph = nx.Graph()
    graph.add_edges_from(pins.items())  # pins at the same point are connected, with or without a wire
    graph.add_edges_from((p, i) for p in pins.values() for i, segment in enumerate(segments) if lies_on(p, segment))
    for (i, a), (j, b) in combinations(enumerate(segments), 2):
        if are_connected(a, b, dots=placement.dots):
            graph.add_edge(i, j)
    nets = (group & pins.keys() for group in nx.connected_components(graph))
    return frozenset(frozenset(net) for net in nets if net)


def controlling_pins(placement: Placement) -> dict[Pin, Point]:
    """The points of the plus and the minus of each voltage that controls a source."""
    marks = {mark.name: mark for mark in placement.marks if mark.kind == "voltage"}
    pins = {symbol.device: symbol.pins[:2] for symbol in placement.symbols}
    points: dict[Pin, Point] = {}
    for source, name in placement.controls:
        if name in marks:
            points[source, 2], points[source, 3] = pins[marks[name].device][:: -1 if marks[name].is_reversed else 1]
    return points


def are_connected(a: Edge, b: Edge, *, dots: Sequence[Point]) -> bool:
    """Whether one of two segments ends on the other, or they cross in a dot."""
    if any(lies_on(point, b) for point in a) or any(lies_on(point, a) for point in b):
        return True
    horizontal, vertical = (a, b) if a[0][1] == a[1][1] else (b, a)
    crossing_point = (vertical[0][0], horizontal[0][1])
    return crossing_point in dots and lies_on(crossing_point, horizontal) and lies_on(crossing_point, vertical)


def check_outlines(symbols: Iterable[Symbol], segments: Iterable[Edge]) -> None:
    """Raise ValueError where a wire runs through a symbol, or where two symbols overlap."""
    outlines = [(s.device, outline(s)) for s in symbols]
    for name, rectangle in outlines:
        for segment in segments:
            if overlap(rectangle, (min(segment), max(segment))):
                raise ValueError(f"placement: a wire {segment} runs through {name}, which stands at {rectangle}")
    for (name, rectangle), (other_name, other_rectangle) in combinations(outlines, 2):
        if overlap(rectangle, other_rectangle):
            raise ValueError(f"placement: {name} at {rectangle} and {other_name} at {other_rectangle} overlap")


def outline(symbol: Symbol) -> Edge:
    """Upper left and lower right corner of a symbol's ink, inside of its pins by INSET; thin for a two-pin symbol."""
    points = (*symbol.pins, symbol.centre)
    (x0, x1), (y0, y1) = ((min(values), max(values)) for values in zip(*points, strict=True))
    inset_x, inset_y = (INSET if x1 > x0 else -INSET), (INSET if y1 > y0 else -INSET)
    return (x0 + inset_x, y0 + inset_y), (x1 - inset_x, y1 - inset_y)


def overlap(a: Edge, b: Edge) -> bool:
    """Whether two rectangles share more than their border."""
    return all(a[0][axis] < b[1][axis] and b[0][axis] < a[1][axis] for axis in (0, 1))
