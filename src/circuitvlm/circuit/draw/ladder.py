"""Lay out a circuit of two-pin devices: its nodes in a row, parts to ground below it, and long parts above it.

The nodes are ordered so that parts are short. Between two neighbours the first part lies in the row itself. Every
other part lies in a channel above the row, with wires from its ends down to its nodes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, pairwise, product

from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.placement import Edge, Placement, Point, Symbol, edge_symbol, lies_on

Wire = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    """A part in a channel, from the column of its left node to the column of its right node."""

    device: Device
    start: int
    stop: int


@dataclass(slots=True)
class _Row:
    """First and last column of each node, and the part below the row in each column."""

    columns: dict[str, tuple[int, int]] = field(default_factory=dict)
    lower_parts: dict[int, Device] = field(default_factory=dict)


def ladder(circuit: Circuit) -> Placement:
    """The placement. Every device must have two pins on two different nodes."""
    degrees = Counter(node for device in circuit.devices for node in device.nodes)
    base = GROUND if GROUND in degrees else degrees.most_common(1)[0][0]  # the node of the bottom rail
    order = _order_nodes(circuit, base)
    row = _fill_row(circuit, order, base)
    row_parts, spans = _split_parts(circuit, order, row, base)
    symbols = [edge_symbol(d.name, _pins(d, order, (column, 0), (column + 1, 0))) for d, column in row_parts]
    wires: list[Wire] = [((a, 0), (b, 0)) for a, b in row.columns.values() if a < b]
    symbols += [
        edge_symbol(device.name, _pins(device, [*order, base], (column, 0), (column, 1)))
        for column, device in row.lower_parts.items()
    ]
    channels = _assign_channels(spans)
    for span, channel in channels:
        # Pins in a channel lie off the grid lines, so that crossing wires do not touch them.
        middle = span.start + (span.stop - span.start - 1) // 2
        a, b = (middle + 0.2, -channel), (middle + 0.8, -channel)
        symbols.append(edge_symbol(span.device.name, _pins(span.device, order, a, b)))
        wires += [((span.start, 0), (span.start, -channel), a), (b, (span.stop, -channel), (span.stop, 0))]
    if len(row.lower_parts) > 1:
        wires.append(((min(row.lower_parts), 1), (max(row.lower_parts), 1)))
    return shifted_placement(
        symbols,
        wires=wires,
        ground=(min(row.lower_parts), 1) if base == GROUND else None,
        shift=max((c for _, c in channels), default=0),
    )


def shifted_placement(
    symbols: Sequence[Symbol], *, wires: Sequence[Wire], ground: Point | None, shift: int
) -> Placement:
    """The placement, moved down by `shift` rows, with dots where three or more ends meet."""

    def move(point: Point) -> Point:
        return point[0], point[1] + shift

    symbols = [replace(s, pins=tuple(map(move, s.pins)), centre=move(s.centre)) for s in symbols]
    wires = [tuple(map(move, wire)) for wire in wires]
    return Placement(
        symbols=tuple(symbols),
        wires=tuple(wires),
        dots=_dots(symbols, wires),
        ground=move(ground) if ground is not None else None,
    )


def _dots(symbols: Sequence[Symbol], wires: Sequence[Wire]) -> tuple[Point, ...]:
    """Points with lines in three or more directions; two wires that cross have no dot."""
    directions: defaultdict[Point, set[object]] = defaultdict(set)
    for symbol in symbols:
        for pin in symbol.pins:
            directions[pin].add(_direction(pin, symbol.centre) if symbol.form == "edge" else symbol.device)
    segments = [pair for wire in wires for pair in pairwise(wire)]
    for a, b in segments:
        directions[a].add(_direction(a, b))
        directions[b].add(_direction(b, a))
    for (point, point_directions), (a, b) in product(directions.items(), segments):
        if point not in (a, b) and lies_on(point, (a, b)):
            point_directions.update((_direction(point, a), _direction(point, b)))
    return tuple(sorted(point for point, point_directions in directions.items() if len(point_directions) > 2))


def _direction(start: Point, stop: Point) -> tuple[bool, bool, bool, bool]:
    """Left, right, up, down."""
    return stop[0] < start[0], stop[0] > start[0], stop[1] < start[1], stop[1] > start[1]


def _order_nodes(circuit: Circuit, base: str) -> list[str]:
    """The nodes besides the base from left to right, so that parts are short and sources stand at the left."""
    pairs = [d.nodes for d in circuit.devices if base not in d.nodes]
    order = improve_order([node for node in circuit.nodes if node != base], cost=lambda o: total_distance(o, pairs))
    sources = [order.index(n) for d in circuit.devices if d.kind in "VI" for n in d.nodes if n != base]
    if sources and sum(sources) / len(sources) > (len(order) - 1) / 2:
        order.reverse()
    return order


def total_distance(order: Sequence[str], pairs: Iterable[Sequence[str]]) -> float:
    """The sum over pairs of how many places the two elements lie apart."""
    position = {element: i for i, element in enumerate(order)}
    return sum(abs(position[a] - position[b]) for a, b in pairs)


def improve_order(start: Sequence[str], *, cost: Callable[[Sequence[str]], float], rounds: int = 12) -> list[str]:
    """Move single elements to other positions as long as that lowers the cost. An order of 40 or more is kept."""
    order, lowest = list(start), cost(start)
    for _ in range(rounds if len(order) < 40 else 0):
        round_start = lowest
        for element in start:
            other_names = [name for name in order if name != element]
            for i in range(len(order)):
                candidate = [*other_names[:i], element, *other_names[i:]]
                price = cost(candidate)
                if price < lowest:
                    order, lowest = candidate, price
        if lowest == round_start:
            break
    return order


def _fill_row(circuit: Circuit, order: Sequence[str], base: str) -> _Row:
    """One column for each part between a node and the base, at least one column for each node."""
    row, column = _Row(), 0
    for node in order:
        parts = sorted((d for d in circuit.devices if {base, node} <= set(d.nodes)), key=lambda d: d.kind not in "VI")
        row.lower_parts.update(enumerate(parts, start=column))
        row.columns[node] = (column, column + max(len(parts), 1) - 1)
        column += max(len(parts), 1)
    return row


def _split_parts(
    circuit: Circuit, order: Sequence[str], row: _Row, base: str
) -> tuple[list[tuple[Device, int]], list[_Span]]:
    """The parts in the row with their column, and the parts in the channels."""
    row_parts: dict[int, Device] = {}
    spans: list[_Span] = []
    for device in (d for d in circuit.devices if base not in d.nodes):
        i, j = sorted(order.index(node) for node in device.nodes)
        start, stop = row.columns[order[i]][1], row.columns[order[j]][0]
        if j == i + 1 and start not in row_parts:
            row_parts[start] = device
        else:
            spans.append(_Span(device=device, start=start, stop=stop))
    return [(device, column) for column, device in row_parts.items()], spans


def _assign_channels(spans: Sequence[_Span]) -> list[tuple[_Span, int]]:
    """Each part with the lowest free channel, counted from 1; short parts lie lowest."""
    channels: dict[int, list[_Span]] = {}
    assigned_spans = []
    for span in sorted(spans, key=lambda s: (s.stop - s.start, s.start)):
        channel = next(
            i for i in count(1) if all(span.stop <= s.start or s.stop <= span.start for s in channels.get(i, ()))
        )
        channels.setdefault(channel, []).append(span)
        assigned_spans.append((span, channel))
    return assigned_spans


def _pins(device: Device, order: Sequence[str], first: Point, second: Point) -> Edge:
    """The two points in the order of the device's pins; `first` belongs to the node that comes first in `order`."""
    a, b = (order.index(node) for node in device.nodes)
    return (first, second) if a < b else (second, first)
