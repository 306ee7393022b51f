"""Test factors by classes of symbols: their product is the polynomial, and none can be split further."""

import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Poly, Symbol, symbols

from circuitvlm.circuit.solve.factors import factorize

S = Symbol("s")
NAMES = symbols("C1 C2 L1 R1 R2 R3 x1 x2")


@st.composite
def products(draw):
    """A number, a power of s, and up to three sums over symbols of their own, with powers of s."""
    names = list(draw(st.permutations(NAMES)))
    product = sympy.Integer(draw(st.sampled_from([-6, -1, 1, 2]))) * S ** draw(st.integers(0, 2))
    for _ in range(draw(st.integers(0, 3))):
        own_symbols = [names.pop() for _ in range(draw(st.integers(1, 3))) if names]
        sets = st.sets(st.sampled_from(own_symbols)) if own_symbols else st.just(set())
        total = sympy.Integer(0)
        for term in draw(st.lists(sets, min_size=1, max_size=5, unique_by=frozenset)):
            number = draw(st.sampled_from([-3, -1, 1, 2])) * S ** draw(st.integers(0, 2))
            total += number * sympy.prod(sorted(term, key=str))
        product *= total
    return sympy.expand(product)


def _poly(expression):
    return Poly(expression, S, *sorted(expression.free_symbols - {S}, key=str))


def _parts(expression):
    """The irreducible factors of SymPy, without the sign of a number."""
    return sorted((str(max(base, -base, key=str)), power) for base, power in sympy.factor_list(expression)[1])


@settings(max_examples=150, deadline=None)
@given(products())
def test_the_product_is_the_polynomial_and_its_parts_are_sympys(expression):
    product = factorize(_poly(expression))
    assert sympy.expand(product - expression) == 0
    parts = []
    for base, power in (part.as_base_exp() for part in sympy.Mul.make_args(product)):
        if not base.is_Number:
            parts.append((str(max(sympy.expand(base), -sympy.expand(base), key=str)), int(power)))
    assert sorted(parts) == _parts(expression)


def test_a_square_of_a_symbol_or_a_sum_in_s_alone_goes_to_the_general_way():
    r, c = symbols("R1 C1")
    assert factorize(_poly(sympy.expand((r + c) ** 2))) == (r + c) ** 2
    assert factorize(_poly(sympy.expand((S + 1) * (S + 2) * (r + c)))) == (S + 1) * (S + 2) * (r + c)


def test_fractions_are_factored_too():
    r, c = symbols("R1 C1")
    assert sympy.expand(factorize(_poly(sympy.Rational(1, 2) * S * r + r * c / 3)) - (S * r / 2 + r * c / 3)) == 0


def test_nothing_is_nothing():
    assert factorize(Poly(0, S)) == 0
