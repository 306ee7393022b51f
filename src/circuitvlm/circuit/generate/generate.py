"""Which circuit shall we draw next? Random solvable ones, each made alone from (seed, index).

A circuit begins as a drawing: cells of a grid are merged at random, every remaining unit edge becomes a wire or a part,
and the nodes follow. So each circuit has a plane layout, and devices stand in the reading order of the picture
(`layout.reading_order`: column by column, top to bottom).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitvlm.circuit.draw.layout import Edge, Placement, Point, edge_symbol, junctions, reading_order, runs
from circuitvlm.circuit.generate.lattice import Groups, frame, parts_of
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.solve.numeric import SingularCircuitError, solve

E12 = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
E24 = (*E12, 11, 13, 16, 20, 24, 30, 36, 43, 51, 62, 75, 91)
VOLTS = (1.0, 1.5, 2.0, 3.0, 3.3, 5.0, 6.0, 7.5, 9.0, 10.0, 12.0, 15.0, 18.0, 20.0, 24.0, 30.0, 36.0, 48.0)
FAMILIES = ("ladder", "bridge", "grid")
SINGLE = "single"
TRIES = 1000
CHECKED_AT = (0.0, 1000.0)
"""Frequencies in hertz at which every circuit must have a solution."""

DECADES = {"R": (0, 4), "C": (-12, -6), "L": (-6, -3), "I": (-6, -3)}
"""Smallest and largest exponent of ten that two significant digits are multiplied with."""


@dataclass(frozen=True, slots=True)
class Item:
    """A circuit and its drawing."""

    circuit: Circuit
    placement: Placement
    family: str


def item(
    seed: int | Sequence[int], index: int, *, components: tuple[int, int], families: Sequence[str] = FAMILIES
) -> Item:
    """The circuit number `index` of the series `seed`, the same whenever and wherever it is made.

    `components` are the least and the largest number of devices. (1, 1) gives the family "single": one labelled part
    with loose ends, which has no solution and only teaches a model to read labels.
    """
    low, high = components
    if (low, high) != (1, 1) and not 2 <= low <= high <= 12:
        raise ValueError(f"components: got {low} to {high}, wanted 1 to 1, or something within 2 to 12")
    series = [seed] if isinstance(seed, int) else [*seed]
    rng = np.random.default_rng(np.random.SeedSequence([*series, index]))
    count = int(rng.integers(low, high + 1))
    if count == 1:
        return _single(rng)
    return _solvable(rng, count=count, families=families)


def _solvable(rng: np.random.Generator, *, count: int, families: Sequence[str]) -> Item:
    """Draws until a circuit has a well-conditioned solution."""
    for _ in range(TRIES):
        family = str(rng.choice([f for f in families if f != "bridge" or count > 4] or list(families)))
        lines = frame(rng, count=count, family=family)
        parts = parts_of(rng, lines, count=count)
        if not parts:
            continue
        for _ in range(4):
            made = _item(rng, parts=parts, wires=[e for e in lines if e not in set(parts)], family=family)
            if _is_solvable(made.circuit):
                return made
    raise RuntimeError(f"no solvable circuit of {count} components in {TRIES} tries; families were {list(families)}")


def _single(rng: np.random.Generator) -> Item:
    """One labelled part, level or upright, with loose ends; every second one has a grounded end."""
    edge: Edge = ((0, 0), (1, 0)) if rng.random() < 0.5 else ((0, 0), (0, 1))
    kind = str(rng.choice(list("RRRCCLLVVI")))
    ends = edge if kind in "RCL" or rng.random() < 0.5 else edge[::-1]
    name = f"{kind}{int(rng.integers(1, 13))}"
    grounded = edge[1] if rng.random() < 0.5 else None
    names = {end: GROUND if end == grounded else "" for end in ends}
    for number, end in enumerate((e for e in ends if e != grounded), start=1):
        names[end] = str(number)
    device = Device(name=name, kind=kind, nodes=(names[ends[0]], names[ends[1]]), value=_value(rng, kind))
    symbol = edge_symbol(name, ends)
    placement = Placement(symbols=(symbol,), wires=(), dots=(), ground=grounded)
    return Item(circuit=Circuit(devices=(device,)), placement=placement, family=SINGLE)


def _item(rng: np.random.Generator, *, parts: list[Edge], wires: list[Edge], family: str) -> Item:
    """Kinds, values and names for the parts of a drawing."""
    parts = sorted(parts, key=_centre)
    kinds = _kinds(rng, parts)
    ends = [_ends(rng, kind, edge) for kind, edge in zip(kinds, parts, strict=True)]
    ground = _ground_point(rng, [*parts, *wires])
    names = _names(rng, kinds)
    spread = int(rng.integers(0, 3))
    symbols = tuple(edge_symbol(n, e) for n, e in zip(names, ends, strict=True))
    bare = Placement(symbols=symbols, wires=runs(wires), dots=junctions([*parts, *wires]), ground=ground)
    node_of = _node_names(wires, ends=ends, ground=ground)
    devices = tuple(
        Device(name=n, kind=k, nodes=(node_of[e[0]], node_of[e[1]]), value=_value(rng, k, decade=spread))
        for n, k, e in zip(names, kinds, ends, strict=True)
    )
    assert reading_order(bare) == tuple(names), "parts are made in reading order"
    return Item(circuit=Circuit(devices=devices), placement=replace(bare, labels=_labels(node_of)), family=family)


def _centre(edge: Edge) -> tuple[float, float]:
    (x0, y0), (x1, y1) = edge
    return (x0 + x1) / 2, (y0 + y1) / 2


def _kinds(rng: np.random.Generator, parts: list[Edge]) -> list[str]:
    """One to three sources, the rest resistors or (every second circuit) resistors, capacitors and inductors."""
    most = 1 if len(parts) < 4 else 2 if len(parts) < 6 else 3
    sources = min(most, int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])))
    passive = "R" if rng.random() < 0.5 else "RRCL"
    kinds = [str(rng.choice(list(passive))) for _ in parts]
    places = rng.permutation(len(parts))[:sources]
    if rng.random() < 0.4:  # the usual drawing: a source at the left
        places[0] = 0
    for place in places:
        kinds[int(place)] = "V" if rng.random() < 0.7 else "I"
    return kinds


def _ends(rng: np.random.Generator, kind: str, edge: Edge) -> Edge:
    """First and second pin: a passive's first pin is the left or upper one, a source stands either way."""
    return edge if kind in "RCL" or rng.random() < 0.6 else (edge[1], edge[0])


def _ground_point(rng: np.random.Generator, edges: list[Edge]) -> Point:
    """A point of the bottom row, where there is room below for the sign."""
    bottom = max(y for edge in edges for _, y in edge)
    return _pick(rng, sorted({point for edge in edges for point in edge if point[1] == bottom}))


def _pick(rng: np.random.Generator, points: list[Point]) -> Point:
    return points[int(rng.integers(len(points)))]


def _names(rng: np.random.Generator, kinds: list[str]) -> list[str]:
    """Numbered by kind, in reading order for every second circuit: else the name would carry no information."""
    shuffled = rng.random() < 0.5
    numbers = {k: [int(n) + 1 for n in np.arange(kinds.count(k))] for k in dict.fromkeys(kinds)}
    if shuffled:
        numbers = {k: [int(n) for n in rng.permutation(column)] for k, column in numbers.items()}
    return [f"{kind}{numbers[kind].pop(0)}" for kind in kinds]


def _node_names(wires: list[Edge], *, ends: list[Edge], ground: Point) -> dict[Point, str]:
    """A node's name at each of its grid points: 0 is ground, the others are numbered as the parts name them."""
    groups = Groups()
    for wire in wires:
        groups.join(*wire)
    names = {groups.find(ground): GROUND}
    for point in (point for pair in ends for point in pair):
        names.setdefault(groups.find(point), str(len(names)))
    points = {point for edge in [*wires, *ends] for point in edge}
    return {point: names[groups.find(point)] for point in sorted(points)}


def _labels(node_of: dict[Point, str]) -> tuple[tuple[str, Point], ...]:
    """Each node but ground once, at its upper left point."""
    first: dict[str, Point] = {}
    for point, node in sorted(node_of.items(), key=lambda pair: (pair[0][1], pair[0][0])):
        first.setdefault(node, point)
    return tuple((node, point) for node, point in first.items() if node != GROUND)


def _value(rng: np.random.Generator, kind: str, *, decade: int | None = None) -> float:
    """An E12 or E24 value in a decade usual for the kind; within a circuit the decades of a kind lie close."""
    if kind == "V":
        return float(rng.choice(VOLTS))
    digits = int(rng.choice(E12 if rng.random() < 0.7 else E24))
    low, high = DECADES[kind]
    if decade is None:
        exponent = int(rng.integers(low, high + 1))
    elif kind == "I":  # small currents through large resistors: volts, not kilovolts
        exponent = high - decade - int(rng.integers(0, 2))
    else:
        exponent = min(low + decade + int(rng.integers(0, 3)), high)
    return float(f"{digits}e{exponent}")  # through text: 47 * 1e-9 is not 47e-9


def _is_solvable(circuit: Circuit) -> bool:
    """Has one well-conditioned solution, at DC and at 1 kHz."""
    try:
        for frequency in CHECKED_AT:
            solve(circuit, frequency_hz=frequency)
    except SingularCircuitError:
        return False
    return True
