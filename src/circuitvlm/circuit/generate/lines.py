"""Which neighbouring points of a small grid are joined, and by what? Wires, parts or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from circuitvlm.circuit.draw.geometry import Edge, Point
from circuitvlm.circuit.generate.lattice import Groups

SIDES = (2, 3, 4)
"""Points along a side of the grid."""

SIZES = tuple((columns, rows) for columns in SIDES for rows in SIDES)


@dataclass(frozen=True, slots=True)
class Lines:
    """Unit edges of a grid whose upper left point is (0, 0)."""

    parts: tuple[Edge, ...]
    wires: tuple[Edge, ...]


def lines(rng: np.random.Generator, *, parts: int) -> Lines | None:
    """Edges for that many parts, None where this try has failed.

    Every part lies on a closed path, none is shorted, and the wires close no path among themselves.
    """
    sizes = [(c, r) for c, r in SIZES if parts <= _count(c, r) <= 2 * parts + 4]
    columns, rows = sizes[int(rng.integers(len(sizes)))]
    edges = _thinned(rng, _grid(columns, rows), least=parts)
    if len(edges) < max(parts, 1) or not nx.is_connected(nx.Graph(edges)):
        return None
    order = [edges[int(i)] for i in rng.permutation(len(edges))]
    wires, joined = _forest(order, count=len(edges) - parts)
    carrying = [edge for edge in edges if edge not in wires]
    ends = [(joined.find(a), joined.find(b)) for a, b in carrying]
    if len(carrying) != parts or any(a == b for a, b in ends) or _has_bridge(ends):
        return None
    left, top = (min(point[axis] for edge in edges for point in edge) for axis in (0, 1))
    moved = {edge: _moved(edge, left=left, top=top) for edge in edges}
    return Lines(parts=tuple(moved[e] for e in carrying), wires=tuple(moved[e] for e in edges if e in wires))


def _count(columns: int, rows: int) -> int:
    return columns * (rows - 1) + rows * (columns - 1)


def _grid(columns: int, rows: int) -> list[Edge]:
    level: list[Edge] = [((x, y), (x + 1, y)) for x in range(columns - 1) for y in range(rows)]
    upright: list[Edge] = [((x, y), (x, y + 1)) for x in range(columns) for y in range(rows - 1)]
    return level + upright


def _thinned(rng: np.random.Generator, edges: list[Edge], *, least: int) -> list[Edge]:
    """Without a random number of edges, and without the loose ends that leaves."""
    gone = int(rng.integers(0, max(1, (len(edges) - least) // 2 + 1)))
    kept = [edges[int(i)] for i in sorted(rng.permutation(len(edges))[gone:])]
    core = nx.k_core(nx.Graph(kept), 2)
    return [edge for edge in kept if core.has_edge(*edge)]


def _forest(order: Sequence[Edge], *, count: int) -> tuple[set[Edge], Groups]:
    """The first edges of an order that close no path, at most `count`, and the points they join."""
    joined, wires = Groups(), set[Edge]()
    for edge in order:
        if len(wires) < count and joined.join(*edge):
            wires.add(edge)
    return wires, joined


def _has_bridge(ends: Sequence[tuple[Point, Point]]) -> bool:
    """Whether a part lies on no closed path, so that no current can flow in it. Parallel parts are no bridge."""
    graph = nx.Graph(ends)
    return any(sum({a, b} == set(pair) for pair in ends) == 1 for a, b in nx.bridges(graph))


def _moved(edge: Edge, *, left: float, top: float) -> Edge:
    (x0, y0), (x1, y1) = edge
    return (x0 - left, y0 - top), (x1 - left, y1 - top)
