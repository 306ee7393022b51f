"""Check that generated circuits are solvable, varied, in reading order, and always the same."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from circuitvlm.circuit import generate, netlist
from circuitvlm.circuit.generate import Item
from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.judge.equivalence import topology_key
from circuitvlm.circuit.placement import Placement, edge_symbol, reading_order
from circuitvlm.circuit.solve.numeric import solve
from tests.circuit.placement_nets import drawn_nets, netlist_nets


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [generate.item(5, i, components=(2, 12)) for i in range(300)]


def test_an_item_is_the_same_alone_and_in_any_order() -> None:
    forwards = [generate.item(3, i, components=(3, 8)) for i in range(20)]
    backwards = [generate.item(3, i, components=(3, 8)) for i in reversed(range(20))]
    assert forwards == backwards[::-1]
    assert generate.item([3, 4], 0, components=(3, 8)) != forwards[0]


def test_an_item_is_the_same_in_another_process() -> None:
    code = "from circuitvlm.circuit import generate; print(repr(generate.item(3, 7, components=(3, 8))))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == repr(generate.item(3, 7, components=(3, 8)))


def test_every_circuit_has_a_solution_of_sensible_size(items: list[Item]) -> None:
    for item in items:
        for frequency in (0.0, 50.0, 1e6):
            solution = solve(item.circuit, frequency_hz=frequency)
            assert all(abs(solution.voltage(node)) < 1e6 for node in item.circuit.nodes), item.circuit


def test_every_circuit_is_well_conditioned_at_dc(items: list[Item]) -> None:
    assert max(condition(item.circuit) for item in items) < 1e8


def condition(circuit: Circuit) -> float:
    """Condition number of the equations at 0 Hz, rows and columns scaled to one. Written apart from the solver."""
    nodes = [node for node in circuit.nodes if node != GROUND]
    stiff = [device for device in circuit.devices if device.kind in "VL"]
    matrix = np.zeros((len(nodes) + len(stiff),) * 2)
    for device in circuit.devices:
        ends = [(nodes.index(n), s) for n, s in zip(device.nodes, (1, -1), strict=True) if n != GROUND]
        if device.kind == "R":
            assert device.value
            for a, s in ends:
                for b, t in ends:
                    matrix[a, b] += s * t / device.value
        if device.kind in "VL":
            row = len(nodes) + stiff.index(device)
            for a, s in ends:
                matrix[a, row] = matrix[row, a] = s
    for _ in range(20):
        scale = 1 / np.sqrt(np.abs(matrix).max(axis=1))
        matrix = matrix * scale[:, None] * scale[None, :]
    return float(np.linalg.cond(matrix))


def test_no_node_dangles_and_no_node_cuts_the_circuit(items: list[Item]) -> None:
    for item in items:
        graph = nx.Graph([device.nodes for device in item.circuit.devices])
        assert GROUND in graph
        assert all(a != b for a, b in (device.nodes for device in item.circuit.devices))
        assert len(graph) == 2 or nx.is_biconnected(graph)


def test_devices_stand_in_reading_order(items: list[Item]) -> None:
    for item in items:
        assert reading_order(item.placement) == tuple(device.name for device in item.circuit.devices)
        first_nodes = [node for node in item.circuit.nodes if node != GROUND]
        assert first_nodes == [str(i + 1) for i in range(len(first_nodes))]


def test_a_passive_begins_left_or_above(items: list[Item]) -> None:
    for item in items:
        for device, symbol in zip(item.circuit.devices, item.placement.symbols, strict=True):
            assert symbol.device == device.name
            assert device.kind not in "RCL" or symbol.pins[0] < symbol.pins[1]


def test_the_picture_connects_what_the_netlist_connects(items: list[Item]) -> None:
    for item in [*items, *(generate.item(1, i, components=(1, 1)) for i in range(50))]:
        assert drawn_nets(item.placement) == netlist_nets(item.circuit)


def test_a_changed_picture_is_noticed() -> None:
    item = next(i for i in (generate.item(1, n, components=(6, 6)) for n in range(50)) if len(i.placement.wires) > 3)
    for i in range(len(item.placement.wires)):
        wires = item.placement.wires[:i] + item.placement.wires[i + 1 :]
        assert drawn_nets(replace(item.placement, wires=wires)) != netlist_nets(item.circuit)


def test_wires_that_cross_without_a_dot_stay_apart() -> None:
    symbols = (edge_symbol("R1", ((0, 1), (0, 2))), edge_symbol("R2", ((2, 1), (2, 2))))
    wires = (((0, 1), (2, 1)), ((1, 0), (1, 3)))
    without_dot = Placement(symbols=symbols, wires=wires, dots=(), ground=(1, 3))
    assert {("0", 0)} in drawn_nets(without_dot)
    assert {("0", 0), ("R1", 0), ("R2", 0)} in drawn_nets(
        Placement(symbols=symbols, wires=wires, dots=((1, 1),), ground=(1, 3))
    )
    wire_through_symbol = Placement(symbols=symbols, wires=(*wires, ((0, 0), (0, 3))), dots=(), ground=None)
    with pytest.raises(ValueError, match="runs through R1"):
        drawn_nets(wire_through_symbol)


def test_small_circuits_are_varied() -> None:
    keys = {topology_key(generate.item(2, i, components=(3, 4)).circuit) for i in range(1200)}
    assert len(keys) > 150


def test_names_are_not_always_in_reading_order(items: list[Item]) -> None:
    in_order = [names(item) == sorted(names(item), key=lambda n: int(n[1:])) for item in items if names(item)[1:]]
    assert 0.3 < sum(in_order) / len(in_order) < 0.9


def names(item: Item) -> list[str]:
    return [device.name for device in item.circuit.devices if device.kind == "R"]


def test_values_are_short_and_survive_the_netlist(items: list[Item]) -> None:
    for item in items:
        text = netlist.format(item.circuit)
        assert netlist.parse(text).devices == item.circuit.devices
        assert all(len(line.split()[-1]) <= 4 for line in text.splitlines()), text


def test_a_single_part_has_loose_ends() -> None:
    kinds = {generate.item(0, i, components=(1, 1)).circuit.devices[0].kind for i in range(100)}
    assert kinds == set("RCLVI")
    item = generate.item(0, 0, components=(1, 1))
    assert (item.family, len(item.circuit.devices), item.placement.wires) == ("single", 1, ())


@pytest.mark.parametrize("components", [(0, 3), (1, 5), (5, 4), (3, 13)])
def test_impossible_sizes_are_refused(components: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"components: expected .*, got {components[0]} to {components[1]}"):
        generate.item(0, 0, components=components)


def test_source_polarity_is_drawn(items: list[Item]) -> None:
    sources = [
        symbol.pins[0] < symbol.pins[1]
        for item in items
        for device, symbol in zip(item.circuit.devices, item.placement.symbols, strict=True)
        if device.kind in "VI"
    ]
    assert math.isclose(sum(sources) / len(sources), 0.6, abs_tol=0.1)
