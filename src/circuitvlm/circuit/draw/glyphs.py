"""Read the outlines of letters from font files, once per process.

Pictures are drawn from outlines, because resvg would shape each label anew. That would take longer than the whole
rest of a drawing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.ttLib import TTFont

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of the dates in the Computer Modern files


@dataclass(frozen=True, slots=True)
class Glyph:
    """The outline of a character as SVG path data in units of the font, y upwards; `advance` is its width in em."""

    path: str
    advance: float


@cache
def _font(font_path: str) -> TTFont:
    return TTFont(font_path, lazy=True)


@cache
def _glyph(char: str, font_path: str) -> Glyph:
    """The outline of a character; that of the font's empty box where the font does not have it."""
    font = _font(font_path)
    glyphs = font.getGlyphSet()
    outline = glyphs[font.getBestCmap().get(ord(char), ".notdef")]
    pen = SVGPathPen(glyphs)
    outline.draw(pen)
    return Glyph(path=pen.getCommands(), advance=scale(font_path, outline.width))


@cache
def width(text: str, font_path: str) -> float:
    """The width of a line in em."""
    return sum(_glyph(char, font_path).advance for char in text)


def scale(font_path: str, size: float) -> float:
    """Pixels per unit of the font, at a font size in pixels."""
    return size / float(_font(font_path)["head"].unitsPerEm)


def outlines(text: str, font_path: str, *, x: float, y: float, size: float, attributes: str = "") -> str:
    """A line of text as SVG paths; its baseline starts at (x, y), in pixels like the font size."""
    factor = scale(font_path, size)
    paths = []
    for char in text:
        glyph = _glyph(char, font_path)
        if glyph.path:
            paths.append(
                f'<path{attributes} transform="matrix({factor:.6f} 0 0 {-factor:.6f} {x:.2f} {y:.2f})"'
                f' d="{glyph.path}"/>'
            )
        x += glyph.advance * size
    return "".join(paths)
