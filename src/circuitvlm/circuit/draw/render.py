"""Render a circuit as SVG text, as a PNG or as pixels.

Symbols come from schemdraw or are those of CircuiTikZ, and resvg makes the pixels. The fonts are the files that come
with matplotlib, so one seed gives the same picture on every machine.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Literal

import numpy as np
import numpy.typing as npt
import resvg_py
from PIL import Image, ImageFilter

from circuitvlm.circuit.draw import circuitikz, glyphs, layout, plain
from circuitvlm.circuit.draw.canvas import Canvas
from circuitvlm.circuit.draw.labels import ANCHORS, TextLine
from circuitvlm.circuit.draw.styles import Font, Style, find_style, vary
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.placement import Mark, Placement

PAGE_SCALES = (1.0, 1.25, 1.5, 2.0)


def default_size(placement: Placement) -> tuple[int, int]:
    """Width and height in pixels that suit a placement.

    They are 224 x 168, half of that for a single part, and more for a large circuit. A placement that states its grid
    lines has its size at 200 dots per inch.
    """
    if placement.columns:
        width, height = circuitikz.natural_size(placement)
        return round(width), round(height)
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

    `marks` are voltages and currents of devices with two or more pins, drawn beside them. The style circuitsense draws
    the kinds R C L V I E G F H only. It labels them with their values, or with their names where they have no value,
    and its letters are outlines in the SVG too.
    Raises ValueError for an unknown style, and for a mark or a device that cannot be drawn.
    """
    canvas = _draw(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks)
    font, size = canvas.style.font, canvas.style.font_size
    attributes = (
        f'font-family="{font.family}"' + ' font-weight="bold"' * font.bold + ' font-style="italic"' * font.italic
    )
    groups = (canvas.label_lines, size), (canvas.small_lines, canvas.style.with_small_font().font_size)
    labels = (f'<g {attributes} font-size="{s:.2f}">{"".join(map(_text_svg, lines))}</g>' for lines, s in groups)
    return _svg(canvas, labels="".join(labels))


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
    """The drawing as a PNG: grey, or in colour in a style of the look "circuitikz", which has blue node numbers."""
    canvas = _draw(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks)
    is_coloured = canvas.style.look == "circuitikz"
    if is_coloured and not canvas.style.blur and not canvas.style.noise:
        return _png(canvas)  # decoding and encoding it again would take a third of the time
    picture = Image.fromarray(_pixels(canvas, mode="RGB" if is_coloured else "L", seed=seed))
    picture.save(buffer := io.BytesIO(), format="PNG", compress_level=3)
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
    return _pixels(
        _draw(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks), mode="L", seed=seed
    )


def overlap_area(
    circuit: Circuit,
    placement: Placement | None = None,
    *,
    style: Style | str,
    width: int | None = None,
    height: int | None = None,
    seed: int = 0,
    marks: Sequence[Mark] = (),
) -> float:
    """The area on which labels overlap something, in square pixels; it is below 1 in a legible drawing."""
    return _draw(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks).overlap


def _pixels(canvas: Canvas, *, mode: Literal["L", "RGB"], seed: int) -> npt.NDArray[np.uint8]:
    """Pixels (height, width) in grey, or (height, width, 3) in colour."""
    picture = Image.open(io.BytesIO(_png(canvas))).convert(mode)
    if canvas.style.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(canvas.style.blur))
    values = np.asarray(picture)
    if canvas.style.noise:
        rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
        values = np.clip(values + rng.normal(0, canvas.style.noise, size=values.shape), 0, 255).astype(np.uint8)
    return values


def _png(canvas: Canvas) -> bytes:
    """The PNG of resvg, in colour and opaque. Outlines give the same ink as text in a fraction of the time."""
    small = canvas.style.with_small_font()
    labels = [_outline_svg(line, font=canvas.style.font, size=canvas.style.font_size) for line in canvas.label_lines]
    labels += [_outline_svg(line, font=small.font, size=small.font_size) for line in canvas.small_lines]
    return bytes(resvg_py.svg_to_bytes(svg_string=_svg(canvas, labels="".join(labels)), skip_system_fonts=True))


def _draw(
    circuit: Circuit,
    placement: Placement | None,
    *,
    style: Style | str,
    width: int | None,
    height: int | None,
    seed: int,
    marks: Sequence[Mark],
) -> Canvas:
    """The drawing before it becomes SVG. A page of unspecified size is enlarged until its labels have enough space."""
    style = find_style(style) if isinstance(style, str) else style
    marks = _resolve_marks(marks, circuit)
    is_circuitikz = style.look == "circuitikz"
    placement = placement or (circuitikz if is_circuitikz else layout).place(circuit)
    marks = (*placement.marks, *(mark for mark in marks if mark not in placement.marks))
    if is_circuitikz:
        return circuitikz.draw(circuit, placement, style=style, width=width, height=height, seed=seed, marks=marks)
    default_width, default_height = default_size(placement)
    for factor in PAGE_SCALES if width is None and height is None else PAGE_SCALES[:1]:
        rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
        canvas = plain.draw(
            circuit,
            placement,
            style=vary(style, rng),
            width=width or round(default_width * factor),
            height=height or round(default_height * factor),
            rng=rng,
            marks=marks,
        )
        if canvas.overlap < 1:
            break
    return canvas


def _resolve_marks(marks: Sequence[Mark], circuit: Circuit) -> tuple[Mark, ...]:
    """The marks with the names of devices spelled as in the circuit.

    Raises ValueError for an unknown kind, and for a device that is not in the circuit or has fewer than two pins.
    """
    devices = {device.name.upper(): device for device in circuit.devices}
    resolved_marks = []
    for mark in marks:
        if mark.kind not in ("voltage", "current"):
            raise ValueError(f"mark {mark.name!r}: kind: expected 'voltage' or 'current', got {mark.kind!r}")
        device = devices.get(mark.device.upper())
        if device is None:
            raise ValueError(
                f"mark {mark.name!r}: device: expected one of {', '.join(d.name for d in circuit.devices)}, "
                f"got {mark.device!r}"
            )
        if len(device.nodes) < 2:
            raise ValueError(
                f"mark {mark.name!r}: device: expected one with 2 or more pins, "
                f"got {device.name!r} with {len(device.nodes)}"
            )
        resolved_marks.append(replace(mark, device=device.name))
    return tuple(resolved_marks)


def _svg(canvas: Canvas, *, labels: str) -> str:
    """SVG text: a group of strokes, and the labels."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{canvas.width}" height="{canvas.height}" '
        f'viewBox="0 0 {canvas.width} {canvas.height}"><rect width="100%" height="100%" fill="#fff"/>'
        f'<g fill="none" stroke="#000" stroke-width="{canvas.style.line_width:.2f}" stroke-linecap="round" '
        f'stroke-linejoin="round">{"".join(canvas.fragments)}</g>{labels}</svg>'
    )


def _text_svg(line: TextLine) -> str:
    anchor = "" if line.anchor == "start" else f' text-anchor="{line.anchor}"'
    return f'<text x="{line.x:.2f}" y="{line.y:.2f}"{anchor}>{escape(line.text)}</text>'


def _outline_svg(line: TextLine, *, font: Font, size: float) -> str:
    x = line.x - ANCHORS[line.anchor] * glyphs.width(line.text, font.path) * size
    return glyphs.outlines(line.text, font.path, x=x, y=line.y, size=size)
