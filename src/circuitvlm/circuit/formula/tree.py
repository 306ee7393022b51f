"""The tree that represents a parsed formula."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


class ExpressionError(ValueError):
    """A text that states no formula, or a formula beyond the limits of the parser."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula as a tree.

    `op` is "number" (with `number`), "symbol" (with `name`), "+", "*" and "||" (parallel: 1/(1/a + 1/b ..)) over
    `args`, "inv" (1/x), "neg", "^" (base, exponent), or the name of a function of `lexer.FUNCTIONS`.
    The names "j" (imaginary unit) and "pi" are constants unless the vocabulary has symbols of these names.
    """

    op: str
    args: tuple[Expression, ...] = ()
    name: str = ""
    number: Fraction = Fraction(0)

    def symbols(self) -> frozenset[str]:
        """Return the names of all symbols; constants are not symbols."""
        nodes = [self]
        for node in nodes:  # the list grows until it holds the whole tree
            nodes += node.args
        return frozenset(node.name for node in nodes if node.op == "symbol")
