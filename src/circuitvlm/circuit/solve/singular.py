"""Explain why the equations of a circuit have no unique solution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from circuitvlm.circuit.graph import GROUND, Circuit, Device


class SingularCircuitError(ValueError):
    """A circuit whose voltages and currents are not determined, or whose equations contradict each other."""


def structural_fault(circuit: Circuit, *, values: Mapping[str, float], frequency_hz: float) -> str:
    """What in the structure leaves voltages or currents undetermined, with nodes and devices; "" for no such fault.

    `values` holds the devices' numbers.
    """
    import networkx as nx  # takes a tenth of a second, which only a singular circuit needs

    suffix = f"at {frequency_hz:g} Hz"
    if GROUND not in circuit.nodes:
        return f"no node is ground: expected one called 0, got {_format_names(circuit.nodes)}"
    shorts = [d for d in circuit.devices if _is_short(d, value=values[d.name], dc=not frequency_hz)]
    if loop := _find_loop(shorts):
        return (
            f"{_format_names(loop)} form a loop of voltage sources and shorts {suffix}:"
            " no current satisfies the equations, or more than one does"
        )
    paths = nx.Graph()
    paths.add_nodes_from(circuit.nodes)
    paths.add_edges_from(
        d.nodes[:2] for d in circuit.devices if _conducts(d, value=values[d.name], dc=not frequency_hz)
    )
    grounded_nodes = nx.node_connected_component(paths, GROUND)
    if floating_nodes := [node for node in circuit.nodes if node not in grounded_nodes]:
        devices = [d.name for d in circuit.devices if set(d.nodes) & set(floating_nodes)]
        return (
            f"nodes {_format_names(floating_nodes)} have no path to ground {suffix}"
            f" except through capacitors and current sources (devices there: {_format_names(devices)})"
        )
    return ""


def _is_short(device: Device, *, value: float, dc: bool) -> bool:
    is_zero = (device.kind in "RL" and value == 0) or (device.kind == "L" and dc)
    return device.kind in "VEH" or (is_zero and device.nodes[0] != device.nodes[1])


def _conducts(device: Device, *, value: float, dc: bool) -> bool:
    return device.kind in "RLVEH" or (device.kind == "C" and not dc and value != 0)


def _find_loop(devices: Iterable[Device]) -> list[str]:
    """The first device that closes a loop among these, after the others of the loop in their order; [] for no loop."""
    import networkx as nx

    tree = nx.Graph()
    components = nx.utils.UnionFind()
    for device in devices:
        a, b = device.nodes[:2]
        tree.add_nodes_from((a, b))
        if components[a] == components[b]:
            return [*(tree.edges[edge]["name"] for edge in pairwise(nx.shortest_path(tree, a, b))), device.name]
        components.union(a, b)
        tree.add_edge(a, b, name=device.name)
    return []


def _format_names(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
