"""Read, write and measure probes: the quantities that a question asks of a circuit.

A probe is written as SPICE writes the quantities of its .print and .tf cards (Quarles, SPICE3 User's Manual, ch. 4):
`v(2,0)`, `i(V1)`. The probes `p(R1)` and `z(1,0)` are added in the same form.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.netlist.writer import node_numbers
from circuitvlm.circuit.solve.numeric import solve

UNITS = {"v": "V", "i": "A", "p": "W", "z": "Ohm"}
"""The unit of each quantity: a voltage, a current, a power, an impedance."""

_WORD = r"[^\s(),;=]{1,64}"
_QUANTITY = re.compile(rf"\s*(-?)\s*([vipz])\s*\(\s*({_WORD})\s*(?:,\s*({_WORD})\s*)?\)", re.I)
_PRINT_CARD = re.compile(r"\s*\.?print\s+(?:op\s+|dc\s+|ac\s+)?(.*)", re.I)
_NAME_COMMENT = re.compile(r";\s*measurement\s+of\s+(\S{1,32})", re.I)
_TRANSFER_CARD = re.compile(rf"\s*\.tf\s+(v\s*\([^()]*\))\s+({_WORD})\s*(?:[;*#].*)?$", re.I)
_TEST_SOURCE = "I_PROBE"


class ProbeError(ValueError):
    """A text that states no probe, or a probe that does not fit its circuit."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A quantity of a circuit: v, i, p or z.

    `targets` holds one device (i, p) or two nodes (v, z). With a `source` the probe is the transfer function from there
    to the voltage v. `name` is the quantity's name in a drawing. `negative` inverts the sign: `-i(R1)` is the current
    from the second pin to the first.
    """

    quantity: str
    targets: tuple[str, ...]
    source: str = ""
    name: str = ""
    negative: bool = False

    @property
    def unit(self) -> str:
        """The unit of the quantity."""
        return UNITS[self.quantity]

    @property
    def card(self) -> str:
        """The SPICE card of the probe."""
        quantity = f"{'-' if self.negative else ''}{self.quantity}({','.join(self.targets)})"
        return f".tf {quantity} {self.source}" if self.source else f".print {quantity}"


def parse(text: str) -> Probe:
    """The probe in `v(5, 7)`, `v(5)` (against ground), `i(VI1)`, `p(R1)`, `z(1,0)` or a whole card.

    Raises ProbeError.
    """
    if match := _TRANSFER_CARD.match(text):
        return replace(parse(match[1]), source=match[2].upper())
    card = _PRINT_CARD.match(text)
    match = _QUANTITY.match(card[1] if card else text)
    if match is None:
        raise ProbeError(f"probe: expected v(5,7), i(V1), p(R1), z(1,0), or .tf v(2,0) V1, got {text[:60]!r}")
    sign, first, second, quantity = *match.group(1, 3, 4), match[2].lower()
    is_of_device = quantity in "ip"
    if is_of_device and second is not None:
        raise ProbeError(f"probe: expected one device for {quantity}, got {text[:60]!r}")
    targets = (first.upper(),) if is_of_device else (first, second or GROUND)
    name = _NAME_COMMENT.search(text)
    return Probe(quantity, targets, name=name[1] if name else "", negative=bool(sign))


def probes_of(text: str) -> tuple[Probe, ...]:
    """The probes on the print and .tf cards of a netlist's text, inside and outside control blocks, in their order."""
    probes: list[Probe] = []
    for card in map(str.strip, text.splitlines()):
        if card[:6].lower() in (".print", "print ") or card[:4].lower() == ".tf ":
            with contextlib.suppress(ProbeError):  # `print all` or a plot, which are no probes
                probes.append(parse(card))
    return tuple(probes)


def measure(circuit: Circuit, probe: Probe, frequency_hz: float = 0.0) -> float | complex:
    """The value in base units: a float at 0 Hz, otherwise a complex amplitude (a complex power v*conj(i)/2 for p).

    An impedance is measured between its nodes, with all independent sources at zero.
    Raises ProbeError where the probe does not fit the circuit, and the errors of `numeric.solve`.
    """
    if probe.source:
        raise ProbeError(f"{probe.card!r}: expected a probe of a number, got one that asks for a formula")
    try:
        value = _value(circuit, probe, frequency_hz)
    except KeyError as error:
        raise ProbeError(f"{probe.card!r}: {error.args[0]}") from error
    return -value if probe.negative else value


def write(circuit: Circuit, probe: Probe) -> str:
    """The netlist with the probe's card after it. Nodes keep their names where `netlist.format` can keep them.

    `parse` and `probes_of` read it back. Raises ProbeError for a node that does not exist.
    """
    numbered_probe = renumber(circuit, probe)  # checks the nodes
    text = netlist.format(circuit, renumber=False)
    if netlist.parse(text).nodes == circuit.nodes:
        return f"{text}\n{probe.card}"
    return f"{netlist.format(circuit)}\n{numbered_probe.card}"


def renumber(circuit: Circuit, probe: Probe) -> Probe:
    """The probe with the numbers that `netlist.format` gives the nodes. Raises ProbeError for an unknown node."""
    if probe.quantity in "ip":
        return probe
    numbers = {node.lower(): number for node, number in node_numbers(circuit).items()}
    try:
        return replace(probe, targets=tuple(numbers[node.lower()] for node in probe.targets))
    except KeyError as error:
        raise ProbeError(f"{probe.card!r}: no node {error.args[0]!r}; the circuit has {', '.join(numbers)}") from error


def _value(circuit: Circuit, probe: Probe, frequency_hz: float) -> float | complex:
    if probe.quantity == "z":
        plus, minus = map(circuit.node, probe.targets)
        return _impedance(circuit, plus, minus, frequency_hz)
    solution = solve(circuit, frequency_hz)
    if probe.quantity == "v":
        return solution.voltage(*probe.targets)
    return solution.current(*probe.targets) if probe.quantity == "i" else solution.power(*probe.targets)


def _impedance(circuit: Circuit, plus: str, minus: str, frequency_hz: float) -> float | complex:
    """The voltage of a test source of 1 A, with voltage sources at zero and without current sources."""
    if plus == minus:
        return 0.0
    devices = [
        replace(d, value=0.0, ac=None, text="") if d.kind == "V" else d for d in circuit.devices if d.kind != "I"
    ]
    devices.append(Device(name=_TEST_SOURCE, kind="I", nodes=(minus, plus), value=1.0))
    if all(GROUND not in d.nodes for d in devices):
        devices = [replace(d, nodes=tuple(GROUND if n == minus else n for n in d.nodes)) for d in devices]
        minus = GROUND
    return solve(Circuit(tuple(devices)), frequency_hz).voltage(plus, minus)


def output_nodes(circuit: Circuit, output: str | Sequence[str]) -> tuple[str, str]:
    """The two nodes of an output: a device, `v(a,b)`, one node (against ground), or two nodes.

    Raises KeyError with the names of devices and nodes.
    """
    names = [str(part) for part in output]
    if isinstance(output, str):
        for device in circuit.devices:
            if device.name.upper() == output.strip().upper() and len(device.nodes) > 1:
                return device.nodes[0], device.nodes[1]
        inner = re.sub(r"^v\(", "", output.strip().removesuffix(")"), flags=re.I)
        names = list(map(str.strip, inner.split(",")))
    known_nodes = {node.lower(): node for node in (*circuit.nodes, GROUND)}
    if not 1 <= len(names) <= 2 or any(name.lower() not in known_nodes for name in names):
        raise KeyError(
            f"output {output!r} is no device and no node; devices: {', '.join(d.name for d in circuit.devices)};"
            f" nodes: {', '.join(known_nodes)}"
        )
    plus, minus = (known_nodes[name.lower()] for name in (*names, GROUND)[:2])
    return plus, minus


def find_source(circuit: Circuit, source: str) -> Device:
    """The independent source with this name. Raises KeyError with the names of the circuit's sources."""
    sources = {device.name.upper(): device for device in circuit.devices if device.kind in "VI"}
    if (name := source.strip().upper()) not in sources:
        names = ", ".join(device.name for device in sources.values()) or "none"
        raise KeyError(f"no independent source {source!r}; the circuit has {names}")
    return sources[name]
