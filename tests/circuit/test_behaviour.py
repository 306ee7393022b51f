"""Tests that circuits behave the same exactly where every device does the same, whatever the wiring."""

import random
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit import generate, netlist
from circuitvlm.circuit.generate import grid
from circuitvlm.circuit.graph import GROUND, SYMMETRIC_KINDS, Circuit, Device
from circuitvlm.circuit.judge.behaviour import same_behaviour
from tests.steps import max_calls


def rewire(circuit: Circuit, seed: int) -> Circuit:
    """Other names of nodes, another order, passive devices turned round."""
    rng = random.Random(seed)
    names = {node: f"x{i}" for i, node in enumerate(rng.sample(circuit.nodes, len(circuit.nodes)))} | {GROUND: GROUND}
    devices = []
    for device in rng.sample(circuit.devices, len(circuit.devices)):
        nodes = tuple(names[node] for node in device.nodes)
        ends = nodes[::-1] if device.kind in SYMMETRIC_KINDS and rng.random() < 0.5 else nodes
        devices.append(replace(device, nodes=ends))
    return Circuit(tuple(devices))


def add_probe(circuit: Circuit, seed: int) -> tuple[Circuit, Circuit]:
    """A source of 0 V in series with a device, and the same with another device moved to the source's other side."""
    rng = random.Random(seed)
    node = max(circuit.nodes, key=lambda n: (n != GROUND, sum(n in d.nodes for d in circuit.devices)))
    there = [i for i, d in enumerate(circuit.devices) if node in d.nodes]
    first, second = rng.sample(there, 2)

    def move_devices(*places: int) -> Circuit:
        devices = [
            replace(d, nodes=tuple("far" if n == node else n for n in d.nodes)) if i in places else d
            for i, d in enumerate(circuit.devices)
        ]
        return Circuit((*devices, Device("V99", "V", (node, "far"), value=0.0)))

    return move_devices(first), move_devices(first, second)


def numeric(seed: int) -> Circuit:
    return grid.item(3, seed, components=(4, 7), form="numeric").circuit


def move_terminal(circuit: Circuit, seed: int) -> Circuit:
    """One terminal of one device on another node."""
    rng = random.Random(seed)
    index = rng.randrange(len(circuit.devices))
    device = circuit.devices[index]
    nodes = list(device.nodes)
    nodes[rng.randrange(len(nodes))] = rng.choice(circuit.nodes)
    devices = list(circuit.devices)
    devices[index] = replace(device, nodes=tuple(nodes))
    return Circuit(tuple(devices))


@given(st.integers(0, 10**6), st.sampled_from(["symbolic", "numeric", "item"]))
@settings(max_examples=150)
def test_a_circuit_behaves_as_itself_written_otherwise(seed: int, form: str) -> None:
    item = grid.item(0, seed, components=(3, 8), form=form) if form != "item" else None
    circuit = item.circuit if item else generate.item(0, seed, components=(3, 8)).circuit
    assert same_behaviour(circuit, rewire(circuit, seed))
    assert same_behaviour(rewire(circuit, seed), circuit)


# In the last four all power at 0 Hz is rounding.
@pytest.mark.parametrize("seed", [*range(40), 233, 242, 260, 541])
def test_a_device_may_hang_on_either_side_of_a_source_without_voltage(seed: int) -> None:
    first, second = add_probe(numeric(seed), seed)
    assert same_behaviour(first, second)
    assert same_behaviour(rewire(second, seed), first)


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        # a source without voltage takes up nothing, whatever it carries, unless another one is controlled by that
        ("V1 1 0 5\nV2 1 2 0\nR1 2 0 1\nR2 1 0 1", "V1 1 0 5\nV2 1 2 0\nR1 2 0 1\nR2 2 0 1", True),
        (
            "V1 1 0 5\nV2 1 2 0\nR1 2 0 1\nR2 1 0 1\nF1 3 0 V2 1\nR3 3 0 1",
            "V1 1 0 5\nV2 1 2 0\nR1 2 0 1\nR2 2 0 1\nF1 3 0 V2 1\nR3 3 0 1",
            False,
        ),
        # a balanced bridge: what hangs on one middle node without current may hang on the other
        (
            "V1 1 0 8\nR1 1 2 1k\nR2 2 0 1k\nR3 1 3 1k\nR4 3 0 1k\nR5 2 4 7",
            "V1 1 0 8\nR1 1 2 1k\nR2 2 0 1k\nR3 1 3 1k\nR4 3 0 1k\nR5 3 4 7",
            True,
        ),
        (
            "V1 1 0 8\nR1 1 2 1k\nR2 2 0 1k\nR3 1 3 1k\nR4 3 0 2k\nR5 2 4 7",
            "V1 1 0 8\nR1 1 2 1k\nR2 2 0 1k\nR3 1 3 1k\nR4 3 0 2k\nR5 3 4 7",
            False,
        ),
        # the same powers, but a node with another voltage
        ("V1 1 0 5\nR1 1 2 1k\nR2 2 0 2k", "V1 1 0 5\nR2 1 2 2k\nR1 2 0 1k", False),
        ("V1 1 0 5\nR1 1 2 1k\nR2 2 0 1k", "V1 1 0 5\nR2 1 2 1k\nR1 2 0 1k", True),
        ("V1 1 0 5\nR1 1 0 1k", "V1 0 1 5\nR1 1 0 1k", False),
        # relative differences of 1e-5 and 1e-7
        ("V1 1 0 5\nR1 1 2 1k\nR2 2 0 1000.01", "V1 1 0 5\nR2 1 2 1000.01\nR1 2 0 1k", False),
        ("V1 1 0 5\nR1 1 2 1k\nR2 2 0 1000.0001", "V1 1 0 5\nR2 1 2 1000.0001\nR1 2 0 1k", True),
        # names, values and phasors
        ("V1 1 0 5\nR1 1 0 1k", "V1 1 0 5\nR2 1 0 1k", False),
        ("V1 1 0 5\nR1 1 0 1k", "V1 1 0 5\nR1 1 0 1.00001k", False),
        ("V1 1 0 5\nR1 1 0 1k", "v1 a 0 5\nr1 0 a 1000.0001", True),
        ("V1 1 0 AC 1\nR1 1 0 1k", "V1 1 0 AC 1 10\nR1 1 0 1k", False),
        ("V1 1 0 AC 1\nR1 1 2 1k\nC1 2 0 1u", "V1 1 0 AC 1\nC1 1 2 1u\nR1 2 0 1k", False),
        # only 0 Hz tells: of two sources one has no phasor, or the only one has a phasor of 0
        (
            "V1 1 0 AC 1\nR1 1 0 1k\nV2 2 0 5\nR2 2 3 1k\nR3 3 0 2k",
            "V1 1 0 AC 1\nR1 1 0 1k\nV2 2 0 5\nR2 3 0 1k\nR3 2 3 2k",
            False,
        ),
        ("V1 1 0 5 AC 0\nR1 1 2 1k\nR2 2 0 2k", "V1 1 0 5 AC 0\nR1 2 0 1k\nR2 1 2 2k", False),
        # only 1 kHz tells: a floating node at 0 Hz
        ("V1 1 0 5\nC1 1 2 1u\nC2 2 0 2u", "V1 1 0 5\nC2 1 2 2u\nC1 2 0 1u", False),
        # symbols
        ("V1 1 0 Vs\nR1 1 2 R\nR2 2 0 R", "V1 1 0 Vs\nR2 1 2 R\nR1 2 0 r", True),
        ("V1 1 0 Vs\nR1 1 2 Ra\nR2 2 0 Rb", "V1 1 0 Vs\nR2 1 2 Rb\nR1 2 0 Ra", False),
        ("V1 1 0 Vs\nR1 1 2 Ra\nR2 2 0 R", "V1 1 0 Vs\nR1 1 2 Rb\nR2 2 0 R", False),
        # the ends of an ideal op-amp's inputs tell, though its ideal equations do not
        (
            "V1 1 0 1\nR1 1 2 1k\nR2 2 3 2k\nE1 3 0 0 2 Ad",
            "V1 1 0 1\nR1 1 2 1k\nR2 2 3 2k\nE1 3 0 2 0 Ad",
            False,
        ),
        # another source in series controls the same
        (
            "V1 1 0 1\nV2 2 1 0\nR1 2 0 1k\nF1 0 3 V2 2\nR2 3 0 1k",
            "V1 1 0 1\nV2 2 1 0\nR1 2 0 1k\nF1 0 3 V1 2\nR2 3 0 1k",
            True,
        ),
        (
            "V1 1 0 Vs\nV2 2 1 0\nR1 2 0 R1\nH1 3 0 V2 H1\nR2 3 0 R2",
            "V1 1 0 Vs\nV2 2 1 0\nR1 2 0 R1\nH1 3 0 V1 H1\nR2 3 0 R2",
            True,
        ),
        (
            "V1 1 0 1\nV2 2 0 1\nR1 2 0 1k\nF1 0 3 V2 2\nR2 3 0 1k",
            "V1 1 0 1\nV2 2 0 1\nR1 2 0 1k\nF1 0 3 V1 2\nR2 3 0 1k",
            False,
        ),
        # what the equations cannot tell is judged by its wiring
        ("V1 1 0 5\nR1 1 2 1k\nD1 2 0 M", "V1 a 0 5\nR1 b a 1k\nD1 b 0 m", True),
        ("V1 1 0 5\nR1 1 2 1k\nD1 2 0 M", "V1 1 0 5\nR1 1 2 1k\nD1 0 2 M", False),
        ("R1 1 2 1\nR2 2 0 1\nR3 2 0 1", "R1 1 2 1\nR2 1 0 1\nR3 2 0 1", False),
        ("V1 1 2 5\nR1 1 2 1k", "V1 2 1 5\nR1 1 2 1k", True),
        ("V1 1 0 5\nV2 1 0 5\nR1 1 0 1", "V1 1 0 5\nV2 0 1 5\nR1 1 0 1", False),
    ],
)
def test_verdicts(first: str, second: str, is_same: bool) -> None:
    a, b = netlist.parse(first), netlist.parse(second)
    assert same_behaviour(a, b) == same_behaviour(b, a) == is_same
    assert same_behaviour(a, a)
    assert same_behaviour(b, b)


def powers(circuit: Circuit, analysis: str, folder: Path) -> tuple[dict[str, complex], list[complex]]:
    """What each device takes up, and the nodes' voltages, as ngspice says."""
    (folder / "deck.cir").write_text(netlist.deck(circuit, analysis))
    subprocess.run(["ngspice", "-b", "-r", "out.raw", "deck.cir"], cwd=folder, check=True, capture_output=True)
    head, _, values = (folder / "out.raw").read_text().partition("Values:\n")
    names = re.findall(r"^\t\d+\t(\S+)\t", head, flags=re.M)
    numbers = dict(zip(names, [complex(*map(float, w.split(","))) for w in values.split()[1:]], strict=True))
    voltage = {n: numbers[f"v({i})"] for i, n in enumerate((n for n in circuit.nodes if n != GROUND), start=1)}
    voltage[GROUND] = 0j
    device_powers = {}
    for device in circuit.devices:
        drop = voltage[device.nodes[0]] - voltage[device.nodes[1]]
        assert device.value is not None
        if device.kind == "R":
            flow = drop / device.value
        elif device.kind == "C":
            flow = 0j if analysis == "op" else drop * 2j * 3.141592653589793 * 1000 * device.value
        elif device.kind == "I":
            flow = complex(device.value)
        else:
            flow = numbers[f"i({device.name.lower()})"]
        device_powers[device.name] = drop * flow.conjugate() / (1 if analysis == "op" else 2)
    return device_powers, [volt for node, volt in voltage.items() if node != GROUND]


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
def test_agrees_with_ngspice(tmp_path: Path) -> None:
    verdicts = []
    for seed in range(200):
        item = numeric(seed)
        circuit = replace(item, devices=tuple(d for d in item.devices if d.kind in "RCLVI"))
        if len(circuit.devices) < len(item.devices):
            continue
        second = move_terminal(circuit, seed)
        if seed % 3 == 0:
            circuit, second = add_probe(circuit, seed)
        try:
            sides = [[powers(c, analysis, tmp_path) for analysis in ("op", "ac 1000")] for c in (circuit, second)]
        except (subprocess.CalledProcessError, KeyError, ValueError):
            continue  # ngspice solves only one of them, or none
        verdicts.append((same_behaviour(circuit, second), alike(*sides), seed))
        if len(verdicts) == 40:
            break
    assert len(verdicts) == 40
    assert {verdict for verdict, _, _ in verdicts} == {True, False}
    assert [verdict for verdict, _, _ in verdicts] == [expected_verdict for _, expected_verdict, _ in verdicts]


def alike(
    first: list[tuple[dict[str, complex], list[complex]]], second: list[tuple[dict[str, complex], list[complex]]]
) -> bool:
    for (p, v), (q, w) in zip(first, second, strict=True):
        top, high = max(map(abs, p.values())), max(map(abs, v))
        if any(abs(p[name] - q[name]) > 1e-5 * top for name in p) or len(v) != len(w):
            return False
        voltages = list(w)
        for volt in v:
            nearest = min(voltages, key=lambda x, volt=volt: abs(x - volt))
            if abs(nearest - volt) > 1e-5 * high:
                return False
            voltages.remove(nearest)
    return True


def test_a_number_is_the_same_in_every_order_and_thread() -> None:
    pairs = [
        (c, move_terminal(c, 7))
        for c in (grid.item(1, i, components=(4, 6), form="symbolic").circuit for i in range(30))
    ]
    alone = [same_behaviour(*pair) for pair in pairs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda pair: same_behaviour(*pair), pairs)) == alone
    assert set(alone) == {True, False}


@pytest.mark.parametrize(
    "devices",
    [
        (),
        (Device("R1", "R", ("1", "0"), 0.0), Device("V1", "V", ("1", "0"), 1e200)),
        (Device("R1", "R", ("1", "0"), 1e-200), Device("V1", "V", ("1", "0"), 1e200)),
        (Device("R1", "R", ("1", "0"), 1.0), Device("R1", "R", ("1", "0"), 2.0), Device("V1", "V", ("1", "0"), 1.0)),
        (Device("V1", "V", ("1", "0"), float("inf")), Device("R1", "R", ("1", "0"), float("nan"))),
        (Device("X1", "X", (), None, text="\ud800"), Device("R1", "R", ("1", "0"), None, text="\ud800")),
        (Device("F1", "F", ("1", "0"), None, text=""), Device("R1", "R", ("1", "0"), 1.0)),
        (Device("V1", "V", ("1",), 1.0), Device("R1", "R", (), 1.0)),
    ],
)
def test_nothing_raises(devices: tuple[Device, ...]) -> None:
    circuit = Circuit(devices)
    second = Circuit(tuple(replace(d, nodes=tuple({"1": "2"}.get(n, n) for n in d.nodes)) for d in reversed(devices)))
    assert same_behaviour(circuit, second) in (True, False)
    assert not same_behaviour(circuit, Circuit((*devices, Device("R77", "R", ("1", "0"), 1.0))))


def test_devices_of_one_name_are_judged_by_their_wiring() -> None:
    source, top, bottom = (Device("V1", "V", ("1", "0"), 5.0), ("1", "2"), ("2", "0"))
    first, second = (
        Circuit((source, Device("R1", "R", first, 1.0), Device("R1", "R", second, 2.0)))
        for first, second in ((top, bottom), (bottom, top))
    )
    assert same_behaviour(first, first)
    assert not same_behaviour(first, second)


@pytest.mark.parametrize(("count", "is_same"), [(400, True), (600, False)])
def test_what_is_too_large_to_be_solved_is_judged_by_its_wiring(count: int, is_same: bool) -> None:
    start = "V1 1 0 5\nV2 1 2 0\nR1 2 0 1\n" + "\n".join(f"R1x{i} 1 0 1k" for i in range(count))
    first, second = (netlist.parse(f"{start}\nR2 {node} 0 1") for node in (1, 2))
    assert same_behaviour(first, second) is is_same


def test_large_circuits_are_judged_in_bounded_time() -> None:
    lines = ["V1 1 0 10", *(f"R{i}1 {i} {i + 1} 1k\nR{i}2 {i + 1} 0 2k" for i in range(1, 160))]
    swapped_lines = ["V1 1 0 10", *(line.replace("R51 ", "R0 ").replace("R71 ", "R51 ") for line in lines[1:])]
    swapped_lines = [line.replace("R0 ", "R71 ") for line in swapped_lines]
    long = "\n".join([*lines, *(f"C{i} {i} {i + 2} 1u" for i in range(3000))])
    for first, second, is_same in (("\n".join(lines), "\n".join(swapped_lines), False), (long, long, True)):
        with max_calls(8_000_000):
            assert same_behaviour(netlist.parse(first), netlist.parse(second)) is is_same
