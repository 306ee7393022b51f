"""Generate circuits like those of the benchmark CircuitSense: parts on a small uneven grid, with controlled sources.

A circuit begins as a drawing, as in `generate.basic`. Neighbouring points of a grid are connected by a wire or a part,
or not at all, and the nodes follow. The drawings follow those of CircuitSense (Akbari et al., 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from circuitvlm.circuit.generate.basic import Item, item_rng
from circuitvlm.circuit.generate.grid_devices import Part, carries_current, create_device, name_parts, plan_parts
from circuitvlm.circuit.generate.lattice import bottom_points, choose_grid_edges, edge_points, name_nodes
from circuitvlm.circuit.graph import LINEAR_KINDS, Circuit
from circuitvlm.circuit.placement import (
    Edge,
    Mark,
    Placement,
    Point,
    edge_symbol,
    junctions,
    reading_order,
    straight_wires,
)

MAX_COMPONENTS = 14
TRIES = 2000
LINE_DISTANCES = (3.6, 5.2)
"""Smallest and largest distance of two grid lines, in centimetres."""

HOST_SHARE = 0.66
"""Share of an edge with a part and a current probe that belongs to the part."""


@dataclass(frozen=True, slots=True)
class _PlacedPart:
    """A part with the points of its two pins and its centre."""

    part: Part
    pins: Edge
    centre: Point


def item(
    seed: int | Sequence[int],
    index: int,
    *,
    components: tuple[int, int],
    form: Literal["symbolic", "numeric"],
    kinds: str = LINEAR_KINDS,
) -> Item:
    """The circuit number `index` of the series `seed`, always the same.

    `components` are the smallest and the largest number of devices, current probes (`VI1`, a source of 0 V) included.
    `kinds` are the kinds of device that may occur. A symbolic circuit has names for values (`Device.text`) and gains
    such as y_1, and its node numbers are drawn. A numeric one has values of one to three digits. Its ground is not
    drawn: it is the first point of the bottom row.
    One or two devices are independent sources. In about every third circuit one or two sources are controlled: E and G
    by the voltage of a device, which is one of `placement.marks`, F and H by the current of a probe. All follow SPICE's
    conventions. Symbolic circuits are solvable for almost all values, numeric ones at 0 Hz and at 1 kHz.
    Raises ValueError for numbers and kinds for which no circuit exists.
    """
    low, high = components
    if not 2 <= low <= high <= MAX_COMPONENTS:
        raise ValueError(f"components: expected a range within 2 to {MAX_COMPONENTS}, got {low} to {high}")
    if form not in ("symbolic", "numeric"):
        raise ValueError(f"form: expected 'symbolic' or 'numeric', got {form!r}")
    is_symbolic = form == "symbolic"
    sources, passive = ("V" if is_symbolic else "VI"), "RCL"
    if not set(kinds) <= set(LINEAR_KINDS) or not set(kinds) & set(sources) or not set(kinds) & set(passive):
        raise ValueError(
            f"kinds: expected letters of {LINEAR_KINDS}, with one of {sources} and one of {passive} among them, "
            f"got {kinds!r}"
        )
    rng = item_rng(seed, index)
    count = int(rng.integers(low, high + 1))
    for _ in range(TRIES):
        plan = plan_parts(rng, count=count, kinds=kinds, is_symbolic=is_symbolic)
        for _ in range(6):  # more tries with one plan: otherwise plans that are hard to draw would become rare
            edges = choose_grid_edges(rng, part_count=sum(not part.has_host for part in plan))
            candidate = _item(rng, *edges, plan=plan, is_symbolic=is_symbolic) if edges else None
            if candidate is not None and carries_current(rng, candidate.circuit):
                return candidate
    raise RuntimeError(
        f"kinds: expected a solvable circuit of {count} components in {TRIES} tries, got none of the kinds {kinds!r}; "
        "allow more kinds or another number of components"
    )


def _item(
    rng: np.random.Generator, part_edges: list[Edge], wires: list[Edge], *, plan: Sequence[Part], is_symbolic: bool
) -> Item:
    """Place the planned parts on their edges."""
    placed_parts = sorted(_place_parts(rng, plan, part_edges), key=lambda placed_part: placed_part.centre)
    parts = name_parts(rng, [p.part for p in placed_parts], shuffle=is_symbolic and rng.random() < 0.5)
    names = [part.name for part in parts]
    edges = [*part_edges, *wires]
    bottom = bottom_points(edges)
    ground_place = int(rng.integers(len(bottom)))
    ground = bottom[ground_place if is_symbolic else 0]  # a reader of a numeric circuit has to find it without a sign
    gap_count = int(rng.integers(0, 3)) if is_symbolic and rng.random() < 0.4 else 0
    # In a symbolic circuit the numbers of nodes are shuffled, and some of them may be missing.
    choose_numbers = (lambda count: rng.permutation(count + gap_count)[:count]) if is_symbolic else range
    nodes = name_nodes([p.pins for p in placed_parts], wires=wires, ground=ground, choose_numbers=choose_numbers)
    part_nodes = {name: (nodes[p.pins[0]], nodes[p.pins[1]]) for name, p in zip(names, placed_parts, strict=True)}
    marks = _marks(rng, parts)
    devices = tuple(
        create_device(rng, part, part_nodes=part_nodes, marks=marks, is_symbolic=is_symbolic) for part in parts
    )
    points = edge_points(edges)
    placement = Placement(
        symbols=tuple(
            replace(edge_symbol(name, p.pins), centre=p.centre) for name, p in zip(names, placed_parts, strict=True)
        ),
        wires=straight_wires(wires),
        dots=junctions(edges),
        ground=ground,
        node_labels=tuple((nodes[point], point) for point in points) if is_symbolic else (),
        marks=marks,
        controls=tuple((part.name, part.control) for part in parts if part.control),
        columns=_grid_lines(rng, gaps=int(max(x for x, _ in points))),
        rows=_grid_lines(rng, gaps=int(max(y for _, y in points))),
    )
    assert reading_order(placement) == tuple(names), "parts are generated in reading order"
    return Item(circuit=Circuit(devices=devices), placement=placement, family="symbolic" if is_symbolic else "numeric")


def _place_parts(rng: np.random.Generator, plan: Sequence[Part], edges: list[Edge]) -> list[_PlacedPart]:
    """Each part on an edge; a probe with a host stands before or after it on the same edge."""
    order = [edges[int(i)] for i in rng.permutation(len(edges))]
    part_edges = {part.number: order.pop() for part in plan if not part.has_host}
    hosts = {part.host for part in plan if part.has_host}
    placed_parts: list[_PlacedPart] = []

    def add(part: Part, pins: Edge, centre: Point) -> None:
        """Add a part; the first pin of a passive part is the left or upper one, other parts are in either order."""
        pins = pins if part.kind in "RCL" or rng.random() < 0.5 else pins[::-1]
        placed_parts.append(_PlacedPart(part, pins, centre))

    for part in plan:
        if part.has_host:
            a, b = part_edges[part.host]
            is_after = rng.random() < 0.5
            cut = _point_between(a, b, HOST_SHARE if is_after else 1 - HOST_SHARE)
            host_pins, probe_pins = ((a, cut), (cut, b)) if is_after else ((cut, b), (a, cut))
            add(plan[part.host], host_pins, _point_between(a, b, 0.5))
            add(part, probe_pins, _point_between(*probe_pins, 0.5))
        elif part.number not in hosts:  # a host is added with its probe
            add(part, part_edges[part.number], _point_between(*part_edges[part.number], 0.5))
    return placed_parts


def _point_between(a: Point, b: Point, share: float) -> Point:
    return round(a[0] + share * (b[0] - a[0]), 3), round(a[1] + share * (b[1] - a[1]), 3)


def _marks(rng: np.random.Generator, parts: Sequence[Part]) -> tuple[Mark, ...]:
    """The quantities that control sources: a voltage of a device, or the current of a probe."""
    controlled_parts = {part.control: part for part in parts if part.control}
    return tuple(
        Mark("current", name, part.controller_name)
        if part.kind in "FH"
        else Mark("voltage", name, part.controller_name, is_reversed=bool(rng.random() < 0.5))
        for name, part in controlled_parts.items()
    )


def _grid_lines(rng: np.random.Generator, *, gaps: int) -> tuple[float, ...]:
    """The positions of grid lines in centimetres, rounded to a tenth."""
    positions = np.cumsum(rng.uniform(*LINE_DISTANCES, size=gaps))
    return tuple(round(float(position), 1) for position in (0.0, *positions))
