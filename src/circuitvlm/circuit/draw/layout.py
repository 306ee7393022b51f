"""Where does everything stand? A placement for any netlist, and the way back from a placement to its connections.

`nets(placement)` reads the connections from the geometry alone, so a test can prove that the picture says what the
netlist says: `nets(place(circuit)) == nets_of(circuit)`.
"""

from __future__ import annotations

from circuitvlm.circuit.draw.geometry import (
    Edge,
    Form,
    Mark,
    Pin,
    Placement,
    Point,
    Symbol,
    edge_symbol,
    junctions,
    nets,
    nets_of,
    reading_order,
    runs,
)
from circuitvlm.circuit.draw.ladder import ladder
from circuitvlm.circuit.draw.rails import TWO_PINS, rails
from circuitvlm.circuit.graph import Circuit, Device

__all__ = [
    "Edge",
    "Form",
    "Mark",
    "Pin",
    "Placement",
    "Point",
    "Symbol",
    "edge_symbol",
    "junctions",
    "nets",
    "nets_of",
    "place",
    "reading_order",
    "runs",
]


def place(circuit: Circuit) -> Placement:
    """A drawing of any netlist: as a ladder where all devices have two pins, else as nodes in rails.

    Devices without a pin on any node (a coupling K) are no part of the connections, and stand in the last column.
    """
    if circuit.devices and all(map(_fits_ladder, circuit.devices)):
        return ladder(circuit)
    return rails(circuit)


def _fits_ladder(device: Device) -> bool:
    return device.kind in TWO_PINS and len(set(device.nodes)) == 2 == len(device.nodes)
