"""Parse, compare and format numbers with units."""

from __future__ import annotations

import cmath
import difflib
import math
import re
from dataclasses import dataclass

from circuitvlm.circuit.quantity.parser import is_in_range
from circuitvlm.circuit.quantity.plain_text import to_plain_text
from circuitvlm.circuit.quantity.ranking import find_answer
from circuitvlm.circuit.quantity.tokens import tokenize
from circuitvlm.circuit.quantity.unit import MAX_MAGNITUDE, MIN_MAGNITUDE, UNITS

MINUS_SIGNS = "\u2212\u2013\u2014\ufe63\uff0d"
"""Characters that look like a minus: minus sign, en and em dash, small and full-width hyphen."""

MAX_CHARACTERS = 20_000
"""Longest text that is parsed."""

ZERO_TOLERANCE = 1e-12
"""Largest magnitude, in base units, that is equal to a true value of 0."""

_SPICE_EXPONENTS = {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
_SPICE_SUFFIXES = {12: "T", 9: "G", 6: "Meg", 3: "k", 0: "", -3: "m", -6: "u", -9: "n", -12: "p", -15: "f"}
_SI_PREFIXES = {**_SPICE_SUFFIXES, 6: "M"}
_SPICE_NUMBER = re.compile(
    r"([+-]?)([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:e([+-]?[0-9]{1,4}))?(?!e$)([^\W\d_]{0,16})", re.I
)
_INFIX_NUMBER = re.compile(r"([+-]?)([0-9]{1,12})(meg|[tgkmunpfrµμ])([0-9]{1,3})(?:ohms?|[vafhΩω])?", re.I)
_METERS_PER_MIL = 25.4e-6
_RANGE = f"0 or a magnitude from {MIN_MAGNITUDE:g} to {MAX_MAGNITUDE:g}"
_MINUS_SIGNS = str.maketrans(dict.fromkeys(MINUS_SIGNS, "-"))
_UNITS_WITHOUT_PREFIX = frozenset(("dB", "deg", "rad/s"))


class QuantityError(ValueError):
    """A text states no number, or none that can be parsed."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in base units. `unit` is V A W Ohm S F H Hz s rad/s dB deg VA var C J, or None where none is stated.

    A phasor or complex number is a complex `value`. An angle in radians is converted to degrees.
    """

    value: float | complex
    unit: str | None


@dataclass(frozen=True, slots=True)
class QuantityComparison:
    """How a predicted quantity compares with the true one.

    `number`: equal in base units within the tolerance, whatever the units. `unit`: the same unit, or the truth has
    none. `missing_unit`: the truth has a unit and the prediction states none; `unit` is then False.
    """

    number: bool
    unit: bool
    missing_unit: bool

    @property
    def correct(self) -> bool:
        return self.number and self.unit


def parse_spice(text: str) -> float:
    """Return the number of a SPICE token in base units.

    Suffixes in any case: T G Meg k m u n p f, mil (25.4e-6), a (atto); letters after them are a unit and are ignored,
    as in SPICE3 (Quarles, SPICE3 User's Manual, ch. 2). So `1F` is a femtofarad. One difference: a lone capital `A` is
    the ampere, since nobody writes attoamperes. `4k7` and `4R7` have the suffix in place of the decimal point.
    Raises ValueError for anything else, infinities and numbers beyond 1e+-200 included.
    """
    word = text.strip().translate(_MINUS_SIGNS)
    if match := _INFIX_NUMBER.fullmatch(word):
        sign, whole, suffix, decimals = match.groups()
        return _parse_decimal(f"{sign}{whole}.{decimals}", exponent=_SPICE_EXPONENTS.get(suffix.lower(), 0), text=text)
    if not (match := _SPICE_NUMBER.fullmatch(word)):
        raise ValueError(f"expected a number such as 4.7k, 10, 2.2u or 1Meg, got {_shorten(text)}")
    sign, digits, power, letters = match.groups()
    is_mil = letters.lower().startswith("mil")
    exponent = int(power or 0) + (0 if is_mil else _suffix_exponent(letters))
    return _parse_decimal(f"{sign}{digits}", exponent=exponent, text=text) * (_METERS_PER_MIL if is_mil else 1)


def format_engineering(value: float) -> str:
    """Return engineering notation: 4.7k, 10, 2.2u, 1Meg, -3.3m, 0. It has six significant digits, or seven if needed.

    Seven are needed where six are off by more than 4e-7, such as for 1.234567. So the text lies within 1e-6 of
    `value`, the tolerance of `equivalence`. The text is stable: its parsed value has the same text. Outside
    1e-15 .. 1e15 it is e-notation. Raises ValueError for what is not finite or beyond 1e+-200.
    """
    if value == 0:
        return "0"
    _check_magnitude(value)
    mantissa, _, power = f"{abs(value):.6e}".partition("e")
    last_digit = int(mantissa[-1])
    # Decided by the seven digits and not by `value`: else the text of a number at the border would not be stable.
    if min(last_digit, 10 - last_digit) <= 4e-7 * int(mantissa.replace(".", "")):
        mantissa, _, power = f"{float(f'{mantissa}e{power}'):.5e}".partition("e")
    sign, group = "-" if value < 0 else "", int(power) // 3 * 3
    if group not in _SPICE_SUFFIXES:
        return f"{sign}{_trim_zeros(mantissa)}e{int(power)}"
    return f"{sign}{_shift_point(mantissa, int(power) - group)}{_SPICE_SUFFIXES[group]}"


def parse(text: str) -> Quantity:
    """Return the quantity that a text in words, Markdown or LaTeX states as its answer, in base units.

    Numbers: 1,000.5; 3,3 (a comma is decimal where it cannot be a thousands separator); 3.4×10^{-3}; 1e-3; 2k2; 3/4;
    \\frac{3}{4}; 5\\sqrt{2}; 3+4j; phasors 5∠30° (degrees unless radians are stated), 5e^{j30°} and `5 at an angle of
    30°`. Units: SI symbols with prefixes and English words; `S` is siemens, `s` second. A number with another unit,
    such as V/m, is no quantity. A prefix without a unit has its SI meaning: `M` and `Meg` mega, `m` milli; percent is
    no unit. Products of plain numbers are calculated, arithmetic between quantities is not.
    Of several quantities the last conclusion counts, so `I = 5 V / 1 kΩ = 5 mA` states 5 mA. A conclusion is in
    \\boxed{} or after `Answer:`, else right after `=`, `≈`, `is`, `:` or in bold type, else it is the last with a unit.
    Remarks in brackets and premises such as `since R1 = 5 kΩ` come last. Numbers of nodes or steps never count.
    The time is linear in the length of the text, and no code is evaluated.
    Raises QuantityError for a text without a number or of more than MAX_CHARACTERS, and where the number is no single
    value: a range, arithmetic that is not calculated, or a part of a function such as 5 cos(100 t) A.
    """
    if len(text) > MAX_CHARACTERS:
        raise QuantityError(f"expected a text of at most {MAX_CHARACTERS:,} characters, got {len(text):,} characters")
    answer = find_answer(tokenize(to_plain_text(text, signs=_MINUS_SIGNS)))
    if answer is None:
        raise QuantityError(f"expected a number such as 3.4 mA, 1,000 V or 5∠30° V, got {_shorten(text)}")
    return Quantity(answer.value, answer.unit)


def compare(prediction: str | Quantity, truth: str | Quantity, tolerance: float = 0.01) -> QuantityComparison:
    """Compare in base units: |p - t| <= tolerance |t|, complex numbers too; a truth of 0 requires |p| <= 1e-12.

    Where the truth has no unit, any or none is right, and a prefix counts as part of the number. A prediction that
    cannot be parsed is all False; a truth that cannot be parsed raises QuantityError. `tolerance` is a fraction of the
    truth. Raises ValueError for a negative or infinite one.
    """
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance: expected a fraction of the truth, 0 or more, such as 0.01, got {tolerance!r}")
    true_quantity = parse(truth) if isinstance(truth, str) else truth
    try:
        quantity = parse(prediction) if isinstance(prediction, str) else prediction
    except QuantityError:
        return QuantityComparison(number=False, unit=False, missing_unit=False)
    # 1e-12 allows for the rounding of decimal fractions: 1.01 is within 1 % of 1.
    max_difference = (tolerance + 1e-12) * abs(true_quantity.value) if true_quantity.value else ZERO_TOLERANCE
    return QuantityComparison(
        number=abs(quantity.value - true_quantity.value) <= max_difference,
        unit=true_quantity.unit is None or quantity.unit == true_quantity.unit,
        missing_unit=true_quantity.unit is not None and quantity.unit is None,
    )


def format_quantity(value: float | complex, unit: str) -> str:
    """Return four significant digits with an SI prefix: 3.4 mA, -5.536 V, 1.2 MOhm; no prefix for dB, deg and rad/s.

    A complex value is a phasor, its angle in degrees to two decimals: 5.32∠-30.5° V. Raises ValueError for another
    unit, for what is not finite or beyond 1e+-200, and for complex decibels or degrees.
    """
    if unit not in UNITS:
        similar_units = difflib.get_close_matches(unit, UNITS, n=1, cutoff=0.1) or ["V"]
        raise ValueError(f"unit: expected one of {' '.join(UNITS)}, such as {similar_units[0]}, got {_shorten(unit)}")
    if value != 0:
        _check_magnitude(value)
    if isinstance(value, complex) and unit in ("dB", "deg"):
        raise ValueError(f"value: expected a real number of {unit}, got {value!r}")
    mantissa, _, power = f"{abs(value):.3e}".partition("e")
    group = int(power) // 3 * 3
    has_prefix = unit not in _UNITS_WITHOUT_PREFIX and group in _SI_PREFIXES
    digits = _shift_point(mantissa, int(power) - group) if has_prefix else f"{abs(value):.4g}"
    prefix = _SI_PREFIXES[group] if has_prefix else ""
    if isinstance(value, complex):
        angle = _trim_zeros(f"{math.degrees(cmath.phase(value)):.2f}")
        return f"{digits}∠{'0' if angle == '-0' else angle}° {prefix}{unit}"
    return f"{'-' if value < 0 else ''}{digits} {prefix}{unit}"


def _check_magnitude(value: float | complex) -> None:
    if not MIN_MAGNITUDE <= abs(value) <= MAX_MAGNITUDE:
        raise ValueError(f"value: expected {_RANGE}, got {value!r}")


def _suffix_exponent(letters: str) -> int:
    suffix = letters.lower()
    if suffix.startswith("meg"):
        return 6
    if suffix.startswith("a") and letters != "A" and not suffix.startswith("amp"):
        return -18
    return _SPICE_EXPONENTS.get(suffix[:1], 0)


def _parse_decimal(digits: str, *, exponent: int, text: str) -> float:
    # One correctly rounded conversion: multiplying by 1e-6 afterwards would turn 4.7u into 4.699999e-06.
    value = float(f"{digits}e{exponent}")
    if not is_in_range(value, digits):
        raise ValueError(f"expected {_RANGE}, got {_shorten(text)}")
    return value or 0.0  # 0.0 for -0.0


def _shift_point(mantissa: str, places: int) -> str:
    """Return a mantissa such as 4.700 with its decimal point moved to the right, without trailing zeros."""
    digits = mantissa.replace(".", "")
    return _trim_zeros(f"{digits[: 1 + places]}.{digits[1 + places :]}")


def _trim_zeros(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
