"""Test that probes are read, written and measured correctly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitvlm.circuit import generate, netlist
from circuitvlm.circuit.solve.numeric import SingularCircuitError, solve
from circuitvlm.circuit.solve.probe import Probe, ProbeError, measure, parse, probes_of, write

BRIDGE = netlist.parse("V1 in 0 10\nVI1 in a 0\nR1 a b 1k\nR2 b 0 3k\nC1 b 0 1u")


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        ("v(5, 7)", Probe("v", ("5", "7"))),
        ("V(5)", Probe("v", ("5", "0"))),
        ("i(VI1)", Probe("i", ("VI1",))),
        ("p(r1)", Probe("p", ("R1",))),
        ("z(1,0)", Probe("z", ("1", "0"))),
        (".print op v(a,b)", Probe("v", ("a", "b"))),
        ("print i(VI1) ; measurement of I4", Probe("i", ("VI1",), name="I4")),
        (".tf v(2,0) v1", Probe("v", ("2", "0"), source="V1")),
    ],
)
def test_a_probe_is_read(text: str, probe: Probe) -> None:
    assert parse(text) == probe
    assert parse(probe.card) == Probe(probe.quantity, probe.targets, source=probe.source)


@pytest.mark.parametrize(
    "text", ["", "v()", "v(1,2,3)", "i(R1,R2)", "x(1)", "print all", ".control", "v(__import__('os'))"]
)
def test_what_is_no_probe_is_refused(text: str) -> None:
    with pytest.raises(ProbeError):
        parse(text)


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert isinstance(probes_of(text), tuple)


def test_the_print_lines_of_a_control_block_are_found() -> None:
    prints = "print v(5, 7) ; measurement of U0\nprint i(VI1) ; measurement of I4\nprint all\nshell ls"
    text = f"R1 1 0 1\n.control\nop\n{prints}\n.endc\n.end"
    assert [(p.card, p.name) for p in probes_of(text)] == [(".print v(5,7)", "U0"), (".print i(VI1)", "I4")]


def test_every_quantity_is_measured() -> None:
    assert measure(BRIDGE, parse("v(b)")) == pytest.approx(7.5)
    assert measure(BRIDGE, parse("v(0,b)")) == pytest.approx(-7.5)
    assert measure(BRIDGE, parse("i(VI1)")) == pytest.approx(2.5e-3)
    assert measure(BRIDGE, parse("p(V1)")) == pytest.approx(-25e-3)
    assert measure(BRIDGE, parse("z(b,0)")) == pytest.approx(750)
    assert measure(BRIDGE, parse("z(b,0)"), 1e3) == pytest.approx(1 / (1 / 750 + 2j * 3.141592653589793 * 1e3 * 1e-6))


def test_an_impedance_needs_neither_ground_nor_sources() -> None:
    circuit = netlist.parse("R1 a b 100\nR2 b c 200\nR3 a c 300")
    assert measure(circuit, parse("z(a,c)")) == pytest.approx(150)
    assert measure(netlist.parse("I1 0 1 1\nR1 1 0 5"), parse("z(1)")) == pytest.approx(5)
    with pytest.raises(SingularCircuitError):
        measure(netlist.parse("C1 1 0 1u\nR1 1 2 5"), parse("z(1,0)"))


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ProbeError, match="no device 'R9'"):
        measure(BRIDGE, parse("i(R9)"))
    with pytest.raises(ProbeError, match="no node 'x'"):
        measure(BRIDGE, parse("v(x)"))
    with pytest.raises(ProbeError, match="no node 'x'"):
        measure(BRIDGE, parse("z(b,x)"))
    with pytest.raises(ProbeError, match="asks for a formula"):
        measure(BRIDGE, parse(".tf v(b) V1"))


@pytest.mark.parametrize("seed", range(20))
def test_a_written_question_has_the_same_answer(seed: int) -> None:
    circuit = generate.item(seed, 0, components=(3, 7)).circuit
    solution = solve(circuit)
    for a in circuit.nodes:
        for b in circuit.nodes:
            text = write(circuit, Probe("v", (a, b)))
            (probe,) = probes_of(text)
            assert measure(netlist.parse(text), probe) == pytest.approx(solution.voltage(a, b), rel=1e-9, abs=1e-12)
    for device in circuit.devices:
        text = write(circuit, Probe("i", (device.name,)))
        assert measure(netlist.parse(text), probes_of(text)[0]) == pytest.approx(
            solution.current(device.name), rel=1e-6, abs=1e-12
        )
