"""Place labels: the first place beside a symbol that overlaps nothing, else the place with the least overlap."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from operator import itemgetter
from typing import Literal, TypeVar

from circuitvlm.circuit.draw import glyphs
from circuitvlm.circuit.draw.styles import Side, Style
from circuitvlm.circuit.graph import Device
from circuitvlm.circuit.quantity import format_engineering

Rect = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""

Anchor = Literal["start", "middle", "end"]
Place = TypeVar("Place")

UNITS = {"R": "Ω", "C": "F", "L": "H", "V": "V", "I": "A"}
ASCENT, DESCENT = 0.74, 0.06
"""Height of a capital letter above the baseline, and of other letters below it, as shares of the font size."""

LINE_PITCH = 1.08
"""Distance of two baselines as a share of the font size."""

ANCHORS: dict[Anchor, float] = {"start": 0.0, "middle": 0.5, "end": 1.0}
MAX_CHARS = 14
"""Characters of one line of a label."""

GAP = 3.0
"""Pixels between a symbol and its label."""

PADDING = 2.0
"""Pixels to the left and right of each label, so that two labels do not read as one."""

OPPOSITE: dict[Side, Side] = {"right": "left", "left": "right"}


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text; (x, y) is the point of its baseline that `anchor` names, in pixels."""

    text: str
    x: float
    y: float
    anchor: Anchor

    def rect(self, style: Style) -> Rect:
        """The bounding box of the ink."""
        width = text_width(self.text, style)
        x = self.x - ANCHORS[self.anchor] * width
        return x, self.y - ASCENT * style.font_size, x + width, self.y + DESCENT * style.font_size


@dataclass(frozen=True, slots=True)
class Label:
    """The lines of a label, and its symbol: centre, half width across its axis, half length along it, in pixels."""

    lines: tuple[str, ...]
    x: float
    y: float
    half_width: float
    half_length: float
    is_vertical: bool


def text_width(text: str, style: Style) -> float:
    """The width of a line in pixels."""
    return glyphs.width(text, style.font.path) * style.font_size


def label_lines(device: Device, style: Style) -> tuple[str, ...]:
    """The name of a device, then its value where it has one."""
    if device.ac and not device.value and not device.text:  # a small-signal source: its phasor says more than 0 V
        degrees = round(math.degrees(cmath.phase(device.ac)), 3)
        angle = f"∠{format_engineering(degrees)}°" if degrees else ""
        return device.name, f"{_format_value(abs(device.ac), device, style)}{angle} AC"
    if device.value is not None:
        return device.name, _format_value(device.value, device, style)
    text = " ".join(device.text.split())
    text = text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…"
    return (device.name, text) if text and text.upper() != device.name.upper() else (device.name,)


def _format_value(value: float, device: Device, style: Style) -> str:
    """A value with its unit, as the style writes it."""
    shows_unit = style.units == "all" or (style.units == "sources" and device.kind in "VI")
    unit = UNITS.get(device.kind, "") if shows_unit else ""
    number = format_engineering(value).replace("u", style.micro)
    number = number.replace("Meg", "M") if unit else number
    if style.unit_space and unit and number[-1:].isalpha():  # "4.7 kΩ"
        return f"{number[:-1]}{style.unit_space}{number[-1]}{unit}"
    return number + (style.unit_space if unit else "") + unit


def place(label: Label, *, style: Style, ink: Sequence[Rect], limits: Rect) -> tuple[tuple[TextLine, ...], float]:
    """The placed lines of a label, and their overlap in square pixels."""
    one_line = ((" = " if style.equals_sign else " ").join(label.lines),)
    return choose_place(
        (_vertical if label.is_vertical else _horizontal)(label, style, one_line),  # the style's own place first
        lambda lines: [line.rect(style) for line in lines],
        ink=ink,
        limits=limits,
    )


def choose_place(
    candidates: Iterable[Place], rects: Callable[[Place], Iterable[Rect]], *, ink: Sequence[Rect], limits: Rect
) -> tuple[Place, float]:
    """The first candidate without overlap, else the first with the least, and its overlap in square pixels.

    `rects` gives the rectangles of a candidate; there must be at least one candidate.
    """
    areas = ((candidate, sum(rect_overlap(rect, ink, limits) for rect in rects(candidate))) for candidate in candidates)
    best = next(areas)
    while best[1] > 0 and (candidate := next(areas, None)) is not None:
        best = min(best, candidate, key=itemgetter(1))
    return best


def rect_overlap(rect: Rect, ink: Iterable[Rect], limits: Rect) -> float:
    """Area that a label shares with the ink, and three times its area outside of the limits, in square pixels."""
    x0, y0, x1, y1 = rect[0] - PADDING, rect[1], rect[2] + PADDING, rect[3]
    area = sum(
        (min(x1, a1) - max(x0, a0)) * (min(y1, b1) - max(y0, b0))
        for a0, b0, a1, b1 in ink
        if x0 < a1 and a0 < x1 and y0 < b1 and b0 < y1
    )
    area_in_limits = max(0.0, min(x1, limits[2]) - max(x0, limits[0])) * max(
        0.0, min(y1, limits[3]) - max(y0, limits[1])
    )
    return area + 3 * ((x1 - x0) * (y1 - y0) - area_in_limits)


def _vertical(label: Label, style: Style, one_line: tuple[str]) -> Iterable[tuple[TextLine, ...]]:
    """Places beside a vertical symbol."""
    sides = style.label_side, OPPOSITE[style.label_side]
    if style.label_layout == "one_line":
        for lines, side in ((one_line, sides[0]), (label.lines, sides[0]), (one_line, sides[1])):
            yield _right_or_left(label, style, lines, side)
    if style.label_layout == "split" and len(label.lines) == 2:
        for a, b in (sides[::-1], sides):
            yield _right_or_left(label, style, label.lines[:1], a) + _right_or_left(label, style, label.lines[1:], b)
    for shift, side in product((0.0, -0.5, 0.5), sides):
        yield _right_or_left(label, style, label.lines, side, shift=shift * 2 * label.half_length)
    beside_lead = label.half_length + 0.55 * len(label.lines) * style.font_size + 2
    for shift, side in product((-beside_lead, beside_lead), sides):
        yield _right_or_left(replace(label, half_width=1.0), style, label.lines, side, shift=shift)


def _right_or_left(
    label: Label, style: Style, lines: Sequence[str], side: Side, shift: float = 0.0
) -> tuple[TextLine, ...]:
    """Lines to the right or left of a vertical symbol, at its centre or `shift` pixels lower."""
    pitch = LINE_PITCH * style.font_size
    first = label.y + shift + (ASCENT * style.font_size - pitch * (len(lines) - 1)) / 2
    x = label.x + (1 if side == "right" else -1) * (label.half_width + GAP)
    return tuple(TextLine(t, x, first + pitch * i, "start" if side == "right" else "end") for i, t in enumerate(lines))


def _horizontal(label: Label, style: Style, one_line: tuple[str]) -> Iterable[tuple[TextLine, ...]]:
    """Places above and below a horizontal symbol."""
    places = (True, False) if style.label_side == "right" else (False, True)
    if style.label_layout == "one_line" or len(label.lines) == 1:
        for is_above in places:
            yield _above_or_below(label, style, one_line, is_above)
    if len(label.lines) == 2:
        name, value = label.lines[:1], label.lines[1:]
        for is_above in places:
            yield _above_or_below(label, style, name, is_above) + _above_or_below(label, style, value, not is_above)
    for shift, is_above, lines in product((0.0, -0.5, 0.5), places, (one_line, label.lines)):
        yield _above_or_below(label, style, lines, is_above, shift=shift * label.half_length * 2)


def _above_or_below(
    label: Label, style: Style, lines: Sequence[str], is_above: bool, shift: float = 0.0
) -> tuple[TextLine, ...]:
    """Lines above or below a horizontal symbol, at its centre or `shift` pixels to the right."""
    pitch = LINE_PITCH * style.font_size
    first = (
        label.y - label.half_width - GAP - pitch * (len(lines) - 1)
        if is_above
        else label.y + label.half_width + GAP + ASCENT * style.font_size
    )
    return tuple(TextLine(text=t, x=label.x + shift, y=first + pitch * i, anchor="middle") for i, t in enumerate(lines))
