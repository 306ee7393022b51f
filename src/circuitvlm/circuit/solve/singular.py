"""Why has this circuit no unique answer?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from circuitvlm.circuit.graph import GROUND, Circuit, Device


class SingularCircuitError(ValueError):
    """A circuit whose voltages and currents are not determined, or that contradicts itself."""


def structural_fault(circuit: Circuit, *, values: Mapping[str, float], frequency_hz: float) -> str:
    """What about the wiring leaves voltages or currents open, naming nodes and devices; "" where nothing does.

    `values` holds the devices' numbers.
    """
    at = f"at {frequency_hz:g} Hz"
    if GROUND not in circuit.nodes:
        return f"no node is ground; wanted one called 0 (nodes: {_listed(circuit.nodes)})"
    shorts = [d for d in circuit.devices if _is_short(d, value=values[d.name], dc=not frequency_hz)]
    if loop := _loop(shorts):
        return (
            f"{_listed(loop)} form a loop of voltage sources and shorts {at}: no current, or none alone, satisfies it"
        )
    joined = _Groups()
    for device in circuit.devices:
        if _conducts(device, value=values[device.name], dc=not frequency_hz):
            joined.join(device.nodes[0], device.nodes[1])
    floating = [node for node in circuit.nodes if joined.root(node) != joined.root(GROUND)]
    if floating:
        touching = [d.name for d in circuit.devices if set(d.nodes) & set(floating)]
        return (
            f"nodes {_listed(floating)} have no path to ground {at} through anything but capacitors and current sources"
            f" (devices there: {_listed(touching)})"
        )
    return ""


def _is_short(device: Device, *, value: float, dc: bool) -> bool:
    if device.nodes[:1] == device.nodes[1:2]:
        return device.kind in "VEH"
    return device.kind in "VEH" or (device.kind == "R" and value == 0) or (device.kind == "L" and (dc or value == 0))


def _conducts(device: Device, *, value: float, dc: bool) -> bool:
    return device.kind in "RLVEH" or (device.kind == "C" and not dc and value != 0)


def _loop(devices: Iterable[Device]) -> list[str]:
    """The first device that closes a loop among these, with the others on the way round; empty where none does."""
    tree: dict[str, list[tuple[str, str]]] = {}
    joined = _Groups()
    for device in devices:
        a, b = device.nodes[:2]
        if joined.root(a) == joined.root(b):
            return [*_path(tree, a, b), device.name]
        joined.join(a, b)
        tree.setdefault(a, []).append((b, device.name))
        tree.setdefault(b, []).append((a, device.name))
    return []


def _path(tree: Mapping[str, list[tuple[str, str]]], a: str, b: str) -> list[str]:
    came: dict[str, tuple[str, str]] = {a: ("", "")}
    open_nodes = [a]
    while open_nodes and b not in came:
        here = open_nodes.pop()
        for node, name in tree.get(here, []):
            if node not in came:
                came[node] = (here, name)
                open_nodes.append(node)
    names: list[str] = []
    while b != a:
        b, name = came[b]
        names.append(name)
    return names[::-1]


class _Groups:
    """Nodes that are joined (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, node: str) -> str:
        while (parent := self._parent.setdefault(node, node)) != node:
            self._parent[node] = self._parent[parent]
            node = parent
        return node

    def join(self, a: str, b: str) -> None:
        self._parent[self.root(a)] = self.root(b)


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
