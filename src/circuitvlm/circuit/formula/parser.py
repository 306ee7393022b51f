"""Parse the tokens of a formula into an expression tree by recursive descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from circuitvlm.circuit.formula.lexer import Token
from circuitvlm.circuit.formula.tree import Expression, ExpressionError

MAX_DEPTH = 64
"""Deepest nesting of brackets, fractions and exponents."""

MAX_EXPONENT = 64
"""Largest magnitude of a number in an exponent."""

_SIGNALS = "VIvihHGZYXATU"
"""First letters of functions of s, t or omega: the argument that follows is not a factor (`V_1(s)`)."""

_ARGUMENTS = frozenset({"s", "t", "f", "omega", "j omega", "j * omega", "j 2 pi f", "j 2 * pi * f", "0"})
_MAX_ARGUMENT_LENGTH = 8
_FACTOR_KINDS = frozenset({"number", "name", "j", "open", "frac", "function"})
_CLOSING_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_MAX_POWER_BITS = 4096
"""Largest size of a power that is part of an exponent."""


def parse_tokens(tokens: Sequence[Token]) -> Expression:
    """Return the expression of these tokens. Raises ExpressionError if they are no complete formula."""
    parser = _Parser(tokens)
    expression = parser.parse_sum()
    if parser.kind() != "end":
        raise ExpressionError(f"expected the end of the formula, got {parser.next_token().text[:40]!r}")
    return expression


def argument_length(tokens: Sequence[Token], start: int) -> int:
    """Return how many tokens the argument of a signal takes, brackets included: 3 for `(s)`, 0 if none is there."""
    texts = [token.text for token in tokens[start : start + _MAX_ARGUMENT_LENGTH]]
    length = texts.index(")", 2) + 1 if texts[:1] == ["("] and ")" in texts[2:] else 0
    return length if " ".join(texts[1 : length - 1]) in _ARGUMENTS else 0


class _Parser:
    """A parser with one method per level of precedence: sum, parallel, product, adjacent factors, power, atom."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = list(tokens)
        self.position = 0
        self.depth = 0

    def kind(self) -> str:
        """Return the kind of the next token, "end" after the last one."""
        return self.tokens[self.position].kind if self.position < len(self.tokens) else "end"

    def next_token(self) -> Token:
        """Return the next token and move past it."""
        if self.position >= len(self.tokens):
            formula_end = " ".join(token.text for token in self.tokens[-5:])
            raise ExpressionError(f"expected a number, a symbol or a bracket, got the end after {formula_end!r}")
        self.position += 1
        return self.tokens[self.position - 1]

    def parse_sum(self) -> Expression:
        self._enter()
        terms = [self._parse_signed(self._parse_parallel)]
        while self.kind() in ("+", "-"):
            operator = self.next_token().kind
            term = self._parse_signed(self._parse_parallel)
            terms.append(Expression("neg", (term,)) if operator == "-" else term)
        self.depth -= 1
        return _join("+", terms)

    def _parse_signed(self, parse_operand: Callable[[], Expression]) -> Expression:
        is_negative = False
        while self.kind() in ("+", "-"):
            is_negative ^= self.next_token().kind == "-"
        operand = parse_operand()
        return Expression("neg", (operand,)) if is_negative else operand

    def _parse_parallel(self) -> Expression:
        branches = [self._parse_product()]
        while self.kind() == "||":
            self.next_token()
            branches.append(self._parse_product())
        return _join("||", branches)

    def _parse_product(self) -> Expression:
        factors = [self._parse_adjacent()]
        while (kind := self.kind()) in ("*", "/") or kind in _FACTOR_KINDS:
            if kind in ("*", "/"):
                self.next_token()
            factor = self._parse_adjacent()
            factors.append(_invert(factor) if kind == "/" else factor)
        return _join("*", factors)

    def _parse_adjacent(self) -> Expression:
        """Parse a product whose factors have no space between them: one factor to a slash before it."""
        factors = [self._parse_signed(self._parse_power)]
        while self.kind() in _FACTOR_KINDS and self.tokens[self.position].is_adjacent:
            factors.append(self._parse_power())
        return _join("*", factors)

    def _parse_power(self) -> Expression:
        base = self._parse_atom()
        if self.kind() != "^":
            return base
        base_token = self.tokens[self.position - 1]
        self.next_token()
        self._enter()
        exponent = self._parse_signed(self._parse_power)  # a tower of powers is grouped from the right
        self.depth -= 1
        is_exponential = base_token.text == "e" and not base_token.is_known
        return Expression("exp", (exponent,)) if is_exponential else _power(base, exponent)

    def _parse_atom(self) -> Expression:
        token = self.next_token()
        if token.kind == "number":
            if self.kind() == "number":
                numbers = f"{token.text[:20]} {self.next_token().text[:20]}"
                raise ExpressionError(f"expected an operator between two numbers, got {numbers!r}")
            return Expression("number", number=token.number)
        parsers = {
            "name": self._parse_symbol,
            "j": self._parse_symbol,
            "open": self._parse_group,
            "function": self._parse_call,
        }
        if parse := parsers.get(token.kind):
            return parse(token)
        if token.kind == "|":
            content = self.parse_sum()
            if (closing_token := self.next_token()).kind != "|":
                raise ExpressionError(f"expected the closing bar of an absolute value, got {closing_token.text[:20]!r}")
            return Expression("abs", (content,))
        if token.kind == "frac":
            self._enter()
            numerator, denominator = self._parse_command_argument(), self._parse_command_argument()
            self.depth -= 1
            return _divide(numerator, denominator)
        raise ExpressionError(f"expected a number, a symbol or a bracket, got {token.text[:40]!r}")

    def _parse_symbol(self, token: Token) -> Expression:
        if token.kind == "j" or (token.text == "pi" and not token.is_known):
            return Expression("j" if token.kind == "j" else "pi")
        if token.text[0] in _SIGNALS:
            self.position += argument_length(self.tokens, self.position)
        return Expression("symbol", name=token.text)

    def _parse_group(self, opening_token: Token) -> Expression:
        content = self.parse_sum()
        if opening_token.text == "{" and self.kind() == "over":
            self.next_token()
            content = _divide(content, self.parse_sum())
        closing_token, closing_bracket = self.next_token(), _CLOSING_BRACKETS[opening_token.text]
        if closing_token.kind != "close" or closing_token.text != closing_bracket:
            raise ExpressionError(
                f"expected {closing_bracket!r} to close {opening_token.text!r}, got {closing_token.text[:20]!r}"
            )
        return content

    def _parse_command_argument(self) -> Expression:
        """Parse the argument of a LaTeX command: a group in braces, else one digit or symbol."""
        if self.kind() == "number" and len(digits := self.tokens[self.position].text) > 1 and digits.isdigit():
            self.tokens[self.position] = Token("number", digits[1:], number=Fraction(digits[1:]))
            return Expression("number", number=Fraction(digits[0]))
        return self._parse_atom()

    def _parse_call(self, token: Token) -> Expression:
        self._enter()
        exponent, index = None, Fraction(2)
        if token.text == "sqrt" and self.kind() == "open" and self.tokens[self.position].text == "[":
            index = self._parse_root_index()
        elif self.kind() == "^":
            self.next_token()
            exponent = self._parse_atom()
        argument = self._parse_function_argument(token.text)
        self.depth -= 1
        if token.text == "sqrt":
            call = Expression("^", (argument, Expression("number", number=1 / index)))
        elif exponent is not None and _constant(exponent) == -1:
            if token.text != "tan":
                raise ExpressionError(f"expected an inverse of tan only, got the inverse of {token.text}")
            return Expression("arctan", (argument,))
        else:
            call = Expression(token.text, (argument,))
        if token.number:  # log_10
            call = _divide(call, Expression(token.text, (Expression("number", number=token.number),)))
        return call if exponent is None else _power(call, exponent)

    def _parse_root_index(self) -> Fraction:
        index = self._parse_group(self.next_token())
        if index.op != "number" or index.number.denominator != 1 or not 1 <= index.number <= MAX_EXPONENT:
            raise ExpressionError(
                f"expected a root with an index from 1 to {MAX_EXPONENT},"
                f" got the index {index.number if index.op == 'number' else index.op}"
            )
        return index.number

    def _parse_function_argument(self, function: str) -> Expression:
        """Parse a bracket, else the adjacent factors; of sin, cos and tan the whole product (sin omega t)."""
        if self.kind() in ("open", "|"):
            return self._parse_atom()
        factors = [self._parse_adjacent()]
        while function in ("sin", "cos", "tan") and self.kind() in ("number", "name", "j", "frac"):
            factors.append(self._parse_adjacent())
        return _join("*", factors)

    def _enter(self) -> None:
        """Count a level of nesting. Raises ExpressionError beyond MAX_DEPTH."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"expected at most {MAX_DEPTH} levels of nesting, got {self.depth}")


def _join(op: str, parts: list[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else Expression(op, tuple(parts))


def _invert(expression: Expression) -> Expression:
    return Expression("inv", (expression,))


def _divide(numerator: Expression, denominator: Expression) -> Expression:
    return Expression("*", (numerator, _invert(denominator)))


def _power(base: Expression, exponent: Expression) -> Expression:
    """Return a power. A numeric exponent is evaluated and bounded, so that no power costs more than its text."""
    value = _constant(exponent)
    if value is None:
        return Expression("^", (base, exponent))
    if abs(value.numerator) > MAX_EXPONENT or value.denominator > MAX_EXPONENT:
        raise ExpressionError(f"expected an exponent of at most {MAX_EXPONENT}, got {_magnitude(value)}")
    return Expression("^", (base, Expression("number", number=value)))


def _constant(node: Expression) -> Fraction | None:
    """Return the value of a tree of numbers; None if it has symbols, functions or a division by zero."""
    if node.op == "number":
        return node.number
    values = [value for value in map(_constant, node.args) if value is not None]
    if node.op not in ("neg", "inv", "+", "*", "^") or len(values) < len(node.args):
        return None
    first, last = values[0], values[-1]
    if node.op == "neg":
        return -first
    if node.op == "inv":
        return 1 / first if first else None
    if node.op == "^":
        bits = max(first.numerator.bit_length(), first.denominator.bit_length())
        if abs(last) > MAX_EXPONENT or abs(last) * bits > _MAX_POWER_BITS:
            raise ExpressionError(
                f"expected an exponent of at most {MAX_EXPONENT},"
                f" got a number of {bits} bits to the power {_magnitude(last)} in an exponent"
            )
        return first ** int(last) if last.denominator == 1 and (first or last >= 0) else None
    return sum(values, Fraction(0)) if node.op == "+" else math.prod(values, start=Fraction(1))


def _magnitude(value: Fraction) -> str:
    """Return the number for an error message; it may be too large for a float."""
    return f"{float(value):g}" if abs(value) < 10**300 else "more than 1e300"
