"""Which unit is written at this token?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from circuitvlm.circuit.quantity.tokens import END, Token
from circuitvlm.circuit.quantity.unit import OTHER, Unit, inverse, prefix_of, product, quotient, unit_of

Number = float | complex


class Part(NamedTuple):
    """A number, and the token after it."""

    value: Number
    end: int


class UnitReader:
    """Reads units, signs and exponents off a list of tokens; beyond its ends there is only END."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens

    def at(self, index: int) -> Token:
        return self.tokens[index] if 0 <= index < len(self.tokens) else END

    def sign(self, index: int) -> tuple[int, int]:
        kind = self.at(index).kind
        return (index + 1, -1 if kind == "-" else 1) if kind in ("-", "+") else (index, 1)

    def exponent(self, start: int) -> Part | None:
        """A whole number of at most three digits, in brackets or not."""
        bracket = self.at(start).kind == "("
        index, sign = self.sign(start + bracket)
        number = self.at(index)
        if number.kind != "number" or not number.text.isdigit() or len(number.text) > 3 or int(number.text) > 300:
            return None
        if bracket and self.at(index + 1).kind != ")":
            return None
        return Part(sign * float(number.text), index + 1 + bracket)

    def unit_after_point(self, index: int) -> tuple[Unit | None, int]:
        """The unit of `5. V`, where nothing but the end of the line comes after it."""
        if self.at(index).kind == "." and self.at(index).glued:
            unit, end = self.unit(index + 1)
            if unit is not None and self.at(end).kind in ("end", "line"):
                return unit, end
        return None, index

    def unit(self, start: int) -> tuple[Unit | None, int]:
        """The unit at `start`, in brackets or not, and the token after it; OTHER for one that is none of ours."""
        if closing := {"(": ")", "[": "]"}.get(self.at(start).kind):
            unit, index = self._simple_unit(start + 1)
            enclosed = unit is not None and unit.name is not None and self.at(index).kind == closing
            return (unit, index + 1) if enclosed else (None, start)
        unit, index = self._simple_unit(start)
        while unit is not None and unit != OTHER:
            kind, text, _ = self.at(index)
            if kind == "^":
                exponent = self.exponent(index + 1)
                unit = inverse(unit) if exponent and exponent.value == -1 else OTHER
                index = exponent.end if exponent else index + 1
                continue
            divided = kind == "/" or text == "per"
            second, end = self._simple_unit(index + 1) if divided or kind == "*" else (None, index)
            power = index + 1 + (kind == "*")
            if unit.name == "rad" and self.at(power - 1).text == "s" and self.at(power).kind == "^":
                exponent = self.exponent(power + 1)
                divided = exponent is not None and exponent.value == -1
                second, end = Unit("s"), exponent.end if exponent else power
            if second is None or unit.name is None:
                break
            unit, index = quotient(unit, second) if divided else product(unit, second), end
        return unit, index

    def _simple_unit(self, index: int) -> tuple[Unit | None, int]:
        kind, text, glued = self.at(index)
        following = self.at(index + 1)
        if kind == "°":
            return (OTHER, index + 2) if following.text in ("C", "F", "K") else (Unit("deg"), index + 1)
        if kind == "-" and glued and following.kind == "word" and following.glued:
            unit = unit_of(following.text)
            return (unit, index + 2) if unit else (None, index)
        ones = 2 if kind == "number" and text == "1" and following.kind == "/" else 1 if kind == "/" else 0
        if ones and self.at(index + ones).kind == "word":
            unit = unit_of(self.at(index + ones).text)
            return (inverse(unit), index + ones + 1) if unit and unit.name == "Ohm" else (None, index)
        if kind != "word":
            return None, index
        hyphen = following.kind == "-" and following.glued and self.at(index + 2).glued
        second = self.at(index + 1 + hyphen)
        unit = unit_of(text)
        if second.kind == "word" and (unit is None or text.lower() in ("volt", "volts")):
            # k Ω, milli amps, volt amperes, kilo-ohms.
            joined = unit_of(text + second.text)
            unit, index = (joined, index + 1 + hyphen) if joined else (unit, index)
        unit = unit or prefix_of(text, glued=glued)
        return (unit, index + 1) if unit else (None, index)
