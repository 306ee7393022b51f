"""Set labels as TeX sets formulas: italic letters, upright digits and units, lowered subscripts.

The letters are those of Computer Modern in matplotlib's files (`cmmi10`, `cmr10`, `cmsy10`). These files have TeX's own
encoding, so some Unicode characters are translated here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from circuitvlm.circuit.draw import glyphs
from circuitvlm.circuit.draw.labels import Rect
from circuitvlm.circuit.draw.styles import TIMES, Font

ITALIC = Font(file="cmmi10.ttf", family="cmmi10")
ROMAN = Font(file="cmr10.ttf", family="cmr10")
SYMBOLS = Font(file="cmsy10.ttf", family="cmsy10")

ASCENT, DESCENT, SUBSCRIPT_DROP = 0.69, 0.06, 0.16
"""Height of a capital letter, ink below the baseline without a subscript, and drop of a subscript, in em."""

SUBSCRIPT_SIZE, INNER_SUBSCRIPT_SIZE = 0.7, 0.62
"""Font size of a subscript as a share of the label's: in a name, and in a name that is a factor of a product."""

SMALLEST_SUBSCRIPT = 9.5
"""Pixels."""

THIN_SIZE = 20.0
"""Font size in pixels below which letters are drawn a little bolder, because thin strokes would fade."""

_TEX_CODES = {"Ω": (ROMAN, "\xad"), "µ": (ITALIC, "\xb9"), "μ": (ITALIC, "\xb9"), "-": (SYMBOLS, "\xa1")}
_NAME = re.compile(r"([A-Za-z]+)_?([0-9][0-9A-Za-z]*)")
_NUMBER = re.compile(r"-?[0-9.]+")


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one font; `size` and `drop` are shares of the font size of the formula."""

    text: str
    font: Font
    size: float = 1.0
    drop: float = 0.0

    def pixels(self, size: float) -> float:
        """The font size in pixels, at the font size of the formula."""
        return max(self.size * size, min(SMALLEST_SUBSCRIPT, size))


Formula = tuple[Run, ...]


@cache
def symbol(name: str, is_factor: bool = False) -> Formula:
    """A name such as R1, R_1 or U0: the letters italic, the digits a subscript. Other text is set in one line."""
    match = _NAME.fullmatch(name)
    if match is None:
        return _runs(name, ITALIC)
    size, drop = (INNER_SUBSCRIPT_SIZE, SUBSCRIPT_DROP + 0.1) if is_factor else (SUBSCRIPT_SIZE, SUBSCRIPT_DROP)
    return (*_runs(match[1], ITALIC), *_runs(match[2], ROMAN, size=size, drop=drop))


@cache
def quantity(number: str, unit: str) -> Formula:
    """A number and its unit, upright and without a space between them, as TeX sets them in a formula."""
    return _runs(number + unit, ROMAN)


def product(gain: str, control: str) -> Formula:
    """The value of a controlled source: `y_1 V_0`, or `3 V_0`."""
    return (quantity(gain, "") if _NUMBER.fullmatch(gain) else symbol(gain)) + symbol(control, is_factor=True)


@cache
def _runs(text: str, font: Font, *, size: float = 1.0, drop: float = 0.0) -> Formula:
    """Characters in a font; characters that this font lacks are taken from other fonts."""
    runs = []
    for char in text:
        is_known = char.isascii() and (char.isalnum() or char == " ")
        default_font = ROMAN if char in "0123456789.+()/=" else font if is_known else TIMES
        char_font, code = _TEX_CODES.get(char, (default_font, char))
        runs.append(Run(text=code, font=char_font, size=size, drop=drop))
    return tuple(runs)


def width(formula: Formula, size: float) -> float:
    """The width in pixels at a font size in pixels."""
    return sum(glyphs.width(run.text, run.font.path) * run.pixels(size) for run in formula)


def rect(formula: Formula, *, x: float, y: float, size: float) -> Rect:
    """The bounding box of a formula whose baseline starts at (x, y)."""
    drop = max((run.drop for run in formula), default=0.0)
    return x, y - ASCENT * size, x + width(formula, size), y + (drop + DESCENT) * size


def outline(formula: Formula, *, x: float, y: float, size: float, colour: str = "#000") -> str:
    """The formula as SVG paths; its baseline starts at (x, y)."""
    paths = []
    for run in formula:
        pixels, font_path = run.pixels(size), run.font.path
        is_thin = pixels < THIN_SIZE
        stroke = f'"{colour}" stroke-width="{0.4 / glyphs.scale(font_path, pixels):.1f}"' if is_thin else '"none"'
        attributes = f' fill="{colour}" stroke={stroke}'
        paths.append(
            glyphs.outlines(run.text, font_path, x=x, y=y + run.drop * size, size=pixels, attributes=attributes)
        )
        x += glyphs.width(run.text, font_path) * pixels
    return "".join(paths)
