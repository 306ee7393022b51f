"""Choose which neighbouring points of a small grid are connected by a part, by a wire, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import numpy as np

from circuitvlm.circuit.generate.lattice import DisjointSet, unit_edges, without_loose_ends
from circuitvlm.circuit.placement import Edge, Point

GRIDS = tuple(unit_edges(width=width, height=height) for width in (1, 2, 3) for height in (1, 2, 3))
"""The edges of the grids of 2 to 4 points along each side."""


def choose_grid_edges(rng: np.random.Generator, *, part_count: int) -> tuple[list[Edge], list[Edge]] | None:
    """The edges of this number of parts and those of wires, or None where this attempt fails.

    Every part lies on a closed path, none is shorted, and the wires alone form no closed path. The upper left point is
    (0, 0).
    """
    grids = [grid for grid in GRIDS if part_count <= len(grid) <= 2 * part_count + 4]
    edges = _remove_some(rng, grids[int(rng.integers(len(grids)))], min_count=part_count)
    if len(edges) < max(part_count, 1) or not nx.is_connected(nx.Graph(edges)):
        return None
    groups, wires = DisjointSet(), set[Edge]()
    for i in rng.permutation(len(edges)):
        edge = edges[int(i)]
        if len(wires) < len(edges) - part_count and groups.union(*edge):
            wires.add(edge)
    parts = [edge for edge in edges if edge not in wires]
    pairs = [(groups.find(a), groups.find(b)) for a, b in parts]
    if len(parts) != part_count or any(a == b for a, b in pairs) or _has_bridge(pairs):
        return None
    x_min, y_min = (min(point[axis] for edge in edges for point in edge) for axis in (0, 1))

    def shift(edge: Edge) -> Edge:
        (x0, y0), (x1, y1) = edge
        return (x0 - x_min, y0 - y_min), (x1 - x_min, y1 - y_min)

    return [shift(edge) for edge in parts], [shift(edge) for edge in edges if edge in wires]


def _remove_some(rng: np.random.Generator, edges: list[Edge], *, min_count: int) -> list[Edge]:
    """The edges without a random number of them, and without the loose ends that remain."""
    count = int(rng.integers(0, max(1, (len(edges) - min_count) // 2 + 1)))
    return without_loose_ends([edges[int(i)] for i in sorted(rng.permutation(len(edges))[count:])])


def _has_bridge(pairs: Sequence[tuple[Point, Point]]) -> bool:
    """Whether a part lies on no closed path, so that it cannot carry a current. Parallel parts are no bridge."""
    return any(sum({a, b} == set(pair) for pair in pairs) == 1 for a, b in nx.bridges(nx.Graph(pairs)))
