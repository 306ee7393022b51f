"""Find the unit, with the power of ten of its prefix, that a symbol or a word means."""

from __future__ import annotations

import re
from typing import NamedTuple

UNITS = ("V", "A", "W", "Ohm", "S", "F", "H", "Hz", "s", "rad/s", "dB", "deg", "VA", "var", "C", "J")
"""Every unit that a quantity may have."""

MAX_MAGNITUDE, MIN_MAGNITUDE = 1e200, 1e-200
"""A larger number, or a smaller one other than 0, is no quantity of a circuit; this keeps later arithmetic finite."""


class Unit(NamedTuple):
    """A unit and the power of ten of its prefix.

    `name` is one of UNITS, `rad`, `?` for an unsupported unit, or None for a prefix alone such as the k of 2.2k.
    """

    name: str | None
    power: int = 0


UNSUPPORTED_UNIT = Unit("?")
"""A unit that is none of UNITS, such as V/m: no quantity with it can be compared."""

_PREFIXES = {
    "f": -15,
    "p": -12,
    "n": -9,
    "u": -6,
    "µ": -6,
    "μ": -6,
    "m": -3,
    "k": 3,
    "K": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    **dict.fromkeys(("Meg", "meg", "MEG"), 6),
}
_WORD_PREFIXES = {
    "femto": -15,
    "pico": -12,
    "nano": -9,
    "micro": -6,
    "milli": -3,
    "kilo": 3,
    "meg": 6,
    "mega": 6,
    "giga": 9,
    "tera": 12,
}
_SYMBOLS = {
    **{unit: unit for unit in (*UNITS, "rad") if unit.isalpha() and unit not in ("dB", "deg", "Ohm")},
    **dict.fromkeys(("VAR", "VAr"), "var"),
    **dict.fromkeys(("\u03a9", "ohm", "Ohm", "OHM", "ohms", "Ohms"), "Ohm"),
}
_SINGULAR_WORDS = {
    "volt": "V",
    "amp": "A",
    "ampere": "A",
    "watt": "W",
    "ohm": "Ohm",
    "mho": "S",
    "farad": "F",
    "henry": "H",
    "second": "s",
    "sec": "s",
    "radian": "rad",
    "coulomb": "C",
    "joule": "J",
    "voltampere": "VA",
    "var": "var",
}
_WORDS = {
    **{word + ending: unit for word, unit in _SINGULAR_WORDS.items() for ending in ("", "s")},
    "henries": "H",
    "siemens": "S",
    "hertz": "Hz",
    "rads": "rad",
}
_UNAMBIGUOUS_SYMBOLS = "mV kV uV mA uA nA mW kW uW uF nF pF mF mH uH nH kHz GHz kVA kvar"
_ANY_CASE_SYMBOLS = {
    "v": "V",
    "w": "W",
    "hz": "Hz",
    "mhz": "MHz",
    "rad": "rad",
    **{symbol.lower(): symbol for symbol in _UNAMBIGUOUS_SYMBOLS.split()},
}
_QUALIFIED_SYMBOL = re.compile(r"(\w*[VA])_?(?:rms|RMS|pp|pk|peak|p|dc|DC|ac|AC)")
_QUOTIENTS = {
    ("V", "A"): "Ohm",
    ("A", "V"): "S",
    ("V", "Ohm"): "A",
    ("J", "s"): "W",
    ("C", "s"): "A",
    ("W", "V"): "A",
    ("W", "A"): "V",
    ("J", "C"): "V",
    ("rad", "s"): "rad/s",
}
_PRODUCTS = {("V", "A"): "VA", ("A", "s"): "C", ("A", "Ohm"): "V", ("W", "s"): "J"}
_UNITS_BY_WORD = {
    **dict.fromkeys(("db", "decibel", "decibels"), Unit("dB")),
    **dict.fromkeys(("deg", "degs", "degree", "degrees"), Unit("deg")),
    **dict.fromkeys(("kilohm", "kilohms"), Unit("Ohm", 3)),
    **{
        prefix + word: Unit(unit, power)
        for word, unit in _WORDS.items()
        for prefix, power in {**_PREFIXES, **_WORD_PREFIXES, "": 0}.items()
    },
    **{
        prefix + symbol: Unit(unit, power)
        for symbol, unit in _SYMBOLS.items()
        for prefix, power in {**_PREFIXES, "": 0}.items()
    },
}
_MAX_WORD_LENGTH = 24


def find_unit(word: str) -> Unit | None:
    """Return the unit that a symbol or an English word means, with its prefix; None for any other word.

    The case distinguishes m from M and s from S. Spellings in lowercase or in capitals, such as `khz`, count where they
    have one meaning only. `Vrms`, `Vpp`, `V_dc` and similar symbols are volts.
    """
    if len(word) > _MAX_WORD_LENGTH:
        return None
    match = _QUALIFIED_SYMBOL.fullmatch(word)
    spellings = (word, word.lower(), _ANY_CASE_SYMBOLS.get(word.lower(), ""), match[1] if match else "")
    return next((_UNITS_BY_WORD[spelling] for spelling in spellings if spelling in _UNITS_BY_WORD), None)


def find_prefix(word: str, *, is_adjacent: bool) -> Unit | None:
    """Return the SI or SPICE prefix that is alone after a number; `is_adjacent`: without a space between them.

    `M` is mega and `m` milli, as in SI and not as in SPICE; MEG is mega in any case. After a space f, T and G are no
    prefixes. An adjacent R is the ohm of 10R.
    """
    if is_adjacent and word == "R":
        return Unit("Ohm")
    is_unit_letter = not is_adjacent and word in ("f", "T", "G")
    power = 6 if word.lower() == "meg" else _PREFIXES.get(word)
    return None if power is None or is_unit_letter else Unit(None, power)


def divide_units(numerator: Unit, denominator: Unit) -> Unit:
    """Return the unit of a quotient: A/V is S, V/V is none."""
    if numerator.name == denominator.name:
        return Unit(None, numerator.power - denominator.power)
    name = _QUOTIENTS.get((numerator.name or "", denominator.name or ""))
    return Unit(name, numerator.power - denominator.power) if name else UNSUPPORTED_UNIT


def multiply_units(unit: Unit, factor: Unit) -> Unit:
    """Return the unit of a product: V A is VA. An unknown product gives UNSUPPORTED_UNIT."""
    name = _PRODUCTS.get((unit.name or "", factor.name or ""))
    return Unit(name, unit.power + factor.power) if name else UNSUPPORTED_UNIT


def invert_unit(unit: Unit) -> Unit:
    """Return the unit of a reciprocal: 1/kOhm is mS."""
    return Unit("S", -unit.power) if unit.name == "Ohm" else UNSUPPORTED_UNIT
