"""Write the equations of a circuit as text."""

from __future__ import annotations

from collections.abc import Sequence

import sympy
from sympy import Expr, Symbol

from circuitvlm.circuit.dialect import to_spice
from circuitvlm.circuit.formula.expression import Expression
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.solve.equations import build_equations

S = Symbol("s")

_FUNCTIONS = {
    "+": sympy.Add,
    "*": sympy.Mul,
    "^": sympy.Pow,
    "neg": lambda part: -part,
    "inv": lambda part: 1 / part,
    "||": lambda *parts: 1 / sympy.Add(*(1 / part for part in parts)),
    "j": lambda: sympy.I,
    "pi": lambda: sympy.pi,
    "abs": sympy.Abs,
    "arctan": sympy.atan,
} | {name: getattr(sympy, name) for name in ("sin", "cos", "tan", "exp", "log", "sinh", "cosh", "tanh")}
"""The function of SymPy for each operator of an expression."""


def node_equations(circuit: Circuit, *, ideal: bool = True) -> tuple[str, ...]:
    """The equations of the circuit in the s-domain as text, such as `(Vn1 - Vn2)/R1 + s*C1*Vn1 + IV1 = 0`.

    They are Kirchhoff's current law at each node but ground, then the voltages of sources and inductors.
    Vn1 is the voltage of node 1, IV1 the current through V1 from its first to its second node.
    """
    spice = to_spice(circuit)
    system = build_equations(spice, ideal=ideal)
    # Vn1 for v(1) and IV1 for i(V1), as lcapy and CircuitSense call them.
    unknowns = [Symbol(f"{'Vn' if name[0] == 'v' else 'I'}{name[2:-1]}") for name in system.unknowns]
    left_sides: list[Expr] = [sympy.Integer(0)] * len(unknowns)
    for entry in system.entries:
        left_sides[entry.row] += entry.sign * as_sympy(entry.coefficient) * unknowns[entry.column]
    right_sides: list[Expr] = [sympy.Integer(0)] * len(unknowns)
    for row, sign, name in system.sources:
        value = spice.device(name).value
        right_sides[row] += sign * (Symbol(name) if value is None else sympy.Rational(repr(value)))
    return tuple(f"{_collect(a, unknowns)} = {b}" for a, b in zip(left_sides, right_sides, strict=True))


def as_sympy(node: Expression) -> Expr:
    """The formula as an expression of SymPy."""
    if node.op == "number":
        return sympy.Rational(node.number.numerator, node.number.denominator)
    return Symbol(node.name) if node.op == "symbol" else _FUNCTIONS[node.op](*map(as_sympy, node.args))


def _collect(equation: Expr, unknowns: Sequence[Symbol]) -> str:
    """The equation with the terms of each value together: (Vn1 - Vn2)/R1, not Vn1/R1 - Vn2/R1."""
    by_value: dict[Expr, Expr] = {}
    for term in sympy.Add.make_args(sympy.expand(equation)):
        value, unknown = term.as_independent(*unknowns, as_Add=False)
        sign, size = (-1, -value) if value.could_extract_minus_sign() else (1, value)
        by_value[size] = by_value.get(size, sympy.Integer(0)) + sign * unknown
    terms = [str(value * unknown) for value, unknown in by_value.items() if unknown != 0]
    return " + ".join(terms).replace("+ -", "- ") or "0"
