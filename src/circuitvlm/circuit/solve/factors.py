"""Factor the polynomials of a circuit.

A determinant has degree one in every symbol but s. Factors of such a polynomial share no symbol but s. They are found
by sorting the symbols into classes, which takes microseconds where general factoring takes milliseconds. Theory:
A. Shpilka and I. Volkovich, "On the relation between polynomial identity testing and finding variable disjoint
factors" (ICALP 2010): in f = g*x + h, the symbol y belongs to the same factor as x exactly where dg/dy * h and
g * dh/dy differ.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from sympy import Add, Expr, Mul, Poly, factor

Terms = Mapping[tuple[int, ...], int]
"""Exponents -> coefficient; the first exponent is that of s, all others are 0 or 1."""

_PRIME = 2**61 - 1


def factorize(poly: Poly) -> Expr:
    """The product of a polynomial's irreducible factors over the rational numbers. s is its first generator."""
    terms = {exponents: int(number) for exponents, number in poly.terms()} if poly.domain.is_ZZ else {}
    factors = _find_factors(terms) if _is_multilinear(terms) else None
    if factors is None:
        return factor(poly.as_expr())
    monomial, *sums = factors
    ((exponents, number),) = monomial.items()
    product = Mul(*(_expression(terms, poly) for terms in [{exponents: 1}, *sums]))
    # SymPy multiplies a number into a sum, unless `evaluate=False` is set.
    return Mul(number, product, evaluate=False) if product.is_Add and abs(number) != 1 else number * product


def _is_multilinear(terms: Terms) -> bool:
    """Whether the degree in each symbol is one, and each product of symbols has a single power of s."""
    return bool(terms) and all(max(m[1:], default=0) <= 1 for m in terms) and len({m[1:] for m in terms}) == len(terms)


def _find_factors(terms: Terms) -> list[Terms] | None:
    """A number with a power of s, then the primitive factors, whose first coefficients are positive.

    None where the random point hides that two symbols belong together: the product of the factors is checked.
    """
    zeros = (0,) * len(next(iter(terms)))
    factors: list[Terms] = []
    product: Terms = {zeros: 1}
    symbols = [i for i in range(1, len(zeros)) if any(m[i] for m in terms)]
    while symbols:
        group = _find_group(terms, symbols[0], symbols)
        symbols = [i for i in symbols if i not in group]
        factors.append(_primitive_part(_select_terms(terms, group)))
        product = _multiply(product, factors[-1])
    first, product_first = max(terms), max(product)
    number, power = terms[first] // product[product_first], first[0] - product_first[0]
    if terms != {(m[0] + power, *m[1:]): number * coefficient for m, coefficient in product.items()}:
        return None
    return [{(power, *zeros[1:]): number}, *factors]


def _find_group(terms: Terms, symbol: int, symbols: Sequence[int]) -> set[int]:
    """The symbols of the factor that contains `symbol`, by their places in the exponents; `symbol` is included."""
    rng = random.Random(symbol)
    point = [rng.randrange(1, _PRIME) for _ in next(iter(terms))]
    # Of f = g*x + h: the values of h and g, and for each symbol y those of y * dh/dy and y * dg/dy.
    values, derivatives = [0, 0], [[0] * len(point), [0] * len(point)]
    for exponents, number in terms.items():
        value = number * pow(point[0], exponents[0], _PRIME)
        present = [i for i in symbols if exponents[i]]
        for i in present:
            value = value * point[i] % _PRIME
        values[exponents[symbol]] += value
        for i in present:
            derivatives[exponents[symbol]][i] += value
    (h, g), (dh, dg) = values, derivatives
    return {symbol} | {i for i in symbols if (dg[i] * h - g * dh[i]) % _PRIME}


def _select_terms(terms: Terms, group: set[int]) -> Terms:
    """The factor in these symbols, times a number and a power of s.

    It consists of all terms with the same exponents of the other symbols.
    """
    first = max(terms)
    other_symbols = [i for i in range(1, len(first)) if i not in group]
    return {
        tuple(e if i == 0 or i in group else 0 for i, e in enumerate(m)): number
        for m, number in terms.items()
        if all(m[i] == first[i] for i in other_symbols)
    }


def _primitive_part(terms: Terms) -> Terms:
    divisor = math.gcd(*terms.values()) * (1 if terms[max(terms)] > 0 else -1)
    power = min(m[0] for m in terms)
    return {(m[0] - power, *m[1:]): number // divisor for m, number in terms.items()}


def _multiply(a: Terms, b: Terms) -> Terms:
    """The product of polynomials that share no symbol but s, so that all products of terms differ."""
    return {tuple(map(sum, zip(m, n, strict=True))): x * y for m, x in a.items() for n, y in b.items()}


def _expression(terms: Terms, poly: Poly) -> Expr:
    return Add(*(Mul(number, *(g**e for g, e in zip(poly.gens, m, strict=True))) for m, number in terms.items()))
