"""Parse the number and the unit that start at a token: decimals, fractions, powers, complex numbers and phasors."""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from circuitvlm.circuit.quantity.tokens import Token
from circuitvlm.circuit.quantity.unit import (
    MAX_MAGNITUDE,
    MIN_MAGNITUDE,
    UNSUPPORTED_UNIT,
    Unit,
    find_prefix,
    find_unit,
)
from circuitvlm.circuit.quantity.unit_parser import Number, ParsedNumber, UnitParser

_MAX_DEPTH = 8
_INFIX_PREFIX = re.compile(r"(meg|[TGMkKmuµμnpRrVv])([0-9]{1,3})(\D\w*)?", re.I)
_ANGLE_WORDS = frozenset(("at", "with", "and", "an", "a", "the", "phase", "angle", "of", "="))
_MAX_ANGLE_WORDS = 6


class ParsedQuantity(NamedTuple):
    """A quantity, and the index of the token after it. `unit` is one of UNITS, or None."""

    value: Number
    unit: str | None
    end: int


def is_in_range(value: Number, digits: str = "") -> bool:
    """Whether a circuit can have this number: 0, or a magnitude from MIN_MAGNITUDE to MAX_MAGNITUDE.

    `digits` is the text of the number: an underflow to 0 is not in range.
    """
    is_zero = value == 0 and not any(digit in "123456789" for digit in digits.lower().partition("e")[0])
    return is_zero or MIN_MAGNITUDE <= math.hypot(value.real, value.imag) <= MAX_MAGNITUDE


class QuantityParser(UnitParser):
    """A parser by recursive descent over tokens, which stops at the first token that it cannot parse.

    It counts its steps: after more than 8 for each token, which only a hostile text needs, it parses nothing.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        super().__init__(tokens)
        self.steps = 100 + 8 * len(tokens)

    def is_number_start(self, index: int) -> bool:
        """Whether a number without its sign could start here."""
        kind, text, _ = self.token(index)
        next_kind = self.kind(index + 1)
        return (
            kind in ("number", "(", "j", "√")
            or (kind == "word" and text in ("sqrt", "frac") and next_kind == "(")
            or (kind == "word" and text in ("j", "π") and next_kind in ("number", "*", "/", "("))
        )

    def parse_quantity(self, start: int) -> ParsedQuantity | None:
        """Return the quantity with its sign that starts here; None if there is none, or its end cannot be parsed."""
        index, sign = self.parse_sign(start)
        if quantity := self._parse_infix_prefix(index):
            return quantity._replace(value=sign * quantity.value)
        if (number := self._parse_sum(index, sign=sign, depth=0)) is None:
            return None
        (value, end), unit = number, None
        phasor = self._parse_phasor(number)
        if phasor is None:
            unit, end = self.parse_unit(end)  # 5 V ∠ 90°
            phasor = self._parse_phasor(ParsedNumber(value, end)) if end > number.end else None
        if phasor is not None:
            value, end = phasor
        if unit is None:
            unit, end = self.parse_unit(end) if phasor else self.parse_unit_after_point(end)
        return self._build_quantity(value, unit, end=end)

    def _build_quantity(self, value: Number, unit: Unit | None, *, end: int) -> ParsedQuantity | None:
        next_token = self.token(end)
        if unit == UNSUPPORTED_UNIT or (next_token.kind in ("word", "?", "number") and next_token.is_adjacent):
            return None
        name, power = unit or (None, 0)
        # Dividing keeps 2.2 u at 2.2e-6, the nearest float; multiplying by 1e-6 does not.
        value = value * 10.0**power if power >= 0 else value / 10.0**-power
        if name == "rad":
            value, name = value * (180 / math.pi), "deg"
        return ParsedQuantity(value, name, end) if is_in_range(value) else None

    def _parse_infix_prefix(self, index: int) -> ParsedQuantity | None:
        """Return 2k2, 4R7 or 3V3: the prefix or the unit is in the place of the decimal point."""
        number, word = self.token(index), self.token(index + 1)
        is_whole = number.kind == "number" and number.text.isdigit() and word.kind == "word" and word.is_adjacent
        if not is_whole or not (match := _INFIX_PREFIX.fullmatch(word.text)):
            return None
        letter, decimals, unit_text = match.groups()
        prefix = {"r": Unit("Ohm"), "v": Unit("V")}.get(letter.lower()) or find_prefix(letter, is_adjacent=True)
        unit = find_unit(unit_text) if unit_text else Unit(prefix.name if prefix else None)
        if prefix is None or unit is None:
            return None
        value = float(f"{number.text}.{decimals}")
        return self._build_quantity(value, Unit(unit.name, prefix.power + unit.power), end=index + 2)

    def _parse_sum(self, start: int, *, sign: int, depth: int) -> ParsedNumber | None:
        """Return a product, or the sum of a real and an imaginary one; in brackets any sum."""
        if (first := self._parse_product(start, depth=depth)) is None:
            return None
        value, index = sign * first.value, first.end
        while (operator := self.kind(index)) in ("+", "-"):
            term = self._parse_product(index + 1, depth=depth)
            if term is None or (depth == 0 and isinstance(value, complex) == isinstance(term.value, complex)):
                break
            value = value + term.value if operator == "+" else value - term.value
            index = term.end
        return ParsedNumber(value, index)

    def _parse_product(self, start: int, *, depth: int) -> ParsedNumber | None:
        number = self._parse_factor(start, depth=depth)
        while number is not None and self.steps > 0:
            self.steps -= 1
            value, index = number
            kind, text, is_adjacent = self.token(index)
            if kind in ("*", "/"):
                factor = self._parse_damaged_power(index) or self._parse_factor(index + 1, depth=depth)
                if factor is None or (kind == "/" and factor.value == 0):
                    return number
                value = value * factor.value if kind == "*" else value / factor.value
            elif self._is_imaginary_unit(index):
                factor = ParsedNumber(1j, index + 1)
                value = value * 1j
            elif kind == "√" or text in ("sqrt", "frac", "π") or (text == "pi" and is_adjacent):
                if (factor := self._parse_factor(index, depth=depth)) is None:
                    return number
                is_mixed_number = text == "frac" and self.token(index - 1).text.isdigit() and 0 < factor.value.real < 1
                value = value + factor.value if is_mixed_number else value * factor.value
            else:
                return number
            number = ParsedNumber(value, factor.end) if is_in_range(value) else None
        return None

    def _is_imaginary_unit(self, index: int) -> bool:
        """Whether a j or an i here belongs to the number before it."""
        kind, text, _ = self.token(index)
        next_token = self.token(index + 1)
        is_summand = text == "i" and self.kind(index - 2) in ("+", "-")
        return (kind == "j" or text == "j" or is_summand) and not (
            next_token.kind == "number" and next_token.is_adjacent
        )

    def _parse_factor(self, index: int, *, depth: int) -> ParsedNumber | None:
        kind, text, _ = self.token(index)
        self.steps -= 1
        if depth > _MAX_DEPTH or self.steps <= 0:
            return None
        if kind == "number":
            value = float(text)
            if self.kind(index + 1) == "^":
                return self._parse_power_of_ten(index + 2) if value == 10 else None
            return ParsedNumber(value, index + 1) if is_in_range(value, text) else None
        if kind == "(":
            return self._parse_group(index, depth=depth)
        if text in ("π", "pi"):
            return ParsedNumber(math.pi, index + 1)
        if kind == "√" or text in ("sqrt", "frac"):
            argument = self._parse_factor(index + 1, depth=depth + 1)
            if argument is None or text == "frac":
                return argument
            is_valid = not isinstance(argument.value, complex) and argument.value >= 0
            return ParsedNumber(math.sqrt(argument.value.real), argument.end) if is_valid else None
        if kind == "j" or text == "j":
            factor = self._parse_factor(index + 1 + (self.kind(index + 1) == "*"), depth=depth + 1)
            return ParsedNumber(factor.value * 1j, factor.end) if factor else ParsedNumber(1j, index + 1)
        return None

    def _parse_group(self, index: int, *, depth: int) -> ParsedNumber | None:
        start, sign = self.parse_sign(index + 1)
        if number := self._parse_sum(start, sign=sign, depth=depth + 1):
            number = self._parse_phasor(number, depth=depth + 1) or number
        if number is None or self.kind(number.end) != ")" or not is_in_range(number.value):
            return None
        return ParsedNumber(number.value, number.end + 1)

    def _parse_power_of_ten(self, index: int) -> ParsedNumber | None:
        exponent = self.parse_exponent(index)
        is_single = exponent is not None and self.kind(exponent.end) != "^"
        return ParsedNumber(10.0 ** int(exponent.value.real), exponent.end) if exponent and is_single else None

    def _parse_damaged_power(self, index: int) -> ParsedNumber | None:
        """Return the 10-3 of `3.4 x 10-3`: a power whose superscript was lost in copying."""
        ten, minus, number = (self.token(index + offset) for offset in (1, 2, 3))
        is_power = self.kind(index) == "*" and ten.text == "10" and minus.kind == "-" and minus.is_adjacent
        is_exponent = number.kind == "number" and number.is_adjacent and number.text.isdigit() and len(number.text) < 3
        return ParsedNumber(10.0 ** -int(number.text), index + 4) if is_power and is_exponent else None

    def _parse_phasor(self, magnitude: ParsedNumber, *, depth: int = 0) -> ParsedNumber | None:
        """Return the phasor of this magnitude: 5∠30°, 5 at an angle of 30°, 5 e^(j30°), 5 exp(j0.5)."""
        kind, text, _ = self.token(magnitude.end)
        angle = None
        if kind == "∠":
            angle = self._parse_angle(magnitude.end + 1, is_in_degrees=True, depth=depth)
        elif text in ("at", "with", "and"):
            angle = self._parse_angle_in_words(magnitude.end, depth=depth)
        elif (text == "e" and self.kind(magnitude.end + 1) == "^") or text == "exp":
            angle = self._parse_imaginary_exponent(magnitude.end + (2 if text == "e" else 1), depth=depth)
        if angle is None or isinstance(magnitude.value, complex):
            return None
        return ParsedNumber(magnitude.value * cmath.exp(1j * angle.value), angle.end)

    def _parse_angle_in_words(self, start: int, *, depth: int) -> ParsedNumber | None:
        texts = [self.token(index).text for index in range(start, start + _MAX_ANGLE_WORDS)]
        words = list(takewhile(_ANGLE_WORDS.__contains__, texts))
        has_angle = not {"angle", "phase"}.isdisjoint(words)
        return self._parse_angle(start + len(words), is_in_degrees=True, depth=depth) if has_angle else None

    def _parse_imaginary_exponent(self, start: int, *, depth: int) -> ParsedNumber | None:
        has_bracket = self.kind(start) == "("
        index, sign = self.parse_sign(start + has_bracket)
        if self.kind(index) == "j" or self.token(index).text in ("j", "i"):
            angle = self._parse_angle(index + 1 + (self.kind(index + 1) == "*"), is_in_degrees=False, depth=depth)
        else:
            number = self._parse_product(index, depth=depth + 1)
            is_complex = number is not None and isinstance(number.value, complex)
            angle = ParsedNumber(number.value.imag, number.end) if number and is_complex else None
        if angle is None or (has_bracket and self.kind(angle.end) != ")"):
            return None
        return ParsedNumber(sign * angle.value, angle.end + has_bracket)

    def _parse_angle(self, start: int, *, is_in_degrees: bool, depth: int) -> ParsedNumber | None:
        """Return an angle in radians. `is_in_degrees` is for one without a unit and without π."""
        has_bracket = self.kind(start) == "("
        index, sign = self.parse_sign(start + has_bracket)
        number = self._parse_product(index, depth=depth + 1)
        if number is None or isinstance(number.value, complex):
            return None
        scale, end = self._parse_angle_unit(number.end)
        if has_bracket:
            if self.kind(end) != ")":
                return None
            scale, end = (scale, end + 1) if scale else self._parse_angle_unit(end + 1)
        if scale is None:
            has_pi = any(self.token(i).text in ("π", "pi") for i in range(index, number.end))
            scale = math.pi / 180 if is_in_degrees and not has_pi else 1.0
        return ParsedNumber(sign * number.value * scale, end)

    def _parse_angle_unit(self, index: int) -> tuple[float | None, int]:
        """Return how many radians the unit is, and the index after it; None and `index` if it is no unit of angles."""
        if self.kind(index) == "°":
            # parse_unit() would take the end of 5∠30° C for a temperature.
            return math.pi / 180, index + 1
        unit, end = self.parse_unit(index)
        if unit is None or unit.name not in ("deg", "rad"):
            return None, index
        return 10.0**unit.power * (math.pi / 180 if unit.name == "deg" else 1), end
