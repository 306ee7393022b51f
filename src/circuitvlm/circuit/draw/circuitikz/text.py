"""How is a label set the way TeX sets it? Italic letters, upright digits and units, lowered subscripts.

The letters are those of Computer Modern, as matplotlib ships it (`cmmi10`, `cmr10`, `cmsy10`), in TeX's own encoding:
what Unicode calls otherwise is translated here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from circuitvlm.circuit.draw import glyphs
from circuitvlm.circuit.draw.labels import Rect
from circuitvlm.circuit.draw.styles import TIMES, Font

ITALIC = Font(file="cmmi10.ttf", family="cmmi10")
ROMAN = Font(file="cmr10.ttf", family="cmr10")
SIGNS = Font(file="cmsy10.ttf", family="cmsy10")

CAPITAL, HANGING, LOWERED = 0.69, 0.06, 0.16
"""Height of a capital, what hangs below the line without a subscript, and by how much a subscript is lowered, in em."""

SMALL, NESTED = 0.7, 0.62
SMALLEST_SUBSCRIPT = 9.5
THIN = 20.0
"""Font size in pixels under which letters are drawn a little bolder: hairlines of a fraction of a pixel fade."""

_TRANSLATED = {"Ω": (ROMAN, "\xad"), "µ": (ITALIC, "\xb9"), "μ": (ITALIC, "\xb9"), "-": (SIGNS, "\xa1")}
_NAME = re.compile(r"([A-Za-z]+)_?([0-9][0-9A-Za-z]*)")
_NUMBER = re.compile(r"-?[0-9.]+")


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one font; `size` and `drop` are shares of the font size of the whole."""

    text: str
    font: Font
    size: float = 1.0
    drop: float = 0.0


Formula = tuple[Run, ...]


@cache
def symbol(name: str, nested: bool = False) -> Formula:
    """A name such as R1, R_1 or U0: the letters italic, the digits a subscript. Other text stands as it is."""
    match = _NAME.fullmatch(name)
    if match is None:
        return _plain(name, ITALIC)
    size, drop = (NESTED, LOWERED + 0.1) if nested else (SMALL, LOWERED)
    return (*_plain(match[1], ITALIC), *_plain(match[2], ROMAN, size=size, drop=drop))


@cache
def quantity(number: str, unit: str) -> Formula:
    """A number and its unit, upright and without a space between them, as TeX sets them in a formula."""
    return _plain(number + unit, ROMAN)


def product(gain: str, control: str) -> Formula:
    """What a controlled source gives: `y_1 V_0`, or `3 V_0`."""
    factor = quantity(gain, "") if _NUMBER.fullmatch(gain) else symbol(gain)
    return (*factor, *symbol(control, nested=True))


@cache
def _plain(text: str, font: Font, *, size: float = 1.0, drop: float = 0.0) -> Formula:
    """Characters in a font, those that it has elsewhere or not at all from others."""
    runs = []
    for char in text:
        used, code = _TRANSLATED.get(char, (font, char))
        if char not in _TRANSLATED and not (char.isascii() and (char.isalnum() or char in ".+ ()/=")):
            used = TIMES
        if char in "0123456789.+()/=":
            used = ROMAN
        runs.append(Run(text=code, font=used, size=size, drop=drop))
    return tuple(runs)


def _size(run: Run, size: float) -> float:
    """A run's font size in pixels."""
    return max(run.size * size, min(SMALLEST_SUBSCRIPT, size))


def width(formula: Formula, size: float) -> float:
    """Width in pixels at a font size in pixels."""
    return sum(glyphs.width(run.text, run.font.path) * _size(run, size) for run in formula)


def box(formula: Formula, *, x: float, y: float, size: float) -> Rect:
    """Where the ink of a formula lies whose baseline begins at (x, y)."""
    below = max((run.drop for run in formula), default=0.0)
    return x, y - CAPITAL * size, x + width(formula, size), y + (below + HANGING) * size


def outline(formula: Formula, *, x: float, y: float, size: float, colour: str = "#000") -> str:
    """The formula as SVG paths."""
    return "".join(_paths(formula, x=x, y=y, size=size, colour=colour))


def _paths(formula: Formula, *, x: float, y: float, size: float, colour: str) -> Iterable[str]:
    for run in formula:
        pixels = _size(run, size)
        for char in run.text:
            glyph = glyphs.glyph(char, run.font.path)
            scale = pixels / glyph.em
            edge = f' stroke="{colour}" stroke-width="{0.4 / scale:.1f}"' if pixels < THIN else ' stroke="none"'
            if glyph.path:
                place = f"matrix({scale:.6f} 0 0 {-scale:.6f} {x:.2f} {y + run.drop * size:.2f})"
                yield f'<path fill="{colour}"{edge} transform="{place}" d="{glyph.path}"/>'
            x += glyph.advance * pixels
