"""Is this circuit the same as that one, and if not, how much of it is?"""

from __future__ import annotations

import cmath
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from circuitvlm.circuit.graph import GROUND, SYMMETRIC, Circuit, Device
from circuitvlm.circuit.judge.isomorphism import Edge, Network, UndecidedError, fingerprint, isomorphic
from circuitvlm.circuit.quantity import format_engineering, parse_spice
from circuitvlm.circuit.reference import mentions, rewritten

RELATIVE_TOLERANCE = 1e-6
_SOURCES = frozenset("VIEGFH")
_LARGE_NET = 256
_Key = TypeVar("_Key", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a predicted circuit compares with the true one.

    `topology`: the same devices by kind between the same nets, ground fixed, pins by role (R, C, L may be turned
    round), the sources that control F, H, W and the coils of K included; names and values ignored. `values`: one such
    correspondence also keeps all values (relative 1e-6), phasors and texts. `names`: one of those also keeps the
    devices' names. `unsigned_topology`: as `topology`, but V and I may be turned round too, and so may the outputs of
    E, G, F, H and the inputs of E and G; what it has and `topology` has not is right but for a polarity.

    The rest is partial credit, in [0, 1]. Of devices as multisets: `component_precision` is the share of the predicted
    that are true, `component_recall` the share of the true that are predicted, `component_f1` their harmonic mean, by
    kind and value; `kind_f1` is by kind alone, `name_f1` by name and kind. `pin_f1` is that of pairs of pins on a net.
    Shares of nothing are 1 where both circuits are empty, else 0.
    `undecided`: a comparison was given up at its step cap and counts as False.
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


def compare(predicted: Circuit, truth: Circuit) -> Comparison:
    """Compares two circuits, in bounded time. All is symmetric in them but precision and recall, which change places.

    Values are equal if a chain of values of either circuit, each within 1e-6 of the next, joins them.
    """
    pair = (predicted, truth)
    worths = _Worths([*predicted.devices, *truth.devices])
    kinds, names, components = (
        [Counter(map(key, c.devices)) for c in pair] for key in (_kind, _name, worths.component)
    )
    # Circuits of other kinds of devices are not the same in any sense, and need no search.
    verdicts = _verdicts(pair, worths) if kinds[0] == kinds[1] else [False] * 4
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
        pin_f1=_shares(*map(_pin_pairs, pair))[2],
    )


def same_devices(a: Circuit, b: Circuit) -> bool:
    """Whether both have the same devices by name, kind, value (relative 1e-6), phasor and text, however they are wired.

    Which source controls F, H, W and which coils K couples counts as wiring.
    """
    label = _named(_Worths([*a.devices, *b.devices]))
    return Counter(map(label, a.devices)) == Counter(map(label, b.devices))


def topology_key(circuit: Circuit) -> str:
    """24 hex digits, equal for circuits of equal `topology`, stable over processes and versions.

    Circuits that colour refinement cannot tell apart share a key: good for splitting data, not for proving equality.
    """
    return fingerprint(_network(circuit, _kind))


Label = Callable[[Device], str]


def _verdicts(pair: tuple[Circuit, Circuit], worths: _Worths) -> list[bool | None]:
    """Whether they are the same by names, by values, by topology, and but for polarities; None where it was given up.

    From the finest to the coarsest: what is the same by name is the same, and needs no search.
    """
    found: list[bool | None] = []
    for label, signed in ((_named(worths), True), (worths.label, True), (_kind, True), (_kind, False)):
        found.append(True if any(found) else _same(pair, label, signed=signed))
    return found


def _same(pair: tuple[Circuit, Circuit], label: Label, *, signed: bool) -> bool | None:
    try:
        return isomorphic(*(_network(circuit, label, signed=signed) for circuit in pair))
    except UndecidedError:
        return None


def _kind(device: Device) -> str:
    return device.kind


def _name(device: Device) -> str:
    return f"{device.name.upper()} {device.kind}"


def _named(worths: _Worths) -> Label:
    return lambda device: f"{device.name.upper()} {worths.label(device)}"


class _Worths:
    """What the devices of both circuits state, as labels that are equal where the statements are."""

    def __init__(self, devices: Iterable[Device]) -> None:
        devices = list(devices)
        self._value = _chained((d.kind, d.value) for d in devices if d.value is not None)
        phasors = [cmath.polar(d.ac) for d in devices if d.ac is not None]
        self._magnitude = _chained(("", magnitude) for magnitude, _ in phasors)
        # Absolute, in radians: shifting by ten keeps the relative rule from applying near zero.
        self._phase = _chained(("", _turned(angle) + 10) for _, angle in phasors)

    def label(self, device: Device) -> str:
        """Kind, value, phasor and text, without the names of the devices referred to."""
        return f"{device.kind} {self._stated(device)} {self._phasor(device.ac)} {_normal(_nameless(device))}"

    def component(self, device: Device) -> str:
        """Kind and value; the text where there is no value."""
        return f"{device.kind} {self._stated(device)} {_normal(_nameless(device)) if device.value is None else ''}"

    def _stated(self, device: Device) -> str:
        return "-" if device.value is None else str(self._value[device.kind, device.value])

    def _phasor(self, ac: complex | None) -> str:
        if ac is None:
            return "-"
        magnitude, angle = cmath.polar(ac)
        return f"{self._magnitude['', magnitude]}@{self._phase['', _turned(angle) + 10] if magnitude else 0}"


def _turned(angle: float) -> float:
    """-pi and pi are the same direction."""
    return math.pi if abs(angle) > math.pi - RELATIVE_TOLERANCE else angle


def _chained(values: Iterable[tuple[str, float]]) -> dict[tuple[str, float], int]:
    """A class for each value, shared with the next larger one of its kind if that is within the tolerance."""
    classes: dict[tuple[str, float], int] = {}
    last = ("", math.nan)
    for kind, value in sorted(set(values)):
        near = last[0] == kind and value - last[1] <= RELATIVE_TOLERANCE * max(abs(value), abs(last[1]))
        classes[kind, value] = classes[last] if near else len(classes)
        last = (kind, value)
    return classes


def _normal(text: str) -> str:
    """The text without case, punctuation between arguments, or the way its numbers are written."""
    if not text:
        return ""
    words = text.casefold().replace("(", " ( ").replace(")", " ) ").replace(",", " ").replace("=", " = ").split()
    return " ".join(_normal_number(word) for word in words)


def _normal_number(word: str) -> str:
    if word[0] in "+-.0123456789":
        try:
            return format_engineering(parse_spice(word))
        except ValueError:
            return word
    return word


def _nameless(device: Device) -> str:
    """The text without the names of other devices and nodes: what these are is wiring."""
    return rewritten(device, lambda said: "#" if said.is_node else "@")


def _node_key(node: str) -> str:
    return GROUND if node.lower() in ("gnd", "ground") or not node.strip("0") else node.lower()


def _network(circuit: Circuit, label: Label, *, signed: bool = True) -> Network:
    """Nets, and the devices that others refer to, are vertices; devices are edges.

    A coil that K couples has a polarity, so its pins are not swapped. Those of sources are, where it is not `signed`.
    """
    vertex: dict[str, int] = {}
    for device in circuit.devices:
        for node in device.nodes:
            vertex.setdefault(node, len(vertex))
    colours = [int(node == GROUND) for node in vertex]
    said = [mentions(device) if device.text else [] for device in circuit.devices]
    probed = any(mention.is_node for found in said for mention in found)
    spelled = {_node_key(node): place for node, place in vertex.items()} if probed else {}
    wanted = {mention.name.upper() for found in said for mention in found if not mention.is_node}
    coupled = {m.name.upper() for device in circuit.devices if device.kind == "K" for m in mentions(device)}
    own: dict[str, int] = {}
    for device in circuit.devices:
        if wanted and device.name.upper() in wanted:
            own[device.name.upper()] = len(colours)
            colours.append(2)
    edges: list[Edge] = []
    for device, found in zip(circuit.devices, said, strict=True):
        swappable = device.kind in SYMMETRIC and device.name.upper() not in coupled
        pins = [("" if swappable else role, vertex[node]) for role, node in device.pins]
        if not signed and device.kind in _SOURCES:
            pins = [(role.rstrip("+-"), node) for role, node in pins]
        if own and device.name.upper() in own:
            pins.append(("self", own[device.name.upper()]))
        for place, mention in enumerate(found):
            known = spelled.get(_node_key(mention.name)) if mention.is_node else own.get(mention.name.upper())
            if known is not None:
                alike = device.kind == "K" or len(found) == 1
                pins.append(("refers" if alike else f"refers{place}", known))
        edges.append(Edge(label(device), tuple(role for role, _ in pins), tuple(member for _, member in pins)))
    return Network(colours, edges)


def _pin_pairs(circuit: Circuit) -> Counter[tuple[str, str]]:
    """Every pair of pins that share a net, pins as `NAME.role` (`NAME.` for R, C, L, whose pins are alike).

    On ground each pin is paired with ground itself, so that a large ground net does not outweigh the rest; on a net of
    over 256 pins each with the first of its pins by name, so that time stays linear.
    """
    nets: dict[str, list[str]] = {}
    for device in circuit.devices:
        for role, node in device.pins:
            pin = f"{device.name.upper()}.{'' if device.kind in SYMMETRIC else role}"
            nets.setdefault(node, []).append(pin)
    pairs: Counter[tuple[str, str]] = Counter()
    for node, pins in nets.items():
        pins.sort()
        if node == GROUND:
            pairs.update((pin, GROUND) for pin in pins)
        elif len(pins) > _LARGE_NET:
            pairs.update((pins[0], pin) for pin in pins[1:])
        else:
            pairs.update((first, pin) for i, first in enumerate(pins) for pin in pins[i + 1 :])
    return pairs


def _shares(predicted: Counter[_Key], truth: Counter[_Key]) -> tuple[float, float, float]:
    """Precision, recall and F1 of two multisets: TP / P, TP / T, 2 TP / (P + T)."""
    sizes = predicted.total(), truth.total()
    if not any(sizes):
        return 1.0, 1.0, 1.0
    common = sum(min(count, truth[key]) for key, count in predicted.items())
    precision, recall = (common / size if size else 0.0 for size in sizes)
    return precision, recall, 2 * common / sum(sizes)
