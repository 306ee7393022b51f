"""What is the value of a formula modulo a large prime? Exact arithmetic in which no number grows.

Two rational functions that differ agree at a random point with probability at most degree / PRIME (Schwartz 1980,
Zippel 1979), so three points decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

from circuitvlm.circuit.formula.expression import Expression

PRIME = 2**61 - 31
"""The largest prime below 2^61 that leaves 1 modulo 4, so that -1 has a square root: the imaginary unit."""

J = 583529827753931384
"""A square root of -1 modulo PRIME."""

assert pow(J, 2, PRIME) == PRIME - 1


class NotRationalError(ValueError):
    """A formula with a function or power that no finite field knows."""


Point = Callable[[str], int]
"""The value of a symbol."""


@lru_cache(maxsize=4096)
def random_value(name: str, turn: int) -> int:
    """A value from 1 to PRIME - 1 for a symbol, the same in every process; `turn` numbers the points."""
    digest = hashlib.blake2b(f"{turn}:{name}".encode(), digest_size=16).digest()
    return 1 + int.from_bytes(digest, "big") % (PRIME - 1)


def point(turn: int, known: Mapping[str, int] | None = None) -> Point:
    """A random point; `known` symbols have the values stated. s is j omega, so that both spellings agree."""
    given = known or {}

    def value(name: str) -> int:
        if name in given:
            return given[name]
        if name == "s":
            return J * value("omega") % PRIME
        return random_value(name, turn)

    return value


def residue(number: Fraction) -> int:
    """A rational number modulo PRIME. Raises ZeroDivisionError where PRIME divides its denominator."""
    return number.numerator % PRIME * inverse(number.denominator) % PRIME


def inverse(value: int) -> int:
    """1/value modulo PRIME. Raises ZeroDivisionError."""
    if value % PRIME == 0:
        raise ZeroDivisionError("a division by zero modulo the prime")
    return pow(value, -1, PRIME)


def evaluate(node: Expression, at: Point) -> int:
    """The formula's value at a point. Raises NotRationalError, and ZeroDivisionError at a pole."""
    op = node.op
    if op == "symbol":
        return at(node.name)
    if op == "number":
        return residue(node.number)
    if op == "^":
        return _power(evaluate(node.args[0], at), node.args[1])
    if op == "j":
        return J
    if op == "pi":  # transcendental: no rational relation can hold by it, so a random value stands for it
        return at("pi")
    if op in ("+", "*", "neg", "inv", "||"):
        values = [evaluate(arg, at) for arg in node.args]
        return _rational(op, values)
    raise NotRationalError(f"{op} is no rational function")


def _rational(op: str, values: list[int]) -> int:
    if op == "+":
        return sum(values) % PRIME
    if op == "neg":
        return -values[0] % PRIME
    if op == "inv":
        return inverse(values[0])
    if op == "||":
        return _parallel(values)
    product = 1
    for value in values:
        product = product * value % PRIME
    return product


def _parallel(values: list[int]) -> int:
    """A short circuit beside anything is a short circuit."""
    return 0 if 0 in values else inverse(sum(map(inverse, values)))


def _power(base: int, exponent: Expression) -> int:
    if exponent.op != "number" or exponent.number.denominator != 1:
        raise NotRationalError("an exponent that is no whole number")
    power = int(exponent.number)
    return pow(base, power, PRIME) if power >= 0 else pow(inverse(base), -power, PRIME)
