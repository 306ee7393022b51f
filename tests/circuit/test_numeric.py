"""Test that solutions obey Kirchhoff's laws and agree with ngspice."""

import cmath
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvlm.circuit import netlist
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.solve.numeric import SingularCircuitError, UnsolvableDeviceError, solve

FREQUENCIES = (0.0, 50.0, 12_345.0)


def random_circuit(seed: int) -> Circuit:
    """A solvable circuit: a tree of resistors reaches every node, and each voltage source has a resistor in series."""
    rng = random.Random(seed)
    count = rng.randint(2, 7)
    nodes = [GROUND, *(f"n{i}" for i in range(1, count))]
    devices: list[Device] = []

    def add(kind: str, a: str, b: str, value: float, ac: complex | None = None) -> None:
        name = f"{kind}{len(devices) + 1}"
        devices.append(Device(name=name, kind=kind, nodes=(a, b), value=value, ac=ac))

    for i in range(1, count):
        add("R", nodes[i], rng.choice(nodes[:i]), 10 ** rng.uniform(0, 6))
    for kind in rng.choices("RCLI", k=rng.randint(0, 6)):
        a, b = rng.sample(nodes, 2)
        low, high = {"R": (0, 6), "C": (-12, -5), "L": (-6, -1), "I": (-3, 0)}[kind]
        if kind == "L":
            nodes.append(f"m{len(nodes)}")
            add("R", nodes[-1], b, 10 ** rng.uniform(0, 4))
            b = nodes[-1]
        add(kind, a, b, 10 ** rng.uniform(low, high) * (rng.choice((-1, 1)) if kind == "I" else 1))
    for _ in range(rng.randint(1, 2)):
        a, b = rng.sample(nodes, 2)
        nodes.append(f"m{len(nodes)}")
        add("R", nodes[-1], b, 10 ** rng.uniform(0, 4))
        ac = cmath.rect(rng.uniform(1, 5), rng.uniform(-3, 3)) if rng.random() < 0.3 else None
        add("V", a, nodes[-1], rng.uniform(-20, 20), ac=ac)
    rng.shuffle(devices)
    return Circuit(tuple(devices))


def with_controlled(circuit: Circuit, rng: random.Random) -> Circuit:
    source = next(d.name for d in circuit.devices if d.kind == "V")
    nodes = list(circuit.nodes)
    controlled_devices = [
        Device("E99", "E", ("e1", GROUND, *rng.sample(nodes, 2)), value=rng.uniform(-0.5, 0.5)),
        Device("H99", "H", ("h1", GROUND), value=rng.uniform(-5, 5), text=source),
        Device("R98", "R", ("e1", rng.choice(nodes)), value=1e3),
        Device("R99", "R", ("h1", rng.choice(nodes)), value=1e3),
        Device("F99", "F", (rng.choice(nodes), GROUND), value=rng.uniform(-0.1, 0.1), text=source),
        Device("G99", "G", (rng.choice(nodes), GROUND, *rng.sample(nodes, 2)), value=1e-7),
    ]
    return Circuit((*circuit.devices, *controlled_devices))


def ngspice(deck: str, folder: Path) -> dict[str, complex]:
    """The vectors of ngspice's ASCII raw file, by name."""
    (folder / "deck.cir").write_text(deck)
    subprocess.run(["ngspice", "-b", "-r", "out.raw", "deck.cir"], cwd=folder, check=True, capture_output=True)
    head, _, values = (folder / "out.raw").read_text().partition("Values:\n")
    names = re.findall(r"^\t\d+\t(\S+)\t", head, flags=re.M)
    numbers = [complex(*map(float, word.split(","))) for word in values.split()[1:]]
    return dict(zip(names, numbers, strict=True))


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
@pytest.mark.parametrize("seed", range(50))
def test_agrees_with_ngspice(seed: int, tmp_path: Path) -> None:
    circuit = random_circuit(seed)
    if seed % 2:
        circuit = with_controlled(circuit, random.Random(seed))
    number = {node: i for i, node in enumerate((n for n in circuit.nodes if n != GROUND), start=1)}
    for frequency in FREQUENCIES[:2]:
        vectors = ngspice(netlist.deck(circuit, f"ac {frequency}" if frequency else "op"), tmp_path)
        solution = solve(circuit, frequency)
        scale = max(abs(v) for name, v in vectors.items() if name.startswith("v("))
        for node, i in number.items():
            assert solution.voltage(node) == pytest.approx(vectors[f"v({i})"], rel=1e-6, abs=1e-6 * scale)
        for device in circuit.devices:
            if device.kind in "VL":
                expected_current = vectors[f"i({device.name.lower()})"]
                assert solution.current(device.name) == pytest.approx(expected_current, rel=1e-5, abs=1e-7 * scale)


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
@pytest.mark.parametrize("analysis", ["op", "ac 1000"])
def test_a_deck_prints_its_answers_in_batch_mode(analysis: str, tmp_path: Path) -> None:
    deck = netlist.deck(netlist.parse("V1 in 0 10\nR1 in out 1k\nC1 out 0 1u"), analysis)
    (tmp_path / "deck.cir").write_text(deck)
    run = subprocess.run(["ngspice", "-b", "deck.cir"], cwd=tmp_path, capture_output=True, text=True, check=True)
    for quantity in ("v(1)", "v(2)", "v1#branch"):
        assert quantity in run.stdout
    assert "rror" not in run.stdout + run.stderr


@given(st.integers(0, 10**6), st.sampled_from(FREQUENCIES))
@settings(max_examples=150)
def test_kirchhoff_and_tellegen(seed: int, frequency: float) -> None:
    circuit = with_controlled(random_circuit(seed), random.Random(seed))
    solution = solve(circuit, frequency)
    flows = {d.name: complex(solution.current(d.name)) for d in circuit.devices}
    largest = max(map(abs, flows.values()))
    for node in circuit.nodes:
        node_sum = sum(flows[d.name] * ((d.nodes[0] == node) - (d.nodes[1] == node)) for d in circuit.devices)
        assert abs(node_sum) <= 1e-7 * largest
    powers = [complex(solution.power(d.name)) for d in circuit.devices]
    assert abs(sum(powers)) <= 1e-7 * max(map(abs, powers))


@given(st.integers(0, 10**6))
@settings(max_examples=50)
def test_superposition(seed: int) -> None:
    circuit = random_circuit(seed)
    sources = [d.name for d in circuit.devices if d.kind in "VI"]
    total = dict.fromkeys(circuit.nodes, 0.0)
    for active_source in sources:
        alone = Circuit(
            tuple(
                Device(d.name, d.kind, d.nodes, 0.0 if d.kind in "VI" and d.name != active_source else d.value)
                for d in circuit.devices
            )
        )
        solution = solve(alone)
        total = {node: value + solution.voltage(node) for node, value in total.items()}
    whole = solve(circuit)
    scale = max(abs(whole.voltage(node)) for node in total) + max(map(abs, total.values()))
    for node, value in total.items():
        assert whole.voltage(node) == pytest.approx(value, abs=1e-7 * scale)


def test_signs_and_types() -> None:
    solution = solve(netlist.parse("V1 a 0 10\nR1 a b 1k\nR2 b 0 4k\nI1 0 b 1m"))
    assert solution.voltage("b") == pytest.approx(8.8)
    assert solution.voltage("a", "b") == pytest.approx(1.2)
    assert solution.voltage("GND") == 0
    assert solution.current("r1") == pytest.approx(1.2e-3)
    assert solution.current("V1") == pytest.approx(-1.2e-3)
    assert solution.current("I1") == pytest.approx(1e-3)
    assert solution.power("V1") < 0 < solution.power("R1")
    assert type(solution.voltage("a")) is type(solution.current("I1")) is float
    assert type(solve(netlist.parse("V1 a 0 10\nR1 a 0 1k"), 50).voltage("a")) is complex


def test_the_ac_rule() -> None:
    plain = solve(netlist.parse("V1 1 0 10\nR1 1 2 1k\nR2 2 0 1k"), 50)
    assert plain.voltage("2") == pytest.approx(5)
    mixture = solve(netlist.parse("V1 1 0 10 AC 2 90\nV2 3 0 7\nR1 1 2 1k\nR2 2 3 1k"), 50)
    assert mixture.voltage("2") == pytest.approx(1j)
    assert solve(netlist.parse("V1 1 0 10 AC 2 90\nR1 1 0 1")).voltage("1") == 10


def test_dc_opens_capacitors_and_shorts_coils() -> None:
    solution = solve(
        netlist.parse("V1 1 0 10\nL1 1 2 1m\nR1 2 3 1k\nC1 3 0 1u\nR2 3 0 1k\nR3 2 4 0\nR4 4 0 2k\nC2 3 3 1")
    )
    assert solution.voltage("3") == pytest.approx(5)
    assert solution.voltage("4") == pytest.approx(10)
    assert solution.current("L1") == pytest.approx(10e-3)
    assert solution.current("R3") == pytest.approx(5e-3)
    assert solution.current("C1") == solution.current("C2") == 0


@pytest.mark.parametrize("low", ["1p", "1u", "1m"])
@pytest.mark.parametrize("high", ["1G", "1T"])
def test_pico_beside_giga_is_no_fault(low: str, high: str) -> None:
    small, large = netlist.parse(f"R1 1 0 {low}\nR2 1 0 {high}").devices
    assert small.value is not None
    assert large.value is not None
    current_driven = solve(netlist.parse(f"I1 0 1 1n\nR1 1 2 {low}\nR2 2 0 {high}"))
    assert current_driven.voltage("1") == pytest.approx(1e-9 * (large.value + small.value), rel=1e-6)
    assert current_driven.current("R1") == pytest.approx(1e-9, rel=1e-6)
    divider = solve(netlist.parse(f"V1 1 0 1\nR1 1 2 {low}\nR2 2 0 {high}"))
    assert divider.current("R1") == pytest.approx(1 / large.value, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "frequency", "message"),
    [
        ("V1 1 2 5\nR1 1 2 1k", 0, "no node is ground"),
        ("V1 1 0 5\nR1 1 0 1\nR2 2 3 1\nR3 2 3 1", 0, "nodes 2, 3 have no path to ground"),
        ("V1 1 0 5\nC1 1 2 1u\nC2 2 0 1u", 0, "nodes 2 have no path"),
        ("I1 0 1 1\nC1 1 0 1u", 0, "I1, C1"),
        ("I1 0 1 1\nI2 1 0 1", 50, "nodes 1 have no path"),
        ("V1 1 0 5\nV2 1 0 5\nR1 1 0 1", 0, "V1, V2 form a loop"),
        ("V1 1 0 5\nV2 2 1 1\nL1 2 0 1m\nR1 1 0 1", 0, "loop"),
        ("V1 1 1 5\nR1 1 0 1", 0, "V1 form a loop"),
        ("V1 1 0 5\nR1 1 0 0", 50, "V1, R1 form a loop"),
        ("I1 0 1 1\nR1 1 0 1k\nR2 1 0 -1k", 0, "cancel"),
    ],
)
def test_singular_circuits_say_why(text: str, frequency: float, message: str) -> None:
    with pytest.raises(SingularCircuitError, match=message):
        solve(netlist.parse(text), frequency)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("V1 1 0 5\nD1 1 0 DX", "D1.*kind D"),
        ("V1 1 0 5\nR1 1 0 R1", "R1: expected a numeric value"),
        ("V1 1 0 SIN(0 1 1k 0 0 90)\nR1 1 0 1", "V1: expected a numeric value"),
        ("V1 1 0 5\nR1 1 0 1k tol2=2", "tol2=2"),
        ("V1 1 0 5 delay=3\nR1 1 0 1k", "delay=3"),
        ("V1 1 0 5\nF1 1 0 V9 2\nR1 1 0 1", "V9"),
        ("V1 1 0 5\nB1 1 0 V=1", "B1"),
    ],
)
def test_unsolvable_devices_are_named(text: str, message: str) -> None:
    with pytest.raises(UnsolvableDeviceError, match=message):
        solve(netlist.parse(text))


def test_unknown_names_list_the_known() -> None:
    solution = solve(netlist.parse("V1 in 0 5\nR1 in 0 1"))
    with pytest.raises(KeyError, match="in, 0"):
        solution.voltage("7")
    with pytest.raises(KeyError, match="V1, R1"):
        solution.current("R7")
    for frequency in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="frequency"):
            solve(netlist.parse("V1 in 0 5\nR1 in 0 1"), frequency)


@pytest.mark.parametrize(
    ("text", "current"),
    [
        ("V1 1 0 1\nR1 1 2 1u\nR2 2 3 1G\nR3 3 0 1T", -1 / 1001e9),
        ("V1 1 0 1\nR1 1 2 1m\nR2 2 0 1Meg\nR3 2 3 1n\nR4 3 0 1k", -1 / (1e-3 + 1e9 / 1001000)),
    ],
)
def test_a_source_current_keeps_its_digits_beside_a_tiny_resistance(text: str, current: float) -> None:
    assert solve(netlist.parse(text)).current("V1") == pytest.approx(current, rel=1e-9)
