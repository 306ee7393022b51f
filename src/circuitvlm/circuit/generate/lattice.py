"""Which lines does a random circuit's drawing have? Unit edges of a grid, some of which carry a part."""

from __future__ import annotations

import numpy as np

from circuitvlm.circuit.draw.geometry import Edge, Point


def frame(rng: np.random.Generator, *, count: int, family: str) -> list[Edge]:
    """Unit edges of a grid with some inner ones taken out, so that no end is loose."""
    meshes = int(rng.integers(max(1, count // 4), max(1, round(0.65 * count)) + 1))
    tall = {"ladder": 1, "bridge": 2, "grid": 3 if count > 8 and rng.random() < 0.3 else 2}[family]
    if family == "bridge":
        meshes = max(meshes, 3)
    least = max(1, -(-meshes // tall), -(-(count - tall) // (2 * tall + 1)))
    wide = int(rng.integers(least, least + 2)) if least < 5 else least
    edges = _grid(wide=wide, tall=tall)
    inner = [e for e in edges if not _on_border(e, wide=wide, tall=tall)]
    rng.shuffle(inner)
    surplus = wide * tall - meshes
    for edge in inner[: max(surplus, 0)]:
        edges.remove(edge)
    return _without_loose_ends(edges)


def _grid(*, wide: int, tall: int) -> list[Edge]:
    level: list[Edge] = [((x, y), (x + 1, y)) for x in range(wide) for y in range(tall + 1)]
    upright: list[Edge] = [((x, y), (x, y + 1)) for x in range(wide + 1) for y in range(tall)]
    return level + upright


def _on_border(edge: Edge, *, wide: int, tall: int) -> bool:
    (x0, y0), (x1, y1) = edge
    return (y0 == y1 and y0 in (0, tall)) or (x0 == x1 and x0 in (0, wide))


def _without_loose_ends(edges: list[Edge]) -> list[Edge]:
    """The edges that lie on a closed path."""
    while True:
        ends = [point for edge in edges for point in edge]
        kept = [e for e in edges if ends.count(e[0]) > 1 and ends.count(e[1]) > 1]
        if len(kept) == len(edges):
            return kept
        edges = kept


def parts_of(rng: np.random.Generator, frame: list[Edge], *, count: int) -> list[Edge]:
    """The edges that carry a part.

    [] where the wires would short one of them, or let one node cut the circuit in two.
    """
    wires_wanted = len(frame) - count
    bottom = max(y for edge in frame for _, y in edge)
    ease = [_ease(edge, bottom=bottom) for edge in frame]
    order = np.argsort(rng.exponential(size=len(frame)) / np.array(ease))
    joined = Groups()
    parts: list[Edge] = []
    for i in order:
        edge = frame[int(i)]
        if wires_wanted > 0 and joined.join(*edge):
            wires_wanted -= 1
        else:
            parts.append(edge)
    pairs = [(joined.find(a), joined.find(b)) for a, b in parts]
    if wires_wanted or any(a == b for a, b in pairs) or not _is_one_block(pairs):
        return []
    return parts


def _ease(edge: Edge, *, bottom: float) -> float:
    """How readily an edge stays a wire: the bottom rail first, upright edges last."""
    (_, y0), (_, y1) = edge
    if y0 != y1:
        return 0.35
    return 8.0 if y0 == bottom else 1.0


class Groups:
    """Which points does a wire join? (union-find)"""

    def __init__(self) -> None:
        self._parent: dict[Point, Point] = {}

    def find(self, point: Point) -> Point:
        """The group's own point."""
        while (parent := self._parent.get(point, point)) != point:
            point = parent
        return point

    def join(self, a: Point, b: Point) -> bool:
        """Joins two groups; False where they were one already."""
        a, b = self.find(a), self.find(b)
        self._parent[a] = b
        return a != b


def _is_one_block(pairs: list[tuple[Point, Point]]) -> bool:
    """No node cuts the circuit in two (a half without a source would stay dead)."""
    nodes = {node for pair in pairs for node in pair}
    return all(_is_connected(nodes - {cut}, pairs) for cut in nodes) and _is_connected(nodes, pairs)


def _is_connected(nodes: set[Point], pairs: list[tuple[Point, Point]]) -> bool:
    if not nodes:
        return True
    seen: set[Point] = set()
    todo = [next(iter(nodes))]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(b if a == node else a for a, b in pairs if node in (a, b) and {a, b} <= nodes)
    return seen == nodes
