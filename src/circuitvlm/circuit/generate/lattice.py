"""Choose the edges of a square lattice that a random circuit uses, and name the nodes that they connect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import networkx as nx
import numpy as np
from networkx.utils import UnionFind

from circuitvlm.circuit.graph import GROUND
from circuitvlm.circuit.placement import Edge, Point


def unit_edges(*, width: int, height: int) -> list[Edge]:
    """The horizontal, then the vertical edges of a lattice of `width` x `height` cells; a point is (column, row)."""
    horizontal: list[Edge] = [((x, y), (x + 1, y)) for x in range(width) for y in range(height + 1)]
    vertical: list[Edge] = [((x, y), (x, y + 1)) for x in range(width + 1) for y in range(height)]
    return horizontal + vertical


def without_loose_ends(edges: list[Edge]) -> list[Edge]:
    """The edges that remain when edges with a loose end are removed again and again."""
    while True:
        degrees = Counter(point for edge in edges for point in edge)
        inner_edges = [(a, b) for a, b in edges if degrees[a] > 1 and degrees[b] > 1]
        if len(inner_edges) == len(edges):
            return edges
        edges = inner_edges


def edge_points(edges: Iterable[Edge]) -> list[Point]:
    """The points of some edges from left to right, and from top to bottom."""
    return sorted({point for edge in edges for point in edge})


def bottom_points(edges: Iterable[Edge]) -> list[Point]:
    """The points of the bottom row from left to right."""
    points = edge_points(edges)
    bottom = max(y for _, y in points)
    return [point for point in points if point[1] == bottom]


def name_nodes(
    pins: Sequence[Edge],
    *,
    wires: Sequence[Edge],
    ground: Point,
    choose_numbers: Callable[[int], Iterable[int]] = range,
) -> dict[Point, str]:
    """The node at each point: 0 is ground, the others have numbers in the order of the pins.

    `choose_numbers` returns as many numbers, counted from 0, as its argument says.
    """
    groups = UnionFind()
    for wire in wires:
        groups.union(*wire)
    ground_group = groups[ground]
    nodes = dict.fromkeys(group for edge in pins for point in edge if (group := groups[point]) != ground_group)
    numbers = zip(nodes, choose_numbers(len(nodes)), strict=True)
    names = {ground_group: GROUND} | {group: str(int(number) + 1) for group, number in numbers}
    return {point: names[groups[point]] for point in edge_points([*pins, *wires])}


GRIDS = tuple(unit_edges(width=width, height=height) for width in (1, 2, 3) for height in (1, 2, 3))
"""The edges of the grids of 2 to 4 points along each side."""


def choose_edges(rng: np.random.Generator, *, count: int, family: str) -> list[Edge]:
    """The edges for `count` parts and their wires: those of a lattice without some inner ones, and no loose ends."""
    meshes = int(rng.integers(max(1, count // 4), max(1, round(0.65 * count)) + 1))
    height = {"ladder": 1, "bridge": 2, "grid": 3 if count > 8 and rng.random() < 0.3 else 2}[family]
    meshes = max(meshes, 3 if family == "bridge" else 0)
    min_width = max(1, -(-meshes // height), -(-(count - height) // (2 * height + 1)))
    width = int(rng.integers(min_width, min_width + 2)) if min_width < 5 else min_width
    edges = unit_edges(width=width, height=height)
    inner_edges = [e for e in edges if not _is_on_border(e, width=width, height=height)]
    rng.shuffle(inner_edges)
    for edge in inner_edges[: max(width * height - meshes, 0)]:
        edges.remove(edge)
    return without_loose_ends(edges)


def _is_on_border(edge: Edge, *, width: int, height: int) -> bool:
    (x0, y0), (x1, y1) = edge
    return (y0 == y1 and y0 in (0, height)) or (x0 == x1 and x0 in (0, width))


def choose_part_edges(rng: np.random.Generator, edges: list[Edge], *, count: int) -> list[Edge]:
    """The edges that carry a part; the others are wires.

    The list is empty where wires would short a part, or where one node would cut the circuit in two.
    """
    bottom = max(y for edge in edges for _, y in edge)
    # The bottom rail becomes a wire first, vertical edges last.
    weights = [0.35 if a[1] != b[1] else 8.0 if a[1] == bottom else 1.0 for a, b in edges]
    order = np.argsort(rng.exponential(size=len(edges)) / np.array(weights))
    parts, _, pairs = _split_edges(edges, order, part_count=count)
    is_shorted = any(a == b for a, b in pairs)
    # Nodes must be connected also without any one of them: else a half of the circuit carries no current.
    return [] if len(parts) != count or is_shorted or not nx.is_biconnected(nx.Graph(pairs)) else parts


def _split_edges(
    edges: list[Edge], order: Iterable[int], *, part_count: int
) -> tuple[list[Edge], list[Edge], list[tuple[Point, Point]]]:
    """The edges of parts, those of wires, and the two groups of connected points that each part joins.

    In this order edges become wires, if they form no closed path, until the others are as many as the parts.
    """
    groups, wires = UnionFind(), set[Edge]()
    for a, b in (edges[i] for i in order):
        if len(wires) < len(edges) - part_count and groups[a] != groups[b]:
            groups.union(a, b)
            wires.add((a, b))
    parts = [edge for edge in edges if edge not in wires]
    pairs = [(groups[a], groups[b]) for a, b in parts]
    return parts, [edge for edge in edges if edge in wires], pairs


def choose_grid_edges(rng: np.random.Generator, *, part_count: int) -> tuple[list[Edge], list[Edge]] | None:
    """The edges of this number of parts and those of wires, or None where this attempt fails.

    Every part lies on a closed path, none is shorted, and the wires alone form no closed path. The upper left point is
    (0, 0).
    """
    grids = [grid for grid in GRIDS if part_count <= len(grid) <= 2 * part_count + 4]
    grid = grids[int(rng.integers(len(grids)))]
    removed_count = int(rng.integers(0, max(1, (len(grid) - part_count) // 2 + 1)))
    edges = without_loose_ends([grid[int(i)] for i in sorted(rng.permutation(len(grid))[removed_count:])])
    if len(edges) < max(part_count, 1) or not nx.is_connected(nx.Graph(edges)):
        return None
    parts, wires, pairs = _split_edges(edges, rng.permutation(len(edges)), part_count=part_count)
    if len(parts) != part_count or any(a == b for a, b in pairs) or _has_bridge(pairs):
        return None
    x_min, y_min = (min(point[axis] for edge in edges for point in edge) for axis in (0, 1))
    part_edges, wire_edges = (
        [((x0 - x_min, y0 - y_min), (x1 - x_min, y1 - y_min)) for (x0, y0), (x1, y1) in group]
        for group in (parts, wires)
    )
    return part_edges, wire_edges


def _has_bridge(pairs: Sequence[tuple[Point, Point]]) -> bool:
    """Whether a part lies on no closed path, so that it cannot carry a current. Parallel parts are no bridge."""
    return any(sum({a, b} == set(pair) for pair in pairs) == 1 for a, b in nx.bridges(nx.Graph(pairs)))
