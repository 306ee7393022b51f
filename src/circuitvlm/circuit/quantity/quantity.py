"""What number does this text state, and how is a number written?"""

from __future__ import annotations

import cmath
import difflib
import math
import re
from dataclasses import dataclass

from circuitvlm.circuit.quantity.choice import answer_of
from circuitvlm.circuit.quantity.text import plain
from circuitvlm.circuit.quantity.tokens import tokens_of
from circuitvlm.circuit.quantity.unit import UNITS

MINUS_SIGNS = "\u2212\u2013\u2014\ufe63\uff0d"
"""Characters that look like a minus: minus sign, en and em dash, small and full-width hyphen."""

LARGEST, SMALLEST = 1e200, 1e-200
"""Magnitudes beyond these are no quantity of a circuit; refusing them keeps later arithmetic finite."""

LONGEST_TEXT = 20_000
"""Longer texts are refused: no answer needs more characters."""

ZERO = 1e-12
"""A magnitude up to this, in base units, counts as 0 where the truth is 0."""

_EXPONENT = {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
_ENGINEERING = {12: "T", 9: "G", 6: "Meg", 3: "k", 0: "", -3: "m", -6: "u", -9: "n", -12: "p", -15: "f"}
_PLAIN = re.compile(
    r"([+-]?)([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:e([+-]?[0-9]{1,4}))?(?!e$)([^\W\d_]{0,16})", re.I
)
_INFIX = re.compile(r"([+-]?)([0-9]{1,12})(meg|[tgkmunpfrµμ])([0-9]{1,3})(?:ohms?|[vafhΩω])?", re.I)
_MIL = 25.4e-6
_SIGNS = str.maketrans(dict.fromkeys(MINUS_SIGNS, "-"))
_SI = {**_ENGINEERING, 6: "M"}
_NEVER_PREFIXED = frozenset(("dB", "deg", "rad/s"))


class QuantityError(ValueError):
    """A text states no number, or none that can be read."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in base units. `unit` is V A W Ohm S F H Hz s rad/s dB deg VA var C J, or None where none is stated.

    A phasor or complex number is a complex `value`; an angle in radians is given in degrees, decibels as they are.
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
    """The number that a SPICE token states, in base units.

    Suffixes in any case: T G Meg k m u n p f, mil (25.4e-6), a (atto); letters after them are a unit and are ignored,
    as in SPICE3 (Quarles, SPICE3 User's Manual, ch. 2). So `1F` is a femtofarad. One departure: a lone capital `A` is
    the ampere, since nobody writes attoamperes. `4k7` and `4R7` put the suffix in the place of the point.
    Raises ValueError for anything else, infinities and numbers beyond 1e+-200 included.
    """
    word = text.strip().translate(_SIGNS)
    if match := _INFIX.fullmatch(word):
        sign, whole, suffix, decimals = match.groups()
        return _number(f"{sign}{whole}.{decimals}", exponent=_EXPONENT.get(suffix.lower(), 0), text=text)
    match = _PLAIN.fullmatch(word)
    if match is None:
        raise ValueError(f"{_shown(text)} is not a number; wanted one such as 4.7k, 10, 2.2u or 1Meg")
    sign, digits, power, letters = match.groups()
    suffix = letters.lower()
    if suffix.startswith("mil"):
        return _number(f"{sign}{digits}", exponent=int(power or 0), text=text) * _MIL
    return _number(f"{sign}{digits}", exponent=int(power or 0) + _suffix_exponent(letters), text=text)


def format_engineering(value: float) -> str:
    """Engineering notation: 4.7k, 10, 2.2u, 1Meg, -3.3m, 0. Six significant digits where those are near, else seven.

    Near is 4e-7, so that the text lies within 1e-6 of `value`, the tolerance of `equivalence`: seven digits only for
    the likes of 1.234567. The text is stable: what it parses to is written the same again. Outside 1e-15 .. 1e15 it
    is e-notation. Raises ValueError for what is not finite or beyond 1e+-200.
    """
    if value == 0:
        return "0"
    if not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(f"{value!r} cannot be written; wanted 0 or a magnitude from {SMALLEST:g} to {LARGEST:g}")
    mantissa, _, power = f"{abs(value):.6e}".partition("e")
    last = int(mantissa[-1])
    # Decided on the seven digits, not on `value`: else the text of a number at the border would not be stable.
    if min(last, 10 - last) <= 4e-7 * int(mantissa.replace(".", "")):
        mantissa, _, power = f"{float(f'{mantissa}e{power}'):.5e}".partition("e")
    sign, digits = "-" if value < 0 else "", mantissa
    exponent = int(power)
    group = exponent // 3 * 3
    if group not in _ENGINEERING:
        return f"{sign}{_trimmed(digits)}e{exponent}"
    figures = digits.replace(".", "")
    point = 1 + exponent - group
    return f"{sign}{_trimmed(figures[:point] + '.' + figures[point:])}{_ENGINEERING[group]}"


def parse(text: str) -> Quantity:
    """The quantity that a text in words, Markdown or LaTeX states as its answer, in base units.

    Numbers: 1,000.5; 3,3 (a comma is decimal where it cannot part thousands); 3.4×10^{-3}; 1e-3; 2k2; 3/4;
    \\frac{3}{4}; 5\\sqrt{2}; 3+4j; phasors 5∠30° (degrees unless radians are stated), 5e^{j30°} and `5 at an angle of
    30°`. Units: SI symbols with prefixes and English words; `S` is siemens, `s` second; what carries another unit, such
    as V/m, is no quantity. A prefix without a unit is read as people mean it: `M` and `Meg` mega, `m` milli; percent is
    no unit. Products of plain numbers are carried out, arithmetic between quantities is not.
    Of several quantities the last conclusion counts, so `I = 5 V / 1 kΩ = 5 mA` states 5 mA: what stands in \\boxed{}
    or after `Answer:`, else right after `=`, `≈`, `is`, `:` or in bold type, else the last with a unit. Asides in
    brackets and premises such as `since R1 = 5 kΩ` come last, and numbers of nodes or steps never count.
    Linear time; no code is evaluated.
    Raises QuantityError for a text without a number, or of more than 20,000 characters.
    """
    if len(text) > LONGEST_TEXT:
        raise QuantityError(f"a text of {len(text):,} characters was given; wanted at most {LONGEST_TEXT:,}")
    reading = answer_of(tokens_of(plain(text, signs=_SIGNS)))
    if reading is None:
        raise QuantityError(f"{_shown(text)} states no number; wanted one such as 3.4 mA, 1,000 V or 5∠30° V")
    return Quantity(reading.value, reading.unit)


def compare(predicted: str | Quantity, truth: str | Quantity, tolerance: float = 0.01) -> QuantityComparison:
    """Compares in base units: |p - t| <= tolerance |t|, complex numbers too; a truth of 0 wants |p| <= 1e-12.

    Where the truth has no unit, any or none is right, and a prefix counts as part of the number. A prediction that
    cannot be read is all False; a truth that cannot raises QuantityError.
    """
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance is {tolerance!r}; wanted a fraction of the truth, 0 or more, such as 0.01")
    true = parse(truth) if isinstance(truth, str) else truth
    try:
        said = parse(predicted) if isinstance(predicted, str) else predicted
    except QuantityError:
        return QuantityComparison(number=False, unit=False, missing_unit=False)
    # The slack is for the rounding of decimal fractions: 1.01 is within 1 % of 1.
    allowed = (tolerance + 1e-12) * abs(true.value) if true.value else ZERO
    return QuantityComparison(
        number=abs(said.value - true.value) <= allowed,
        unit=true.unit is None or said.unit == true.unit,
        missing_unit=true.unit is not None and said.unit is None,
    )


def format_quantity(value: float | complex, unit: str) -> str:
    """Four significant digits with an SI prefix: 3.4 mA, -5.536 V, 1.2 MOhm; no prefix on dB, deg and rad/s.

    A complex value is a phasor, its angle in degrees to two decimals: 5.32∠-30.5° V. Raises ValueError for another
    unit, for what is not finite or beyond 1e+-200, and for complex decibels or degrees.
    """
    if unit not in UNITS:
        near = difflib.get_close_matches(unit, UNITS, n=1, cutoff=0.1) or ["V"]
        raise ValueError(f"unit is {_shown(unit)}; wanted one of {' '.join(UNITS)}, such as {near[0]}")
    if value != 0 and not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(f"{value!r} cannot be written; wanted 0 or a magnitude from {SMALLEST:g} to {LARGEST:g}")
    if isinstance(value, complex) and unit in ("dB", "deg"):
        raise ValueError(f"{value!r} is complex; wanted a real number of {unit}")
    mantissa, _, power = f"{abs(value):.3e}".partition("e")
    group = int(power) // 3 * 3
    if unit in _NEVER_PREFIXED or group not in _SI:
        digits, prefix = f"{abs(value):.4g}", ""
    else:
        digits, prefix = (
            _trimmed(f"{float(mantissa) * 10.0 ** (int(power) - group):.{3 - int(power) + group}f}"),
            _SI[group],
        )
    if isinstance(value, complex):
        angle = _trimmed(f"{math.degrees(cmath.phase(value)):.2f}")
        return f"{digits}∠{'0' if angle == '-0' else angle}° {prefix}{unit}"
    return f"{'-' if value < 0 else ''}{digits} {prefix}{unit}"


def _suffix_exponent(letters: str) -> int:
    suffix = letters.lower()
    if suffix.startswith("meg"):
        return 6
    if suffix.startswith("a") and letters != "A" and not suffix.startswith("amp"):
        return -18
    return _EXPONENT.get(suffix[:1], 0)


def _number(digits: str, *, exponent: int, text: str) -> float:
    # One correctly rounded conversion: multiplying by 1e-6 afterwards would turn 4.7u into 4.699999e-06.
    value = float(f"{digits}e{exponent}")
    zero = not any(c in "123456789" for c in digits)
    if zero:
        return 0.0
    if not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(f"{_shown(text)} is out of range; wanted 0 or a magnitude from {SMALLEST:g} to {LARGEST:g}")
    return value


def _trimmed(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
