"""What of a circuit is asked for, and what is its value?

A probe is written as SPICE writes the quantities of its .print and .tf cards (Quarles, SPICE3 User's Manual, ch. 4):
`v(2,0)`, `i(V1)`; `p(R1)` and `z(1,0)` are added in the same manner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.netlist.writer import numbers
from circuitvlm.circuit.solve.numeric import solve

UNITS = {"v": "V", "i": "A", "p": "W", "z": "Ohm"}
"""The unit of each quantity: a voltage, a current, a power, an impedance."""

_WORD = r"[^\s(),;=]{1,64}"
_QUANTITY = re.compile(rf"\s*(-?)\s*([vipz])\s*\(\s*({_WORD})\s*(?:,\s*({_WORD})\s*)?\)", re.I)
_PRINT = re.compile(r"\s*\.?print\s+(?:op\s+|dc\s+|ac\s+)?(.*)", re.I)
_NAMED = re.compile(r";\s*measurement\s+of\s+(\S{1,32})", re.I)
_TRANSFER = re.compile(rf"\s*\.tf\s+(v\s*\([^()]*\))\s+({_WORD})\s*(?:[;*#].*)?$", re.I)
_NUDGE = "I_PROBE"


class ProbeError(ValueError):
    """A text that states no probe, or a probe of what a circuit does not have."""


@dataclass(frozen=True, slots=True)
class Probe:
    """`quantity` is v, i, p or z; `of` holds one device (i, p) or two nodes (v, z; ground where one is stated).

    With a `source` it asks for the transfer function from there, `quantity` being v. `name` is what a drawing calls it.
    `negative` turns the sign: `-i(R1)` is the current from the second pin to the first.
    """

    quantity: str
    of: tuple[str, ...]
    source: str = ""
    name: str = ""
    negative: bool = False

    @property
    def unit(self) -> str:
        return UNITS[self.quantity]

    @property
    def card(self) -> str:
        """The SPICE card that asks for it."""
        quantity = f"{'-' if self.negative else ''}{self.quantity}({','.join(self.of)})"
        return f".tf {quantity} {self.source}" if self.source else f".print {quantity}"


def parse(text: str) -> Probe:
    """The probe that `v(5, 7)`, `v(5)`, `i(VI1)`, `p(R1)`, `z(1,0)` or a whole card states. Raises ProbeError."""
    if match := _TRANSFER.match(text):
        return replace(parse(match[1]), source=match[2].upper())
    card = _PRINT.match(text)
    match = _QUANTITY.match(card[1] if card else text)
    if match is None:
        raise ProbeError(f"{text[:60]!r} is no probe; wanted v(5,7), i(V1), p(R1), z(1,0), or .tf v(2,0) V1")
    sign, quantity, first, second = match.groups()
    quantity = quantity.lower()
    named = _NAMED.search(text)
    name = named[1] if named else ""
    if quantity in "ip":
        if second is not None:
            raise ProbeError(f"{text[:60]!r}: a current or a power is asked of one device")
        return Probe(quantity, (first.upper(),), name=name, negative=bool(sign))
    return Probe(quantity, (first, second or GROUND), name=name, negative=bool(sign))


def probes_of(text: str) -> tuple[Probe, ...]:
    """The probes on the print and .tf cards of a netlist's text, in a control block or not, in their order."""
    return tuple(_found(text))


def _found(text: str) -> Iterator[Probe]:
    for line in text.splitlines():
        card = line.strip()
        if card[:6].lower() in (".print", "print ") or card[:4].lower() == ".tf ":
            try:
                yield parse(card)
            except ProbeError:
                continue  # `print all`, a plot: nothing that is asked for


def measure(circuit: Circuit, probe: Probe, frequency_hz: float = 0.0) -> float | complex:
    """The value in base units: float at 0 Hz, else a complex amplitude (a complex power v*conj(i)/2 for p).

    An impedance is seen between its nodes with all independent sources at zero.
    Raises ProbeError for what the circuit does not have, and what `numeric.solve` raises.
    """
    if probe.source:
        raise ProbeError(f"{probe.card!r} asks for a formula; see symbolic.transfer_function")
    try:
        value = _value(circuit, probe, frequency_hz)
    except KeyError as error:
        raise ProbeError(f"{probe.card!r}: {error.args[0]}") from error
    return -value if probe.negative else value


def write(circuit: Circuit, probe: Probe) -> str:
    """The netlist with the probe's card below; nodes keep their names where `netlist.format` can, else are numbered.

    `parse` and `probes_of` read it back. Raises ProbeError for a node that is not there.
    """
    numbered = renumbered(circuit, probe)  # checks the nodes
    kept = netlist.format(circuit, renumber=False)
    if netlist.parse(kept).nodes == circuit.nodes:
        return f"{kept}\n{probe.card}"
    return f"{netlist.format(circuit)}\n{numbered.card}"


def renumbered(circuit: Circuit, probe: Probe) -> Probe:
    """The probe by the numbers that `netlist.format` gives the nodes. Raises ProbeError for one that is not there."""
    if probe.quantity in "ip":
        return probe
    names = {node.lower(): number for node, number in numbers(circuit).items()}
    try:
        return replace(probe, of=tuple(names[node.lower()] for node in probe.of))
    except KeyError as error:
        raise ProbeError(f"{probe.card!r}: no node {error.args[0]!r}") from error


def _value(circuit: Circuit, probe: Probe, frequency_hz: float) -> float | complex:
    if probe.quantity == "z":
        return _impedance(circuit, probe, frequency_hz)
    solved = solve(circuit, frequency_hz)
    if probe.quantity == "v":
        return solved.voltage(*probe.of)
    return solved.current(*probe.of) if probe.quantity == "i" else solved.power(*probe.of)


def _impedance(circuit: Circuit, probe: Probe, frequency_hz: float) -> float | complex:
    known = {node.lower(): node for node in circuit.nodes}
    plus, minus = (known.get(node.lower(), "") for node in probe.of)
    if not plus or not minus:
        raise KeyError(f"no node {probe.of[not minus]!r}; the circuit has {', '.join(circuit.nodes)}")
    if plus == minus:
        return 0.0
    quiet = tuple(replace(d, value=0.0, ac=None, text="") if d.kind in "VI" else d for d in circuit.devices)
    nudge = Device(name=_NUDGE, kind="I", nodes=(minus, plus), value=1.0)
    seen = Circuit(devices=(*(d for d in quiet if d.kind != "I"), nudge))  # at zero a current source is open
    if GROUND not in seen.nodes:
        seen = Circuit(devices=tuple(replace(d, nodes=_grounded(d.nodes, minus)) for d in seen.devices))
        plus, minus = _grounded((plus, minus), minus)
    return solve(seen, frequency_hz).voltage(plus, minus)


def _grounded(nodes: tuple[str, ...], ground: str) -> tuple[str, ...]:
    return tuple(GROUND if node == ground else node for node in nodes)


def output_nodes(circuit: Circuit, output: str | Sequence[str]) -> tuple[str, str]:
    """The two nodes whose voltage is meant. Raises KeyError with the names there are."""
    if isinstance(output, str):
        for device in circuit.devices:
            if device.name.upper() == output.strip().upper() and len(device.nodes) > 1:
                return device.nodes[0], device.nodes[1]
        inner = output.strip().removesuffix(")")
        inner = inner[2:] if inner[:2].lower() == "v(" else inner
        asked = [part.strip() for part in inner.split(",")]
    else:
        asked = [str(part) for part in output]
    known = {node.lower(): node for node in (*circuit.nodes, GROUND)}
    if not 1 <= len(asked) <= 2 or any(node.lower() not in known for node in asked):
        devices = ", ".join(d.name for d in circuit.devices)
        raise KeyError(f"output {output!r} is no device and no node; devices: {devices}; nodes: {', '.join(known)}")
    plus, minus = (*asked, GROUND)[:2]
    return known[plus.lower()], known[minus.lower()]


def source_of(circuit: Circuit, source: str) -> Device:
    """The independent source of that name. Raises KeyError with the names there are."""
    for device in circuit.devices:
        if device.name.upper() == source.strip().upper() and device.kind in "VI":
            return device
    there = ", ".join(d.name for d in circuit.devices if d.kind in "VI") or "none"
    raise KeyError(f"no independent source {source!r}; the circuit has {there}")
