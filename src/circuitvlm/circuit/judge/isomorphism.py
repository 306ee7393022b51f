"""Decide whether two labelled networks are the same, whatever their vertices are called.

A network's edges join any number of vertices, each in a role; its vertices carry colours. Colour refinement
(Weisfeiler and Leman, 1968) with backtracking on what it leaves open (McKay, Practical Graph Isomorphism, 1981).
Equal edges between the same vertices only count, so parallel devices cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from circuitvlm.circuit.judge.budget import Budget

MAX_STEPS = 300_000
"""Most steps of a comparison, about half a second. A step is one look at a vertex or at an end of an edge."""


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
    incident: list[list[int]] = field(init=False)
    """The numbers of the edges at each vertex."""

    def __post_init__(self) -> None:
        self.incident = [[] for _ in self.colours]
        for number, edge in enumerate(self.edges):
            for member in edge.members:
                self.incident[member].append(number)


def isomorphic(a: Network, b: Network, *, max_steps: int = MAX_STEPS) -> bool:
    """Whether a bijection of vertices keeps colours and takes edges to edges.

    Raises UndecidedError where that takes more than `max_steps`.
    """
    if (
        sorted(a.colours) != sorted(b.colours)
        or sorted(map(len, a.incident)) != sorted(map(len, b.incident))
        or Counter((e.label, e.roles) for e in a.edges) != Counter((e.label, e.roles) for e in b.edges)
    ):
        return False
    vertices = range(len(a.colours))
    return _Search(a, b, Budget(max_steps)).run((a.colours, b.colours), (vertices, vertices))


def fingerprint(network: Network) -> str:
    """A short hex hash, equal for isomorphic networks, the same in every process and version of Python.

    Networks that colour refinement cannot tell apart share it. Labels must be strings.
    """
    digest = blake2b(digest_size=12)
    colours, count = network.colours, 0
    shapes = [repr((edge.label, edge.roles)) for edge in network.edges]
    ids = {shape: i for i, shape in enumerate(sorted(set(shapes)))}
    kinds = [ids[shape] for shape in shapes]
    digest.update(repr((sorted(shapes), sorted(colours))).encode())
    while True:
        signatures = list(_signatures(network, kinds, colours, range(len(colours))).values())
        sorted_signatures = sorted(signatures)
        digest.update(repr(sorted_signatures).encode())
        ranks = {signature: rank for rank, signature in enumerate(dict.fromkeys(sorted_signatures))}
        if len(ranks) == count:
            return digest.hexdigest()
        colours, count = [ranks[signature] for signature in signatures], len(ranks)


_Signature = tuple[int, tuple[tuple[str, int, tuple[tuple[str, int], ...]], ...]]
_Colours = tuple[list[int], list[int]]
_Vertices = Sequence[Collection[int]]


def _signatures(
    network: Network, kinds: Sequence[int], colours: Sequence[int], vertices: Collection[int]
) -> dict[int, _Signature]:
    """What the edges at these vertices show to all their members.

    That is a member's colour, and of each such edge there its own role, the edge's kind, and the roles and colours of
    all members.
    """
    edges: dict[int, list[tuple[str, int, tuple[tuple[str, int], ...]]]] = {vertex: [] for vertex in vertices}
    for number in {number for vertex in vertices for number in network.incident[vertex]}:
        roles, members = network.edges[number].roles, network.edges[number].members
        ends = tuple(sorted(zip(roles, [colours[member] for member in members], strict=True)))
        for role, member in zip(roles, members, strict=True):
            edges.setdefault(member, []).append((role, kinds[number], ends))
    return {vertex: (colours[vertex], tuple(sorted(views))) for vertex, views in edges.items()}


class _Search:
    """Searches for a bijection between the vertices of two networks."""

    def __init__(self, a: Network, b: Network, budget: Budget) -> None:
        self.networks = (a, b)
        self.budget = budget
        ids: dict[Hashable, int] = {}
        self.kinds = [[ids.setdefault((e.label, e.roles), len(ids)) for e in n.edges] for n in self.networks]

    def run(self, colours: _Colours, new_vertices: _Vertices) -> bool:
        """Whether a bijection that keeps these colours takes the edges of one network to those of the other.

        The colouring was stable before the `new_vertices` got their colours.
        """
        stable = self._refine(colours, new_vertices)
        if stable is None:
            return False
        a_colours, b_colours = stable
        a_classes, b_classes = map(_classes, stable)
        open_colours = [colour for colour, vertices in a_classes.items() if len(vertices) > 1]
        if not open_colours:
            return self._keeps_edges(stable)
        fresh = max(a_colours) + 1
        twins = [c for c in open_colours if self._are_twins(0, a_classes[c]) and self._are_twins(1, b_classes[c])]
        if twins:  # any pairing of twins will do; without this each of them would be a level of the search
            pairs = [pair for c in twins for pair in zip(a_classes[c], b_classes[c], strict=True)]
            for colour, (a, b) in enumerate(pairs, start=fresh):
                a_colours[a] = b_colours[b] = colour
            return self.run(stable, ([a for a, _ in pairs], [b for _, b in pairs]))
        members = min((a_classes[colour] for colour in open_colours), key=len)
        candidates = b_classes[a_colours[members[0]]]
        a_colours[members[0]] = fresh
        for candidate in candidates:
            trial = b_colours.copy()
            trial[candidate] = fresh
            if self.run((a_colours, trial), (members[:1], [candidate])):
                return True
        return False

    def _refine(self, colours: _Colours, new_vertices: _Vertices) -> _Colours | None:
        """The coarsest stable colouring of both at once; None where their colours differ in number."""
        colours = (colours[0].copy(), colours[1].copy())
        sizes = Counter(colours[0])
        self.budget.spend(2 * len(colours[0]))
        fresh = max(sizes, default=0) + 1
        while new_vertices[0]:
            for network, vertices in zip(self.networks, new_vertices, strict=True):
                self.budget.spend(sum(1 + len(network.incident[vertex]) for vertex in vertices))
            signatures = list(map(_signatures, self.networks, self.kinds, colours, new_vertices))
            groups, b_groups = (Counter(side.values()) for side in signatures)
            if groups != b_groups:
                return None
            new_colours: dict[_Signature, int] = {}
            for signature, size in reversed(groups.most_common()):
                if size < sizes[signature[0]]:  # the largest part of a class keeps its colour
                    new_colours[signature] = fresh
                    sizes[signature[0]] -= size
                    sizes[fresh] = size
                    fresh += 1
            new_vertices = [_recolour(*side, new_colours) for side in zip(colours, signatures, strict=True)]
        return colours

    def _are_twins(self, side: int, vertices: Sequence[int]) -> bool:
        """Whether the edges stay the same when any of the vertices change places: the middles of parallel branches.

        The exchanges of the first with each of the others make all rearrangements.
        """
        network, first = self.networks[side], vertices[0]
        for vertex in vertices[1:]:
            edges = [network.edges[n] for n in {*network.incident[first], *network.incident[vertex]}]
            self.budget.spend(sum(len(edge.members) for edge in edges))
            exchange = {first: vertex, vertex: first}
            if Counter(_ends(edge, {}) for edge in edges) != Counter(_ends(edge, exchange) for edge in edges):
                return False
        return True

    def _keeps_edges(self, colours: _Colours) -> bool:
        """Whether the bijection that pairs equal colours takes the edges of one to those of the other."""
        self.budget.spend(sum(len(edge.members) for network in self.networks for edge in network.edges))
        names = [dict(enumerate(side)) for side in colours]
        a, b = (Counter(_ends(edge, names[side]) for edge in self.networks[side].edges) for side in (0, 1))
        return a == b


def _recolour(
    colours: list[int], signatures: Mapping[int, _Signature], new_colours: Mapping[_Signature, int]
) -> list[int]:
    """Gives new colours to the vertices whose signatures have one, and returns these vertices."""
    vertices = [vertex for vertex, signature in signatures.items() if signature in new_colours]
    for vertex in vertices:
        colours[vertex] = new_colours[signatures[vertex]]
    return vertices


def _classes(colours: Sequence[int]) -> dict[int, list[int]]:
    """The vertices of each colour."""
    classes: dict[int, list[int]] = {}
    for vertex, colour in enumerate(colours):
        classes.setdefault(colour, []).append(vertex)
    return classes


def _ends(edge: Edge, names: Mapping[int, int]) -> Hashable:
    """What an edge joins, with other names for some vertices."""
    members = [names.get(member, member) for member in edge.members]
    return edge.label, tuple(sorted(zip(edge.roles, members, strict=True)))
