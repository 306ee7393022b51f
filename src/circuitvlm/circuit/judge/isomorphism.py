"""Are two labelled networks the same, whatever their vertices are called?

A network's edges join any number of vertices, each in a role; its vertices carry colours. Colour refinement
(Weisfeiler and Leman, 1968) with backtracking on what it leaves open (McKay, Practical Graph Isomorphism, 1981).
Equal edges between the same vertices only count, so parallel devices cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

MAX_STEPS = 100_000
"""Vertex signatures computed before a comparison is given up: about half a second."""


class UndecidedError(Exception):
    """The step cap was hit."""


@dataclass(frozen=True, slots=True)
class Edge:
    """`members` are vertices, each in the role of the same place. Members of equal role may be swapped."""

    label: Hashable
    roles: tuple[str, ...]
    members: tuple[int, ...]


@dataclass(slots=True)
class Network:
    """Vertices 0 .. n-1 with a first colour each, and the edges."""

    colours: list[int]
    edges: list[Edge]
    incident: list[list[tuple[int, str]]] = field(init=False)

    def __post_init__(self) -> None:
        self.incident = [[] for _ in self.colours]
        for place, edge in enumerate(self.edges):
            for role, member in zip(edge.roles, edge.members, strict=True):
                self.incident[member].append((place, role))


@dataclass(slots=True)
class _Budget:
    left: int

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise UndecidedError


def isomorphic(a: Network, b: Network, *, max_steps: int = MAX_STEPS) -> bool:
    """Whether a bijection of vertices keeps colours and takes edges to edges. Raises UndecidedError at the cap."""
    if len(a.colours) != len(b.colours) or len(a.edges) != len(b.edges):
        return False
    if Counter((e.label, e.roles) for e in a.edges) != Counter((e.label, e.roles) for e in b.edges):
        return False
    if sorted(map(len, a.incident)) != sorted(map(len, b.incident)):
        return False
    return _search((a, b), (a.colours, b.colours), budget=_Budget(max_steps))


def fingerprint(network: Network) -> str:
    """A short hex hash, equal for isomorphic networks, the same in every process and version of Python.

    Networks that colour refinement cannot tell apart share it. Labels must be strings.
    """
    digest = blake2b(digest_size=12)
    colours, count = network.colours, 0
    shapes = [repr((edge.label, edge.roles)) for edge in network.edges]
    known = {shape: i for i, shape in enumerate(sorted(set(shapes)))}
    kinds = [known[shape] for shape in shapes]
    digest.update(repr((sorted(shapes), sorted(colours))).encode())
    while True:
        signatures = _signatures(network, colours, kinds=kinds, vertices=range(len(colours)))
        ordered = sorted(signatures)
        rank: dict[_Signature, int] = {}
        for signature in ordered:
            rank.setdefault(signature, len(rank))
        digest.update(repr(ordered).encode())
        if len(rank) == count:
            return digest.hexdigest()
        colours, count = [rank[signature] for signature in signatures], len(rank)


_Signature = tuple[int, tuple[tuple[str, int, tuple[tuple[str, int], ...]], ...]]


def _signatures(
    network: Network, colours: Sequence[int], *, kinds: Sequence[int], vertices: Sequence[int]
) -> list[_Signature]:
    """What each of the vertices sees: its colour, and of each edge there its own role, the kind and all members."""
    seen = [
        (kind, tuple(sorted(zip(edge.roles, [colours[m] for m in edge.members], strict=True))))
        for kind, edge in zip(kinds, network.edges, strict=True)
    ]
    return [
        (colours[vertex], tuple(sorted((role, *seen[place]) for place, role in network.incident[vertex])))
        for vertex in vertices
    ]


def _search(pair: tuple[Network, Network], colours: tuple[list[int], list[int]], *, budget: _Budget) -> bool:
    refined = _refine(pair, colours, budget=budget)
    if refined is None:
        return False
    left, right = refined
    classes: dict[int, list[int]] = {}
    for vertex, colour in enumerate(left):
        classes.setdefault(colour, []).append(vertex)
    open_classes = [members for members in classes.values() if len(members) > 1]
    if not open_classes:
        return _agree(pair, refined)
    if _pair_twins(pair, refined, open_classes):
        return _search(pair, refined, budget=budget)
    members = min(open_classes, key=len)
    chosen, fresh = members[0], len(left)
    trial = left.copy()
    trial[chosen] = fresh
    for candidate, colour in enumerate(right):
        if colour == left[chosen]:
            other = right.copy()
            other[candidate] = fresh
            if _search(pair, (trial, other), budget=budget):
                return True
    return False


def _pair_twins(
    pair: tuple[Network, Network], colours: tuple[list[int], list[int]], open_classes: Sequence[Sequence[int]]
) -> bool:
    """Gives vertices that any swap leaves in place (the middles of equal parallel branches) colours of their own, in
    any order: without this each would be a level of the search. Whether there were any.
    """
    fresh = len(colours[0])
    for members in open_classes:
        others = [vertex for vertex, colour in enumerate(colours[1]) if colour == colours[0][members[0]]]
        if _are_twins(pair[0], members) and _are_twins(pair[1], others):
            for left, right in zip(members, others, strict=True):
                colours[0][left] = colours[1][right] = fresh
                fresh += 1
    return fresh > len(colours[0])


def _are_twins(network: Network, members: Sequence[int]) -> bool:
    """Whether all of these have the same edges to the same other vertices."""
    first: Counter[Hashable] | None = None
    for vertex in members:
        seen: Counter[Hashable] = Counter()
        for place, role in network.incident[vertex]:
            edge = network.edges[place]
            ends = sorted(zip(edge.roles, (-1 if m == vertex else m for m in edge.members), strict=True))
            seen[edge.label, role, tuple(ends)] += 1
        if first is not None and seen != first:
            return False
        first = seen
    return True


def _refine(
    pair: tuple[Network, Network], colours: tuple[list[int], list[int]], *, budget: _Budget
) -> tuple[list[int], list[int]] | None:
    """The coarsest stable colouring of both at once; None as soon as their colours differ in number."""
    left, right = colours
    kinds = _kinds(pair)
    count = len(set(left))
    while True:
        if sorted(left) != sorted(right):
            return None
        if count == len(left):
            return left, right
        budget.spend(2 * len(left))
        known: dict[_Signature, int] = {}
        everyone = range(len(left))
        left = [known.setdefault(s, len(known)) for s in _signatures(pair[0], left, kinds=kinds[0], vertices=everyone)]
        right = [
            known.setdefault(s, len(known)) for s in _signatures(pair[1], right, kinds=kinds[1], vertices=everyone)
        ]
        before, count = count, len(known)
        if count == before:
            return (left, right) if sorted(left) == sorted(right) else None


def _kinds(pair: tuple[Network, Network]) -> tuple[list[int], list[int]]:
    known: dict[Hashable, int] = {}
    left, right = ([known.setdefault((e.label, e.roles), len(known)) for e in network.edges] for network in pair)
    return left, right


def _agree(pair: tuple[Network, Network], colours: tuple[list[int], list[int]]) -> bool:
    """Whether the bijection that pairs equal colours takes the edges of one to those of the other."""
    a, b = (
        Counter(
            (e.label, tuple(sorted(zip(e.roles, (colour[m] for m in e.members), strict=True)))) for e in network.edges
        )
        for network, colour in zip(pair, colours, strict=True)
    )
    return a == b
