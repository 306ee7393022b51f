"""Choose a placement for any netlist: a ladder where all devices have two pins, else nodes as horizontal rails.

Between rails every device stands in its own columns. This is plain, but always right. A lead crosses the rails of other
nodes, and ends with a dot on its own rail. Rails that do not overlap may share a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from circuitvlm.circuit.draw.ladder import Wire, improve_order, ladder, shifted_placement, total_distance
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.placement import BOX_OVERHANG, Placement, Point, Symbol, edge_symbol

TRANSISTORS = frozenset("QJZM")
TWO_PINS = frozenset("RCLVIDFHBW")
"""Kinds that have a symbol with two pins."""


def place(circuit: Circuit) -> Placement:
    """A placement with the connections of the netlist.

    A device without pins on any node (a coupling K) is no part of the connections. It stands in the last column.
    """
    fits_ladder = all(d.kind in TWO_PINS and len(set(d.nodes)) == 2 == len(d.nodes) for d in circuit.devices)
    return ladder(circuit) if circuit.devices and fits_ladder else _rails(circuit)


@dataclass(slots=True)
class _Drawing:
    """The symbols and wires so far. `rail_rows` are the rows of the nodes, `rail_columns` the columns with leads."""

    rail_rows: dict[str, int]
    symbols: list[Symbol] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    rail_columns: dict[str, list[float]] = field(default_factory=dict)

    def add_lead(self, node: str, *points: Point) -> None:
        """A wire from a pin through further points, then vertically to the rail of the node."""
        column = points[-1][0]
        self.wires.append((*points, (column, self.rail_rows[node])))
        self.rail_columns.setdefault(node, []).append(column)


def _rails(circuit: Circuit) -> Placement:
    """The placement with a rail for each node."""
    devices = _order_devices(circuit)
    drawing = _Drawing(rail_rows=_assign_rows(devices))
    column = 0.0
    for device in devices:
        has_two_pins = device.kind in TWO_PINS and len(device.nodes) == 2
        is_transistor = device.kind in TRANSISTORS and len(device.nodes) in (3, 4)
        add_symbol = _add_two_pins if has_two_pins else _add_transistor if is_transistor else _add_box
        column += add_symbol(drawing, device, column)
    rows, rail_columns = drawing.rail_rows, drawing.rail_columns
    drawing.wires += [
        ((min(columns), rows[node]), (max(columns), rows[node]))
        for node, columns in rail_columns.items()
        if min(columns) < max(columns)
    ]
    return shifted_placement(
        drawing.symbols,
        wires=drawing.wires,
        ground=(min(rail_columns[GROUND]), rows[GROUND]) if GROUND in rail_columns else None,
        shift=0,
    )


def _order_devices(circuit: Circuit) -> list[Device]:
    """The devices from left to right, so that rails are short; devices without pins come last."""
    by_number = {str(i): device for i, device in enumerate(circuit.devices) if device.nodes}

    def cost(order: Sequence[str]) -> float:
        places = [(node, i) for i, number in enumerate(order) for node in by_number[number].nodes]
        first, last = dict(reversed(places)), dict(places)
        return sum(last[node] - first[node] for node in first if node != GROUND)

    order = improve_order(list(by_number), cost=cost, rounds=4)
    return [by_number[number] for number in order] + [device for device in circuit.devices if not device.nodes]


def _assign_rows(devices: Sequence[Device]) -> dict[str, int]:
    """A row for every node: ground lowest, short leads, and one row for rails that do not overlap."""
    nodes = [node for node in dict.fromkeys(n for d in devices for n in d.nodes) if node != GROUND]
    pairs = [pair for d in devices for pair in pairwise(d.nodes)]
    spans = {node: [i for i, d in enumerate(devices) if node in d.nodes] for node in nodes}
    rows: list[list[str]] = []
    for node in improve_order(nodes, cost=lambda order: total_distance([*order, GROUND], pairs), rounds=4):
        for row in rows[-2:]:
            if all(max(spans[node]) < min(spans[n]) or max(spans[n]) < min(spans[node]) for n in row):
                row.append(node)
                break
        else:
            rows.append([node])
    return {node: i for i, row in enumerate(rows) for node in row} | {GROUND: max(len(rows), 1)}


def _row_above(rows: Iterable[int]) -> int:
    """The row above the gap in which a device with pins at these rows stands."""
    sorted_rows = sorted(rows)
    middle = sorted_rows[(len(sorted_rows) - 1) // 2] if sorted_rows else 0
    return middle if not sorted_rows or middle < sorted_rows[-1] else max(middle - 1, 0)


def _add_two_pins(drawing: _Drawing, device: Device, column: float) -> float:
    """A vertical two-pin symbol between its rails, the pin of the upper rail above.

    Returns how many columns it takes, as the other functions that add a symbol do.
    """
    (a, b), rows = device.nodes, drawing.rail_rows
    row = _row_above([rows[a], rows[b]])
    upper, lower = (column, row + 0.2), (column, row + 0.8)
    a_pin, b_pin = (upper, lower) if a == b or rows[a] < rows[b] else (lower, upper)
    drawing.symbols.append(edge_symbol(device.name, (a_pin, b_pin)))
    if a != b:
        drawing.add_lead(a, a_pin)
        drawing.add_lead(b, b_pin)
        return 1.0
    # Both pins on one rail: the lead of the far pin runs through its own column.
    near_pin, far_pin, bend = (upper, lower, row + 0.9) if rows[a] <= row else (lower, upper, row + 0.1)
    drawing.add_lead(a, near_pin)
    drawing.add_lead(a, far_pin, (column, bend), (column + 0.5, bend))
    return 1.5


def _add_transistor(drawing: _Drawing, device: Device, column: float) -> float:
    """The main pins on a vertical line, the gate or base to the left, a bulk or substrate to the right."""
    rows = drawing.rail_rows
    first, control, last = device.nodes[:3]
    row = _row_above([rows[first], rows[last]])
    middle, main_column = row + 0.5, column + 1.0
    upper, lower = (main_column, row + 0.22), (main_column, row + 0.78)
    first_pin, last_pin = (lower, upper) if rows[first] > row >= rows[last] else (upper, lower)
    pins: list[Point] = [first_pin, (column + 0.25, middle), last_pin]
    drawing.add_lead(control, pins[1], (column, middle))
    if len(device.nodes) == 4:
        pins.append((main_column, middle))
        drawing.add_lead(device.nodes[3], pins[3], (column + 1.35, middle))
    for node, pin in ((first, first_pin), (last, last_pin)):
        if (rows[node] <= row) == (pin == upper):
            drawing.add_lead(node, pin)
        else:  # the rail lies on the other side: the lead runs around the transistor, in its own column
            bend = row + 0.1 if pin == upper else row + 0.9
            drawing.add_lead(node, pin, (main_column, bend), (column + 1.7, bend))
    drawing.symbols.append(Symbol(device.name, form="transistor", pins=tuple(pins), centre=(column + 0.6, middle)))
    return 2.6


def _add_box(drawing: _Drawing, device: Device, column: float) -> float:
    """A box with its pins on the side of their rails."""
    rows = [drawing.rail_rows[node] for node in device.nodes]
    row, first = _row_above(rows), column + BOX_OVERHANG + 0.1
    pins = tuple((first + 0.6 * i, row + (0.2 if r <= row else 0.8)) for i, r in enumerate(rows))
    for node, pin in zip(device.nodes, pins, strict=True):
        drawing.add_lead(node, pin)
    width = 0.6 * max(len(device.nodes) - 1, 0)
    drawing.symbols.append(Symbol(device.name, form="box", pins=pins, centre=(first + width / 2, row + 0.5)))
    return width + 1.2
