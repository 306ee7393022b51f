"""Which symbol does an equation define, and what is a formula once its symbols are replaced by what they stand for?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from circuitvlm.circuit.formula.lexer import Token, tokens
from circuitvlm.circuit.formula.names import Vocabulary
from circuitvlm.circuit.formula.reader import MAX_EXPONENT, Reader, argument
from circuitvlm.circuit.formula.signs import canonical
from circuitvlm.circuit.formula.tree import Expression, ExpressionError

MAX_FOLLOWED = 64
"""Most symbols of one formula that are replaced."""

MAX_NODES = 20_000
"""Most numbers, symbols and operations of a formula whose symbols are replaced: as many as the longest text holds."""

MAX_LEVELS = 200
"""Deepest tree of such a formula."""


@dataclass(frozen=True, slots=True)
class Definition:
    """An equation that defines `name`, or its power: `\\omega_0^2 = 1/(LC)` has the degree 2."""

    name: str
    degree: int
    equation: str


def definition(equation: str, vocabulary: Vocabulary | None = None) -> Definition | None:
    """What an equation defines: the only symbol on its left (`\\tau = ..`, `Z_C(s) = ..`, `ZC = ..`), or a power of it.

    A product of symbols that are known is none (`RC = ..`).
    """
    try:
        found = list(tokens(equation, vocabulary))
        end = next((at for at, token in enumerate(found) if token.kind in ("=", "≈")), 0)
        left = Reader(found[:end]).whole()
    except ExpressionError:
        return None
    if left.op == "symbol":
        return Definition(left.name, 1, equation)
    if left.op == "^" and left.args[0].op == "symbol":
        power = left.args[1].number
        if power.denominator == 1 and 1 < power <= MAX_EXPONENT:
            return Definition(left.args[0].name, int(power), equation)
    name = _cut_name(found[:end], equation)
    return Definition(name, 1, equation) if name else None


def _cut_name(left: list[Token], equation: str) -> str:
    """The name that was cut into several symbols, as `ZC` into Z*C; none where these are known ones (`RC`)."""
    at = next((at for at in range(1, len(left)) if argument(left, at)), len(left))
    parts, argued = left[:at], left[at:]
    if any(part.kind != "name" or part.run != parts[0].run for part in parts) or len(argued) != argument(left, at):
        return ""
    name = canonical(equation.partition("=")[0].partition("(")[0].rstrip(": "))
    if name == "".join(part.text for part in parts) and all(part.known or part.text == "s" for part in parts):
        return ""
    return name if name.isalnum() else ""


def spoken(equation: str, vocabulary: Vocabulary | None = None) -> frozenset[str]:
    """The names on an equation's last side that has any, each as it may be meant: `ZC` is Z, C and ZC."""
    runs: dict[int, list[str]] = {}
    before: dict[int, list[str]] = {}
    try:
        for token in tokens(equation, vocabulary):
            if token.kind in ("=", "≈"):
                before, runs = runs, {}
            elif token.kind == "name":
                runs.setdefault(token.run, []).append(token.text)
    except ExpressionError:
        return frozenset()
    runs = runs or before
    return frozenset(name for run in runs.values() for name in (*run, "".join(run)))


@dataclass(frozen=True, slots=True)
class _Sized:
    """A formula with the size and depth that it has where every symbol is written out."""

    node: Expression
    nodes: int = 1
    levels: int = 1


class Substitution:
    """Puts into formulas what their symbols stand for, each worked out once and shared by all its places.

    `meaning` gives what a symbol stands for, None where it stands for itself.
    """

    def __init__(self, meaning: Callable[[str], Expression | None]) -> None:
        self.meaning = meaning
        self.done: dict[str, _Sized] = {}
        self.path: list[str] = []

    def of(self, formula: Expression) -> Expression:
        """The formula without the symbols that stand for others.

        Raises ExpressionError for definitions in a circle, and for a formula that grows beyond MAX_NODES, MAX_LEVELS
        or MAX_FOLLOWED by them.
        """
        return self._sized(formula, level=1).node

    def _sized(self, node: Expression, *, level: int) -> _Sized:
        if level > MAX_LEVELS:
            raise ExpressionError(f"definitions within definitions, more than {MAX_LEVELS} deep")
        if node.op == "symbol":
            return self._symbol(node, level=level)
        parts: list[_Sized] = []
        for arg in node.args:
            parts.append(self._sized(arg, level=level + 1))
        nodes = 1 + sum(part.nodes for part in parts)
        levels = 1 + max((part.levels for part in parts), default=0)
        if nodes > MAX_NODES or levels > MAX_LEVELS:
            raise ExpressionError(f"a formula that its definitions make larger than {MAX_NODES} signs")
        return _Sized(replace(node, args=tuple(part.node for part in parts)), nodes, levels)

    def _symbol(self, node: Expression, *, level: int) -> _Sized:
        name = node.name
        if name in self.path:
            circle = " -> ".join([*self.path[self.path.index(name) :], name])
            raise ExpressionError(f"definitions in a circle ({circle[:200]}); wanted each by others than itself")
        if name not in self.done:
            means = self.meaning(name)
            self.path.append(name)
            self.done[name] = _Sized(node) if means is None else self._sized(means, level=level + 1)
            self.path.pop()
            if len(self.done) > MAX_FOLLOWED and means is not None:
                raise ExpressionError(f"more than {MAX_FOLLOWED} symbols beside definitions")
        return self.done[name]
