"""Evaluate formulas modulo a large prime: exact arithmetic in which no number grows.

Two rational functions that differ agree at a random point with probability at most degree / PRIME (Schwartz 1980,
Zippel 1979), so three points decide. A step is the addition of a number, about 0.2 microseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache, reduce

from circuitvlm.circuit.formula.expression import Expression
from circuitvlm.circuit.judge.budget import Budget

PRIME = 2**61 - 31
"""The largest prime below 2^61 that leaves 1 modulo 4, so that -1 has a square root: the imaginary unit."""

J = 583529827753931384
"""A square root of -1 modulo PRIME."""

assert pow(J, 2, PRIME) == PRIME - 1

INVERSION_STEPS = 6
"""Steps of a division or a power."""


class NotRationalError(ValueError):
    """A formula with a function or power that no finite field knows."""


Point = Callable[[str], int]
"""The value of a symbol."""


@lru_cache(maxsize=4096)
def random_value(name: str, trial: int) -> int:
    """A value from 1 to PRIME - 1 for a symbol, the same in every process; `trial` numbers the points."""
    digest = hashlib.blake2b(f"{trial}:{name}".encode(), digest_size=16).digest()
    return 1 + int.from_bytes(digest, "big") % (PRIME - 1)


def random_point(trial: int, values: Mapping[str, int] | None = None) -> Point:
    """A random point; symbols in `values` have the values stated there. s is j omega, so that both spellings agree."""
    fixed_values = values or {}

    def value(name: str) -> int:
        if name in fixed_values:
            return fixed_values[name]
        if name == "s":
            return J * value("omega") % PRIME
        return random_value(name, trial)

    return value


def inverse(value: int) -> int:
    """1/value modulo PRIME. Raises ZeroDivisionError."""
    if value % PRIME == 0:
        raise ZeroDivisionError(f"expected a divisor other than 0 modulo PRIME, got {value}")
    return pow(value, -1, PRIME)


def evaluate(formula: Expression, point: Point, budget: Budget) -> int:
    """The formula's value at a point.

    Raises NotRationalError, ZeroDivisionError at a pole, and UndecidedError where the budget is spent.
    """
    op = formula.op
    if op == "symbol":
        return point(formula.name)
    if op == "number":
        budget.spend(INVERSION_STEPS)
        return formula.number.numerator * inverse(formula.number.denominator) % PRIME
    if op == "j":
        return J
    if op == "pi":  # transcendental: no rational relation can hold by it, so a random value represents it
        return point("pi")
    args = formula.args
    budget.spend(1 + len(args) * (1 if op in ("+", "*", "neg") else INVERSION_STEPS))
    if op == "^":
        return _power(evaluate(args[0], point, budget), args[1])
    if op not in _OPERATIONS:
        raise NotRationalError(f"expected one of {' '.join(_OPERATIONS)} ^, got {op!r}")
    return _OPERATIONS[op]([evaluate(arg, point, budget) for arg in args]) % PRIME


_OPERATIONS: Mapping[str, Callable[[list[int]], int]] = {
    "+": sum,
    "*": lambda values: reduce(lambda product, value: product * value % PRIME, values, 1),
    "neg": lambda values: -values[0],
    "inv": lambda values: inverse(values[0]),
    # A short circuit in parallel with anything is a short circuit.
    "||": lambda values: 0 if 0 in values else inverse(sum(map(inverse, values))),
}


def _power(base: int, exponent: Expression) -> int:
    if exponent.op != "number" or exponent.number.denominator != 1:
        raise NotRationalError(f"expected a whole number as exponent, got {exponent.op} {exponent.number}")
    return pow(base if exponent.number >= 0 else inverse(base), abs(int(exponent.number)), PRIME)
