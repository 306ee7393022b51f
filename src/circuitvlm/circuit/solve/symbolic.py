"""What is a circuit's transfer function, as a formula?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy
from sympy import Expr, Poly, Symbol
from sympy.polys.domains import QQ, ZZ
from sympy.polys.matrices import DomainMatrix
from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError
from sympy.polys.rings import PolyElement, ring

from circuitvlm.circuit.dialect import to_spice
from circuitvlm.circuit.formula.expression import Expression, canonical
from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.solve.equations import Entry, Equations, equations
from circuitvlm.circuit.solve.factors import factored
from circuitvlm.circuit.solve.kirchhoff import S, as_sympy, node_equations
from circuitvlm.circuit.solve.probe import output_nodes, source_of
from circuitvlm.circuit.solve.singular import SingularCircuitError

__all__ = ["MAX_TERMS", "TooLargeError", "TransferFunction", "node_equations", "transfer_function"]

MAX_TERMS = 20_000
"""Most terms that the determinant of a circuit may have, about its number of spanning trees."""

MAX_FACTORED = 150
"""Most terms of a polynomial that is still factored."""

MAX_LENGTH = 20_000
"""Longest text of a transfer function, in characters."""

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
        forms = {self.expression, self.numerator.as_expr() / self.denominator.as_expr()}  # often the same
        best = min(map(str, sorted(forms, key=lambda form: form != self.expression)), key=len)
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
        found = self.numerator.as_expr().free_symbols | self.denominator.as_expr().free_symbols
        return frozenset(str(symbol) for symbol in found - {S})

    @property
    def terms(self) -> int:
        """How many terms numerator and denominator have before they are factored."""
        return len(self.numerator.terms()) + len(self.denominator.terms())

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
    solved = _solved(to_spice(circuit), source_of(circuit, source).name, ideal)
    return _reduced(solved, solved.voltage(plus) - solved.voltage(minus))


@lru_cache(maxsize=32)  # many outputs are asked of one circuit
def _solved(circuit: Circuit, source: str, ideal: bool) -> _Solved:
    return _Solved(equations(circuit, ideal=ideal), source)


class _Solved:
    """The equations' solution over polynomials: s, and a generator for each value that is a formula.

    The generator of a resistor's value is its conductance. `numerators` belong to the unknowns, in their order.
    """

    def __init__(self, system: Equations, source: str) -> None:
        self.system = system
        self.place: dict[tuple[bool, Expression], int] = {}
        for entry in system.entries:
            if entry.value is not None and entry.value.op != "number":
                self.place.setdefault((entry.kind == "conductance", entry.value), len(self.place) + 1)
        numbers = [entry for entry in system.entries if entry.value is not None and entry.value.op == "number"]
        whole = all(e.kind != "conductance" and _number(e).denominator == 1 for e in numbers)
        # Whole numbers where they do: fractions in plain Python take twice as long.
        self.ring, *self.generators = ring([f"x{i}" for i in range(len(self.place) + 1)], ZZ if whole else QQ)
        self.numerators, self.denominator = self._solution(source)
        if not self.denominator:
            raise SingularCircuitError(_SINGULAR)

    def _solution(self, source: str) -> tuple[list[PolyElement], PolyElement]:
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
        return [row[0] for row in solved.to_dense().to_list()], denominator

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
        return [S, *(as_sympy(value) for _, value in self.place)]

    def voltage(self, node: str) -> PolyElement:
        """The numerator of a node's voltage."""
        return self.ring.zero if node == GROUND else self.numerators[self.system.column(f"v({node})")]

    def _value(self, entry: Entry) -> PolyElement:
        value = self._plain_value(entry)
        return value * self.generators[0] if entry.kind in ("capacitance", "inductance") else value

    def _plain_value(self, entry: Entry) -> PolyElement:
        conductance = entry.kind == "conductance"
        if entry.value is None:
            return self.ring.one
        if entry.value.op != "number":
            return self.generators[self.place[conductance, entry.value]]
        number = 1 / _number(entry) if conductance else _number(entry)
        made = QQ(number.numerator, number.denominator) if self.ring.domain is QQ else ZZ(number.numerator)
        return self.ring.ground_new(made)


def _number(entry: Entry) -> Fraction:
    assert entry.value is not None, "only entries with a number come here"
    return entry.value.number


def _refuse_large(rows: list[list[PolyElement]]) -> None:
    """The determinant at all ones counts the terms of one sign: the spanning trees of a passive network."""
    ones = np.array([[float(len(p)) * (-1 if p and p.LC < 0 else 1) for p in row] for row in rows])
    count = abs(np.linalg.det(ones)) if len(rows) else 1.0
    if not count <= MAX_TERMS:
        raise TooLargeError(f"the determinant has about {count:.0f} terms; at most {MAX_TERMS} are formed")


def _reduced(solved: _Solved, numerator: PolyElement) -> TransferFunction:
    """Conductances become resistances again, common factors go."""
    above, below = solved.resistive([numerator, solved.denominator])
    above, below = above.cancel(below)
    if below.LC < 0:
        above, below = -above, -below
    formulas = solved.formulas()
    if len(set(formulas)) == len(formulas) and all(formula.is_Symbol for formula in formulas):
        return TransferFunction(numerator=_in_symbols(above, formulas), denominator=_in_symbols(below, formulas))
    # values such as {2*R}, or one symbol in two places
    top, bottom = sympy.fraction(sympy.cancel(above.as_expr(*formulas) / below.as_expr(*formulas)))
    return TransferFunction(numerator=_poly(top), denominator=_poly(bottom))


def _in_symbols(polynomial: PolyElement, formulas: Sequence[Expr]) -> Poly:
    """What `_poly` makes of the polynomial's expression, without forming one."""
    used = [place for place in range(1, len(formulas)) if any(exponents[place] for exponents in polynomial)]
    order = [0, *sorted(used, key=lambda place: str(formulas[place]))]
    number = polynomial.ring.domain.to_sympy
    terms = {tuple(exponents[place] for place in order): number(c) for exponents, c in polynomial.items()}
    return Poly.from_dict(terms, *(formulas[place] for place in order))


def _poly(expression: Expr) -> Poly:
    return Poly(expression, S, *sorted(expression.free_symbols - {S}, key=str))


def _factored(poly: Poly) -> Expr:
    return factored(poly) if len(poly.terms()) <= MAX_FACTORED else poly.as_expr()


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
