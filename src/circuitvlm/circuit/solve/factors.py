"""What are the factors of a circuit's polynomial? A determinant is of degree one in every symbol but s.

Factors of such a polynomial share no symbol, so finding them is sorting symbols into classes, which takes microseconds
where a general factoring takes milliseconds. Theory: A. Shpilka and I. Volkovich, "On the relation between polynomial
identity testing and finding variable disjoint factors" (ICALP 2010): in f = g*x + h, the symbol y belongs to the same
factor as x exactly where dg/dy * h and g * dh/dy differ.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from sympy import Add, Expr, Mul, Poly, factor

Terms = Mapping[tuple[int, ...], int]
"""Exponents -> coefficient; the first exponent is that of s, all others are 0 or 1."""

_PRIME = 2**61 - 1


def factored(poly: Poly) -> Expr:
    """The product of the irreducible factors of a polynomial over the rational numbers, s being its first generator."""
    terms = {exponents: int(number) for exponents, number in poly.terms()} if poly.domain.is_ZZ else {}
    found = _factors(terms) if _is_plain(terms) else None
    if found is None:
        return factor(poly.as_expr())
    (number,) = found[0].values()
    product = Mul(*(_expression(each, poly) for each in [{next(iter(found[0])): 1}, *found[1:]]))
    # SymPy multiplies a number into a sum that stands alone.
    return Mul(number, product, evaluate=False) if product.is_Add and abs(number) != 1 else number * product


def _is_plain(terms: Terms) -> bool:
    """Of degree one in each symbol, and each product of symbols with one power of s only."""
    return bool(terms) and all(max(m[1:], default=0) <= 1 for m in terms) and len({m[1:] for m in terms}) == len(terms)


def _factors(terms: Terms) -> list[Terms] | None:
    """A number with a power of s, and the primitive factors with their first coefficient above zero.

    None where chance has hidden that two symbols belong together; what is returned has been multiplied out.
    """
    count = len(next(iter(terms)))
    found: list[Terms] = []
    left = [place for place in range(1, count) if any(m[place] for m in terms)]
    while left:
        together = _together(terms, left[0], left)
        left = [place for place in left if place not in together]
        found.append(_primitive(_part(terms, together)))
    product: Terms = {(0,) * count: 1}
    for each in found:
        product = _times(product, each)
    first = max(product)
    scale, power = divmod(terms.get(max(terms), 0), product[first]), max(terms)[0] - first[0]
    if scale[1] or terms != {(m[0] + power, *m[1:]): scale[0] * number for m, number in product.items()}:
        return None
    return [{(power, *(0,) * (count - 1)): scale[0]}, *found]


def _together(terms: Terms, place: int, left: list[int]) -> set[int]:
    """The symbols of one factor with the symbol at `place`, itself included."""
    rng = random.Random(place)
    point = [rng.randrange(1, _PRIME) for _ in next(iter(terms))]
    with_it, without = [0] * len(point), [0] * len(point)
    whole = [0, 0]
    for exponents, number in terms.items():
        value = number * pow(point[0], exponents[0], _PRIME)
        for other in left:
            if exponents[other]:
                value = value * point[other] % _PRIME
        sums = with_it if exponents[place] else without
        whole[exponents[place]] += value
        for other in left:
            if exponents[other]:
                sums[other] += value
    return {place} | {o for o in left if (with_it[o] * whole[0] - whole[1] * without[o]) % _PRIME}


def _part(terms: Terms, together: set[int]) -> Terms:
    """The factor in these symbols, times a number and a power of s: all terms that are alike in the other symbols."""
    first = max(terms)
    others = [place for place in range(1, len(first)) if place not in together]
    return {
        tuple(e if i == 0 or i in together else 0 for i, e in enumerate(m)): number
        for m, number in terms.items()
        if all(m[place] == first[place] for place in others)
    }


def _primitive(terms: Terms) -> Terms:
    common = math.gcd(*terms.values()) * (1 if terms[max(terms)] > 0 else -1)
    power = min(m[0] for m in terms)
    return {(m[0] - power, *m[1:]): number // common for m, number in terms.items()}


def _times(a: Terms, b: Terms) -> Terms:
    """The product of polynomials that share no symbol but s, so that no two of its terms are alike."""
    return {tuple(map(sum, zip(m, n, strict=True))): x * y for m, x in a.items() for n, y in b.items()}


def _expression(terms: Terms, poly: Poly) -> Expr:
    return Add(*(Mul(number, *(g**e for g, e in zip(poly.gens, m, strict=True))) for m, number in terms.items()))
