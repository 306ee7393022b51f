"""Which formula does a row of tokens state?"""

from __future__ import annotations

from fractions import Fraction

from circuitvlm.circuit.formula.lexer import Token
from circuitvlm.circuit.formula.tree import Expression, ExpressionError

MAX_DEPTH = 64
"""Deepest nesting of brackets, fractions and exponents."""

MAX_EXPONENT = 64
"""Largest magnitude of a number in an exponent."""

_SIGNALS = "VIvihHGZYXATU"
"""First letters of what is a function of s, t or omega, so that the argument behind it is no factor: `V_1(s)`."""

_ARGUMENTS = frozenset({"s", "t", "f", "omega", "j omega", "j * omega", "j 2 pi f", "j 2 * pi * f", "0"})


class Reader:
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
        if token.text[0] in _SIGNALS and (length := argument(self.found, self.at)):
            self.at += length
        return Expression("symbol", name=token.text)

    def _closed(self, opening: Token) -> Expression:
        inner = self.sum()
        if opening.text == "{" and self.kind() == "over":
            self.take()
            inner = Expression("*", (inner, Expression("inv", (self.sum(),))))
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
        inner = self._argument_of(token.text)
        self.depth -= 1
        if token.text == "sqrt":
            root = Expression("^", (inner, Expression("number", number=1 / index)))
            return root if power is None else _power(root, power)
        if power is not None and _constant(power) == -1:
            if token.text != "tan":
                raise ExpressionError(f"the inverse of {token.text} is not read")
            return Expression("arctan", (inner,))
        made = Expression(token.text, (inner,))
        if token.number:  # log_10
            base = Expression(token.text, (Expression("number", number=token.number),))
            made = Expression("*", (made, Expression("inv", (base,))))
        return made if power is None else _power(made, power)

    def _argument_of(self, function: str) -> Expression:
        """What a function is taken of: a bracket, else what touches; of an angle, the whole product (sin omega t)."""
        if self.kind() in ("open", "|"):
            return self.atom()
        factors = [self.glued()]
        while function in ("sin", "cos", "tan") and self.kind() in ("number", "name", "j", "frac"):
            factors.append(self.glued())
        return _of("*", factors)

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
        bits = max(values[0].numerator.bit_length(), values[0].denominator.bit_length())
        if abs(values[1]) > MAX_EXPONENT or abs(values[1]) * bits > 4096:
            raise ExpressionError(f"an exponent beyond {MAX_EXPONENT}")
        return values[0] ** int(values[1]) if values[1].denominator == 1 and (values[0] or values[1] >= 0) else None
    total = Fraction(0) if node.op == "+" else Fraction(1)
    for value in values:
        total = total + value if node.op == "+" else total * value
    return total


def argument(found: list[Token], at: int) -> int:
    """How many tokens the argument of a signal takes, brackets included: 3 for `(s)`, 0 where none stands there."""
    if at >= len(found) or found[at].text != "(":
        return 0
    for length in range(3, 9):
        if at + length <= len(found) and found[at + length - 1].text == ")":
            return length if " ".join(t.text for t in found[at + 1 : at + length - 1]) in _ARGUMENTS else 0
    return 0
