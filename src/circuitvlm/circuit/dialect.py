"""Whose conventions does a netlist follow? lcapy's are turned into SPICE's."""

from __future__ import annotations

from dataclasses import replace

from circuitvlm.circuit.graph import Circuit, Device

_REVERSED = frozenset("GI")
"""Kinds whose current lcapy lets flow out of the first node into the circuit, where SPICE lets it flow into it."""

_DISPUTED = frozenset("F")
"""Kinds that lcapy reversed too up to its version 1.24, and since 1.26 reads as SPICE does."""

_WORDS = frozenset({"step", "s"})
"""lcapy's words for the shape of a source, which SPICE has not."""


def is_lcapy(circuit: Circuit) -> bool:
    """Whether a source states its shape in lcapy's way (`V1 1 0 step`), as CircuitSense's symbolic netlists do."""
    return any(d.kind in "VI" and _first_word(d) in _WORDS for d in circuit.devices)


def to_spice(circuit: Circuit) -> Circuit:
    """The same circuit by SPICE's conventions; one that follows them already is returned as it is.

    In lcapy's netlists I and G drive their current out of their first node (its manual, "Component specification"; its
    mnacpts.py), so the nodes of their outputs are exchanged, and the word for a source's shape gives way to its name.
    """
    return readings(circuit)[0]


def readings(circuit: Circuit) -> tuple[Circuit, ...]:
    """What a netlist may mean by SPICE's conventions, the likeliest first: more than one where lcapy's versions differ.

    A netlist in its dialect does not say its version, and the sign of F is not the same in all of them.
    """
    if not is_lcapy(circuit):
        return (circuit,)
    disputed = any(device.kind in _DISPUTED for device in circuit.devices)
    return tuple(
        replace(circuit, devices=tuple(_turned(device, reversed_kinds=kinds) for device in circuit.devices))
        for kinds in (_REVERSED, _REVERSED | _DISPUTED)[: 1 + disputed]
    )


def _turned(device: Device, *, reversed_kinds: frozenset[str]) -> Device:
    if device.kind in reversed_kinds:
        device = replace(device, nodes=(device.nodes[1], device.nodes[0], *device.nodes[2:]))
    if device.kind in "VI" and _first_word(device) in _WORDS:
        device = replace(device, text=device.text.partition(" ")[2] or device.name)
    return device


def _first_word(device: Device) -> str:
    return device.text.split(" ")[0].lower() if device.text else ""
