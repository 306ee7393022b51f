"""Which quantity, if any, begins at this token?"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from circuitvlm.circuit.quantity.cursor import Number, Part, UnitReader
from circuitvlm.circuit.quantity.tokens import Token
from circuitvlm.circuit.quantity.unit import OTHER, Unit, prefix_of, unit_of

_DEEPEST = 8
_INFIX = re.compile(r"(meg|[TGMkKmuµμnpRrVv])([0-9]{1,3})(\D\w*)?", re.I)
_ANGLE_WORDS = frozenset(("at", "with", "and", "an", "a", "the", "phase", "angle", "of", "="))


class Reading(NamedTuple):
    """A quantity, and the token after it. `unit` is one of UNITS, or None."""

    value: Number
    unit: str | None
    end: int


class Reader(UnitReader):
    """A parser by recursive descent over tokens. Whatever it does not understand it leaves unread.

    Its steps are counted: once there were more than 8 for each token, which takes a hostile text, nothing is read.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        super().__init__(tokens)
        self.steps = 100 + 8 * len(tokens)

    def starts(self, index: int) -> bool:
        """Whether a number could begin here, its sign apart."""
        kind, text, _ = self.at(index)
        following = self.at(index + 1).kind
        return (
            kind in ("number", "(", "j", "√")
            or (kind == "word" and text in ("sqrt", "frac") and following == "(")
            or (kind == "word" and text in ("j", "π") and following in ("number", "*", "/", "("))
        )

    def read(self, start: int) -> Reading | None:
        """The quantity at `start`, its sign included; None where there is none, or one that ends in the unreadable."""
        index, sign = self.sign(start)
        if (infix := self._infix(index)) is not None:
            return infix._replace(value=sign * infix.value)
        part = self._sum(index, sign=sign, depth=0)
        if part is None:
            return None
        value, index = part
        polar = self._polar(part)
        unit = None
        if polar is None:
            unit, index = self.unit(index)
            polar = self._polar(Part(value, index)) if index > part.end else None
        if polar is not None:
            value, index = polar
            if unit is None:
                unit, index = self.unit(index)
        elif unit is None:
            unit, index = self.unit_after_point(index)
        return self._finished(value, unit, end=index)

    def _finished(self, value: Number, unit: Unit | None, *, end: int) -> Reading | None:
        following = self.at(end)
        if unit == OTHER or (following.kind in ("word", "?", "number") and following.glued):
            return None
        name, power = unit or (None, 0)
        # Dividing keeps 2.2 u at 2.2e-6, the nearest float: 1e-6 is none.
        value = value * 10.0**power if power >= 0 else value / 10.0**-power
        if name == "rad":
            value, name = value * (180 / math.pi), "deg"
        return Reading(value, name, end) if _bounded(value) else None

    def _infix(self, index: int) -> Reading | None:
        """2k2, 4R7, 3V3: the prefix or the unit in the place of the point."""
        number, word = self.at(index), self.at(index + 1)
        if number.kind != "number" or not number.text.isdigit() or word.kind != "word" or not word.glued:
            return None
        match = _INFIX.fullmatch(word.text)
        if match is None:
            return None
        letter, decimals, rest = match.groups()
        named = {"r": Unit("Ohm"), "v": Unit("V")}.get(letter.lower())
        prefix = named or prefix_of(letter, glued=True)
        unit = unit_of(rest) if rest else Unit(prefix.name if prefix else None)
        if prefix is None or unit is None:
            return None
        value = float(f"{number.text}.{decimals}")
        return self._finished(value, Unit(unit.name, prefix.power + unit.power), end=index + 2)

    def _sum(self, start: int, *, sign: int, depth: int) -> Part | None:
        """A product; a real and an imaginary one; in brackets any sum."""
        first = self._product(start, depth=depth)
        if first is None:
            return None
        value, index = sign * first.value, first.end
        while self.at(index).kind in ("+", "-"):
            second = self._product(index + 1, depth=depth)
            if second is None or (depth == 0 and isinstance(value, complex) == isinstance(second.value, complex)):
                break
            value = value + second.value if self.at(index).kind == "+" else value - second.value
            index = second.end
        return Part(value, index)

    def _product(self, start: int, *, depth: int) -> Part | None:
        part = self._factor(start, depth=depth)
        while part is not None and self.steps > 0:
            self.steps -= 1
            value, index = part
            kind, text, glued = self.at(index)
            if kind in ("*", "/"):
                following = self._lost_power(index) or self._factor(index + 1, depth=depth)
                if following is None or (kind == "/" and following.value == 0):
                    return part
                value = value * following.value if kind == "*" else value / following.value
            elif self._is_imaginary(index):
                following = Part(1j, index + 1)
                value = value * 1j
            elif kind == "√" or text in ("sqrt", "frac", "π") or (text == "pi" and glued):
                following = self._factor(index, depth=depth)
                if following is None:
                    return part
                mixed = text == "frac" and self.at(index - 1).text.isdigit() and 0 < following.value.real < 1
                value = value + following.value if mixed else value * following.value
            else:
                return part
            part = Part(value, following.end) if _bounded(value) else None
        return None

    def _is_imaginary(self, index: int) -> bool:
        """Whether a j here belongs to what is before it."""
        kind, text, _ = self.at(index)
        following = self.at(index + 1)
        summand = text == "i" and self.at(index - 2).kind in ("+", "-")
        return (kind == "j" or text == "j" or summand) and not (following.kind == "number" and following.glued)

    def _factor(self, index: int, *, depth: int) -> Part | None:
        kind, text, _ = self.at(index)
        self.steps -= 1
        if depth > _DEEPEST or self.steps <= 0:
            return None
        if kind == "number":
            value = float(text)
            if self.at(index + 1).kind != "^":
                return Part(value, index + 1) if _bounded(value, text) else None
            return self._power_of_ten(index + 2) if value == 10 else None
        if kind == "(":
            return self._group(index, depth=depth)
        if text in ("π", "pi"):
            return Part(math.pi, index + 1)
        if kind == "√" or text in ("sqrt", "frac"):
            inner = self._factor(index + 1, depth=depth + 1)
            if inner is None or text == "frac":
                return inner
            real = not isinstance(inner.value, complex) and inner.value >= 0
            return Part(math.sqrt(inner.value.real), inner.end) if real else None
        if kind == "j" or text == "j":
            inner = self._factor(index + 1 + (self.at(index + 1).kind == "*"), depth=depth + 1)
            return Part(inner.value * 1j, inner.end) if inner else Part(1j, index + 1)
        return None

    def _group(self, index: int, *, depth: int) -> Part | None:
        inside, sign = self.sign(index + 1)
        part = self._sum(inside, sign=sign, depth=depth + 1)
        if part is not None:
            part = self._polar(part, depth=depth + 1) or part
        if part is None or self.at(part.end).kind != ")" or not _bounded(part.value):
            return None
        return Part(part.value, part.end + 1)

    def _power_of_ten(self, index: int) -> Part | None:
        exponent = self.exponent(index)
        if exponent is None or self.at(exponent.end).kind == "^":
            return None
        value = 10.0 ** int(exponent.value.real)
        return Part(value, exponent.end)

    def _lost_power(self, index: int) -> Part | None:
        """The 10-3 of `3.4 x 10-3`: a power whose raising was lost in copying."""
        ten, minus, number = (self.at(index + offset) for offset in (1, 2, 3))
        if self.at(index).kind != "*" or ten.text != "10" or minus.kind != "-" or not (minus.glued and number.glued):
            return None
        whole = number.kind == "number" and number.text.isdigit() and len(number.text) <= 2
        return Part(10.0 ** -int(number.text), index + 4) if whole else None

    def _polar(self, part: Part, *, depth: int = 0) -> Part | None:
        """The phasor of which `part` is the magnitude: 5∠30°, 5 at an angle of 30°, 5 e^(j30°), 5 exp(j0.5)."""
        kind, text, _ = self.at(part.end)
        angle = None
        if kind == "∠":
            angle = self._angle(part.end + 1, degrees=True, depth=depth)
        elif text in ("at", "with", "and"):
            angle = self._angle_in_words(part.end, depth=depth)
        elif (text == "e" and self.at(part.end + 1).kind == "^") or text == "exp":
            angle = self._imaginary_exponent(part.end + (2 if text == "e" else 1), depth=depth)
        if angle is None or isinstance(part.value, complex):
            return None
        return Part(part.value * cmath.exp(1j * angle.value), angle.end)

    def _angle_in_words(self, index: int, *, depth: int) -> Part | None:
        words: list[str] = []
        while self.at(index).text in _ANGLE_WORDS and len(words) < 6:
            words.append(self.at(index).text)
            index += 1
        return self._angle(index, degrees=True, depth=depth) if "angle" in words or "phase" in words else None

    def _imaginary_exponent(self, start: int, *, depth: int) -> Part | None:
        bracket = self.at(start).kind == "("
        index, sign = self.sign(start + bracket)
        if self.at(index).kind == "j" or self.at(index).text in ("j", "i"):
            star = self.at(index + 1).kind == "*"
            angle = self._angle(index + 1 + star, degrees=False, depth=depth)
        else:
            part = self._product(index, depth=depth + 1)
            angle = Part(part.value.imag, part.end) if part and isinstance(part.value, complex) else None
        if angle is None or (bracket and self.at(angle.end).kind != ")"):
            return None
        return Part(sign * angle.value, angle.end + bracket)

    def _angle(self, start: int, *, degrees: bool, depth: int) -> Part | None:
        """An angle in radians. One without a unit is in `degrees` unless it has a π."""
        bracket = self.at(start).kind == "("
        index, sign = self.sign(start + bracket)
        part = self._product(index, depth=depth + 1)
        if part is None or isinstance(part.value, complex):
            return None
        scale, end = self._angle_unit(part.end)
        if bracket:
            if self.at(end).kind != ")":
                return None
            scale, end = (scale, end + 1) if scale else self._angle_unit(end + 1)
        if scale is None:
            turned = any(self.at(i).text in ("π", "pi") for i in range(index, part.end))
            scale = math.pi / 180 if degrees and not turned else 1.0
        return Part(sign * part.value * scale, end)

    def _angle_unit(self, index: int) -> tuple[float | None, int]:
        """How many radians the unit at `index` is, and the token after it; None and `index` where it is no angle's."""
        if self.at(index).kind == "°":
            # Not left to unit(), to which the end of 5∠30° C is a temperature.
            return math.pi / 180, index + 1
        unit, end = self.unit(index)
        if unit is None or unit.name not in ("deg", "rad"):
            return None, index
        return 10.0**unit.power * (math.pi / 180 if unit.name == "deg" else 1), end


def _bounded(value: Number, digits: str = "") -> bool:
    """Whether the number is one that a circuit could have: 0, or from 1e-200 to 1e200."""
    zero = value == 0 and not any(digit in "123456789" for digit in digits.lower().partition("e")[0])
    return zero or 1e-200 <= math.hypot(value.real, value.imag) <= 1e200
