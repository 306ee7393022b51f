"""How is a circuit of two-pin devices drawn? Its nodes in a row, parts to ground hanging below, long parts above.

The row is the order of nodes with the shortest parts. Between neighbours the first part lies in the row itself; every
other one lies in a channel above, at the ends of which wires run down to its nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from circuitvlm.circuit.draw.geometry import Edge, Placement, Point, Symbol, edge_symbol, on
from circuitvlm.circuit.graph import GROUND, Circuit, Device


@dataclass(frozen=True, slots=True)
class _Span:
    """A part in a channel: from the column of its left node to that of its right one."""

    device: Device
    left: int
    right: int


@dataclass(slots=True)
class _Row:
    """Which columns a node takes up, and which part hangs in each."""

    columns: dict[str, tuple[int, int]] = field(default_factory=dict)
    hanging: dict[int, Device] = field(default_factory=dict)


def ladder(circuit: Circuit) -> Placement:
    """The drawing. Every device must have two pins on two different nodes."""
    base = _base(circuit)
    order = _order(circuit, base)
    row = _row(circuit, order, base)
    level, spans = _level(circuit, order, row, base)
    channels = _channels(spans)
    symbols = [edge_symbol(d.name, _turned(d, order, (at, 0), (at + 1, 0))) for d, at in level]
    wires: list[tuple[Point, ...]] = [((a, 0), (b, 0)) for a, b in row.columns.values() if a < b]
    for column, device in row.hanging.items():
        symbols.append(edge_symbol(device.name, _turned(device, [*order, base], (column, 0), (column, 1))))
    for span, height in channels:
        symbol, leads = _channel(span, height, order)
        symbols.append(symbol)
        wires.extend(leads)
    if len(row.hanging) > 1:
        wires.append(((min(row.hanging), 1), (max(row.hanging), 1)))
    ground = (min(row.hanging), 1) if base == GROUND else None
    top = -min((height for _, height in channels), default=0)
    return moved(symbols, wires=wires, ground=ground, down=top)


def moved(
    symbols: Sequence[Symbol], *, wires: Sequence[tuple[Point, ...]], ground: Point | None, down: float
) -> Placement:
    """The placement, brought to rows from 0 on, with dots where three or more ends meet."""

    def move(point: Point) -> Point:
        return point[0], point[1] + down

    placed = tuple(
        Symbol(device=s.device, form=s.form, pins=tuple(map(move, s.pins)), centre=move(s.centre)) for s in symbols
    )
    lines = tuple(tuple(map(move, wire)) for wire in wires)
    return Placement(
        symbols=placed, wires=lines, dots=_dots(placed, lines), ground=move(ground) if ground is not None else None
    )


def _dots(symbols: Sequence[Symbol], wires: Sequence[tuple[Point, ...]]) -> tuple[Point, ...]:
    """Points that lines leave in three or more directions; a crossing of two wires that both go on is none."""
    arms: dict[Point, set[object]] = {}
    for symbol in symbols:
        for pin in symbol.pins:
            same_line = symbol.form == "edge"
            arms.setdefault(pin, set()).add(_direction(pin, symbol.centre) if same_line else symbol.device)
    stretches = [pair for wire in wires for pair in pairwise(wire)]
    for a, b in stretches:
        arms.setdefault(a, set()).add(_direction(a, b))
        arms.setdefault(b, set()).add(_direction(b, a))
    for point, leaving in arms.items():
        for a, b in stretches:
            if point not in (a, b) and on(point, (a, b)):
                leaving.update((_direction(point, a), _direction(point, b)))
    return tuple(sorted(point for point, leaving in arms.items() if len(leaving) > 2))


def _direction(start: Point, stop: Point) -> tuple[bool, bool, bool, bool]:
    """Left, right, up, down."""
    return stop[0] < start[0], stop[0] > start[0], stop[1] < start[1], stop[1] > start[1]


def _base(circuit: Circuit) -> str:
    """The node of the bottom rail: ground, or the busiest where there is none."""
    uses = Counter(node for device in circuit.devices for node in device.nodes)
    return GROUND if GROUND in uses else max(uses, key=lambda node: uses[node])


def _order(circuit: Circuit, base: str) -> list[str]:
    """The other nodes from left to right: short parts, and a source at the left."""
    nodes = [node for node in circuit.nodes if node != base]
    pairs = [d.nodes for d in circuit.devices if base not in d.nodes]

    def cost(order: Sequence[str]) -> float:
        at = {node: i for i, node in enumerate(order)}
        return sum(abs(at[a] - at[b]) for a, b in pairs)

    order = improved(nodes, cost=cost)
    sources = [order.index(n) for d in circuit.devices if d.kind in "VI" for n in d.nodes if n != base]
    if sources and sum(sources) / len(sources) > (len(order) - 1) / 2:
        order.reverse()
    return order


def improved(start: Sequence[str], *, cost: Callable[[Sequence[str]], float], rounds: int = 12) -> list[str]:
    """The order after moving single elements elsewhere as long as that lowers the cost."""
    order, least = list(start), cost(start)
    for _ in range(rounds):
        before = least
        for element in start:
            rest = [other for other in order if other != element]
            tries = [[*rest[:i], element, *rest[i:]] for i in range(len(order))] if len(order) < 40 else []
            for candidate in tries:
                price = cost(candidate)
                if price < least:
                    order, least = candidate, price
        if least == before:
            break
    return order


def _row(circuit: Circuit, order: Sequence[str], base: str) -> _Row:
    """One column for each part that hangs at a node, at least one for each node."""
    row, column = _Row(), 0
    for node in order:
        hanging = [d for d in circuit.devices if base in d.nodes and node in d.nodes]
        hanging.sort(key=lambda device: device.kind not in "VI")
        row.hanging.update({column + i: device for i, device in enumerate(hanging)})
        row.columns[node] = (column, column + max(len(hanging), 1) - 1)
        column += max(len(hanging), 1)
    return row


def _level(
    circuit: Circuit, order: Sequence[str], row: _Row, base: str
) -> tuple[list[tuple[Device, int]], list[_Span]]:
    """Parts in the row with their column, and parts in the channels."""
    level: list[tuple[Device, int]] = []
    spans: list[_Span] = []
    filled: set[int] = set()
    for device in circuit.devices:
        if base in device.nodes:
            continue
        i, j = sorted(order.index(node) for node in device.nodes)
        start, stop = row.columns[order[i]][1], row.columns[order[j]][0]
        if j == i + 1 and start not in filled:
            filled.add(start)
            level.append((device, start))
        else:
            spans.append(_Span(device=device, left=start, right=stop))
    return level, spans


def _channels(spans: Sequence[_Span]) -> list[tuple[_Span, int]]:
    """Each span in the lowest free channel; rows count upwards from -1. Short spans lie lowest."""
    channels: list[list[_Span]] = []
    placed = []
    for span in sorted(spans, key=lambda s: (s.right - s.left, s.left)):
        free = (i for i, others in enumerate(channels) if all(_are_apart(span, other) for other in others))
        height = next(free, len(channels))
        if height == len(channels):
            channels.append([])
        channels[height].append(span)
        placed.append((span, -1 - height))
    return placed


def _are_apart(a: _Span, b: _Span) -> bool:
    return a.right <= b.left or b.right <= a.left


def _channel(span: _Span, height: int, order: Sequence[str]) -> tuple[Symbol, list[tuple[Point, ...]]]:
    """A part above the row: its pins stand off the grid lines, so that a wire that crosses at one does not touch it."""
    start = span.left + (span.right - span.left - 1) // 2
    a, b = (start + 0.2, height), (start + 0.8, height)
    leads: list[tuple[Point, ...]] = [
        ((span.left, 0), (span.left, height), a),
        (b, (span.right, height), (span.right, 0)),
    ]
    return edge_symbol(span.device.name, _turned(span.device, order, a, b)), leads


def _turned(device: Device, order: Sequence[str], first: Point, second: Point) -> Edge:
    """The ends of a part in the order of its pins: `first` is at the node that stands first in `order`."""
    a, b = (order.index(node) for node in device.nodes)
    return (first, second) if a < b else (second, first)
