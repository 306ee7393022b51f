"""Compute the transfer function of a circuit as a formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from circuitvlm.circuit.formula.expression import canonical_name
from circuitvlm.circuit.graph import GROUND, Circuit
from circuitvlm.circuit.solve.equations import Entry, Equations, build_equations
from circuitvlm.circuit.solve.factors import factorize
from circuitvlm.circuit.solve.kirchhoff import S, as_sympy, node_equations
from circuitvlm.circuit.solve.probe import find_source, output_nodes
from circuitvlm.circuit.solve.singular import SingularCircuitError

__all__ = ["MAX_TERMS", "TooLargeError", "TransferFunction", "node_equations", "transfer_function"]

MAX_TERMS = 20_000
"""How many terms the determinant of a circuit may have: about its number of spanning trees."""

MAX_FACTORED_TERMS = 150
"""How many terms a polynomial may have to be factored."""

MAX_LENGTH = 20_000
"""How many characters the text of a transfer function may have."""

_SINGULAR = "the circuit's equations are singular: a floating node or a loop of sources"


class TooLargeError(ValueError):
    """A transfer function with too many terms or characters."""


@dataclass(frozen=True)
class TransferFunction:
    """A transfer function numerator / denominator: polynomials in s and the symbols, without a common factor.

    `str` is the fraction as plain mathematics.
    """

    numerator: Poly
    denominator: Poly

    @cached_property
    def expression(self) -> Expr:
        """The factored fraction as a SymPy expression."""
        return _factored_expression(self.numerator) / _factored_expression(self.denominator)

    @cached_property
    def text(self) -> str:
        """The factored or the expanded fraction, whichever is shorter. Raises TooLargeError over MAX_LENGTH."""
        fractions = [self.expression, self.numerator.as_expr() / self.denominator.as_expr()]
        text = min(map(str, dict.fromkeys(fractions)), key=len)  # they are often equal
        if len(text) > MAX_LENGTH:
            raise TooLargeError(f"transfer function: expected at most {MAX_LENGTH} characters, got {len(text)}")
        return text

    def __str__(self) -> str:
        return self.text

    @property
    def latex(self) -> str:
        """The factored fraction as LaTeX."""
        return str(sympy.latex(self.expression))

    @property
    def symbols(self) -> frozenset[str]:
        """The names of its symbols without s."""
        symbols = self.numerator.as_expr().free_symbols | self.denominator.as_expr().free_symbols
        return frozenset(map(str, symbols - {S}))

    @property
    def term_count(self) -> int:
        """The number of terms of numerator and denominator before they are factored."""
        return len(self.numerator.terms()) + len(self.denominator.terms())

    @cached_property
    def dc_gain(self) -> Expr:
        """The value at s = 0, SymPy's zoo where it is infinite."""
        numerator, denominator = (p.as_expr().subs(S, 0) for p in (self.numerator, self.denominator))
        return sympy.zoo if denominator == 0 else sympy.factor(numerator) / sympy.factor(denominator)

    def poles(self, values: Mapping[str, float] | None = None) -> tuple[Any, ...]:
        """The poles in rad/s, each as often as its multiplicity.

        They are complex numbers where `values` holds all symbols, or where there are none. Without values they are
        SymPy expressions, for a denominator of degree 2 or less in s.
        Raises ValueError where values are missing for a higher degree.
        """
        return _roots(self.denominator, values)

    def zeros(self, values: Mapping[str, float] | None = None) -> tuple[Any, ...]:
        """The zeros, in the same form as `poles`."""
        return _roots(self.numerator, values)

    def value_at(self, frequency_hz: float, values: Mapping[str, float] | None = None) -> complex:
        """The complex value at a frequency. Raises ValueError where a symbol has no value."""
        s = 2j * np.pi * frequency_hz
        numerator, denominator = (np.polyval(_coefficients(p, values), s) for p in (self.numerator, self.denominator))
        return complex(numerator / denominator)


def transfer_function(
    circuit: Circuit, *, source: str = "V1", output: str | Sequence[str] = "C1", ideal: bool = True
) -> TransferFunction:
    """The exact transfer function from a source to the voltage of the output, with the other sources at zero.

    `source`, `output`, symbols, op-amps (finite with `ideal=False`) and lcapy's dialect are those of
    `verdict.matches_circuit`. Conductances are symbols of the polynomials, so that the determinant has no fractions
    (SymPy's `DomainMatrix`). Raises KeyError, UnsolvableDeviceError, SingularCircuitError, and TooLargeError where the
    determinant has more than MAX_TERMS terms.
    """
    plus, minus = output_nodes(circuit, output)
    solution = _solve(to_spice(circuit), find_source(circuit, source).name, ideal)
    return _reduce(solution, solution.voltage(plus) - solution.voltage(minus))


@lru_cache(maxsize=32)  # questions ask for many outputs of one circuit
def _solve(circuit: Circuit, source: str, ideal: bool) -> _Solution:
    return _Solution(build_equations(circuit, ideal=ideal), source)


class _Solution:
    """The solution of the equations over polynomials in s and one generator for each value that is a formula.

    The generator of a resistor's value is its conductance. `generator_indices` maps (is a conductance, value) to the
    index of its generator; generator 0 is s. `numerators` are in the order of the unknowns.
    """

    def __init__(self, system: Equations, source: str) -> None:
        self.system = system
        values = [(entry.kind == "conductance", entry.value) for entry in system.entries if entry.value is not None]
        formulas = dict.fromkeys(key for key in values if key[1].op != "number")
        self.generator_indices = {key: place for place, key in enumerate(formulas, start=1)}
        is_integer = all(
            not is_conductance and value.number.denominator == 1
            for is_conductance, value in values
            if value.op == "number"
        )
        # Integers where possible: fractions in plain Python take twice as long.
        self.ring, *self.generators = ring(
            [f"x{i}" for i in range(len(self.generator_indices) + 1)], ZZ if is_integer else QQ
        )
        self.numerators, self.denominator = self._solve(source)
        if not self.denominator:
            raise SingularCircuitError(_SINGULAR)

    def _solve(self, source: str) -> tuple[list[PolyElement], PolyElement]:
        size = len(self.system.unknowns)
        rows = [[self.ring.zero] * size for _ in range(size)]
        for entry in self.system.entries:
            rows[entry.row][entry.column] += entry.sign * self._polynomial(entry)
        right = [[self.ring.zero] for _ in range(size)]
        for row, sign, name in self.system.sources:
            if name == source:
                right[row][0] += sign
        _refuse_large(rows)
        domain = self.ring.to_domain()
        matrix, vector = DomainMatrix(rows, (size, size), domain), DomainMatrix(right, (size, 1), domain)
        try:
            numerators, denominator = matrix.solve_den(vector)
        except DMNonInvertibleMatrixError as error:
            raise SingularCircuitError(_SINGULAR) from error
        return [row[0] for row in numerators.to_dense().to_list()], denominator

    def _polynomial(self, entry: Entry) -> PolyElement:
        """The value of an entry, without its sign."""
        if entry.value is None:
            return self.ring.one
        is_conductance = entry.kind == "conductance"
        if entry.value.op != "number":
            value = self.generators[self.generator_indices[is_conductance, entry.value]]
        else:
            number = 1 / entry.value.number if is_conductance else entry.value.number
            value = self.ring.ground_new(
                ZZ(number.numerator) if self.ring.domain is ZZ else QQ(number.numerator, number.denominator)
            )
        return value * self.generators[0] if entry.kind in ("capacitance", "inductance") else value

    def voltage(self, node: str) -> PolyElement:
        """The numerator of a node's voltage."""
        return self.ring.zero if node == GROUND else self.numerators[self.system.column(f"v({node})")]

    def with_resistances(self, polynomials: Sequence[PolyElement]) -> list[PolyElement]:
        """The polynomials times the same power of each resistance, with resistances as generators."""
        powers = {
            place: max((m[place] for p in polynomials for m in p), default=0)
            for (is_conductance, _), place in self.generator_indices.items()
            if is_conductance
        }
        return [
            self.ring.from_dict(
                {tuple(powers[i] - e if i in powers else e for i, e in enumerate(m)): c for m, c in p.items()}
            )
            for p in polynomials
        ]


def _refuse_large(rows: list[list[PolyElement]]) -> None:
    """Raise TooLargeError for too many terms in the determinant.

    The determinant with all symbols at 1 counts the terms of one sign: the spanning trees of a passive network.
    """
    values_at_one = np.array([[float(len(p)) * (-1 if p and p.LC < 0 else 1) for p in row] for row in rows])
    count = abs(np.linalg.det(values_at_one)) if len(rows) else 1.0
    if not count <= MAX_TERMS:
        raise TooLargeError(f"determinant: expected at most {MAX_TERMS} terms, got about {count:.0f}")


def _reduce(solution: _Solution, numerator: PolyElement) -> TransferFunction:
    """The fraction with resistances in place of conductances, and without common factors."""
    numerator, denominator = solution.with_resistances([numerator, solution.denominator])
    numerator, denominator = numerator.cancel(denominator)
    if denominator.LC < 0:
        numerator, denominator = -numerator, -denominator
    formulas = [S, *(as_sympy(value) for _, value in solution.generator_indices)]  # of each generator
    if len(set(formulas)) == len(formulas) and all(formula.is_Symbol for formula in formulas):
        return TransferFunction(_in_symbols(numerator, formulas), _in_symbols(denominator, formulas))
    # Values such as {2*R}, or one symbol with two generators.
    fraction = sympy.fraction(sympy.cancel(numerator.as_expr(*formulas) / denominator.as_expr(*formulas)))
    return TransferFunction(*(Poly(part, S, *sorted(part.free_symbols - {S}, key=str)) for part in fraction))


def _in_symbols(polynomial: PolyElement, formulas: Sequence[Expr]) -> Poly:
    """The polynomial in s and the symbols that it contains, in alphabetical order. No expression is formed."""
    used = [place for place in range(1, len(formulas)) if any(exponents[place] for exponents in polynomial)]
    order = [0, *sorted(used, key=lambda place: str(formulas[place]))]
    number = polynomial.ring.domain.to_sympy
    terms = {tuple(exponents[place] for place in order): number(c) for exponents, c in polynomial.items()}
    return Poly.from_dict(terms, *(formulas[place] for place in order))


def _factored_expression(poly: Poly) -> Expr:
    return factorize(poly) if len(poly.terms()) <= MAX_FACTORED_TERMS else poly.as_expr()


def _coefficients(poly: Poly, values: Mapping[str, float] | None) -> list[complex]:
    """The coefficients in s, from the highest power down, as numbers. Raises ValueError for a symbol without value."""
    substitutions = {Symbol(canonical_name(name)): value for name, value in (values or {}).items()}
    missing_names = sorted(map(str, poly.free_symbols - {S} - set(substitutions)))
    if missing_names:
        raise ValueError(f"values: expected a number for {', '.join(missing_names)}, got {dict(values or {})!r}")
    return [complex(c.subs(substitutions)) for c in Poly(poly.as_expr(), S).all_coeffs()]


def _roots(poly: Poly, values: Mapping[str, float] | None) -> tuple[Any, ...]:
    in_s = Poly(poly.as_expr(), S)
    if values is None and poly.free_symbols - {S}:
        if in_s.degree() > 2:
            raise ValueError(f"values: expected the symbols' numbers for roots of degree {in_s.degree()}, got None")
        return tuple(root for root, count in sympy.roots(in_s).items() for _ in range(count))
    return tuple(complex(root) for root in np.roots(_coefficients(poly, values)))
