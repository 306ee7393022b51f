"""Test that transfer functions are exact, short, and equal to those of textbooks."""

from __future__ import annotations

import cmath
import math

import pytest
import sympy

from circuitvlm.circuit import netlist
from circuitvlm.circuit.judge.verdict import Verdict, equal_expressions, matches_circuit
from circuitvlm.circuit.solve.numeric import SingularCircuitError, solve, sweep
from circuitvlm.circuit.solve.symbolic import TooLargeError, node_equations, transfer_function
from tests.steps import max_calls

TEXTBOOK = [
    ("V1 1 0 V1\nR1 1 2 R1\nR2 2 0 R2", "R2", "R2/(R1 + R2)"),
    ("V1 1 0 V1\nR1 1 2 R1\nC1 2 0 C1", "C1", "1/(C1*R1*s + 1)"),
    ("V1 1 0 V1\nC1 1 2 C1\nR1 2 0 R1", "R1", "C1*R1*s/(C1*R1*s + 1)"),
    ("V1 1 0 V1\nR1 1 2 R1\nL1 2 3 L1\nC1 3 0 C1", "C1", "1/(C1*L1*s**2 + C1*R1*s + 1)"),
    ("V1 1 0 V1\nR1 1 2 R1\nE1 3 0 0 2 inf\nR2 2 3 R2\nR3 3 0 R3", "R3", "-R2/R1"),
    ("V1 1 0 V1\nE1 3 0 1 2 inf\nR1 2 0 R1\nR2 3 2 R2", "3", "(R1 + R2)/R1"),
    ("V1 1 0 V1\nG1 2 0 1 0 gm\nR1 2 0 RD\nR2 2 0 ro", "2", "-RD*gm*ro/(RD + ro)"),
    ("V1 1 0 V1\nVI1 1 2 0\nR1 2 0 R1\nF1 0 3 VI1 beta\nR2 3 0 R2", "3", "R2*beta/R1"),
    ("V1 1 0 V1\nVI1 1 2 0\nR1 2 0 R1\nH1 3 0 VI1 k\nR2 3 0 R2", "3", "k/R1"),
    ("V1 1 0 V1\nE1 2 0 1 0 A\nR1 2 3 R1\nC1 3 0 C1", "C1", "A/(C1*R1*s + 1)"),
    ("V1 1 0 V1\nR1 1 2 {2*R}\nR2 2 0 R", "R2", "1/3"),
    ("V1 1 0 V1\nR1 1 2 R\nR2 2 0 R\nC1 2 0 C", "C1", "1/(C*R*s + 2)"),
    ("V1 1 0 5\nR1 1 2 1k\nC1 2 0 1u", "C1", "1000/(s + 1000)"),
]


@pytest.mark.parametrize(("text", "output", "formula"), TEXTBOOK)
def test_textbook_circuits_have_textbook_answers(text: str, output: str, formula: str) -> None:
    circuit = netlist.parse(text)
    function = transfer_function(circuit, source="V1", output=output)
    assert sympy.cancel(function.expression - sympy.sympify(formula, locals={"beta": sympy.Symbol("beta")})) == 0
    assert matches_circuit(str(function), circuit, "V1", output) is Verdict.EQUAL
    assert matches_circuit(function.latex, circuit, "V1", output) is Verdict.EQUAL


def test_the_text_is_the_factored_fraction() -> None:
    circuit = netlist.parse("V1 1 0 V1\nR1 1 2 R1\nR2 2 3 R2\nRint1 3 31 Rint1\nCint1 4 31 Cint1\nE1 4 0 0 31 Ad")
    assert str(transfer_function(circuit, source="V1", output="4")) == "-1/(Cint1*s*(R1 + R2 + Rint1))"


def test_poles_zeros_and_dc_gain() -> None:
    rlc = transfer_function(netlist.parse("V1 1 0 1\nR1 1 2 2\nL1 2 3 1\nC1 3 0 0.2"), source="V1", output="R1")
    assert sorted(rlc.poles(), key=lambda p: p.imag) == pytest.approx([-1 - 2j, -1 + 2j])
    assert rlc.zeros() == (0,)
    assert rlc.dc_gain == 0
    rc = transfer_function(netlist.parse("V1 1 0 V1\nR1 1 2 R1\nC1 2 0 C1"), source="V1", output="C1")
    (pole,) = rc.poles()
    assert sympy.simplify(pole + 1 / (sympy.Symbol("R1") * sympy.Symbol("C1"))) == 0
    assert rc.poles({"R1": 1e3, "C1": 1e-6}) == (pytest.approx(-1000),)
    assert rc.value_at(1000 / (2 * math.pi), {"R1": 1e3, "C1": 1e-6}) == pytest.approx(1 / (1 + 1j))
    with pytest.raises(ValueError, match="expected a number for C1"):
        rc.poles({"R1": 1.0})
    integrator = transfer_function(
        netlist.parse("V1 1 0 V1\nR1 1 2 R1\nE1 3 0 0 2 inf\nC1 2 3 C1"), source="V1", output="3"
    )
    assert integrator.dc_gain == sympy.zoo


def test_node_equations_hold_at_the_solution() -> None:
    circuit = netlist.parse("V1 1 0 5\nR1 1 2 1k\nC1 2 0 1u\nL1 2 3 10m\nR2 3 0 50\nI1 0 2 1m")
    frequency = 200.0
    solution = solve(circuit, frequency)
    values = {f"Vn{node}": solution.voltage(node) for node in circuit.nodes}
    values |= {"IV1": solution.current("V1"), "IL1": solution.current("L1"), "s": 2j * math.pi * frequency}
    equations = node_equations(circuit)
    assert len(equations) == 5
    for equation in equations:
        left_side, right_side = (sympy.sympify(side) for side in equation.split(" = "))
        assert abs(complex((left_side - right_side).subs(values))) < 1e-9


def test_node_equations_read_like_kirchhoff() -> None:
    assert node_equations(netlist.parse("V1 1 0 V1\nR1 1 2 R1\nC1 2 0 C1")) == (
        "IV1 + (Vn1 - Vn2)/R1 = 0",
        "(-Vn1 + Vn2)/R1 + C1*Vn2*s = 0",
        "Vn1 = V1",
    )


def test_singular_circuits_are_refused() -> None:
    for text in (
        "V1 1 0 V1\nR1 1 0 R1\nC1 2 3 C1",
        "V1 1 0 V1\nV2 1 0 V2\nR1 1 0 R1",
        "V1 1 0 V1\nE1 2 0 1 0 inf\nR1 2 0 R1",
    ):
        with pytest.raises(SingularCircuitError):
            transfer_function(netlist.parse(text), source="V1", output="R1")


def test_a_mesh_too_large_to_be_written_is_refused_at_once() -> None:
    lines = ["V1 n0_0 0 V1"]
    for x in range(6):
        for y in range(6):
            lines += [f"Ra{x}{y} n{x}_{y} n{x + 1}_{y} Ra{x}{y}", f"Rb{x}{y} n{x}_{y} n{x}_{y + 1} Rb{x}{y}"]
    circuit = netlist.parse("\n".join([*lines, "R99 n6_6 0 R99", "R98 n5_6 n6_6 R98"]))
    with max_calls(100_000), pytest.raises(TooLargeError):
        transfer_function(circuit, source="V1", output="R99")
    with max_calls(200_000):
        assert matches_circuit("1", circuit, "V1", "R99") is Verdict.DIFFERENT  # the verdict needs no formula


def test_an_ideal_op_amp_is_solved_in_numbers_too() -> None:
    circuit = netlist.parse("V1 1 0 DC 1 AC 1\nR1 1 2 1k\nR2 2 3 10k\nC1 2 3 10n\nE1 3 0 0 2 inf")
    assert solve(circuit).voltage("3") == pytest.approx(-10)
    function = transfer_function(circuit, source="V1", output="3")
    for frequency, solution in zip((10.0, 1e3, 1e5), sweep(circuit, (10.0, 1e3, 1e5)), strict=True):
        assert cmath.isclose(solution.voltage("3"), function.value_at(frequency), rel_tol=1e-9)
    assert "1000000000.0" in netlist.deck(circuit)


def test_the_text_of_an_answer_is_the_same_in_every_spelling() -> None:
    function = transfer_function(netlist.parse("V1 1 0 V1\nR1 1 2 R_1\nRint 2 0 R_{int}"), source="V1", output="Rint")
    assert equal_expressions(function.latex, r"\frac{R_{\text{int}}}{R_1 + R_{\text{int}}}") is Verdict.EQUAL
