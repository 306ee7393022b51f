"""What is a circuit's transfer function, as a formula?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from sympy import Expr, Poly, Symbol
from sympy.polys.domains import QQ
from sympy.polys.matrices import DomainMatrix
from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError
from sympy.polys.rings import PolyElement, ring

from circuitvlm.circuit._equations import Entry, Equations, equations
from circuitvlm.circuit._singular import SingularCircuitError
from circuitvlm.circuit.dialect import to_spice
from circuitvlm.circuit.expression import Expression, canonical
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.verdict import output_nodes, source_of

__all__ = ["MAX_TERMS", "TooLargeError", "TransferFunction", "node_equations", "transfer_function"]

MAX_TERMS = 20_000
"""Most terms that the determinant of a circuit may have, about its number of spanning trees."""

MAX_FACTORED = 400
"""Most terms of a polynomial that is still factored."""

MAX_LENGTH = 20_000
"""Longest text of a transfer function, in characters."""

S = Symbol("s")
_SINGULAR = "the circuit's equations are singular: a floating node or a loop of sources"


class TooLargeError(ValueError):
    """A transfer function too large to be written down."""


@dataclass(frozen=True)
class TransferFunction:
    """A transfer function numerator / denominator: polynomials in s and the symbols, without a common factor.

    `str` is the factored fraction as plain mathematics.
    """

    numerator: Poly
    denominator: Poly

    @cached_property
    def expression(self) -> Expr:
        """The factored fraction as a SymPy expression."""
        return _factored(self.numerator) / _factored(self.denominator)

    @cached_property
    def text(self) -> str:
        """The shorter one of the factored and the expanded fraction. Raises TooLargeError over MAX_LENGTH."""
        texts = [str(self.expression), str(self.numerator.as_expr() / self.denominator.as_expr())]
        best = min(texts, key=len)
        if len(best) > MAX_LENGTH:
            raise TooLargeError(f"the transfer function has {len(best)} characters; at most {MAX_LENGTH} are written")
        return best

    def __str__(self) -> str:
        return self.text

    @property
    def latex(self) -> str:
        """The factored fraction as LaTeX."""
        return str(sympy.latex(self.expression))

    @property
    def symbols(self) -> frozenset[str]:
        """The names of its symbols without s."""
        return frozenset(str(symbol) for symbol in self.expression.free_symbols - {S})

    @cached_property
    def dc_gain(self) -> Expr:
        """The value at s = 0; SymPy's zoo where it is infinite."""
        above, below = (p.as_expr().subs(S, 0) for p in (self.numerator, self.denominator))
        return sympy.zoo if below == 0 else sympy.factor(above) / sympy.factor(below)

    def poles(self, values: Mapping[str, float] | None = None) -> tuple[Any, ...]:
        """The poles, in rad/s, with multiplicity: complex numbers where `values` gives all symbols (or none is left).

        Without values, SymPy expressions for a denominator of degree 2 or less in s.
        Raises ValueError where values are missing for a higher degree.
        """
        return _roots(self.denominator, values)

    def zeros(self, values: Mapping[str, float] | None = None) -> tuple[Any, ...]:
        """The zeros, as `poles` gives the poles."""
        return _roots(self.numerator, values)

    def at(self, frequency_hz: float, values: Mapping[str, float] | None = None) -> complex:
        """The complex value at a frequency. Raises ValueError where a symbol has no value."""
        point = 2j * np.pi * frequency_hz
        above, below = (np.polyval(_coefficients(p, values), point) for p in (self.numerator, self.denominator))
        return complex(above / below)


def transfer_function(
    circuit: Circuit, *, source: str = "V1", output: str | Sequence[str] = "C1", ideal: bool = True
) -> TransferFunction:
    """The exact transfer function from a source to the voltage of the output, other sources being zero.

    `source` and `output` as in `verdict.matches_circuit`; so are symbols, op-amps (finite with `ideal=False`) and
    lcapy's dialect. Conductances are polynomial symbols, so the determinant is formed without a fraction (SymPy's
    `DomainMatrix`). Raises KeyError, UnsolvableDeviceError, SingularCircuitError, and TooLargeError where the
    determinant has over MAX_TERMS terms.
    """
    plus, minus = output_nodes(circuit, output)
    driver = source_of(circuit, source).name
    system = equations(to_spice(circuit), ideal=ideal)
    filled = _Filled(system)
    numerator, denominator = filled.ratio(driver, plus, minus)
    if not denominator:
        raise SingularCircuitError(_SINGULAR)
    return _reduced(filled, numerator, denominator)


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


class _Filled:
    """The equations over polynomials with rational coefficients: s, and a generator for each value that is a formula.

    The generator of a resistor's value is its conductance.
    """

    def __init__(self, system: Equations) -> None:
        self.system = system
        self.place: dict[tuple[bool, Expression], int] = {}
        for entry in system.entries:
            if entry.value is not None and entry.value.op != "number":
                self.place.setdefault((entry.kind == "conductance", entry.value), len(self.place) + 1)
        self.ring, *self.generators = ring([f"x{i}" for i in range(len(self.place) + 1)], QQ)

    def ratio(self, source: str, plus: str, minus: str) -> tuple[PolyElement, PolyElement]:
        """The output's numerator and denominator, with conductances."""
        size = len(self.system.unknowns)
        rows = [[self.ring.zero] * size for _ in range(size)]
        for entry in self.system.entries:
            rows[entry.row][entry.column] += entry.sign * self._value(entry)
        right = [[self.ring.zero] for _ in range(size)]
        for row, sign, name in self.system.drive:
            if name == source:
                right[row][0] += sign
        _refuse_large(rows)
        domain = self.ring.to_domain()
        matrix, vector = DomainMatrix(rows, (size, size), domain), DomainMatrix(right, (size, 1), domain)
        try:
            solved, denominator = matrix.solve_den(vector)
        except DMNonInvertibleMatrixError as error:
            raise SingularCircuitError(_SINGULAR) from error
        entries = [row[0] for row in solved.to_dense().to_list()]
        return self._voltage(entries, plus) - self._voltage(entries, minus), denominator

    def resistive(self, polynomials: Sequence[PolyElement]) -> list[PolyElement]:
        """The polynomials times the same power of each resistance, so that its generator is the resistance again."""
        inverted = [place for (conductance, _), place in self.place.items() if conductance]
        most = {i: max((m[i] for p in polynomials for m in p), default=0) for i in inverted}
        return [
            self.ring.from_dict(
                {tuple(most[i] - e if i in most else e for i, e in enumerate(m)): c for m, c in p.items()}
            )
            for p in polynomials
        ]

    def formulas(self) -> list[Expr]:
        """What each generator stands for after `resistive`."""
        return [S, *(_sympy(value) for _, value in self.place)]

    def _voltage(self, entries: list[PolyElement], node: str) -> PolyElement:
        return self.ring.zero if node == GROUND else entries[self.system.column(f"v({node})")]

    def _value(self, entry: Entry) -> PolyElement:
        value = self._plain_value(entry)
        return value * self.generators[0] if entry.kind in ("capacitance", "inductance") else value

    def _plain_value(self, entry: Entry) -> PolyElement:
        conductance = entry.kind == "conductance"
        if entry.value is None:
            return self.ring.one
        if entry.value.op != "number":
            return self.generators[self.place[conductance, entry.value]]
        number = QQ(entry.value.number.numerator, entry.value.number.denominator)
        return self.ring.ground_new(1 / number if conductance else number)


def _refuse_large(rows: list[list[PolyElement]]) -> None:
    """The determinant at all ones counts the terms of one sign: the spanning trees of a passive network."""
    ones = np.array([[float(len(p)) * (-1 if p and p.LC < 0 else 1) for p in row] for row in rows])
    count = abs(np.linalg.det(ones)) if len(rows) else 1.0
    if not count <= MAX_TERMS:
        raise TooLargeError(f"the determinant has about {count:.0f} terms; at most {MAX_TERMS} are formed")


def _reduced(filled: _Filled, numerator: PolyElement, denominator: PolyElement) -> TransferFunction:
    """Conductances become resistances again, common factors go."""
    above, below = filled.resistive([numerator, denominator])
    above, below = above.cancel(below)
    if below.LC < 0:
        above, below = -above, -below
    formulas = filled.formulas()
    top, bottom = above.as_expr(*formulas), below.as_expr(*formulas)
    if len(set(formulas)) < len(formulas) or not all(formula.is_Symbol for formula in formulas):
        top, bottom = sympy.fraction(sympy.cancel(top / bottom))  # values such as {2*R}, or one symbol in two places
    return TransferFunction(numerator=_poly(top), denominator=_poly(bottom))


def _poly(expression: Expr) -> Poly:
    return Poly(expression, S, *sorted(expression.free_symbols - {S}, key=str))


def _factored(poly: Poly) -> Expr:
    return sympy.factor(poly.as_expr()) if len(poly.terms()) <= MAX_FACTORED else poly.as_expr()


def _coefficients(poly: Poly, values: Mapping[str, float] | None) -> list[complex]:
    """The coefficients in s, from the highest power down, as numbers. Raises ValueError for a symbol without value."""
    given = {Symbol(canonical(name)): value for name, value in (values or {}).items()}
    missing = sorted(map(str, poly.free_symbols - {S} - set(given)))
    if missing:
        raise ValueError(f"no value for {', '.join(missing)}; give them as values={{'{missing[0]}': 1e3}}")
    return [complex(c.subs(given)) for c in Poly(poly.as_expr(), S).all_coeffs()]


def _roots(poly: Poly, values: Mapping[str, float] | None) -> tuple[Any, ...]:
    in_s = Poly(poly.as_expr(), S)
    if values is None and poly.free_symbols - {S}:
        if in_s.degree() > 2:
            raise ValueError(f"the roots of degree {in_s.degree()} have no short formula; give values for the symbols")
        return tuple(root for root, count in sympy.roots(in_s).items() for _ in range(count))
    return tuple(complex(root) for root in np.roots(_coefficients(poly, values)))


def _sympy(node: Expression) -> Expr:
    """The formula as SymPy's own tree."""
    if node.op == "symbol":
        return Symbol(node.name)
    if node.op == "number":
        return sympy.Rational(node.number.numerator, node.number.denominator)
    if node.op in ("j", "pi"):
        return sympy.I if node.op == "j" else sympy.pi
    parts = [_sympy(arg) for arg in node.args]
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
    value = _sympy(entry.value)
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
