"""Which formula does this text state? LaTeX and plain mathematics, read without ever being executed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from circuitvlm.circuit import _mathtext
from circuitvlm.circuit._mathlex import FUNCTIONS, ExpressionError, Token, Vocabulary, canonical, tokens

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_EXPONENT", "Expression", "ExpressionError", "canonical", "parse"]

MAX_CHARACTERS = 20_000
"""Longest text that is read; the longest answers of CircuitSense have 11,276 characters."""

MAX_DEPTH = 64
"""Deepest nesting of brackets, fractions and exponents."""

MAX_EXPONENT = 64
"""Largest magnitude of a number in an exponent."""

_SIGNALS = "VIvihHGZYXATU"
"""First letters of what is a function of s, t or omega, so that the argument behind it is no factor: `V_1(s)`."""


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


def parse(text: str, symbols: Iterable[str] | Vocabulary | None = None) -> Expression:
    """The formula that a text states: `R2/(R1+R2)`, `\\frac{1}{1+sR_1C_1}`, `H(s) = ..`, a sentence that ends in one.

    `R1`, `R_1`, `R_{1}` and `R_{\\text{1}}` are one symbol, named R1. With `symbols`, a run of letters that is none of
    them is cut into those that are (`sR1C1` is s*R1*C1), and letters of the wrong case are mended where only one
    symbol fits. Without, a capital letter or a digit's end begins the next symbol. A product without a sign binds
    tighter than a slash where no space stands between (`1/sC` is 1/(s*C)); `||`, `//` and `\\parallel` lie between +
    and *. Of `a = b` the last side counts, if the others only name it; of an equation that names nothing
    (`V1/R1 + I = 0`) the difference of its sides. Raises ExpressionError for what is no formula, for texts over
    MAX_CHARACTERS, nesting over MAX_DEPTH and exponents over MAX_EXPONENT.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"{len(text)} characters; at most {MAX_CHARACTERS} are read")
    vocabulary = None if symbols is None else symbols if isinstance(symbols, Vocabulary) else Vocabulary(symbols)
    fault: ExpressionError | None = None
    for candidate in _mathtext.candidates(text):
        try:
            return _statement(candidate, vocabulary)
        except ExpressionError as error:
            fault = fault or error
    raise fault or ExpressionError("the text is empty; wanted a formula such as R2/(R1+R2)")


def _statement(text: str, vocabulary: Vocabulary | None) -> Expression:
    """The formula of a text without prose before it; of several sides the last, or the difference of two."""
    sides = _sides(list(tokens(text, vocabulary)))
    last = _Reader(sides[-1]).whole()
    named = [_names_something(side) for side in sides[:-1]]
    if all(named) or len(sides) > 2:
        return last
    first = _Reader(sides[0]).whole()
    return Expression("+", (first, Expression("neg", (last,))))


def _sides(found: list[Token]) -> list[list[Token]]:
    sides: list[list[Token]] = [[]]
    for token in found:
        if token.kind == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    if not sides[-1]:
        raise ExpressionError("no formula behind the sign of equality")
    return [side for side in sides if side]


def _names_something(side: list[Token]) -> bool:
    """Whether a side only names what the next one states: `H(s)`, `V_o/V_i`, `\\frac{V_o(s)}{V_i(s)}`, `|H|`."""
    bare = [token for token in side if token.kind not in ("open", "close", "|")]
    names = [token for token in bare if token.kind == "name"]
    others = [token for token in bare if token.kind not in ("name", "j")]
    if not names or any(token.kind not in ("/", "frac") for token in others) or len(others) > 1:
        return False
    signals = [token for token in names if token.text not in ("s", "t", "omega")]
    return len(signals) <= 1 + len(others)


class _Reader:
    """Recursive descent: sum, parallel, product, sign, power, atom."""

    def __init__(self, found: list[Token]) -> None:
        self.found = found
        self.at = 0
        self.depth = 0

    def whole(self) -> Expression:
        made = self.sum()
        if self.at < len(self.found):
            raise ExpressionError(f"{self.found[self.at].text[:40]!r} does not belong behind a formula")
        return made

    def kind(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.found[place].kind if place < len(self.found) else "end"

    def take(self) -> Token:
        if self.at >= len(self.found):
            raise ExpressionError("the formula ends where a number, a symbol or a bracket should stand")
        self.at += 1
        return self.found[self.at - 1]

    def sum(self) -> Expression:
        self._deeper()
        terms = [self.parallel()]
        while self.kind() in ("+", "-"):
            sign = self.take().kind
            term = self.parallel()
            terms.append(term if sign == "+" else Expression("neg", (term,)))
        self.depth -= 1
        return _of("+", terms)

    def parallel(self) -> Expression:
        negative = False
        while self.kind() in ("+", "-"):
            negative ^= self.take().kind == "-"
        branches = [self.product()]
        while self.kind() == "||":
            self.take()
            branches.append(self.product())
        made = _of("||", branches)
        return Expression("neg", (made,)) if negative else made

    def product(self) -> Expression:
        factors = [self.glued()]
        while True:
            kind = self.kind()
            if kind in ("*", "/"):
                self.take()
                factor = self.glued()
                factors.append(Expression("inv", (factor,)) if kind == "/" else factor)
            elif kind in _OPENING:
                factors.append(self.glued())
            else:
                return _of("*", factors)

    def glued(self) -> Expression:
        """A product whose factors touch: one factor to a slash before it."""
        factors = [self.signed()]
        while self.kind() in _OPENING and self.found[self.at].glued:
            factors.append(self.power())
        return _of("*", factors)

    def signed(self) -> Expression:
        negative = False
        while self.kind() in ("+", "-"):
            negative ^= self.take().kind == "-"
        made = self.power()
        return Expression("neg", (made,)) if negative else made

    def power(self) -> Expression:
        base = self.atom()
        if self.kind() != "^":
            return base
        euler = self.found[self.at - 1].text == "e" and not self.found[self.at - 1].known
        self.take()
        self._deeper()
        exponent = self.signed()  # a tower is read from the right
        self.depth -= 1
        if euler:
            return Expression("exp", (exponent,))
        return _power(base, exponent)

    def atom(self) -> Expression:
        token = self.take()
        if token.kind == "number":
            if self.kind() == "number":
                raise ExpressionError(
                    f"two numbers side by side: {token.text[:20]!r}, {self.found[self.at].text[:20]!r}"
                )
            return Expression("number", number=token.number)
        if token.kind in ("name", "j"):
            return self._named(token)
        if token.kind == "open":
            return self._closed(token)
        if token.kind == "|":
            inner = self.sum()
            if self.take().kind != "|":
                raise ExpressionError("a bar is never closed")
            return Expression("abs", (inner,))
        if token.kind == "frac":
            self._deeper()
            above, below = self._argument(), self._argument()
            self.depth -= 1
            return Expression("*", (above, Expression("inv", (below,))))
        if token.kind == "function":
            return self._call(token)
        raise ExpressionError(f"{token.text[:40]!r} stands where a number, a symbol or a bracket should")

    def _named(self, token: Token) -> Expression:
        if token.kind == "j":
            return Expression("j")
        if token.text == "pi" and not token.known:
            return Expression("pi")
        if token.text[0] in _SIGNALS and not token.known and self._has_argument():
            while self.take().kind != "close":
                pass
        return Expression("symbol", name=token.text)

    def _has_argument(self) -> bool:
        """Whether `(s)`, `(t)` or `(j omega)` follows."""
        if self.kind() != "open":
            return False
        inner = [t.text for t in self.found[self.at + 1 : self.at + 4]]
        return (inner[1:2] == [")"] and inner[0] in ("s", "t", "omega")) or inner == ["j", "omega", ")"]

    def _closed(self, opening: Token) -> Expression:
        inner = self.sum()
        closing = self.take()
        if closing.kind != "close" or _CLOSES[opening.text] != closing.text:
            raise ExpressionError(
                f"{opening.text!r} is closed by {closing.text[:20]!r}, wanted {_CLOSES[opening.text]!r}"
            )
        return inner

    def _argument(self) -> Expression:
        """What a command takes: a group in braces, else one digit or symbol."""
        if self.kind() == "number" and len(self.found[self.at].text) > 1 and self.found[self.at].text.isdigit():
            token = self.found[self.at]
            head, tail = token.text[0], token.text[1:]
            self.found[self.at] = Token("number", tail, number=Fraction(tail), glued=True)
            return Expression("number", number=Fraction(head))
        return self.atom()

    def _call(self, token: Token) -> Expression:
        self._deeper()
        power = None
        index = Fraction(2)
        if token.text == "sqrt" and self.kind() == "open" and self.found[self.at].text == "[":
            root = self._closed(self.take())
            if root.op != "number" or root.number.denominator != 1 or not 1 <= root.number <= MAX_EXPONENT:
                raise ExpressionError("the index of a root is no whole number from 1 to 64")
            index = root.number
        elif self.kind() == "^":
            self.take()
            power = self.atom()
        inner = self.atom() if self.kind() in ("open", "|") else self.glued()
        self.depth -= 1
        if token.text == "sqrt":
            return Expression("^", (inner, Expression("number", number=1 / index)))
        made = Expression(token.text, (inner,))
        if token.number:  # log_10
            base = Expression(token.text, (Expression("number", number=token.number),))
            made = Expression("*", (made, Expression("inv", (base,))))
        return made if power is None else _power(made, power)

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep")


_OPENING = frozenset({"number", "name", "j", "open", "frac", "function"})
_CLOSES = {"(": ")", "[": "]", "{": "}"}


def _of(op: str, parts: list[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else Expression(op, tuple(parts))


def _power(base: Expression, exponent: Expression) -> Expression:
    """A power; an exponent that is a number is worked out, and bounded, so that no power costs more than its text."""
    value = _constant(exponent)
    if value is None:
        return Expression("^", (base, exponent))
    if abs(value.numerator) > MAX_EXPONENT or value.denominator > MAX_EXPONENT:
        raise ExpressionError(f"an exponent beyond {MAX_EXPONENT}")
    return Expression("^", (base, Expression("number", number=value)))


def _constant(node: Expression) -> Fraction | None:
    """The number that a small tree of numbers states; None where it has symbols, or powers (bounded on their own)."""
    if node.op == "number":
        return node.number
    inner = [_constant(arg) for arg in node.args]
    if node.op not in ("neg", "inv", "+", "*", "^") or None in inner:
        return None
    values = [value for value in inner if value is not None]
    if node.op == "neg":
        return -values[0]
    if node.op == "inv":
        return 1 / values[0] if values[0] else None
    if node.op == "^":
        return values[0] ** int(values[1]) if values[1].denominator == 1 and (values[0] or values[1] >= 0) else None
    total = Fraction(0) if node.op == "+" else Fraction(1)
    for value in values:
        total = total + value if node.op == "+" else total * value
    return total


assert "abs" in FUNCTIONS, "bars are read as abs"
