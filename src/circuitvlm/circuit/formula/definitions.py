"""Find which symbol an equation defines, and substitute symbols by their definitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from circuitvlm.circuit.formula.lexer import Token, tokenize
from circuitvlm.circuit.formula.notation import canonical_name
from circuitvlm.circuit.formula.parser import MAX_EXPONENT, argument_length, parse_tokens
from circuitvlm.circuit.formula.tree import Expression, ExpressionError
from circuitvlm.circuit.formula.vocabulary import Vocabulary

MAX_SUBSTITUTIONS = 64
"""Most symbols of one formula that are substituted."""

MAX_NODES = 20_000
"""Most numbers, symbols and operations of a formula after substitution: as many as the longest text can hold."""

MAX_LEVELS = 200
"""Deepest tree of a formula after substitution."""


@dataclass(frozen=True, slots=True)
class Definition:
    """An equation that defines `name`, or its power: `\\omega_0^2 = 1/(LC)` has the degree 2."""

    name: str
    degree: int
    equation: str


def parse_definition(equation: str, vocabulary: Vocabulary | None = None) -> Definition | None:
    """Return what an equation defines, or None.

    That is the only symbol on its left side (`\\tau = ..`, `Z_C(s) = ..`, `ZC = ..`), or a power of it. A product of
    symbols of the vocabulary is no definition (`RC = ..`).
    """
    try:
        tokens = list(tokenize(equation, vocabulary))
        end = next((i for i, token in enumerate(tokens) if token.kind in ("=", "≈")), 0)
        left_side = parse_tokens(tokens[:end])
    except ExpressionError:
        return None
    if left_side.op == "symbol":
        return Definition(left_side.name, 1, equation)
    if left_side.op == "^" and left_side.args[0].op == "symbol":
        exponent = left_side.args[1].number
        if exponent.denominator == 1 and 1 < exponent <= MAX_EXPONENT:
            return Definition(left_side.args[0].name, int(exponent), equation)
    name = _joined_name(tokens[:end], equation)
    return Definition(name, 1, equation) if name else None


def _joined_name(tokens: Sequence[Token], equation: str) -> str:
    """Return the name that the lexer split into several symbols, as `ZC` into Z*C; empty if all are known (`RC`)."""
    end = next((i for i in range(1, len(tokens)) if argument_length(tokens, i)), len(tokens))
    symbols = tokens[:end]
    is_one_run = all(symbol.kind == "name" and symbol.run_start == symbols[0].run_start for symbol in symbols)
    if not is_one_run or len(tokens) - end != argument_length(tokens, end):
        return ""
    name = canonical_name(equation.partition("=")[0].partition("(")[0].rstrip(": "))
    is_product = all(symbol.is_known or symbol.text == "s" for symbol in symbols)
    is_split = is_product and name == "".join(symbol.text for symbol in symbols)
    return name if name.isalnum() and not is_split else ""


def right_side_names(equation: str, vocabulary: Vocabulary | None = None) -> frozenset[str]:
    """Return the names on the last side of an equation that has any, split and joined: Z, C and ZC for `ZC`."""
    sides: list[dict[int, list[str]]] = [{}, {}]
    try:
        for token in tokenize(equation, vocabulary):
            if token.kind in ("=", "≈"):
                sides.append({})
            elif token.kind == "name":
                sides[-1].setdefault(token.run_start, []).append(token.text)
    except ExpressionError:
        return frozenset()
    return frozenset(name for run in (sides[-1] or sides[-2]).values() for name in (*run, "".join(run)))


@dataclass(frozen=True, slots=True)
class _Expansion:
    """An expression after substitution, with its number of nodes and its depth."""

    expression: Expression
    nodes: int = 1
    levels: int = 1


class Substitution:
    """Substitute symbols by their definitions, each expanded once and shared by all its occurrences.

    `find_definition` returns what a symbol stands for, None if it stands for itself.
    """

    def __init__(self, find_definition: Callable[[str], Expression | None]) -> None:
        self.find_definition = find_definition
        self.expansions: dict[str, _Expansion] = {}
        self.path: list[str] = []

    def apply(self, formula: Expression) -> Expression:
        """Return the formula with its symbols replaced by their definitions.

        Raises ExpressionError for circular definitions, and for a formula that they grow beyond MAX_NODES, MAX_LEVELS
        or MAX_SUBSTITUTIONS.
        """
        return self._expand(formula, level=1).expression

    def _expand(self, node: Expression, *, level: int) -> _Expansion:
        if level > MAX_LEVELS:
            raise ExpressionError(f"expected definitions of at most {MAX_LEVELS} levels, got level {level}")
        if node.op == "symbol":
            return self._expand_symbol(node, level=level)
        args = [self._expand(arg, level=level + 1) for arg in node.args]
        nodes = 1 + sum(arg.nodes for arg in args)
        levels = 1 + max((arg.levels for arg in args), default=0)
        if nodes > MAX_NODES or levels > MAX_LEVELS:
            raise ExpressionError(
                f"expected at most {MAX_NODES} nodes and {MAX_LEVELS} levels after substitution,"
                f" got {nodes} and {levels}"
            )
        return _Expansion(replace(node, args=tuple(arg.expression for arg in args)), nodes, levels)

    def _expand_symbol(self, node: Expression, *, level: int) -> _Expansion:
        name = node.name
        if name in self.path:
            circle = " -> ".join([*self.path[self.path.index(name) :], name])
            raise ExpressionError(f"expected definitions by other symbols, got a circle ({circle[:200]})")
        if name not in self.expansions:
            definition = self.find_definition(name)
            self.path.append(name)
            self.expansions[name] = (
                _Expansion(node) if definition is None else self._expand(definition, level=level + 1)
            )
            self.path.pop()
            if len(self.expansions) > MAX_SUBSTITUTIONS and definition is not None:
                raise ExpressionError(f"expected at most {MAX_SUBSTITUTIONS} symbols, got {name!r} as one more")
        return self.expansions[name]
