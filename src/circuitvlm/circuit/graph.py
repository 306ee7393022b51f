"""Represent a circuit: devices whose named pins meet in nodes.

The letters of `Device.kind` and the order of the pins are SPICE's (Quarles, SPICE3 User's Manual, ch. 3-6).
"""

from __future__ import annotations

from dataclasses import dataclass, field

GROUND = "0"

PIN_NAMES: dict[str, tuple[str, ...]] = {
    "R": ("1", "2"),
    "C": ("1", "2"),
    "L": ("1", "2"),
    "V": ("+", "-"),
    "I": ("+", "-"),
    "D": ("anode", "cathode"),
    "Q": ("collector", "base", "emitter"),
    "M": ("drain", "gate", "source", "bulk"),
    "J": ("drain", "gate", "source"),
    "Z": ("drain", "gate", "source"),
    "E": ("out+", "out-", "in+", "in-"),
    "G": ("out+", "out-", "in+", "in-"),
    "F": ("out+", "out-"),
    "H": ("out+", "out-"),
    "B": ("out+", "out-"),
    "S": ("1", "2", "in+", "in-"),
    "W": ("1", "2"),
    "T": ("a+", "a-", "b+", "b-"),
    "K": (),
    "X": (),
}
"""Pin names of each kind, in the order of a SPICE line.

Pins beyond the list (of a subcircuit call, or a bipolar transistor's substrate) are named by their place, from 1.
"""

SYMMETRIC_KINDS = frozenset("RCL")
"""Kinds whose two pins may be swapped without changing the circuit."""

LINEAR_KINDS = "RCLVIEGFH"
"""Kinds that are solved and exported: R, C, L, independent sources, and linear controlled sources."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a netlist.

    `nodes` are in the order of SPICE's pins. `value` is in base units (ohm, farad, henry, volt, ampere, or a gain). For
    a source it is the DC part. It is None where the text states no number. `ac` is the phasor of a source (volt or
    ampere), or None. `text` is the remaining text: a model's name, a controlling source, a symbolic value.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    value: float | None = None
    ac: complex | None = None
    text: str = ""

    @property
    def pins(self) -> tuple[tuple[str, str], ...]:
        """Pairs (pin name, node) in the order of SPICE's pins."""
        names = PIN_NAMES.get(self.kind, ())
        numbers = (str(i + 1) for i in range(len(names), len(self.nodes)))
        return tuple(zip((*names, *numbers), self.nodes, strict=False))


@dataclass(frozen=True, slots=True)
class Circuit:
    """Devices in the order of the text, with an optional title. Node `0` is ground.

    `remarks` says what of the text was not read, each with its line. Circuits are compared without them.
    """

    devices: tuple[Device, ...]
    title: str = ""
    remarks: tuple[str, ...] = field(default=(), compare=False)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node once, in the order of first appearance."""
        return tuple(dict.fromkeys(node for device in self.devices for node in device.nodes))

    def device(self, name: str) -> Device:
        """The device with this name, compared without case.

        Raises KeyError with the names of the circuit's devices.
        """
        for device in self.devices:
            if device.name.upper() == name.upper():
                return device
        raise KeyError(f"no device {name!r}; the circuit has {', '.join(d.name for d in self.devices)}")

    def node(self, name: str) -> str:
        """The node with this name, compared without case where no spelling is equal.

        Raises KeyError with the names of the circuit's nodes.
        """
        matches = [node for node in self.nodes if node.lower() == name.lower()]
        if not matches:
            raise KeyError(f"no node {name!r}; the circuit has {', '.join(self.nodes)}")
        return name if name in matches else matches[0]
