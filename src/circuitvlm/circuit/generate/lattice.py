"""Work with the unit edges of a square lattice: list them, remove loose ends, and find the points that they connect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

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


class DisjointSet:
    """Groups of connected points (union-find)."""

    def __init__(self) -> None:
        self._parents: dict[Point, Point] = {}

    def find(self, point: Point) -> Point:
        """The point that represents the group."""
        while (parent := self._parents.get(point, point)) != point:
            point = parent
        return point

    def union(self, a: Point, b: Point) -> bool:
        """Merge the groups of two points; False where they were one group already."""
        a, b = self.find(a), self.find(b)
        self._parents[a] = b
        return a != b
