"""How does any netlist become a drawing in CircuiTikZ's look? As a ladder, with what controls its sources beside it."""

from __future__ import annotations

from dataclasses import replace

from circuitvlm.circuit.draw.geometry import Mark, Placement
from circuitvlm.circuit.draw.ladder import ladder
from circuitvlm.circuit.graph import Circuit, Device

KINDS = "RCLVIEGFH"


def on_grid(circuit: Circuit) -> Placement:
    """A placement of a netlist of two-pin devices and controlled sources.

    Nodes are numbered in the drawing where a device has no value. Raises ValueError for other devices, and for an E or
    G that is not controlled by the voltage across one of the devices: such a voltage could not be marked.
    """
    marks: list[Mark] = []
    controls: list[tuple[str, str]] = []
    for device in circuit.devices:
        if device.kind not in KINDS or len(set(device.nodes[:2])) < 2:
            raise ValueError(
                f"style circuitsense: {device.name} is of kind {device.kind} on nodes {' '.join(device.nodes)}, "
                f"wanted devices of kinds {' '.join(KINDS)} between two nodes; another style draws it"
            )
        if device.kind in "EG":
            marks.append(_voltage(circuit, device, number=len(marks)))
            controls.append((device.name, marks[-1].name))
        elif device.kind in "FH" and device.text:
            controls.append((device.name, device.text.split()[0].upper().removeprefix("V")))
    bare = Circuit(devices=tuple(replace(device, nodes=device.nodes[:2]) for device in circuit.devices))
    placement = replace(ladder(bare), marks=tuple(marks), controls=tuple(controls))
    if any(device.value is None for device in circuit.devices):
        return replace(placement, labels=_numbers(placement, bare))
    return placement


def _voltage(circuit: Circuit, source: Device, *, number: int) -> Mark:
    """The mark of the voltage that controls an E or G."""
    wanted = source.nodes[2:]
    for device in sorted(circuit.devices, key=lambda d: d.kind not in "RCL"):
        if set(device.nodes[:2]) == set(wanted) and device is not source:
            turned = device.nodes[:2] != wanted
            return Mark(kind="voltage", name=f"V{number}", device=device.name, reversed=turned)
    raise ValueError(
        f"style circuitsense: {source.name} is controlled by the voltage between {' and '.join(wanted)}, "
        "wanted two nodes with a device between them; another style draws it"
    )


def _numbers(placement: Placement, circuit: Circuit) -> tuple[tuple[str, tuple[float, float]], ...]:
    """Each node once for every pin and end of a wire on a grid line."""
    nodes = {device.name: device.nodes for device in circuit.devices}
    found = {p: nodes[s.device][i] for s in placement.symbols for i, p in enumerate(s.pins)}
    return tuple((node, point) for point, node in sorted(found.items()) if all(at == int(at) for at in point))
