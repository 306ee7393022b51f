"""Parse units, signs and exponents from a list of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from circuitvlm.circuit.quantity.tokens import END, Token
from circuitvlm.circuit.quantity.unit import (
    UNSUPPORTED_UNIT,
    Unit,
    divide_units,
    find_prefix,
    find_unit,
    invert_unit,
    multiply_units,
)

Number = float | complex


class ParsedNumber(NamedTuple):
    """A number, and the index of the token after it."""

    value: Number
    end: int


class UnitParser:
    """A parser of units. Every method takes the index of a token; outside the list every token is END."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens

    def token(self, index: int) -> Token:
        return self.tokens[index] if 0 <= index < len(self.tokens) else END

    def kind(self, index: int) -> str:
        return self.token(index).kind

    def parse_sign(self, index: int) -> tuple[int, int]:
        """Return the index after an optional sign, and 1 or -1."""
        kind = self.kind(index)
        return index + (kind in ("-", "+")), -1 if kind == "-" else 1

    def parse_exponent(self, start: int) -> ParsedNumber | None:
        """Return a whole number from -300 to 300, in brackets or not."""
        has_bracket = self.kind(start) == "("
        index, sign = self.parse_sign(start + has_bracket)
        number = self.token(index)
        is_whole = number.kind == "number" and number.text.isdigit() and len(number.text) <= 3
        if not is_whole or int(number.text) > 300 or (has_bracket and self.kind(index + 1) != ")"):
            return None
        return ParsedNumber(sign * float(number.text), index + 1 + has_bracket)

    def parse_unit_after_point(self, index: int) -> tuple[Unit | None, int]:
        """Return the unit of `5. V`, if it ends the line, and the index after it."""
        if self.kind(index) == "." and self.token(index).is_adjacent:
            unit, end = self.parse_unit(index + 1)
            if unit is not None and self.kind(end) in ("end", "line"):
                return unit, end
        return None, index

    def parse_unit(self, start: int) -> tuple[Unit | None, int]:
        """Return the unit, in brackets or not, and the index after it; UNSUPPORTED for one that is none of UNITS."""
        if closing_bracket := {"(": ")", "[": "]"}.get(self.kind(start)):
            unit, end = self._parse_single_unit(start + 1)
            is_closed = unit is not None and unit.name is not None and self.kind(end) == closing_bracket
            return (unit, end + 1) if is_closed else (None, start)
        unit, index = self._parse_single_unit(start)
        while unit is not None and unit != UNSUPPORTED_UNIT:
            kind, text, _ = self.token(index)
            if kind == "^":
                exponent = self.parse_exponent(index + 1)
                unit = invert_unit(unit) if exponent and exponent.value == -1 else UNSUPPORTED_UNIT
                index = exponent.end if exponent else index + 1
                continue
            is_quotient, is_product = kind == "/" or text == "per", kind == "*"
            factor, end = self._parse_single_unit(index + 1) if is_quotient or is_product else (None, index)
            second = index + is_product
            if unit.name == "rad" and self.token(second).text == "s" and self.kind(second + 1) == "^":
                exponent = self.parse_exponent(second + 2)
                is_quotient = exponent is not None and exponent.value == -1
                factor, end = Unit("s"), exponent.end if exponent else second + 1
            if factor is None and is_quotient and kind == "/" and self.kind(index + 1) == "word":
                return UNSUPPORTED_UNIT, index + 2  # mV/celsius
            if factor is None or unit.name is None:
                break
            unit, index = divide_units(unit, factor) if is_quotient else multiply_units(unit, factor), end
        return unit, index

    def _parse_single_unit(self, index: int) -> tuple[Unit | None, int]:
        """Return a unit without products, quotients and powers, and the index after it."""
        kind, text, is_adjacent = self.token(index)
        next_token = self.token(index + 1)
        if kind == "°":
            return (UNSUPPORTED_UNIT, index + 2) if next_token.text in ("C", "F", "K") else (Unit("deg"), index + 1)
        if kind == "-" and is_adjacent and next_token.kind == "word" and next_token.is_adjacent:
            return (unit, index + 2) if (unit := find_unit(next_token.text)) else (None, index)
        slash = index + (kind == "number" and text == "1")
        if self.kind(slash) == "/":  # /Ω or 1/Ω
            unit = find_unit(self.token(slash + 1).text)
            return (invert_unit(unit), slash + 2) if unit and unit.name == "Ohm" else (None, index)
        if kind != "word":
            return None, index
        has_hyphen = next_token.kind == "-" and next_token.is_adjacent and self.token(index + 2).is_adjacent
        second = self.token(index + 1 + has_hyphen)
        unit = find_unit(text)
        if second.kind == "word" and (unit is None or text.lower() in ("volt", "volts")):
            # k Ω, milli amps, volt amperes, kilo-ohms.
            joined_unit = find_unit(text + second.text)
            unit, index = (joined_unit, index + 1 + has_hyphen) if joined_unit else (unit, index)
        unit = unit or find_prefix(text, is_adjacent=is_adjacent)
        return (unit, index + 1) if unit else (None, index)
