"""What is a circuit? Devices whose named pins meet in nodes.

The letters of `Device.kind` and the order of the pins are SPICE's (Quarles, SPICE3 User's Manual, ch. 3-6).
"""

from __future__ import annotations

from dataclasses import dataclass

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
"""Pin names of each kind, in the order of a SPICE line. Pins beyond the list (a subcircuit call's, a bipolar
transistor's substrate) are numbered from 1."""

SYMMETRIC = frozenset("RCL")
"""Kinds whose two pins may be swapped without making another circuit."""


@dataclass(frozen=True, slots=True)
class Device:
    """One line of a netlist.

    `nodes` are in SPICE's pin order. `value` is in base units (ohm, farad, henry, volt, ampere, or a gain), for a
    source its DC part; None where the text gives no number. `ac` is a source's phasor (volt or ampere), None where it
    states none. `text` is what else the line says: a model's name, a controlling source, a symbolic value.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    value: float | None = None
    ac: complex | None = None
    text: str = ""

    @property
    def pins(self) -> tuple[tuple[str, str], ...]:
        """(pin name, node) in SPICE's order."""
        names = PIN_NAMES.get(self.kind, ())
        extra = (str(i + 1) for i in range(len(names), len(self.nodes)))
        return tuple(zip((*names, *extra), self.nodes, strict=False))


@dataclass(frozen=True, slots=True)
class Circuit:
    """Devices in reading order, with an optional title. Node `0` is ground."""

    devices: tuple[Device, ...]
    title: str = ""

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node once, in reading order."""
        return tuple(dict.fromkeys(node for device in self.devices for node in device.nodes))

    def device(self, name: str) -> Device:
        """The device of that name, in any case. Raises KeyError with the names there are."""
        for device in self.devices:
            if device.name.upper() == name.upper():
                return device
        raise KeyError(f"no device {name!r}; the circuit has {', '.join(d.name for d in self.devices)}")
