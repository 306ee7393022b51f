"""Whose conventions does a netlist follow? lcapy's are turned into SPICE's."""

from __future__ import annotations

from dataclasses import replace

from circuitvlm.circuit.graph import Circuit, Device

_REVERSED = frozenset("GFI")
"""Kinds whose current lcapy lets flow out of the first node into the circuit, where SPICE lets it flow into it."""

_WORDS = frozenset({"step", "s"})
"""lcapy's words for the shape of a source, which SPICE has not."""


def is_lcapy(circuit: Circuit) -> bool:
    """Whether a source states its shape in lcapy's way (`V1 1 0 step`), as CircuitSense's symbolic netlists do."""
    return any(d.kind in "VI" and _first_word(d) in _WORDS for d in circuit.devices)


def to_spice(circuit: Circuit) -> Circuit:
    """The same circuit by SPICE's conventions; one that follows them already is returned as it is.

    In lcapy's netlists a current source, independent or controlled, drives its current out of its first node
    (lcapy's documentation, "Component specification"); so the nodes of the outputs of G, F and I are exchanged, and
    the word for the source's shape gives way to its name.
    """
    return replace(circuit, devices=tuple(map(_turned, circuit.devices))) if is_lcapy(circuit) else circuit


def _turned(device: Device) -> Device:
    if device.kind in _REVERSED:
        device = replace(device, nodes=(device.nodes[1], device.nodes[0], *device.nodes[2:]))
    if device.kind in "VI" and _first_word(device) in _WORDS:
        device = replace(device, text=device.text.partition(" ")[2] or device.name)
    return device


def _first_word(device: Device) -> str:
    return device.text.split(" ")[0].lower() if device.text else ""
