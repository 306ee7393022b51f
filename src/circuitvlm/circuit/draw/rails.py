"""How is any netlist drawn at all? Every node a level rail, every device between the rails in columns of its own.

Plain, but always right: a lead crosses the rails that it does not belong to, and ends with a dot on its own. Rails that
do not lie above one another share a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from circuitvlm.circuit.draw.geometry import OVERHANG, Placement, Point, Symbol, edge_symbol
from circuitvlm.circuit.draw.ladder import improved, moved
from circuitvlm.circuit.graph import GROUND, Circuit, Device

TRANSISTORS = frozenset("QJZM")
TWO_PINS = frozenset("RCLVIDFHBW")
"""Kinds that have a symbol with two pins."""


@dataclass(slots=True)
class _Drawing:
    """What has been drawn so far; `reach` are the columns at which each node's rail is used."""

    row: dict[str, int]
    symbols: list[Symbol] = field(default_factory=list)
    wires: list[tuple[Point, ...]] = field(default_factory=list)
    reach: dict[str, list[float]] = field(default_factory=dict)

    def lead(self, node: str, *points: Point) -> None:
        """A wire from a pin over some corners, then straight up or down to the node's rail."""
        column = points[-1][0]
        self.wires.append((*points, (column, self.row[node])))
        self.reach.setdefault(node, []).append(column)


def rails(circuit: Circuit) -> Placement:
    """The drawing."""
    devices = _columns(circuit)
    drawing = _Drawing(row=_rows(circuit, devices))
    column = 0.0
    for device in devices:
        column += _add(drawing, device, column)
    for node, columns in drawing.reach.items():
        if min(columns) < max(columns):
            drawing.wires.append(((min(columns), drawing.row[node]), (max(columns), drawing.row[node])))
    ground = (min(drawing.reach[GROUND]), drawing.row[GROUND]) if GROUND in drawing.reach else None
    return moved(drawing.symbols, wires=drawing.wires, ground=ground, down=0)


def _columns(circuit: Circuit) -> list[Device]:
    """The devices from left to right, so that rails are short; those without pins last."""
    by_name = {str(i): device for i, device in enumerate(circuit.devices) if device.nodes}

    def cost(order: Sequence[str]) -> float:
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        for i, name in enumerate(order):
            for node in by_name[name].nodes:
                first.setdefault(node, i)
                last[node] = i
        return sum(last[node] - first[node] for node in first if node != GROUND)

    order = improved(list(by_name), cost=cost, rounds=4)
    return [by_name[name] for name in order] + [device for device in circuit.devices if not device.nodes]


def _rows(circuit: Circuit, devices: Sequence[Device]) -> dict[str, int]:
    """A row for every node: ground lowest, short leads, and one row for rails that do not overlap."""
    nodes = [node for node in dict.fromkeys(n for d in devices for n in d.nodes) if node != GROUND]
    pairs = [pair for d in devices for pair in zip(d.nodes, d.nodes[1:], strict=False)]

    def cost(order: Sequence[str]) -> float:
        at = {node: i for i, node in enumerate([*order, GROUND])}
        return sum(abs(at[a] - at[b]) for a, b in pairs)

    spans = {node: [i for i, d in enumerate(devices) if node in d.nodes] for node in nodes}
    rows: list[list[str]] = []
    for node in improved(nodes, cost=cost, rounds=4):
        for others in rows[-2:]:
            if all(max(spans[node]) < min(spans[o]) or max(spans[o]) < min(spans[node]) for o in others):
                others.append(node)
                break
        else:
            rows.append([node])
    found = {node: i for i, row in enumerate(rows) for node in row}
    return {**found, GROUND: max(len(rows), 1)}


def _add(drawing: _Drawing, device: Device, column: float) -> float:
    """Draws a device from a column on; gives how many columns it takes."""
    if device.kind in TWO_PINS and len(device.nodes) == 2:
        return _upright(drawing, device, column)
    if device.kind in TRANSISTORS and len(device.nodes) in (3, 4):
        return _transistor(drawing, device, column)
    return _box(drawing, device, column)


def _gap(rows: Iterable[int]) -> int:
    """The row above the gap in which a device with pins at these rows stands."""
    ordered = sorted(rows)
    middle = ordered[(len(ordered) - 1) // 2] if ordered else 0
    return middle if not ordered or middle < ordered[-1] else max(middle - 1, 0)


def _upright(drawing: _Drawing, device: Device, column: float) -> float:
    """A two-pin symbol between its rails, the pin of the upper rail above."""
    (a, b), rows = device.nodes, drawing.row
    gap = _gap([rows[a], rows[b]])
    upper, lower = (column, gap + 0.2), (column, gap + 0.8)
    if a == b:  # both pins on one rail: the far one comes round through a column of its own
        drawing.symbols.append(edge_symbol(device.name, (upper, lower)))
        near, far = (upper, lower) if rows[a] <= gap else (lower, upper)
        drawing.lead(a, near)
        aside = gap + 0.9 if far is lower else gap + 0.1
        drawing.lead(a, far, (column, aside), (column + 0.5, aside))
        return 1.5
    a_pin, b_pin = (upper, lower) if rows[a] < rows[b] else (lower, upper)
    drawing.symbols.append(edge_symbol(device.name, (a_pin, b_pin)))
    drawing.lead(a, a_pin)
    drawing.lead(b, b_pin)
    return 1.0


def _transistor(drawing: _Drawing, device: Device, column: float) -> float:
    """Main pins above one another, the gate or base left, a bulk or substrate right."""
    rows = drawing.row
    first, control, last = device.nodes[:3]
    gap = _gap([rows[first], rows[last]])
    middle, main = gap + 0.5, column + 1.0
    flipped = rows[first] > gap >= rows[last]
    upper, lower = (main, gap + 0.22), (main, gap + 0.78)
    pins: list[Point] = [lower if flipped else upper, (column + 0.25, middle), upper if flipped else lower]
    drawing.lead(control, pins[1], (column, middle))
    if len(device.nodes) == 4:
        pins.append((main, middle))
        drawing.lead(device.nodes[3], pins[3], (column + 1.35, middle))
    for node, pin in ((first, pins[0]), (last, pins[2])):
        goes_up = rows[node] <= gap
        if goes_up == (pin == upper):
            drawing.lead(node, pin)
        else:  # the rail lies on the other side: round the transistor, in a column of its own
            aside = gap + 0.1 if pin == upper else gap + 0.9
            drawing.lead(node, pin, (main, aside), (column + 1.7, aside))
    drawing.symbols.append(
        Symbol(device=device.name, form="transistor", pins=tuple(pins), centre=(column + 0.6, middle))
    )
    return 2.6


def _box(drawing: _Drawing, device: Device, column: float) -> float:
    """A box with its pins on the side of their rails."""
    gap = _gap([drawing.row[node] for node in device.nodes])
    pins: list[Point] = []
    first = column + OVERHANG + 0.1
    for i, node in enumerate(device.nodes):
        pin = (first + 0.6 * i, gap + (0.2 if drawing.row[node] <= gap else 0.8))
        pins.append(pin)
        drawing.lead(node, pin)
    width = 0.6 * max(len(device.nodes) - 1, 0)
    centre = (first + width / 2, gap + 0.5)
    drawing.symbols.append(Symbol(device=device.name, form="box", pins=tuple(pins), centre=centre))
    return width + 1.2
