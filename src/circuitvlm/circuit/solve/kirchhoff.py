"""Which equations does a circuit obey, as text?"""

from __future__ import annotations

from collections.abc import Sequence

import sympy
from sympy import Expr, Symbol

from circuitvlm.circuit.dialect import to_spice
from circuitvlm.circuit.formula.expression import Expression
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.circuit.solve.equations import Entry, equations

S = Symbol("s")


def node_equations(circuit: Circuit, *, ideal: bool = True) -> tuple[str, ...]:
    """The circuit's equations in the s-domain as text: Kirchhoff's current law at each node but ground, then the
    voltages of sources and inductors, such as `(Vn1 - Vn2)/R1 + s*C1*Vn1 + IV1 = 0`.

    Vn1 is the voltage of node 1, IV1 the current through V1 from its first to its second node.
    """
    spice = to_spice(circuit)
    system = equations(spice, ideal=ideal)
    unknowns = [Symbol(_unknown_name(name)) for name in system.unknowns]
    left: list[Expr] = [sympy.Integer(0)] * len(unknowns)
    for entry in system.entries:
        left[entry.row] += entry.sign * _valued(entry) * unknowns[entry.column]
    right: list[Expr] = [sympy.Integer(0)] * len(unknowns)
    for row, sign, name in system.drive:
        right[row] += sign * _drive(spice.device(name))
    return tuple(f"{_collected(a, unknowns)} = {b}" for a, b in zip(left, right, strict=True))


def as_sympy(node: Expression) -> Expr:
    """The formula as SymPy's own tree."""
    if node.op == "symbol":
        return Symbol(node.name)
    if node.op == "number":
        return sympy.Rational(node.number.numerator, node.number.denominator)
    if node.op in ("j", "pi"):
        return sympy.I if node.op == "j" else sympy.pi
    parts = [as_sympy(arg) for arg in node.args]
    if node.op in ("+", "*"):
        return sympy.Add(*parts) if node.op == "+" else sympy.Mul(*parts)
    if node.op in ("neg", "inv"):
        return -parts[0] if node.op == "neg" else 1 / parts[0]
    if node.op == "||":
        return 1 / sympy.Add(*(1 / part for part in parts))
    if node.op == "^":
        return parts[0] ** parts[1]
    return _FUNCTIONS[node.op](parts[0])


_FUNCTIONS = {"abs": sympy.Abs, "arctan": sympy.atan} | {
    name: getattr(sympy, name) for name in ("sin", "cos", "tan", "exp", "log", "sinh", "cosh", "tanh")
}


def _valued(entry: Entry) -> Expr:
    """What multiplies the unknown of an entry, but for its sign."""
    if entry.value is None:
        return sympy.Integer(1)
    value = as_sympy(entry.value)
    if entry.kind == "conductance":
        return 1 / value
    return S * value if entry.kind in ("capacitance", "inductance") else value


def _drive(source: Device) -> Expr:
    """What an independent source states: its number, or its name."""
    return Symbol(source.name) if source.value is None else sympy.Rational(repr(source.value))


def _unknown_name(unknown: str) -> str:
    """Vn1 for v(1) and IV1 for i(V1), as lcapy and CircuitSense call them."""
    return f"Vn{unknown[2:-1]}" if unknown[0] == "v" else f"I{unknown[2:-1]}"


def _collected(equation: Expr, unknowns: Sequence[Symbol]) -> str:
    """The terms of each value together: (Vn1 - Vn2)/R1, not Vn1/R1 - Vn2/R1."""
    by_value: dict[Expr, Expr] = {}
    for term in sympy.Add.make_args(sympy.expand(equation)):
        value, unknown = term.as_independent(*unknowns, as_Add=False)
        sign, size = (-1, -value) if value.could_extract_minus_sign() else (1, value)
        by_value[size] = by_value.get(size, sympy.Integer(0)) + sign * unknown
    terms = [str(value * unknown) for value, unknown in by_value.items() if unknown != 0]
    return " + ".join(terms).replace("+ -", "- ") or "0"
