"""What number does this text state, and how is a number written?"""

from __future__ import annotations

import re

MINUS_SIGNS = "\u2212\u2013\u2014\ufe63\uff0d"
"""Characters that look like a minus: minus sign, en and em dash, small and full-width hyphen."""

LARGEST, SMALLEST = 1e200, 1e-200
"""Magnitudes beyond these are no quantity of a circuit; refusing them keeps later arithmetic finite."""

_EXPONENT = {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
_ENGINEERING = {12: "T", 9: "G", 6: "Meg", 3: "k", 0: "", -3: "m", -6: "u", -9: "n", -12: "p", -15: "f"}
_PLAIN = re.compile(
    r"([+-]?)([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:e([+-]?[0-9]{1,4}))?(?!e$)([^\W\d_]{0,16})", re.I
)
_INFIX = re.compile(r"([+-]?)([0-9]{1,12})(meg|[tgkmunpfrµμ])([0-9]{1,3})(?:ohms?|[vafhΩω])?", re.I)
_MIL = 25.4e-6
_SIGNS = str.maketrans(dict.fromkeys(MINUS_SIGNS, "-"))


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
