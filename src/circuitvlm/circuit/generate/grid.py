"""Which circuit of CircuitSense's kind shall we draw next? Parts on a small jittered grid, controlled sources included.

A circuit begins as a drawing, as in `generate`: neighbouring points of a grid are joined by a wire, a part or nothing,
and the nodes follow. What is drawn follows the public benchmark CircuitSense (Akbari et al., 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from circuitvlm.circuit.draw.geometry import Edge, Mark, Placement, Point, edge_symbol, junctions, reading_order, runs
from circuitvlm.circuit.generate.generate import Item
from circuitvlm.circuit.generate.lattice import Groups
from circuitvlm.circuit.generate.lines import Lines, lines
from circuitvlm.circuit.generate.parts import Part, device_of, is_lively, named, planned
from circuitvlm.circuit.graph import GROUND, Circuit

__all__ = ["KINDS", "LARGEST", "item"]

KINDS = "RCLVIEGFH"
LARGEST = 14
TRIES = 2000
SPACING = (3.6, 5.2)
"""Least and largest distance of two grid lines in centimetres."""

SHARE = 0.66
"""How much of an edge that carries a part and a current probe belongs to the part."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A part with the places of its two pins and its middle."""

    part: Part
    pins: Edge
    centre: Point


def item(
    seed: int | Sequence[int],
    index: int,
    *,
    components: tuple[int, int],
    form: Literal["symbolic", "numeric"],
    kinds: str = KINDS,
) -> Item:
    """The circuit number `index` of the series `seed`, the same whenever and wherever it is made.

    `components` are the least and the largest number of devices, current probes (`VI1`, a source of 0 V) included. A
    symbolic circuit has no values but names (`Device.text`), gains such as y_1, and its node numbers are drawn. A
    numeric one has values of one to three digits; its ground is not drawn, and is the first point of the bottom row.
    `kinds` are the kinds of device that may occur. One or two of them are independent sources; in about every third
    circuit one or two sources are controlled: E and G by the voltage that `placement.marks` names beside a device, F
    and H by the current through a probe. All follow SPICE's conventions. Symbolic circuits are solvable for almost all
    values, numeric ones at 0 Hz and at 1 kHz.
    Raises ValueError for sizes and kinds of which no circuit can be made.
    """
    low, high = components
    if not 2 <= low <= high <= LARGEST:
        raise ValueError(f"components: got {low} to {high}, wanted something within 2 to {LARGEST}")
    if form not in ("symbolic", "numeric"):
        raise ValueError(f"form: got {form!r}, wanted 'symbolic' or 'numeric'")
    sources, passive = ("V" if form == "symbolic" else "VI"), "RCL"
    if not set(kinds) <= set(KINDS) or not set(kinds) & set(sources) or not set(kinds) & set(passive):
        raise ValueError(
            f"kinds: got {kinds!r}, wanted letters of {KINDS}, with one of {sources} and one of {passive} among them"
        )
    series = [seed] if isinstance(seed, int) else [*seed]
    rng = np.random.default_rng(np.random.SeedSequence([*series, index]))
    count = int(rng.integers(low, high + 1))
    for _ in range(TRIES):
        plan = planned(rng, count=count, kinds=kinds, symbolic=form == "symbolic")
        for _ in range(6):  # the plan is kept, else what is hard to draw would become rare
            edges = lines(rng, parts=sum(not part.shares for part in plan))
            made = _item(rng, plan=plan, edges=edges, symbolic=form == "symbolic") if edges else None
            if made is not None and is_lively(rng, made.circuit):
                return made
    raise RuntimeError(f"no solvable circuit of {count} components in {TRIES} tries; kinds were {kinds!r}")


def _item(rng: np.random.Generator, *, plan: Sequence[Part], edges: Lines, symbolic: bool) -> Item:
    """Puts the planned parts on the edges."""
    drawn = sorted(_drawn(rng, plan, edges), key=lambda d: d.centre)
    parts = named(rng, [d.part for d in drawn], shuffled=symbolic and rng.random() < 0.5)
    drawn = [replace(d, part=part) for d, part in zip(drawn, parts, strict=True)]
    points = sorted({point for edge in (*edges.parts, *edges.wires) for point in edge})
    ground = _ground(rng, points, symbolic=symbolic)
    node_of = _nodes(rng, drawn, edges=edges, ground=ground, symbolic=symbolic)
    ends = {d.part.name: (node_of[d.pins[0]], node_of[d.pins[1]]) for d in drawn}
    marks = _marks(rng, parts)
    devices = tuple(device_of(rng, part, ends=ends, marks=marks, symbolic=symbolic) for part in parts)
    placement = Placement(
        symbols=tuple(replace(edge_symbol(d.part.name, d.pins), centre=d.centre) for d in drawn),
        wires=runs(edges.wires),
        dots=junctions([*edges.parts, *edges.wires]),
        ground=ground,
        labels=tuple((node_of[point], point) for point in points) if symbolic else (),
        marks=marks,
        controls=tuple((part.name, part.control) for part in parts if part.control),
        columns=_jittered(rng, count=1 + max(int(x) for x, _ in points)),
        rows=_jittered(rng, count=1 + max(int(y) for _, y in points)),
    )
    assert reading_order(placement) == tuple(part.name for part in parts), "parts are made in reading order"
    return Item(circuit=Circuit(devices=devices), placement=placement, family="symbolic" if symbolic else "numeric")


def _drawn(rng: np.random.Generator, plan: Sequence[Part], edges: Lines) -> list[_Drawn]:
    """Each part on an edge; a probe that shares one lies before or behind its partner."""
    order = [edges.parts[int(i)] for i in rng.permutation(len(edges.parts))]
    drawn: list[_Drawn] = []
    places: dict[int, Edge] = {}
    for number, part in enumerate(plan):
        if not part.shares:
            places[number] = order.pop()
    shared = {part.host for part in plan if part.shares}
    for number, part in enumerate(plan):
        a, b = places[part.host if part.shares else number]
        centre = _between(a, b, 0.5)
        if number in shared:  # its probe follows in the plan
            continue
        if part.shares:
            behind = rng.random() < 0.5
            cut = _between(a, b, SHARE if behind else 1 - SHARE)
            host, probe = ((a, cut), (cut, b)) if behind else ((cut, b), (a, cut))
            drawn.append(_Drawn(part=plan[part.host], pins=_turned(rng, plan[part.host], host), centre=centre))
            a, b = probe
            centre = _between(a, b, 0.5)
        drawn.append(_Drawn(part=part, pins=_turned(rng, part, (a, b)), centre=centre))
    return drawn


def _between(a: Point, b: Point, at: float) -> Point:
    return round(a[0] + at * (b[0] - a[0]), 3), round(a[1] + at * (b[1] - a[1]), 3)


def _turned(rng: np.random.Generator, part: Part, edge: Edge) -> Edge:
    """A passive's first pin is the left or upper one, all others stand either way."""
    return edge if part.kind in "RCL" or rng.random() < 0.5 else edge[::-1]


def _ground(rng: np.random.Generator, points: Sequence[Point], *, symbolic: bool) -> Point:
    """A point of the bottom row; the first of it where the drawing shows no ground, so that a reader can tell it."""
    bottom = max(y for _, y in points)
    low = [point for point in points if point[1] == bottom]
    place = int(rng.integers(len(low)))
    return low[place] if symbolic else low[0]


def _nodes(
    rng: np.random.Generator, drawn: Sequence[_Drawn], *, edges: Lines, ground: Point, symbolic: bool
) -> dict[Point, str]:
    """The node at each point: 0 is ground, the others are numbered by first appearance, or anyhow and with holes."""
    groups = Groups()
    for wire in edges.wires:
        groups.join(*wire)
    names = {groups.find(ground): GROUND}
    points = [point for d in drawn for point in d.pins]
    found = dict.fromkeys(groups.find(point) for point in points if groups.find(point) not in names)
    holes = int(rng.integers(0, 3)) if symbolic and rng.random() < 0.4 else 0
    numbers = rng.permutation(len(found) + holes)[: len(found)] if symbolic else range(len(found))
    names.update({group: str(int(number) + 1) for group, number in zip(found, numbers, strict=True)})
    every = {*points, *(point for wire in edges.wires for point in wire)}
    return {point: names[groups.find(point)] for point in sorted(every)}


def _marks(rng: np.random.Generator, parts: Sequence[Part]) -> tuple[Mark, ...]:
    """The quantities that control sources: a voltage on a device, the current of a probe."""
    by_control = {part.control: part for part in parts if part.control}
    probes = {part.name for part in parts if part.is_probe}
    return tuple(
        Mark(kind="current", name=name, device=source.watches)
        if source.watches in probes
        else Mark(kind="voltage", name=name, device=source.watches, reversed=bool(rng.random() < 0.5))
        for name, source in by_control.items()
    )


def _jittered(rng: np.random.Generator, *, count: int) -> tuple[float, ...]:
    """Where the grid lines lie, in centimetres, to a tenth."""
    gaps = rng.uniform(*SPACING, size=count - 1)
    return tuple(round(float(at), 1) for at in (0.0, *np.cumsum(gaps)))
