"""Where may a label stand? The first place beside its symbol that touches nothing, else the one that touches least."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from circuitvlm.circuit.draw import glyphs
from circuitvlm.circuit.draw.styles import Style
from circuitvlm.circuit.graph import Device
from circuitvlm.circuit.quantity import format_engineering

Rect = tuple[float, float, float, float]
UNITS = {"R": "Ω", "C": "F", "L": "H", "V": "V", "I": "A"}
ASCENT, DESCENT = 0.74, 0.06
"""Height of a capital and of what hangs below, as shares of the font size."""
ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}
LONGEST = 14
"""Characters of a label's line."""

GAP = 3.0
AIR = 2.0
"""Pixels between a symbol and its label, and left and right of every label: two of them must not read as one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; (x, y) is the left end of its baseline, or its middle or right end."""

    text: str
    x: float
    y: float
    anchor: Literal["start", "middle", "end"]

    def rect(self, style: Style) -> Rect:
        """The ink's bounding box."""
        width = text_width(self.text, style)
        left = self.x - ANCHORS[self.anchor] * width
        return left, self.y - ASCENT * style.font_size, left + width, self.y + DESCENT * style.font_size


@dataclass(frozen=True, slots=True)
class Spot:
    """What a label belongs to: a body (centre and half extents), and whether the part stands upright."""

    lines: tuple[str, ...]
    x: float
    y: float
    across: float
    along: float
    upright: bool


def text_width(text: str, style: Style) -> float:
    """Width of a line in pixels."""
    return glyphs.width(text, style.font.path) * style.font_size


def label_lines(device: Device, style: Style) -> tuple[str, ...]:
    """The name, then the value where there is one."""
    if device.ac and not device.value and not device.text:  # a source of small signals: its phasor says more than 0
        degrees = round(math.degrees(cmath.phase(device.ac)), 3)
        angle = f"∠{format_engineering(degrees)}°" if degrees else ""
        return device.name, f"{_number(abs(device.ac), device, style)}{angle} AC"
    if device.value is not None:
        return device.name, _number(device.value, device, style)
    text = " ".join(device.text.split())
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return (device.name, text) if text and text.upper() != device.name.upper() else (device.name,)


def _number(value: float, device: Device, style: Style) -> str:
    """A value with its unit, as the style writes it."""
    shows_unit = style.unit == "all" or (style.unit == "sources" and device.kind in "VI")
    unit = UNITS.get(device.kind, "") if shows_unit else ""
    number = format_engineering(value).replace("u", style.micro)
    number = number.replace("Meg", "M") if unit else number
    if style.space and unit and number[-1:].isalpha():  # "4.7 kΩ"
        return f"{number[:-1]}{style.space}{number[-1]}{unit}"
    return number + (style.space if unit else "") + unit


def place(spot: Spot, *, style: Style, taken: Sequence[Rect], page: Rect) -> tuple[tuple[Line, ...], float]:
    """The lines of a label, and the area in square pixels on which they touch something."""
    best: tuple[Line, ...] = ()
    least = float("inf")
    for lines in _candidates(spot, style):
        touched = sum(touched_area(line.rect(style), taken, page) for line in lines)
        if touched < least:
            best, least = lines, touched
        if touched == 0:
            break
    return best, least


def touched_area(rect: Rect, taken: Iterable[Rect], page: Rect) -> float:
    """Area shared with what stands there already, and outside of the page."""
    x0, y0, x1, y1 = rect[0] - AIR, rect[1], rect[2] + AIR, rect[3]
    area = 0.0
    for a0, b0, a1, b1 in taken:
        if x0 < a1 and a0 < x1 and y0 < b1 and b0 < y1:
            area += (min(x1, a1) - max(x0, a0)) * (min(y1, b1) - max(y0, b0))
    inside = max(0.0, min(x1, page[2]) - max(x0, page[0])) * max(0.0, min(y1, page[3]) - max(y0, page[1]))
    return area + 3 * ((x1 - x0) * (y1 - y0) - inside)


def _candidates(spot: Spot, style: Style) -> Iterable[tuple[Line, ...]]:
    """Places for a label, the style's own first."""
    joined = (" = " if style.equals else " ").join(spot.lines)
    return _upright(spot, style, joined) if spot.upright else _level(spot, style, joined)


def _upright(spot: Spot, style: Style, joined: str) -> Iterable[tuple[Line, ...]]:
    sides: tuple[Literal["right", "left"], ...] = ("right", "left") if style.side == "right" else ("left", "right")
    if style.label == "joined":
        yield _beside(spot, style, (joined,), sides[0])
        yield _beside(spot, style, spot.lines, sides[0])
        yield _beside(spot, style, (joined,), sides[1])
    if style.label == "split" and len(spot.lines) == 2:
        for a, b in (sides[::-1], sides):
            yield _beside(spot, style, spot.lines[:1], a) + _beside(spot, style, spot.lines[1:], b)
    for shift in (0.0, -0.5, 0.5):
        for side in sides:
            yield _beside(spot, style, spot.lines, side, shift=shift * 2 * spot.along)
    clear = (
        spot.along + 0.55 * len(spot.lines) * style.font_size + 2
    )  # beside the lead, where the body is not in the way
    for shift in (-clear, clear):
        for side in sides:
            yield _beside(replace(spot, across=1.0), style, spot.lines, side, shift=shift)


def _beside(
    spot: Spot, style: Style, lines: Sequence[str], side: Literal["right", "left"], shift: float = 0.0
) -> tuple[Line, ...]:
    """Lines to the right or left of an upright part, centred on it."""
    pitch = 1.08 * style.font_size
    sign = 1 if side == "right" else -1
    top = spot.y + shift + (ASCENT * style.font_size - pitch * (len(lines) - 1)) / 2
    x = spot.x + sign * (spot.across + GAP)
    anchor: Literal["start", "end"] = "start" if side == "right" else "end"
    return tuple(Line(text=t, x=x, y=top + pitch * i, anchor=anchor) for i, t in enumerate(lines))


def _level(spot: Spot, style: Style, joined: str) -> Iterable[tuple[Line, ...]]:
    above_first = style.side == "right"
    places = (True, False) if above_first else (False, True)
    if style.label == "joined" or len(spot.lines) == 1:
        for above in places:
            yield _over(spot, style, (joined,), above)
    if len(spot.lines) == 2:
        for above in places:
            yield _over(spot, style, spot.lines[:1], above) + _over(spot, style, spot.lines[1:], not above)
    for shift in (0.0, -0.5, 0.5):
        for above in places:
            yield _over(spot, style, (joined,), above, shift=shift * spot.along * 2)
            yield _over(spot, style, spot.lines, above, shift=shift * spot.along * 2)


def _over(spot: Spot, style: Style, lines: Sequence[str], above: bool, shift: float = 0.0) -> tuple[Line, ...]:
    """Lines above or below a level part."""
    pitch = 1.08 * style.font_size
    if above:
        first = spot.y - spot.across - GAP - pitch * (len(lines) - 1)
    else:
        first = spot.y + spot.across + GAP + ASCENT * style.font_size
    return tuple(Line(text=t, x=spot.x + shift, y=first + pitch * i, anchor="middle") for i, t in enumerate(lines))
