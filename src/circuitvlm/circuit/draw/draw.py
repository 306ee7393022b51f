"""What does a circuit look like? SVG text and pixels, in a named style.

Symbols come from schemdraw's elements (`_symbols`), labels find their own room (`_labels`), resvg makes the pixels with
the font files that matplotlib ships, so that one seed gives the same picture on every machine.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Literal

import numpy as np
import numpy.typing as npt
import resvg_py
from PIL import Image, ImageFilter

from circuitvlm.circuit.draw import glyphs, layout
from circuitvlm.circuit.draw.circuitikz import sketch as circuitikz_sketch
from circuitvlm.circuit.draw.circuitikz.page import natural_size
from circuitvlm.circuit.draw.circuitikz.place import on_grid
from circuitvlm.circuit.draw.labels import ANCHORS, Line
from circuitvlm.circuit.draw.layout import Mark, Placement
from circuitvlm.circuit.draw.plain.marks import checked
from circuitvlm.circuit.draw.plain.page import Sketch
from circuitvlm.circuit.draw.plain.sketch import sketch
from circuitvlm.circuit.draw.styles import SEEN, SMALLER, STYLES, Style, style_named, varied
from circuitvlm.circuit.graph import Circuit

__all__ = ["SEEN", "STYLES", "Mark", "Style", "crowding", "image", "pixels", "size_of", "style_named", "svg"]

GROWTH = (1.0, 1.25, 1.5, 2.0)


def size_of(placement: Placement) -> tuple[int, int]:
    """Width and height that suit a placement: 224 x 168, half of that for a single part, more for a large deck; of one
    with lines of its own (`circuit.grid`), as they lie at 200 dots per inch.
    """
    if placement.columns:
        across, down = natural_size(placement)
        return round(across), round(down)
    if len(placement.symbols) == 1 and not placement.wires:
        return 112, 84
    columns, rows = placement.size
    if columns <= 7 and rows <= 3 and all(symbol.form == "edge" for symbol in placement.symbols):
        return 224, 168
    return max(224, 56 + round(50 * columns)), max(168, 44 + round(52 * rows))


def svg(
    circuit: Circuit,
    placement: Placement | None = None,
    *,
    style: Style | str,
    width: int | None = None,
    height: int | None = None,
    seed: int = 0,
    marks: Sequence[Mark] = (),
) -> str:
    """The drawing as SVG text. `seed` chooses how this drawing differs from others of its style.

    `marks` are quantities to be drawn beside devices with two pins. The look "circuitikz" (style circuitsense) draws
    R C L V I E G F H, writes values or, where there are none, names, and its letters are outlines in the SVG too.
    Raises ValueError for an unknown style, and for a mark or a device that cannot be drawn.
    """
    page = _sketch(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks)
    return _svg(page, labels=_texts(page))


def image(
    circuit: Circuit,
    placement: Placement | None = None,
    *,
    style: Style | str,
    width: int | None = None,
    height: int | None = None,
    seed: int = 0,
    marks: Sequence[Mark] = (),
) -> bytes:
    """The drawing as a PNG: grey, but in colour in a style of the look "circuitikz", whose node numbers are blue."""
    page = _sketch(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks)
    coloured = page.style.look == "circuitikz"
    if coloured and not page.style.blur and not page.style.noise:
        return _png(page)  # to read it and write it again would take a third of the time
    buffer = io.BytesIO()
    values = _pixels(page, mode="RGB" if coloured else "L", seed=seed)
    Image.fromarray(values).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def pixels(
    circuit: Circuit,
    placement: Placement | None = None,
    *,
    style: Style | str,
    width: int | None = None,
    height: int | None = None,
    seed: int = 0,
    marks: Sequence[Mark] = (),
) -> npt.NDArray[np.uint8]:
    """The drawing as grey values (height, width), in every style; paper is 255."""
    page = _sketch(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks)
    return _pixels(page, mode="L", seed=seed)


def _pixels(page: Sketch, *, mode: Literal["L", "RGB"], seed: int) -> npt.NDArray[np.uint8]:
    """(height, width) in grey, (height, width, 3) in colour."""
    shown = Image.open(io.BytesIO(_png(page))).convert(mode)
    if page.style.blur:
        shown = shown.filter(ImageFilter.GaussianBlur(page.style.blur))
    values = np.asarray(shown)
    if page.style.noise:
        noise = np.random.default_rng(np.random.SeedSequence([seed, 1])).normal(0, page.style.noise, size=values.shape)
        values = np.clip(values + noise, 0, 255).astype(np.uint8)
    return values


def _png(page: Sketch) -> bytes:
    """The page as resvg's own PNG, in colour and without holes."""
    return bytes(resvg_py.svg_to_bytes(svg_string=_svg(page, labels=_outlines(page)), skip_system_fonts=True))


def crowding(
    circuit: Circuit,
    placement: Placement | None = None,
    *,
    style: Style | str,
    width: int | None = None,
    height: int | None = None,
    seed: int = 0,
    marks: Sequence[Mark] = (),
) -> float:
    """On how many square pixels of the drawing labels touch something: a legible one has less than 1."""
    return _sketch(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks).touched


def _sketch(
    circuit: Circuit,
    placement: Placement | None,
    *,
    style: Style | str,
    width: int | None,
    height: int | None,
    seed: int,
    marks: Sequence[Mark],
) -> Sketch:
    """The drawing before it becomes SVG. A page whose size is left open grows until its labels have room."""
    base = style_named(style) if isinstance(style, str) else style
    marks = checked(marks, circuit=circuit)
    if base.look == "circuitikz":
        placement = on_grid(circuit) if placement is None else placement
        return circuitikz_sketch.sketch(
            circuit, placement, style=base, width=width, height=height, seed=seed, marks=marks
        )
    placement = layout.place(circuit) if placement is None else placement
    usual = size_of(placement)
    for growth in GROWTH if width is None and height is None else GROWTH[:1]:
        rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
        page = sketch(
            circuit,
            placement,
            style=varied(base, rng),
            width=width or round(usual[0] * growth),
            height=height or round(usual[1] * growth),
            rng=rng,
            marks=marks,
        )
        if page.touched < 1:
            break
    return page


def _svg(page: Sketch, *, labels: str) -> str:
    """SVG text: a group of strokes, and the labels."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{page.width}" height="{page.height}" '
        f'viewBox="0 0 {page.width} {page.height}"><rect width="100%" height="100%" fill="#fff"/>'
        f'<g fill="none" stroke="#000" stroke-width="{page.style.line_width:.2f}" stroke-linecap="round" '
        f'stroke-linejoin="round">{"".join(page.fragments)}</g>{labels}</svg>'
    )


def _texts(page: Sketch) -> str:
    """Labels and small signs as text."""
    font = page.style.font
    look = f'font-family="{font.family}"' + ' font-weight="bold"' * font.bold + ' font-style="italic"' * font.italic
    groups = (page.labels, page.style.font_size), (page.signs, page.style.font_size - SMALLER)
    return "".join(f'<g {look} font-size="{size:.2f}">{"".join(map(_text, lines))}</g>' for lines, size in groups)


def _text(line: Line) -> str:
    anchor = "" if line.anchor == "start" else f' text-anchor="{line.anchor}"'
    return f'<text x="{line.x:.2f}" y="{line.y:.2f}"{anchor}>{escape(line.text)}</text>'


def _outlines(page: Sketch) -> str:
    """Labels and small signs as outlines of their letters: the same ink as text, in a fraction of the time."""
    font, size = page.style.font.path, page.style.font_size
    labels = [_outline(line, font=font, size=size) for line in page.labels]
    return "".join(labels + [_outline(line, font=font, size=size - SMALLER) for line in page.signs])


def _outline(line: Line, *, font: str, size: float) -> str:
    x = line.x - ANCHORS[line.anchor] * glyphs.width(line.text, font) * size
    paths = []
    for char in line.text:
        glyph = glyphs.glyph(char, font)
        scale = size / glyph.em
        place = f"matrix({scale:.6f} 0 0 {-scale:.6f} {x:.2f} {line.y:.2f})"
        if glyph.path:
            paths.append(f'<path transform="{place}" d="{glyph.path}"/>')
        x += glyph.advance * size
    return "".join(paths)
