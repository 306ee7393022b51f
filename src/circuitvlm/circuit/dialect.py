"""Convert netlists in lcapy's dialect to SPICE's conventions.

In lcapy's netlists I and G drive their current out of their first node (its manual, "Component specification"; its
mnacpts.py). In SPICE the current flows into that node. Up to version 1.24 lcapy reversed F too; since 1.26 it reads F
as SPICE does.
"""

from __future__ import annotations

from dataclasses import replace

from circuitvlm.circuit.graph import Circuit, Device

REVERSED_KINDS = frozenset("GI")
"""Kinds whose output nodes are swapped in every version of lcapy."""

_VERSION_DEPENDENT_KINDS = frozenset("F")
"""Kinds whose output nodes are swapped up to lcapy 1.24 only."""

_SOURCE_SHAPES = frozenset({"step", "s"})
"""lcapy's words for the shape of a source, which SPICE does not have."""


def is_lcapy(circuit: Circuit) -> bool:
    """Whether a source states its shape in lcapy's way (`V1 1 0 step`), as CircuitSense's symbolic netlists do."""
    return any(map(_has_shape, circuit.devices))


def to_spice(circuit: Circuit) -> Circuit:
    """The same circuit by SPICE's conventions; a circuit that follows them is returned unchanged.

    The output nodes of I and G are swapped, and the word for a source's shape is replaced by the source's name.
    """
    return readings(circuit)[0]


def readings(circuit: Circuit) -> tuple[Circuit, ...]:
    """The possible meanings of a netlist by SPICE's conventions, the most likely first.

    There are two where lcapy's versions differ: a netlist does not state its version.
    """
    if not is_lcapy(circuit):
        return (circuit,)
    has_versions = any(device.kind in _VERSION_DEPENDENT_KINDS for device in circuit.devices)
    kind_sets = [REVERSED_KINDS, REVERSED_KINDS | _VERSION_DEPENDENT_KINDS][: 1 + has_versions]
    return tuple(replace(circuit, devices=tuple(_convert(d, kinds) for d in circuit.devices)) for kinds in kind_sets)


def _convert(device: Device, reversed_kinds: frozenset[str]) -> Device:
    if device.kind in reversed_kinds:
        device = replace(device, nodes=(device.nodes[1], device.nodes[0], *device.nodes[2:]))
    if _has_shape(device):
        device = replace(device, text=device.text.partition(" ")[2] or device.name)
    return device


def _has_shape(device: Device) -> bool:
    return device.kind in "VI" and device.text.split(" ")[0].lower() in _SOURCE_SHAPES
