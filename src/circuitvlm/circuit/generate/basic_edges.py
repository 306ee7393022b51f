"""Choose the edges of a lattice that a random basic circuit uses, and those that carry a part."""

from __future__ import annotations

import numpy as np

from circuitvlm.circuit.generate.lattice import DisjointSet, unit_edges, without_loose_ends
from circuitvlm.circuit.placement import Edge, Point


def choose_edges(rng: np.random.Generator, *, count: int, family: str) -> list[Edge]:
    """The edges for `count` parts and their wires: those of a lattice without some inner ones, and no loose ends."""
    meshes = int(rng.integers(max(1, count // 4), max(1, round(0.65 * count)) + 1))
    height = {"ladder": 1, "bridge": 2, "grid": 3 if count > 8 and rng.random() < 0.3 else 2}[family]
    if family == "bridge":
        meshes = max(meshes, 3)
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
    wire_count = len(edges) - count
    bottom = max(y for edge in edges for _, y in edge)
    # The bottom rail becomes a wire first, vertical edges last.
    weights = [0.35 if a[1] != b[1] else 8.0 if a[1] == bottom else 1.0 for a, b in edges]
    order = np.argsort(rng.exponential(size=len(edges)) / np.array(weights))
    groups = DisjointSet()
    part_edges: list[Edge] = []
    for i in order:
        edge = edges[int(i)]
        if wire_count > 0 and groups.union(*edge):
            wire_count -= 1
        else:
            part_edges.append(edge)
    pairs = [(groups.find(a), groups.find(b)) for a, b in part_edges]
    if wire_count or any(a == b for a, b in pairs) or not _is_biconnected(pairs):
        return []
    return part_edges


def _is_biconnected(pairs: list[tuple[Point, Point]]) -> bool:
    """Whether all nodes are connected, also without any one of them: else a half of the circuit carries no current."""
    nodes = {node for pair in pairs for node in pair}
    return all(_is_connected(nodes - {cut_node}, pairs) for cut_node in (None, *nodes))


def _is_connected(nodes: set[Point], pairs: list[tuple[Point, Point]]) -> bool:
    groups = DisjointSet()
    return sum(groups.union(a, b) for a, b in pairs if a in nodes and b in nodes) >= len(nodes) - 1
