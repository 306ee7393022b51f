"""Place a netlist for CircuiTikZ's look: as a ladder, with marks at the devices that control its sources."""

from __future__ import annotations

from dataclasses import replace

from circuitvlm.circuit.draw.ladder import ladder
from circuitvlm.circuit.graph import LINEAR_KINDS, Circuit, Device
from circuitvlm.circuit.placement import Mark, Placement, Point


def place(circuit: Circuit) -> Placement:
    """A placement of a netlist of two-pin devices and controlled sources.

    Nodes are numbered in the drawing where a device has no value. Raises ValueError for other devices, and for an E or
    G that is not controlled by the voltage across one of the devices, since such a voltage cannot be marked.
    """
    marks: list[Mark] = []
    controls: list[tuple[str, str]] = []
    for device in circuit.devices:
        if device.kind not in LINEAR_KINDS or len(set(device.nodes[:2])) < 2:
            raise ValueError(
                f"style circuitsense: expected devices of kinds {' '.join(LINEAR_KINDS)} between two different nodes, "
                f"got {device.name} of kind {device.kind} on nodes {' '.join(device.nodes)}; choose another style"
            )
        if device.kind in "EG":
            marks.append(_controlling_voltage(circuit, device, number=len(marks)))
            controls.append((device.name, marks[-1].name))
        elif device.kind in "FH" and device.text:
            controls.append((device.name, device.text.split()[0].upper().removeprefix("V")))
    two_pins = Circuit(devices=tuple(replace(device, nodes=device.nodes[:2]) for device in circuit.devices))
    placement = replace(ladder(two_pins), marks=tuple(marks), controls=tuple(controls))
    has_names = any(device.value is None for device in circuit.devices)
    return replace(placement, node_labels=_node_labels(placement, two_pins)) if has_names else placement


def _controlling_voltage(circuit: Circuit, source: Device, *, number: int) -> Mark:
    """The mark of the voltage that controls an E or G."""
    plus_minus = source.nodes[2:]
    for device in sorted(circuit.devices, key=lambda d: d.kind not in "RCL"):
        if set(device.nodes[:2]) == set(plus_minus) and device is not source:
            return Mark("voltage", f"V{number}", device.name, is_reversed=device.nodes[:2] != plus_minus)
    raise ValueError(
        f"style circuitsense: expected {source.name} to be controlled by the voltage across a device, "
        f"got the nodes {' and '.join(plus_minus)} without a device between them; choose another style"
    )


def _node_labels(placement: Placement, circuit: Circuit) -> tuple[tuple[str, Point], ...]:
    """The node of every pin that lies on grid lines, with its point."""
    nodes = {device.name: device.nodes for device in circuit.devices}
    point_nodes = {p: nodes[s.device][i] for s in placement.symbols for i, p in enumerate(s.pins)}
    return tuple((node, p) for p, node in sorted(point_nodes.items()) if all(number == int(number) for number in p))
