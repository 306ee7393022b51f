"""Compute the arithmetic in the values of a netlist, as SPICE means it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from circuitvlm.circuit.quantity import parse_spice

MAX_DEPTH = 40
"""The largest depth of brackets and signs in one expression."""

_TERM = re.compile(
    r"\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[A-Za-zµμΩ]*|[A-Za-z_]\w*|\*\*|[-+*/^(),]|(?P<invalid>\S))"
)
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "log": math.log,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "atan": math.atan,
    "abs": abs,
    "int": math.trunc,
    "min": min,
    "max": max,
    "pow": math.pow,
    "pwr": lambda base, exponent: math.copysign(abs(base) ** exponent, base),
    "sgn": lambda x: math.copysign(1.0, x) if x else 0.0,
}
"""ngspice's functions of numbers (manual, section 2.8.5), in which log is the natural logarithm."""

_CONSTANTS = {"pi": math.pi}
_OPERATORS: Mapping[str, tuple[int, Callable[[float, float], float]]] = {
    "+": (1, lambda a, b: a + b),
    "-": (1, lambda a, b: a - b),
    "*": (2, lambda a, b: a * b),
    "/": (2, lambda a, b: a / b),
    "**": (4, math.pow),
    "^": (4, math.pow),
}
"""Operators with their precedence; a sign before a number has that of 3."""


def evaluate(text: str, parameters: Mapping[str, float]) -> float | None:
    """The number that an expression such as `2*1k` or `sqrt(vo**2/po)` states.

    `parameters` are the values of names, in lower case. None where it is no arithmetic of numbers, names with a value
    and SPICE's functions, or has no finite result.
    """
    terms = list(_TERM.finditer(text))
    if any(term["invalid"] for term in terms):
        return None
    expression = _Expression([term[1] for term in terms], parameters)
    try:
        value = expression.read(0, depth=0)
    except (ValueError, ArithmeticError, TypeError):
        return None
    return float(value) if not expression.word and math.isfinite(value) else None


class _Expression:
    """Reads an expression by precedence climbing; `word` is the next word, "" at the end."""

    def __init__(self, words: list[str], parameters: Mapping[str, float]) -> None:
        self._words = iter(words)
        self.parameters = parameters
        self.word = next(self._words, "")

    def _take(self, expected: str = "") -> str:
        """The next word, after which the reading goes on. Raises ValueError where it is another than `expected`."""
        word, self.word = self.word, next(self._words, "")
        if not word or (expected and word != expected):
            raise ValueError(f"expected {expected or 'a term'!r}, got {word!r}")
        return word

    def read(self, precedence: int, *, depth: int) -> float:
        """The value of the words up to an operator that binds no tighter than `precedence`."""
        if depth > MAX_DEPTH:
            raise ValueError(f"expected at most {MAX_DEPTH} brackets and signs in one another, got more")
        value = self._read_term(depth=depth + 1)
        while self.word in _OPERATORS and _OPERATORS[self.word][0] > precedence:
            own_precedence, compute = _OPERATORS[self._take()]
            value = compute(value, self.read(own_precedence, depth=depth + 1))
        return value

    def _read_term(self, *, depth: int) -> float:
        """A number, a name, a function of arguments, brackets, or a sign with what follows it."""
        word = self._take()
        if word in "+-":
            value = self.read(3, depth=depth)
            return -value if word == "-" else value
        if word == "(":
            (value,) = self._read_arguments(depth=depth)
            return value
        if self.word == "(" and word.lower() in _FUNCTIONS:
            self._take()
            return _FUNCTIONS[word.lower()](*self._read_arguments(depth=depth))
        if word[0].isalpha() or word[0] == "_":
            values = {**_CONSTANTS, **self.parameters}
            if word.lower() not in values:
                raise ValueError(f"expected a name with a value, got {word!r}")
            return values[word.lower()]
        return parse_spice(word)

    def _read_arguments(self, *, depth: int) -> list[float]:
        """The values between an open bracket and its partner."""
        values = [self.read(0, depth=depth)]
        while self.word == ",":
            self._take()
            values.append(self.read(0, depth=depth))
        self._take(")")
        return values
