"""Generate random solvable circuits of R, C, L, V and I, each from (seed, index) alone.

A circuit begins as a drawing. Cells of a lattice are merged at random, every remaining unit edge becomes a wire or a
part, and the nodes follow. So each circuit has a planar drawing. Its devices are in the reading order of the picture:
column by column, top to bottom (`placement.reading_order`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuitvlm.circuit.generate.lattice import bottom_points, choose_edges, choose_part_edges, name_nodes
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.placement import (
    Edge,
    Placement,
    Point,
    edge_symbol,
    junctions,
    reading_order,
    straight_wires,
)
from circuitvlm.circuit.solve.numeric import SingularCircuitError, solve

E12 = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
E24 = (*E12, 11, 13, 16, 20, 24, 30, 36, 43, 51, 62, 75, 91)
VOLTAGES = (1.0, 1.5, 2.0, 3.0, 3.3, 5.0, 6.0, 7.5, 9.0, 10.0, 12.0, 15.0, 18.0, 20.0, 24.0, 30.0, 36.0, 48.0)
FAMILIES = ("ladder", "bridge", "grid")
SINGLE = "single"
TRIES = 1000
CHECK_FREQUENCIES_HZ = (0.0, 1000.0)
"""Frequencies at which every circuit must have a solution."""

DECADES = {"R": (0, 4), "C": (-12, -6), "L": (-6, -3), "I": (-6, -3)}
"""Smallest and largest power of ten by which two significant digits are multiplied."""


@dataclass(frozen=True, slots=True)
class Item:
    """A circuit and its placement."""

    circuit: Circuit
    placement: Placement
    family: str


def item(
    seed: int | Sequence[int], index: int, *, components: tuple[int, int], families: Sequence[str] = FAMILIES
) -> Item:
    """The circuit number `index` of the series `seed`, always the same.

    `components` are the smallest and the largest number of devices. (1, 1) gives the family "single": one labelled part
    with loose ends. It has no solution; a model learns to read labels from it.
    Raises ValueError for numbers that are not (1, 1) and not between 2 and 12.
    """
    low, high = components
    if (low, high) != (1, 1) and not 2 <= low <= high <= 12:
        raise ValueError(f"components: expected 1 to 1, or a range within 2 to 12, got {low} to {high}")
    rng = item_rng(seed, index)
    count = int(rng.integers(low, high + 1))
    return _single(rng) if count == 1 else _solvable(rng, count=count, families=families)


def item_rng(seed: int | Sequence[int], index: int) -> np.random.Generator:
    """The random numbers of one item."""
    series = [seed] if isinstance(seed, int) else seed
    return np.random.default_rng(np.random.SeedSequence([*series, index]))


def _solvable(rng: np.random.Generator, *, count: int, families: Sequence[str]) -> Item:
    """Draw items until one has a well-conditioned solution."""
    for _ in range(TRIES):
        family = str(rng.choice([f for f in families if f != "bridge" or count > 4] or list(families)))
        edges = choose_edges(rng, count=count, family=family)
        parts = choose_part_edges(rng, edges, count=count)
        for _ in range(4 if parts else 0):
            candidate = _item(rng, parts=parts, wires=[e for e in edges if e not in set(parts)], family=family)
            if _is_solvable(candidate.circuit):
                return candidate
    raise RuntimeError(
        f"families: expected a solvable circuit of {count} components in {TRIES} tries, "
        f"got none of the families {list(families)!r}; allow more families or another number of components"
    )


def _single(rng: np.random.Generator) -> Item:
    """One labelled part, horizontal or vertical, with loose ends; every second one is grounded at one end."""
    edge: Edge = ((0, 0), (1, 0)) if rng.random() < 0.5 else ((0, 0), (0, 1))
    kind = str(rng.choice(list("RRRCCLLVVI")))
    pins = edge if kind in "RCL" or rng.random() < 0.5 else edge[::-1]
    name = f"{kind}{int(rng.integers(1, 13))}"
    ground = edge[1] if rng.random() < 0.5 else None
    numbers = iter("12")
    nodes = tuple(GROUND if pin == ground else next(numbers) for pin in pins)
    device = Device(name=name, kind=kind, nodes=nodes, value=_value(rng, kind))
    placement = Placement(symbols=(edge_symbol(name, pins),), wires=(), dots=(), ground=ground)
    return Item(Circuit(devices=(device,)), placement, family=SINGLE)


def _item(rng: np.random.Generator, *, parts: list[Edge], wires: list[Edge], family: str) -> Item:
    """Choose kinds, values and names for the parts of a drawing."""
    parts = sorted(parts, key=lambda edge: edge_symbol("", edge).centre)
    kinds = _kinds(rng, len(parts))
    # The first pin of a passive part is the left or upper one; the pins of a source are in either order.
    pins = [e if k in "RCL" or rng.random() < 0.6 else e[::-1] for k, e in zip(kinds, parts, strict=True)]
    bottom = bottom_points([*parts, *wires])  # with space for the ground sign below
    ground = bottom[int(rng.integers(len(bottom)))]
    names = _names(rng, kinds)
    decade = int(rng.integers(0, 3))
    nodes = name_nodes(pins, wires=wires, ground=ground)
    devices = tuple(
        Device(name=name, kind=kind, nodes=(nodes[a], nodes[b]), value=_value(rng, kind, decade=decade))
        for name, kind, (a, b) in zip(names, kinds, pins, strict=True)
    )
    placement = Placement(
        symbols=tuple(map(edge_symbol, names, pins)),
        wires=straight_wires(wires),
        dots=junctions([*parts, *wires]),
        ground=ground,
        node_labels=_node_labels(nodes),
    )
    assert reading_order(placement) == tuple(names), "parts are generated in reading order"
    return Item(circuit=Circuit(devices=devices), placement=placement, family=family)


def _kinds(rng: np.random.Generator, count: int) -> list[str]:
    """One to three sources, and resistors; every second circuit may have capacitors and inductors too."""
    max_sources = 1 if count < 4 else 2 if count < 6 else 3
    sources = min(max_sources, int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])))
    passive = list("R" if rng.random() < 0.5 else "RRCL")
    kinds = [str(rng.choice(passive)) for _ in range(count)]
    places = rng.permutation(count)[:sources]
    if rng.random() < 0.4:  # the usual drawing: a source at the left
        places[0] = 0
    for place in places:
        kinds[int(place)] = "V" if rng.random() < 0.7 else "I"
    return kinds


def _names(rng: np.random.Generator, kinds: list[str]) -> list[str]:
    """Names numbered by kind; in every second circuit not in reading order, so that a model has to read them."""
    is_shuffled = rng.random() < 0.5
    counts = Counter(kinds)
    numbers = {k: iter(rng.permutation(n) + 1 if is_shuffled else range(1, n + 1)) for k, n in counts.items()}
    return [f"{kind}{next(numbers[kind])}" for kind in kinds]


def _node_labels(nodes: dict[Point, str]) -> tuple[tuple[str, Point], ...]:
    """Each node but ground once, at its upper left point."""
    label_points: dict[str, Point] = {}
    for point, node in sorted(nodes.items(), key=lambda pair: (pair[0][1], pair[0][0])):
        label_points.setdefault(node, point)
    return tuple((node, point) for node, point in label_points.items() if node != GROUND)


def _value(rng: np.random.Generator, kind: str, *, decade: int | None = None) -> float:
    """A value of the series E12 or E24, in base units; the values of one kind in a circuit are of similar size."""
    if kind == "V":
        return float(rng.choice(VOLTAGES))
    digits = int(rng.choice(E12 if rng.random() < 0.7 else E24))
    low, high = DECADES[kind]
    if decade is None:
        exponent = int(rng.integers(low, high + 1))
    elif kind == "I":  # small currents through large resistors: volts, not kilovolts
        exponent = high - decade - int(rng.integers(0, 2))
    else:
        exponent = min(low + decade + int(rng.integers(0, 3)), high)
    return float(f"{digits}e{exponent}")  # from text, because 47 * 1e-9 is not 47e-9


def _is_solvable(circuit: Circuit) -> bool:
    """Whether it has one well-conditioned solution at each of the frequencies."""
    try:
        for frequency in CHECK_FREQUENCIES_HZ:
            solve(circuit, frequency_hz=frequency)
    except SingularCircuitError:
        return False
    return True
