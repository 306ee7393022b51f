"""What do the words after a device's nodes state?"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from circuitvlm.circuit.netlist.lexer import words
from circuitvlm.circuit.quantity import parse_spice

_NUMBER = re.compile(r"[+\-\u2212]?\.?[0-9]")
_LONGEST = 64
_UNIT_WORDS = "ohm ohms Ω ω v volt volts vdc vac a amp amps ampere amperes f farad farads h henry henries s"
_UNITS = frozenset(_UNIT_WORDS.split())
_SCALED = re.compile(r"(k|meg)|(meg|[tgkmunpµμ])(ohms?|[Ωωvafhs])", re.I)
_COEFFICIENT = re.compile(r"tc=[^,]+", re.I)
_WAVES = frozenset({"sin", "pulse", "pwl", "exp", "sffm", "am"})
"""What a source does over time; the parenthesis around its numbers may be missing."""

_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_.#+\-\[\]/!]{0,63}")

Reading = tuple[float | None, complex | None, str]
"""Value, phasor, and the text that is left."""


def reading(kind: str, rest: Sequence[str]) -> Reading:
    """What `rest`, the words after the nodes of a device of this kind, states. Raises ValueError."""
    return _passive(rest, kind=kind) if kind in "RCLEG" else _READERS.get(kind, _text)(rest)


def is_number(word: str) -> bool:
    """Whether the word is a number as SPICE writes them."""
    if not word or not _NUMBER.match(word) or len(word) > _LONGEST:
        return False
    try:
        parse_spice(word)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class _Words:
    """What stands after the nodes, read from left to right."""

    rest: Sequence[str]
    place: int = 0

    def number(self) -> float | None:
        """The number here with the units after it (`10 kOhm`), None where there is none."""
        if self.place >= len(self.rest) or not is_number(self.rest[self.place]):
            return None
        word = self.rest[self.place]
        self.place += 1
        if self.place < len(self.rest) and (scale := _scale(self.rest[self.place])) and word[-1] in "0123456789.":
            word += scale
        while self.place < len(self.rest) and _is_unit(self.rest[self.place]):
            self.place += 1
        return parse_spice(word)

    def take(self) -> str:
        self.place += 1
        return self.rest[self.place - 1]

    @property
    def left(self) -> bool:
        return self.place < len(self.rest)


def _scale(word: str) -> str:
    match = _SCALED.fullmatch(word)
    return (match[1] or match[2]) if match else ""


def _is_unit(word: str) -> bool:
    return word.lower() in _UNITS or _SCALED.fullmatch(word) is not None


def _passive(rest: Sequence[str], *, kind: str) -> Reading:
    """R, C, L, E, G: a number or `R=10k` first, then the rest."""
    given = _Words(rest)
    value: float | None = None
    kept: list[str] = []
    worded = False
    while given.left:
        key, _, stated = rest[given.place].partition("=")
        if value is None and stated and key.lower() in (kind.lower(), "value", "val", "gain") and is_number(stated):
            value = _Words([stated, *rest[given.place + 1 :][:2]]).number()
            given.take()
            while given.left and _is_unit(rest[given.place]):
                given.take()
        elif value is None and not worded and (number := given.number()) is not None:
            value = number
        else:
            word = given.take()
            if kept and is_number(word) and _COEFFICIENT.fullmatch(kept[-1]):
                kept[-1] += f",{word}"  # TC=0,0
                continue
            if value is not None and not worded and is_number(word):
                raise ValueError(f"a second value {word!r}; wanted one, without commas in it")
            worded = worded or not stated
            kept.append(word)
    return value, None, _kept(kept, numbered=value is not None)


def _source(rest: Sequence[str]) -> Reading:
    """V, I: `[dc] value`, `ac [magnitude [phase in degrees]]`, and the rest (a transient function, a symbol)."""
    given = _Words([part for word in rest for part in _assigned(word)])
    value: float | None = None
    ac: complex | None = None
    kept: list[str] = []
    while given.left:
        word = given.rest[given.place].lower()
        if word == "ac":
            given.take()
            magnitude = given.number()
            ac = 1 + 0j if magnitude is None else _phasor(magnitude, degrees=given.number() or 0.0)
        elif word == "dc":
            given.take()
        elif word.startswith("distof"):
            kept.append(given.take())
            while given.left and is_number(given.rest[given.place]):
                kept.append(given.take())
        elif word in _WAVES and (given.place + 1 < len(given.rest)) and is_number(given.rest[given.place + 1]):
            name, numbers = given.take(), list[str]()
            while given.left and is_number(given.rest[given.place]):
                numbers.append(given.take())
            kept.append(f"{name}({' '.join(numbers)})")
        elif (number := given.number()) is not None:
            if value is not None:
                raise ValueError(f"a second value {given.rest[given.place - 1]!r}; wanted one, without commas in it")
            value = number
        else:
            kept.append(given.take())
    if ac is not None and value is None and not kept:
        value = 0.0
    return value, ac, _kept(kept, numbered=value is not None or ac is not None)


def _assigned(word: str) -> list[str]:
    key, sign, stated = word.partition("=")
    return [key, stated] if sign and key.lower() in ("dc", "ac") and is_number(stated) else [word]


def _phasor(magnitude: float, *, degrees: float) -> complex:
    degrees = math.fmod(degrees, 360.0)
    quarter = {0.0: 1, 90.0: 1j, 180.0: -1, 270.0: -1j, -90.0: -1j, -180.0: -1, -270.0: 1j}.get(degrees)
    return magnitude * (complex(quarter) if quarter is not None else cmath.rect(1.0, math.radians(degrees)))


def _referring(count: int) -> Callable[[Sequence[str]], Reading]:
    """F, H, K: the names of `count` devices, then a number."""

    def reader(rest: Sequence[str]) -> Reading:
        names = list(rest[:count])
        given = _Words(rest, place=count)
        if len(names) < count or not all(map(_REFERENCE.fullmatch, names)) or (value := given.number()) is None:
            return _text(rest)
        tail = _kept(list(given.rest[given.place :]), numbered=True)
        return value, None, " ".join([*names, tail]).strip()

    return reader


def _text(rest: Sequence[str]) -> Reading:
    return None, None, _kept(list(rest), numbered=False)


def _kept(kept: list[str], *, numbered: bool) -> str:
    # Taking the numbers out brings words together that read otherwise as neighbours (`sin 5 (0 1)`).
    if any("(" in word for word in kept) and words(" ".join(kept)) != kept:
        raise ValueError(f"{' '.join(kept)[:40]!r} has a parenthesis where it can belong to two words")
    if numbered and kept and _is_unit(kept[0]):
        raise ValueError(f"the unit {kept[0]!r} follows no number")
    return " ".join(kept)


_READERS: dict[str, Callable[[Sequence[str]], Reading]] = {
    **dict.fromkeys("VI", _source),
    **dict.fromkeys("FH", _referring(1)),
    "K": _referring(2),
}
