"""Which unit, at which power of ten, does this word mean?"""

from __future__ import annotations

import re
from typing import NamedTuple

UNITS = ("V", "A", "W", "Ohm", "S", "F", "H", "Hz", "s", "rad/s", "dB", "deg", "VA", "var", "C", "J")
"""Every unit that a quantity may have."""


class Unit(NamedTuple):
    """A unit of UNITS, `rad` or None for a bare prefix such as the k of 2.2k, and the power of ten of its prefix."""

    name: str | None
    power: int = 0


OTHER = Unit("?")
"""A unit that is none of ours, such as V/m: what carries it is no quantity that could be compared."""

_PREFIX = {"f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12}
_PREFIX |= {"Meg": 6, "meg": 6, "MEG": 6}
_PREFIX_WORD = {"femto": -15, "pico": -12, "nano": -9, "micro": -6, "milli": -3, "kilo": 3, "meg": 6, "mega": 6}
_PREFIX_WORD |= {"giga": 9, "tera": 12}
_SYMBOL = {unit: unit for unit in (*UNITS, "rad") if unit.isalpha() and unit not in ("dB", "deg", "Ohm")}
_SYMBOL |= {"VAR": "var", "VAr": "var"}
_SYMBOL |= dict.fromkeys(("\u03a9", "ohm", "Ohm", "OHM", "ohms", "Ohms"), "Ohm")
_SPELLED = {"volt": "V", "amp": "A", "ampere": "A", "watt": "W", "ohm": "Ohm", "mho": "S", "farad": "F", "henry": "H"}
_SPELLED |= {"second": "s", "sec": "s", "radian": "rad", "coulomb": "C", "joule": "J", "voltampere": "VA", "var": "var"}
_SPELLED = {word + end: unit for word, unit in _SPELLED.items() for end in ("", "s")}
_SPELLED |= {"henries": "H", "siemens": "S", "hertz": "Hz", "rads": "rad"}
_UNPREFIXED = {"db": "dB", "decibel": "dB", "decibels": "dB", "deg": "deg", "degs": "deg", "degree": "deg"}
_UNPREFIXED |= {"degrees": "deg"}
_LOOSE = {"v": "V", "w": "W", "hz": "Hz", "mhz": "MHz", "rad": "rad"}
_STRICT = "mV kV uV mA uA nA mW kW uW uF nF pF mF mH uH nH kHz GHz kVA kvar"
_LOOSE |= {symbol.lower(): symbol for symbol in _STRICT.split()}
_QUALIFIED = re.compile(r"(\w*[VA])_?(?:rms|RMS|pp|pk|peak|p|dc|DC|ac|AC)")
_QUOTIENT = {("V", "A"): "Ohm", ("A", "V"): "S", ("V", "Ohm"): "A", ("J", "s"): "W", ("C", "s"): "A", ("W", "V"): "A"}
_QUOTIENT |= {("W", "A"): "V", ("J", "C"): "V", ("rad", "s"): "rad/s"}
_PRODUCT = {("V", "A"): "VA", ("A", "s"): "C", ("A", "Ohm"): "V", ("W", "s"): "J"}


def unit_of(word: str) -> Unit | None:
    """The unit that a symbol or an English word means, with its prefix; None for any other word.

    Case tells m from M and s from S; all-lower and all-upper spellings such as `khz` are read where they can mean but
    one thing. `Vrms`, `Vpp`, `V_dc` and their like are volts.
    """
    if len(word) > 24:
        return None
    if found := _UNIT.get(word) or _UNIT.get(word.lower()):
        return found
    if (strict := _LOOSE.get(word.lower())) is not None:
        return _UNIT[strict]
    match = _QUALIFIED.fullmatch(word)
    return _UNIT.get(match[1]) if match else None


def prefix_of(word: str, *, glued: bool) -> Unit | None:
    """The SI or SPICE prefix that stands alone after a number.

    As people mean it, not as SPICE: `M` is mega, `m` milli, MEG in any case mega. Set off by a space f, T and G are
    none. A glued R is the ohm of 10R.
    """
    if glued and word == "R":
        return Unit("Ohm")
    power = 6 if word.lower() == "meg" else _PREFIX.get(word)
    if power is None or (not glued and word in ("f", "T", "G")):
        return None
    return Unit(None, power)


def quotient(top: Unit, bottom: Unit) -> Unit:
    """The unit of one unit over another: A/V is S, V/V is none."""
    if top.name == bottom.name:
        return Unit(None, top.power - bottom.power)
    name = _QUOTIENT.get((top.name or "", bottom.name or ""))
    return Unit(name, top.power - bottom.power) if name else OTHER


def product(left: Unit, right: Unit) -> Unit:
    """The unit of one unit times another: V A is VA."""
    name = _PRODUCT.get((left.name or "", right.name or ""))
    return Unit(name, left.power + right.power) if name else OTHER


def inverse(unit: Unit) -> Unit:
    """The unit of one over a unit: 1/kOhm is mS."""
    return Unit("S", -unit.power) if unit.name == "Ohm" else OTHER


def _table() -> dict[str, Unit]:
    table = {word: Unit(unit) for word, unit in _UNPREFIXED.items()} | dict.fromkeys(
        ("kilohm", "kilohms"), Unit("Ohm", 3)
    )
    for word, unit in _SPELLED.items():
        table |= {prefix + word: Unit(unit, power) for prefix, power in (_PREFIX | _PREFIX_WORD).items()}
        table[word] = Unit(unit)
    for symbol, unit in _SYMBOL.items():
        table |= {prefix + symbol: Unit(unit, power) for prefix, power in _PREFIX.items()}
        table[symbol] = Unit(unit)
    return table


_UNIT = _table()
