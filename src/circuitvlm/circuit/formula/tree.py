"""What is a formula, once it is read?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


class ExpressionError(ValueError):
    """A text that states no formula, or one beyond the bounds."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula as a tree.

    `op` is "number" (with `number`), "symbol" (with `name`), "+", "*" and "||" (parallel: 1/(1/a + 1/b ..)) over
    `args`, "inv" (1/x), "neg", "^" (base, exponent), or the name of a function of `_mathlex.FUNCTIONS`.
    The names "j" (imaginary unit) and "pi" are constants unless the reader was told that they are symbols.
    """

    op: str
    args: tuple[Expression, ...] = ()
    name: str = ""
    number: Fraction = Fraction(0)

    def symbols(self) -> frozenset[str]:
        """The names of its symbols; constants are none."""
        return frozenset(node.name for node in self._nodes() if node.op == "symbol")

    def _nodes(self) -> Iterator[Expression]:
        todo = [self]
        while todo:
            node = todo.pop()
            yield node
            todo.extend(node.args)
