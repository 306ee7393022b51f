"""Decide whether two circuits are the same, and give partial credit where they are not."""

from __future__ import annotations

import cmath
import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, combinations, product
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from circuitvlm.circuit.graph import GROUND, SYMMETRIC_KINDS, Circuit, Device
from circuitvlm.circuit.judge.budget import UndecidedError
from circuitvlm.circuit.judge.isomorphism import Edge, Network, fingerprint, isomorphic
from circuitvlm.circuit.mentions import find_mentions, rewrite_mentions
from circuitvlm.circuit.quantity import format_engineering, parse_spice

RELATIVE_TOLERANCE = 1e-6
_SOURCES = frozenset("VIEGFH")
_LARGE_NET = 256

Label = Callable[[Device], str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a predicted circuit compares with the true one.

    `topology`: the same devices by kind between the same nets, ground fixed, pins by role (R, C, L may be turned
    round), the sources that control F, H, W and the coils of K included; names and values ignored. `values`: one such
    correspondence also keeps all values (relative 1e-6), phasors and texts. `names`: one of those also keeps the
    devices' names. `unsigned_topology`: as `topology`, but V and I may be turned round too, and so may the outputs of
    E, G, F, H and the inputs of E and G. Where it holds and `topology` does not, only a polarity is wrong.

    The rest is partial credit, in [0, 1]. Of devices as multisets: `component_precision` is the share of the predicted
    that are true, `component_recall` the share of the true that are predicted, `component_f1` their harmonic mean, by
    kind and value; `kind_f1` is by kind alone, `name_f1` by name and kind. `pin_f1` is that of pairs of pins on a net.
    Shares of nothing are 1 where both circuits are empty, else 0.
    `undecided`: a comparison was given up after `isomorphism.MAX_STEPS` steps and counts as False.
    """

    topology: bool
    values: bool
    names: bool
    component_f1: float
    pin_f1: float
    component_precision: float
    component_recall: float
    kind_f1: float
    name_f1: float
    unsigned_topology: bool
    undecided: bool = False


def compare(prediction: Circuit, truth: Circuit) -> Comparison:
    """Compare two circuits in a bounded number of steps; exchanging them exchanges only precision and recall.

    Values are equal if a chain of values of either circuit, each within 1e-6 of the next, joins them.
    """
    pair = (prediction, truth)
    classes = _ValueClasses([*prediction.devices, *truth.devices])
    keys: tuple[Label, ...] = (_kind, lambda d: f"{d.name.upper()} {d.kind}", classes.kind_and_value)
    kinds, names, components = ([Counter(map(key, circuit.devices)) for circuit in pair] for key in keys)
    # Circuits of other kinds of devices are not the same in any sense, and need no search.
    verdicts = _compare_wiring(pair, classes) if kinds[0] == kinds[1] else [False] * 4
    precision, recall, component_f1 = _shares(*components)
    return Comparison(
        names=verdicts[0] is True,
        values=verdicts[1] is True,
        topology=verdicts[2] is True,
        unsigned_topology=verdicts[3] is True,
        undecided=None in verdicts,
        component_precision=precision,
        component_recall=recall,
        component_f1=component_f1,
        kind_f1=_shares(*kinds)[2],
        name_f1=_shares(*names)[2],
        pin_f1=_pin_f1(pair),
    )


def same_devices(a: Circuit, b: Circuit) -> bool:
    """Whether both have the same devices by name, kind, value (relative 1e-6), phasor and text, however they are wired.

    Which source controls F, H, W and which coils K couples counts as wiring.
    """
    label = _ValueClasses([*a.devices, *b.devices]).name_and_label
    return Counter(map(label, a.devices)) == Counter(map(label, b.devices))


def topology_key(circuit: Circuit) -> str:
    """24 hex digits, equal for circuits of equal `topology`, stable over processes and versions.

    Circuits that colour refinement cannot tell apart share a key: good for splitting data, not for proving equality.
    """
    return fingerprint(_build_network(circuit, _kind))


_kind = attrgetter("kind")


def _compare_wiring(pair: tuple[Circuit, Circuit], classes: _ValueClasses) -> list[bool | None]:
    """Whether they are the same by names, by values, by topology, and except for polarities; None where undecided.

    From the finest to the coarsest: what is the same by name is the same, and needs no search.
    """
    verdicts: list[bool | None] = []
    for label, keep_polarity in ((classes.name_and_label, True), (classes.label, True), (_kind, True), (_kind, False)):
        try:
            networks = (_build_network(circuit, label, keep_polarity=keep_polarity) for circuit in pair)
            verdicts.append(any(verdicts) or isomorphic(*networks))
        except UndecidedError:
            verdicts.append(None)
    return verdicts


class _ValueClasses:
    """Labels of the devices of both circuits, equal where what the devices state is equal."""

    def __init__(self, devices: Iterable[Device]) -> None:
        devices = list(devices)
        self._values = _number_classes((d.kind, d.value) for d in devices if d.value is not None)
        phasors = [cmath.polar(d.ac) for d in devices if d.ac is not None]
        self._magnitudes = _number_classes(("", magnitude) for magnitude, _ in phasors)
        # Absolute, in radians: shifting by ten keeps the relative rule from applying near zero.
        self._phases = _number_classes(("", _unique_angle(angle) + 10) for _, angle in phasors)

    def label(self, device: Device) -> str:
        """Kind, value, phasor and text, without the names of the devices referred to."""
        return f"{device.kind} {self._value(device)} {self._phasor(device.ac)} {_normal_text(device)}"

    def name_and_label(self, device: Device) -> str:
        return f"{device.name.upper()} {self.label(device)}"

    def kind_and_value(self, device: Device) -> str:
        """Kind and value; the text where there is no value."""
        return f"{device.kind} {self._value(device)} {_normal_text(device) if device.value is None else ''}"

    def _value(self, device: Device) -> str:
        return "-" if device.value is None else str(self._values[device.kind, device.value])

    def _phasor(self, ac: complex | None) -> str:
        if ac is None:
            return "-"
        magnitude, angle = cmath.polar(ac)
        phase = self._phases["", _unique_angle(angle) + 10] if magnitude else 0
        return f"{self._magnitudes['', magnitude]}@{phase}"


def _unique_angle(angle: float) -> float:
    """-pi and pi are the same direction."""
    return math.pi if abs(angle) > math.pi - RELATIVE_TOLERANCE else angle


def _number_classes(values: Iterable[tuple[str, float]]) -> dict[tuple[str, float], int]:
    """A class for each value, shared with the next larger one of its kind if that is within the tolerance."""
    classes: dict[tuple[str, float], int] = {}
    last = ("", math.nan)
    for kind, value in sorted(set(values)):
        is_near = last[0] == kind and value - last[1] <= RELATIVE_TOLERANCE * max(abs(value), abs(last[1]))
        classes[kind, value] = classes[last] if is_near else len(classes)
        last = (kind, value)
    return classes


def _normal_text(device: Device) -> str:
    """The text without case, punctuation between arguments, or the way its numbers are written.

    It has no names of other devices and nodes either, since these are wiring.
    """
    text = rewrite_mentions(device, lambda mention: "#" if mention.is_node else "@").casefold()
    words = text.replace("(", " ( ").replace(")", " ) ").replace(",", " ").replace("=", " = ").split()
    return " ".join(map(_normal_number, words))


def _normal_number(word: str) -> str:
    if word[0] in "+-.0123456789":
        with contextlib.suppress(ValueError):
            return format_engineering(parse_spice(word))
    return word


def _node_key(node: str) -> str:
    return GROUND if node.lower() in ("gnd", "ground") or not node.strip("0") else node.lower()


def _build_network(circuit: Circuit, label: Label, *, keep_polarity: bool = True) -> Network:
    """Nets, and the devices that others refer to, are vertices; devices are edges.

    A coil that K couples has a polarity, so its pins are not swapped. Those of sources are, unless `keep_polarity`.
    """
    vertices = {node: number for number, node in enumerate(circuit.nodes)}
    mentions = [find_mentions(device) if device.text else [] for device in circuit.devices]
    pairs = list(zip(circuit.devices, mentions, strict=True))
    mentions_node = any(mention.is_node for _, names in pairs for mention in names)
    node_vertices = {_node_key(node): vertex for node, vertex in vertices.items()} if mentions_node else {}
    coils = {mention.name.upper() for device, names in pairs if device.kind == "K" for mention in names}
    mentioned_names = {mention.name.upper() for _, names in pairs for mention in names if not mention.is_node}
    mentioned_devices = [name for device in circuit.devices if (name := device.name.upper()) in mentioned_names]
    device_vertices = {name: number for number, name in enumerate(mentioned_devices, start=len(vertices))}
    colours = [int(node == GROUND) for node in vertices] + [2] * len(mentioned_devices)
    edges: list[Edge] = []
    for device, names in pairs:
        swappable = device.kind in SYMMETRIC_KINDS and device.name.upper() not in coils
        pins = [("" if swappable else role, vertices[node]) for role, node in device.pins]
        if not keep_polarity and device.kind in _SOURCES:
            pins = [(role.rstrip("+-"), vertex) for role, vertex in pins]
        if device.name.upper() in device_vertices:
            pins.append(("self", device_vertices[device.name.upper()]))
        for i, mention in enumerate(names):
            key = _node_key(mention.name) if mention.is_node else mention.name.upper()
            vertex = (node_vertices if mention.is_node else device_vertices).get(key)
            if vertex is not None:
                pins.append(("refers" if device.kind == "K" or len(names) == 1 else f"refers{i}", vertex))
        edges.append(Edge(label(device), tuple(role for role, _ in pins), tuple(vertex for _, vertex in pins)))
    return Network(colours, edges)


def _pin_f1(pair: tuple[Circuit, Circuit]) -> float:
    """F1 of the pairs of pins that share a net, as multisets."""
    numbers: dict[str, int] = {}
    prediction, truth = (np.unique(_pin_pairs(circuit, numbers), return_counts=True) for circuit in pair)
    total = int(prediction[1].sum() + truth[1].sum())
    _, i, j = np.intersect1d(prediction[0], truth[0], assume_unique=True, return_indices=True)
    return 2 * int(np.minimum(prediction[1][i], truth[1][j]).sum()) / total if total else 1.0


def _pin_pairs(circuit: Circuit, numbers: dict[str, int]) -> NDArray[np.int64]:
    """Every pair of pins that share a net, as one number; pins are `NAME.role` (`NAME.` for R, C, L: both are alike).

    `numbers` holds the pins' own numbers and is added to. On ground each pin is paired with ground itself, so that a
    large ground net does not outweigh the rest; on a net of over 256 pins each with the first of its pins by name, so
    that time stays linear.
    """
    nets: dict[str, list[str]] = {}
    for device in circuit.devices:
        for role, node in device.pins:
            pin = f"{device.name.upper()}.{'' if device.kind in SYMMETRIC_KINDS else role}"
            nets.setdefault(node, []).append(pin)
    pairs: list[Iterable[tuple[int, int]]] = []
    for node, names in nets.items():
        pins = [numbers.setdefault(pin, len(numbers)) for pin in sorted(names)]
        if node == GROUND:
            pairs.append(product([-1], pins))
        else:
            pairs.append(combinations(pins, 2) if len(pins) <= _LARGE_NET else product(pins[:1], pins[1:]))
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(pairs)), dtype=np.int64)
    return (flat[::2] << 32) + flat[1::2]


def _shares(prediction: Counter[str], truth: Counter[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of two multisets: TP / P, TP / T, 2 TP / (P + T)."""
    sizes = prediction.total(), truth.total()
    if not any(sizes):
        return 1.0, 1.0, 1.0
    common = (prediction & truth).total()
    precision, recall = (common / size if size else 0.0 for size in sizes)
    return precision, recall, 2 * common / sum(sizes)
