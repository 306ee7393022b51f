"""Choose a placement for any netlist: a ladder where all devices have two pins, else nodes as horizontal rails."""

from __future__ import annotations

from circuitvlm.circuit.draw.ladder import ladder
from circuitvlm.circuit.draw.rails import TWO_PINS, rails
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.placement import Placement


def place(circuit: Circuit) -> Placement:
    """A placement with the connections of the netlist.

    A device without pins on any node (a coupling K) is no part of the connections. It stands in the last column.
    """
    fits_ladder = all(d.kind in TWO_PINS and len(set(d.nodes)) == 2 == len(d.nodes) for d in circuit.devices)
    return ladder(circuit) if circuit.devices and fits_ladder else rails(circuit)
