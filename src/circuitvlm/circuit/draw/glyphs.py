"""Which outline does a letter have? Read from the font files once per process.

Pictures are drawn from outlines: resvg would shape each label anew, which costs more than all the rest of a drawing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.ttLib import TTFont

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it remarks on the dates in the Computer Modern files


@dataclass(frozen=True, slots=True)
class Glyph:
    """SVG path data in units of the font, y upwards; `advance` is its width in em."""

    path: str
    advance: float
    em: float


@dataclass(frozen=True, slots=True)
class _Face:
    font: TTFont
    names: dict[int, str]
    em: float


@cache
def _face(path: str) -> _Face:
    font = TTFont(path, lazy=True)
    return _Face(font=font, names=font.getBestCmap(), em=float(font["head"].unitsPerEm))


@cache
def glyph(char: str, path: str) -> Glyph:
    """The outline of a character; that of the font's empty box where it has none."""
    face = _face(path)
    glyphs = face.font.getGlyphSet()
    outline = glyphs[face.names.get(ord(char), ".notdef")]
    pen = SVGPathPen(glyphs)
    outline.draw(pen)
    return Glyph(path=pen.getCommands(), advance=outline.width / face.em, em=face.em)


@cache
def width(text: str, path: str) -> float:
    """Width of a line in em."""
    return sum(glyph(char, path).advance for char in text)
