"""Draw the signs beside symbols: + and - of a source, a marked voltage from + to -, a marked current along an arrow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from circuitvlm.circuit.draw.canvas import Body, Canvas, arrow_svg, sign_path
from circuitvlm.circuit.draw.frame import XY
from circuitvlm.circuit.draw.labels import ASCENT, Rect, TextLine, choose_place
from circuitvlm.circuit.draw.styles import Style
from circuitvlm.circuit.placement import Mark

ARM = 2.4
"""Half the width of the + and the - of a mark, in pixels."""


def draw_sign(canvas: Canvas, sign: str, x: float, y: float, *, arm: float = ARM) -> None:
    """A + or a - centred at (x, y)."""
    half_height = arm if sign == "+" else 1.0
    canvas.fragments.append(f'<path d="{sign_path(sign, x, y, arm=arm)}"/>')
    canvas.ink.append((x - arm - 1, y - half_height - 1, x + arm + 1, y + half_height + 1))


def draw_source_signs(canvas: Canvas, body: Body) -> None:
    """Plus at the first pin and minus at the second: beside the leads if the style says so and there is space for both,
    else inside of the symbol.
    """
    places = [(0.25 * body.unit, 0.0, 0.11 * body.unit)]
    if canvas.style.source == "outside":
        lateral = 6.0 if (canvas.style.label_side == "left") == (body.dy != 0) else -6.0  # first opposite to the label
        axial = 0.5 * body.unit + 5.0
        places = [(axial, lateral, 2.6), (axial, -lateral, 2.6), *places]
    for axial, lateral, arm in places:
        plus, minus = body.point_below(-axial, lateral), body.point_below(axial, lateral)
        squares = ((x - (arm + 1), y - (arm + 1), x + (arm + 1), y + (arm + 1)) for x, y in (plus, minus))
        if not lateral or not any(map(canvas.is_covered, squares)):
            break
    draw_sign(canvas, "+", *plus, arm=arm)
    draw_sign(canvas, "-", *minus, arm=arm)


@dataclass(frozen=True, slots=True)
class _DrawnMark:
    """A mark as SVG, the rectangles of its signs or its arrow, and the line with its name."""

    svg: str
    sign_rects: tuple[Rect, ...]
    name: TextLine


def draw_marks(canvas: Canvas, marks: Iterable[Mark]) -> None:
    """Signs or arrow and name of each mark, on the side of its symbol with the least overlap.

    Raises ValueError for a device without a two-pin symbol.
    """
    small = canvas.style.with_small_font()
    for mark in marks:
        if mark.device not in canvas.bodies:
            raise ValueError(
                f"mark {mark.name!r}: expected a device with a two-pin symbol, got {mark.device!r}; leave this mark out"
            )
        body = canvas.bodies[mark.device]
        draw_mark = _voltage if mark.kind == "voltage" else _current
        # The label stands to the right of a vertical symbol where it stands above a horizontal one.
        side = -1 if (canvas.style.label_side == "right") == body.is_vertical else 1
        best, area = choose_place(
            (draw_mark(body, mark, side=s, small=small) for s in (side, -side)),
            lambda drawn_mark: (*drawn_mark.sign_rects, drawn_mark.name.rect(small)),
            ink=canvas.ink,
            limits=canvas.limits,
        )
        canvas.overlap += area
        canvas.fragments.append(best.svg)
        canvas.small_lines.append(best.name)
        canvas.ink += [*best.sign_rects, best.name.rect(small)]


def _voltage(body: Body, mark: Mark, *, side: int, small: Style) -> _DrawnMark:
    """Plus and minus beside the leads, the name between them."""
    axial = min(body.half_length + 7, (body.half_length + body.start_lead) / 2 + 1, body.start_lead - ARM)
    plus, minus = _both_ends(body, mark, side=side, middle=0.0, axial=axial)
    svg = "".join(f'<path d="{sign_path("-", x, y, arm=ARM)}"/>' for x, y in (plus, minus))
    svg += f'<path d="M{plus[0]:.2f} {plus[1] - ARM:.2f}v{2 * ARM:.2f}"/>'
    rects = tuple((x - ARM, y - ARM, x + ARM, y + ARM) for x, y in (plus, minus))
    return _DrawnMark(svg, rects, _name(body, mark, axial=0, lateral=side * (body.half_width + 4), small=small))


def _current(body: Body, mark: Mark, *, side: int, small: Style) -> _DrawnMark:
    """An arrow beside the lead of the second pin, the name next to it."""
    half = min(max((body.start_lead - body.half_length) / 2 - 1, 4.0), 9.0)
    middle = (body.half_length + body.start_lead) / 2
    tail, tip = _both_ends(body, mark, side=side, middle=middle, axial=half)
    (x0, y0), (x1, y1) = tail, tip
    dx, dy = (x1 - x0) / (2 * half), (y1 - y0) / (2 * half)
    neck = x1 - 4 * dx, y1 - 4 * dy
    svg = arrow_svg(tail, neck, (tip, (neck[0] - 2 * dy, neck[1] + 2 * dx), (neck[0] + 2 * dy, neck[1] - 2 * dx)))
    rect = (min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2)
    return _DrawnMark(svg, (rect,), _name(body, mark, axial=middle, lateral=side * 9.5, small=small))


def _both_ends(body: Body, mark: Mark, *, side: int, middle: float, axial: float) -> tuple[XY, XY]:
    """The points of a mark's plus and minus, or of its arrow's tail and tip: `axial` before and after the middle."""
    axial = axial if mark.is_reversed else -axial
    return body.point_below(middle + axial, side * 6.0), body.point_below(middle - axial, side * 6.0)


def _name(body: Body, mark: Mark, *, axial: float, lateral: float, small: Style) -> TextLine:
    x, y = body.point_below(axial, lateral)
    if body.is_vertical:
        return TextLine(text=mark.name, x=x, y=y + 0.36 * small.font_size, anchor="start" if lateral > 0 else "end")
    return TextLine(text=mark.name, x=x, y=y + (ASCENT * small.font_size if lateral > 0 else 0.0), anchor="middle")
