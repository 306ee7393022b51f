"""Tests of the comparison of circuits: equal ones, different ones, partial credit and the bound on steps."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import GROUND, SYMMETRIC_KINDS, Circuit, Device
from circuitvlm.circuit.judge.budget import Budget, UndecidedError
from circuitvlm.circuit.judge.equivalence import compare, same_devices, topology_key
from circuitvlm.circuit.judge.isomorphism import MAX_STEPS, Edge, Network, isomorphic
from tests.steps import max_calls

VALUES = (1.0, 10.0, 4700.0)


def random_circuit(seed: int, kinds: str = "RRRCLVID") -> Circuit:
    rng = random.Random(seed)
    nodes = [GROUND, *(f"n{i}" for i in range(rng.randint(1, 5)))]
    devices = []
    for i in range(rng.randint(1, 9)):
        kind = rng.choice(kinds)
        pins = 4 if kind in "EG" else 3 if kind == "Q" else 2
        value = rng.choice(VALUES) if kind not in "DQ" else None
        ends = tuple(rng.choices(nodes, k=pins))
        devices.append(Device(f"{kind}{i}", kind, ends, value, text="" if value else "MOD"))
    return Circuit(tuple(devices))


def disguise(circuit: Circuit, seed: int) -> Circuit:
    """The same circuit with other names of nodes and devices, in another order, passive devices turned round."""
    rng = random.Random(seed)
    names = {node: f"x{i}" for i, node in enumerate(rng.sample(circuit.nodes, len(circuit.nodes)))} | {GROUND: GROUND}
    new_names = {d.name: f"{d.kind}{100 + i}" for i, d in enumerate(rng.sample(circuit.devices, len(circuit.devices)))}
    devices = []
    for device in rng.sample(circuit.devices, len(circuit.devices)):
        nodes = tuple(names[node] for node in device.nodes)
        ends = nodes[::-1] if device.kind in SYMMETRIC_KINDS and rng.random() < 0.5 else nodes
        text = new_names.get(device.text, device.text)
        devices.append(replace(device, name=new_names[device.name], nodes=ends, text=text))
    return Circuit(tuple(devices))


def role_with_polarity(device: Device, role: str) -> str:
    return "" if device.kind in SYMMETRIC_KINDS else role


def role_without_polarity(device: Device, role: str) -> str:
    return {"V": "", "I": "", "E": role[:2], "G": role[:2]}.get(device.kind, role_with_polarity(device, role))


def oracle(
    a: Circuit,
    b: Circuit,
    label: Callable[[Device], object],
    role_of: Callable[[Device, str], str] = role_with_polarity,
) -> bool:
    """networkx VF2 on the bipartite graph of devices and nets; pins on one net merged into one edge's label."""

    def graph(circuit: Circuit) -> nx.Graph:
        g = nx.Graph()
        for node in circuit.nodes:
            g.add_node(("net", node), label=node == GROUND)
        for i, device in enumerate(circuit.devices):
            g.add_node(i, label=label(device))
            for node in set(device.nodes):
                roles = [role_of(device, role) for role, n in device.pins if n == node]
                g.add_edge(i, ("net", node), roles=tuple(sorted(roles)))
        return g

    def equal_values(key: str) -> Callable[[dict[str, object], dict[str, object]], bool]:
        return lambda x, y: x[key] == y[key]

    return nx.is_isomorphic(graph(a), graph(b), node_match=equal_values("label"), edge_match=equal_values("roles"))


def move_terminal(circuit: Circuit, seed: int) -> Circuit:
    """One terminal of one device on another node."""
    rng = random.Random(seed)
    index = rng.randrange(len(circuit.devices))
    device = circuit.devices[index]
    pin = rng.randrange(len(device.nodes))
    nodes = list(device.nodes)
    nodes[pin] = rng.choice([GROUND, "n0", "n1", "n2", "new"])
    devices = list(circuit.devices)
    devices[index] = replace(device, nodes=tuple(nodes))
    return Circuit(tuple(devices))


def grid(side: int) -> Circuit:
    spots = [(r, q) for r in range(side) for q in range(side)]
    right = [f"Rx{r}x{q} n{r}_{q} n{r}_{q + 1} 1" for r, q in spots if q + 1 < side]
    vertical = [f"Ry{r}x{q} n{r}_{q} n{r + 1}_{q} 1" for r, q in spots if r + 1 < side]
    return netlist.parse("\n".join(["V1 n0_0 0 1", *right, *vertical]))


def branches(count: int, length: int) -> Circuit:
    lines = ["V1 1 0 1"]
    for i in range(count):
        nodes = ["1", *(f"a{i}_{j}" for j in range(1, length)), "0"]
        lines += [f"R{i}x{j} {nodes[j]} {nodes[j + 1]} 5" for j in range(length)]
    return netlist.parse("\n".join(lines))


def rings(sizes: list[int]) -> Circuit:
    lines = ["V1 1 0 1"]
    for q, size in enumerate(sizes):
        lines += [f"R{q}x{i} c{q}_{i} c{q}_{(i + 1) % size} 1\nRg{q}x{i} c{q}_{i} 0 1" for i in range(size)]
    return netlist.parse("\n".join(lines))


@given(st.integers(0, 10**6), st.sampled_from(["RRRCLVID", "RV", "R", "EQRV", "RCLVIDEQ"]))
@settings(max_examples=300)
def test_a_disguised_circuit_is_the_same(seed: int, kinds: str) -> None:
    circuit = random_circuit(seed, kinds)
    copy = disguise(circuit, seed + 1)
    for verdict in (compare(circuit, copy), compare(copy, circuit)):
        assert verdict.topology
        assert verdict.values
        assert verdict.component_f1 == 1
        assert not verdict.undecided
    assert topology_key(circuit) == topology_key(copy)
    identity = compare(circuit, circuit)
    assert identity.names
    assert identity.pin_f1 == 1


@given(st.integers(0, 10**6), st.sampled_from(["RRRCLVID", "RV", "R", "EQRV", "VIEGR"]))
@settings(max_examples=400)
def test_a_moved_terminal_is_judged_as_networkx_does(seed: int, kinds: str) -> None:
    circuit = random_circuit(seed, kinds)
    copy = disguise(move_terminal(circuit, seed + 2), seed + 1)
    verdict = compare(copy, circuit)
    assert verdict.topology == oracle(circuit, copy, lambda d: d.kind)
    assert verdict.unsigned_topology == oracle(circuit, copy, lambda d: d.kind, role_without_polarity)
    assert verdict.values == oracle(circuit, copy, lambda d: (d.kind, d.value))
    assert compare(circuit, copy).values == verdict.values
    if verdict.topology:
        assert topology_key(circuit) == topology_key(copy)


@given(st.integers(0, 10**6))
@settings(max_examples=200)
def test_names_as_networkx_does(seed: int) -> None:
    circuit = random_circuit(seed, "RRCVQ")
    copy = disguise(move_terminal(circuit, seed + 2), seed + 1)
    back = sorted(circuit.devices, key=lambda d: d.name)
    pairs = zip(copy.devices, back, strict=True)
    copy = Circuit(tuple(replace(d, name=namesake.name) for d, namesake in pairs if d.kind == namesake.kind))
    assert compare(copy, circuit).names == oracle(circuit, copy, lambda d: (d.name, d.value))


def test_values_need_one_correspondence_not_equal_multisets() -> None:
    truth = netlist.parse("V1 1 0 5\nR1 1 2 1k\nR2 2 0 2k")
    swapped_circuit = netlist.parse("V1 1 0 5\nR1 1 2 2k\nR2 2 0 1k")
    verdict = compare(swapped_circuit, truth)
    assert (verdict.topology, verdict.values, verdict.names) == (True, False, False)
    assert verdict.component_f1 == 1


@pytest.mark.parametrize(
    ("prediction", "truth", "verdicts"),
    [
        ("V1 1 0 5\nR1 1 0 1k", "V1 0 1 5\nR1 1 0 1k", (False, False, False)),
        ("V1 1 0 5\nR1 1 0 1k", "V1 1 0 5\nR1 0 1 1000.0001", (True, True, True)),
        ("V1 1 0 5\nR1 1 0 1k", "V1 1 0 5\nR1 0 1 1001", (True, False, False)),
        ("V1 1 0 5\nR1 1 0 1k", "V1 a 0 5\nR7 a 0 1k", (True, True, False)),
        ("V1 1 0 5\nR1 1 0 1k\nR2 1 0 2k", "V1 1 0 5\nR2 1 0 1k\nR1 1 0 2k", (True, True, False)),
        ("V1 1 0 5\nR1 1 2 1k", "V1 1 2 5\nR1 1 0 1k", (False, False, False)),
        ("V1 1 0 5\nR1 1 1 1k", "V1 1 0 5\nR1 1 2 1k", (False, False, False)),
        ("V1 1 0 5 AC 1\nR1 1 0 1", "V1 1 0 5\nR1 1 0 1", (True, False, False)),
        ("V1 1 0 0 AC 1 180\nR1 1 0 1", "V1 1 0 AC -1\nR1 1 0 1", (True, True, True)),
        ("R1 1 0 r1\nV1 1 0 VS", "R1 1 0 R1\nV1 1 0 vs", (True, True, True)),
        ("V1 1 0 SIN(0 1 1k)\nR1 1 0 1", "V1 1 0 sin (0, 1, 1000)\nR1 1 0 1", (True, True, True)),
        ("V1 1 0 1\nV2 2 0 1\nF1 2 0 V1 3", "V9 1 0 1\nV8 2 0 1\nF1 2 0 V9 3", (True, True, False)),
        ("V1 1 0 1\nV2 2 0 1\nF1 2 0 V1 3", "V1 1 0 1\nV2 2 0 1\nF1 2 0 V2 3", (False, False, False)),
        ("Q1 1 2 0 N\nR1 1 2 1", "Q1 2 1 0 N\nR1 1 2 1", (True, True, True)),
        ("Q1 1 2 0 N\nR1 1 0 1", "Q1 2 1 0 N\nR1 1 0 1", (False, False, False)),
        ("L1 1 0 1\nL2 2 0 1\nK1 L1 L2 .9", "L1 0 1 1\nL2 2 0 1\nK1 L1 L2 .9", (False, False, False)),
        ("V1 1 0 0\nR1 1 0 1", "V1 1 0 1e-12\nR1 1 0 1", (True, False, False)),
    ],
)
def test_verdicts(prediction: str, truth: str, verdicts: tuple[bool, bool, bool]) -> None:
    for pair in ((prediction, truth), (truth, prediction)):
        verdict = compare(*map(netlist.parse, pair))
        assert (verdict.topology, verdict.values, verdict.names) == verdicts


def test_partial_credit() -> None:
    truth = netlist.parse("V1 1 0 5\nR1 1 2 1k\nR2 2 0 2k\nR3 2 0 3k")
    partial = compare(Circuit(truth.devices[:3]), truth)
    assert partial.component_f1 == pytest.approx(6 / 7)
    assert 0.5 < partial.pin_f1 < 1
    assert compare(netlist.parse("C5 1 2 7"), truth).component_f1 == 0
    assert compare(netlist.parse("C5 1 2 7"), truth).pin_f1 == 0
    # R3 goes to node 1 instead of ground: 6 of the 7 pairs are left, of 8 there. R1 is turned round, which is nothing.
    pins = compare(netlist.parse("V1 1 0 5\nR1 2 1 1k\nR2 2 0 2k\nR3 2 1 3k"), truth)
    assert pins.pin_f1 == pytest.approx(2 * 6 / (8 + 7))


def test_precision_and_recall_change_places_with_the_circuits() -> None:
    truth = netlist.parse("V1 1 0 5\nR1 1 2 1k\nR2 2 0 2k\nR3 2 0 3k")
    prediction = netlist.parse("V1 1 0 5\nR1 1 2 1k\nR2 2 0 2.2k\nR3 2 0 3k\nC1 2 0 1u\nC2 2 0 1u")
    comparison, back = compare(prediction, truth), compare(truth, prediction)
    assert (comparison.component_precision, comparison.component_recall) == (3 / 6, 3 / 4)
    assert (back.component_precision, back.component_recall) == (3 / 4, 3 / 6)
    assert comparison.component_f1 == back.component_f1 == pytest.approx(2 * 0.5 * 0.75 / (0.5 + 0.75))


def test_kinds_and_names_have_credit_of_their_own() -> None:
    truth = netlist.parse("V1 1 0 5\nR1 1 2 1k\nR2 2 0 2k")
    comparison = compare(netlist.parse("V1 1 0 6\nR1 1 2 1k\nR7 2 0 2k"), truth)
    assert comparison.kind_f1 == 1
    assert comparison.name_f1 == comparison.component_f1 == pytest.approx(2 / 3)
    other_kind = compare(netlist.parse("V1 1 0 5\nR1 1 2 1k\nL2 2 0 2k"), truth)
    assert other_kind.kind_f1 == other_kind.name_f1 == pytest.approx(2 / 3)


def test_shares_of_nothing_are_none_unless_nothing_was_wanted() -> None:
    circuit = netlist.parse("V1 1 0 5\nR1 1 0 1k")
    for comparison in (compare(Circuit(()), circuit), compare(circuit, Circuit(()))):
        assert comparison.component_precision == comparison.component_recall == 0
        assert comparison.kind_f1 == comparison.name_f1 == 0
    comparison = compare(Circuit(()), Circuit(()))
    assert comparison.component_precision == comparison.component_recall == 1
    assert comparison.component_f1 == comparison.pin_f1 == 1


@pytest.mark.parametrize(
    ("prediction", "truth", "unsigned_same"),
    [
        ("V1 1 0 5\nR1 1 0 1k\nD1 1 0 M", "V1 0 1 5\nR1 1 0 1k\nD1 1 0 M", True),
        ("I1 1 0 5\nR1 1 2 1k\nR2 2 0 1", "I1 0 2 5\nR1 1 2 1k\nR2 1 0 1", True),
        ("D1 1 0 M\nR1 1 2 1k\nV1 2 0 5", "D1 0 1 M\nR1 1 2 1k\nV1 2 0 5", False),
        ("V1 1 0 1\nE1 2 0 1 3 9\nR1 3 2 1\nR2 3 0 1", "V1 1 0 1\nE1 2 0 3 1 9\nR1 3 2 1\nR2 3 0 1", True),
        ("V1 1 0 1\nG1 2 0 1 3 9\nR1 3 2 1\nR2 3 0 1", "V1 1 0 1\nG1 0 2 1 3 9\nR1 3 2 1\nR2 3 0 1", True),
        ("V1 1 0 1\nE1 2 0 1 3 9\nR1 3 2 1\nR2 3 0 1", "V1 1 0 1\nE1 1 3 2 0 9\nR1 3 2 1\nR2 3 0 1", False),
        ("V1 1 0 1\nR1 1 0 1\nF1 2 0 V1 3\nR2 2 0 1", "V1 1 0 1\nR1 1 0 1\nF1 0 2 V1 3\nR2 2 0 1", True),
        ("V1 1 0 1\nV2 2 0 1\nH1 2 1 V1 3", "V1 1 0 1\nV2 2 0 1\nH1 2 1 V2 3", True),
        ("V1 1 0 1\nV2 2 3 1\nR1 3 0 1\nH1 2 1 V1 3", "V1 1 0 1\nV2 2 3 1\nR1 3 0 1\nH1 2 1 V2 3", False),
    ],
)
def test_a_wrong_polarity_alone_leaves_the_unsigned_topology(prediction: str, truth: str, unsigned_same: bool) -> None:
    for pair in ((prediction, truth), (truth, prediction)):
        comparison = compare(*map(netlist.parse, pair))
        assert (comparison.topology, comparison.unsigned_topology) == (prediction == truth, unsigned_same)


def test_the_same_devices_are_told_whatever_their_wiring() -> None:
    circuit = netlist.parse("V1 1 0 5\nR1 1 2 1k\nF1 2 0 V1 3\nQ1 1 2 0 N")
    assert same_devices(circuit, netlist.parse("R1 0 7 1000\nF1 7 8 V1 3\nQ1 8 8 0 n\nV1 0 8 5.000001"))
    for source in ("V1 1 0 5.1", "V2 1 0 5", "V1 1 0 5 AC 1", "I1 1 0 5"):
        assert not same_devices(circuit, netlist.parse(f"{source}\nR1 1 2 1k\nF1 2 0 {source[:2]} 3\nQ1 1 2 0 N"))


@pytest.mark.parametrize(
    ("truth", "original", "is_same"),
    [
        (branches(20, 1), branches(20, 1), True),
        (branches(100, 2), branches(100, 2), True),
        (branches(50, 4), branches(50, 4), True),
        (grid(6), grid(6), True),
        (grid(10), grid(10), True),
        (rings([3] * 30), rings([3] * 30), True),
        (rings([3] * 10), rings([6] * 5), False),
        (rings([3, 3, 6]), rings([4, 4, 4]), False),
    ],
)
def test_symmetric_circuits_are_decided(truth: Circuit, original: Circuit, is_same: bool) -> None:
    with max_calls(400_000):
        verdict = compare(disguise(original, 5), truth)
    assert not verdict.undecided
    assert verdict.topology == verdict.values == is_same


def test_what_is_too_large_is_given_up_and_says_so() -> None:
    large = branches(2000, 3)
    with max_calls(12_000_000):
        verdict = compare(disguise(large, 1), large)
    assert verdict.undecided
    assert not verdict.topology


def complete(count: int) -> Circuit:
    """A resistor between any two of so many nodes."""
    pairs = combinations(range(count), 2)
    return Circuit(tuple(Device(f"R{a}x{b}", "R", (str(a), str(b)), 1.0) for a, b in pairs))


def steps_of_comparison(circuit: Circuit, monkeypatch: pytest.MonkeyPatch) -> int:
    """Compare a circuit with a disguised copy, and return the steps that the search took."""
    steps: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Budget, "spend", lambda self, count: steps.append(count))
        verdict = compare(disguise(circuit, 3), circuit)
    assert verdict.topology
    assert verdict.values
    return sum(steps)


def test_a_complete_graph_is_compared_in_steps_in_proportion_to_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (20, 40, 141):
        circuit = complete(count)
        assert steps_of_comparison(circuit, monkeypatch) < min(30 * len(circuit.devices), MAX_STEPS)


def test_the_edges_that_a_search_looks_at_are_steps() -> None:
    network = Network([0] * 30, [Edge("R", ("", ""), pair) for pair in combinations(range(30), 2)])
    assert isomorphic(network, network)
    with pytest.raises(UndecidedError, match="more steps, got"):
        isomorphic(network, network, max_steps=2 * len(network.edges))


def test_the_key_is_the_same_in_another_process() -> None:
    text = "V1 1 0 5\nR1 1 2 1k\nQ1 2 1 0 N\nF1 1 0 V1 2"
    code = (
        "from circuitvlm.circuit import netlist; from circuitvlm.circuit.judge import equivalence as e;"
        f"print(e.topology_key(netlist.parse({text!r})), end='')"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout == topology_key(netlist.parse(text)) == "d31da2d3cfab39af2e206983"
