"""How large is everything on a page of a circuit on a grid, and where do the grid lines lie?

On a page of natural size lengths are as at 200 dots per inch. Where a page is asked for that is smaller, the drawing
shrinks, but letters and lines stay large enough to be read, and the grid is stretched until it fills the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from circuitvlm.circuit.draw.circuitikz.symbols import NODE, THICK, WIRE
from circuitvlm.circuit.draw.frame import Frame
from circuitvlm.circuit.draw.geometry import Placement

CENTIMETRE = 200 / 2.54
FONT, DIGITS = 27.7, 13.8
"""Font sizes of labels and of node numbers: 10 and 5 points."""

SMALLEST_FONT, SMALLEST_DIGITS, SMALLEST_NODE = 12.5, 9.5, 6.4
BORDER, MARGIN = 28.0, 42.0
"""White around the ink, and what the ink needs beyond the outermost grid lines, before it is known."""

LARGEST = 850.0
"""Pixels along the longer side of a page whose size is not asked for, before its labels are known."""

CELL = 4.2
"""Distance in centimetres of the grid lines of a placement that states none."""

FILL = 0.62
"""Share of the shortest lead-to-lead distance that a resistor may take."""

GROWN = 1.25
"""By how much everything may be larger than what fits the narrower side of a page, where the other has room."""

STRETCHED = 1.7
"""How much more than rows columns may be drawn apart, or rows than columns, on a page of another form."""

_RESISTOR = 82.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Lengths in pixels: `unit` is a pixel at 200 dots per inch for distances, `symbol` the same for symbols."""

    unit: float
    symbol: float
    font: float
    digits: float
    node: float
    wire: float
    thick: float
    border: float


@dataclass(frozen=True, slots=True)
class Margins:
    """What the ink needs beyond the outermost grid lines."""

    left: float
    top: float
    right: float
    bottom: float


def lines_of(placement: Placement) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Where columns and rows lie, in centimetres."""
    columns, rows = (1 + math.ceil(size) for size in placement.size)
    return (
        placement.columns or tuple(CELL * i for i in range(columns)),
        placement.rows or tuple(CELL * i for i in range(rows)),
    )


def natural_size(placement: Placement) -> tuple[float, float]:
    """Width and height in pixels at 200 dots per inch."""
    across, down = lines_of(placement)
    beyond = 2 * (BORDER + MARGIN)
    return CENTIMETRE * (across[-1] - across[0]) + beyond, CENTIMETRE * (down[-1] - down[0]) + beyond


def scale(placement: Placement, *, width: int | None, height: int | None) -> Scale:
    """The lengths for a page; a side left open gets its natural size."""
    columns, rows = lines_of(placement)
    beyond = 2 * (BORDER + MARGIN)
    natural = natural_size(placement)
    unit = min(1.0, LARGEST / max(natural))
    if width is not None or height is not None:
        asked = zip((width, height), natural, strict=True)
        ratios = [page / size for page, size in asked if page is not None]
        unit = min(min(ratios) * GROWN, math.prod(ratios) ** (1 / len(ratios)), 1.5)
    node = max(NODE * unit, SMALLEST_NODE)
    across, down = (
        (page - beyond * unit) / max(line[-1] - line[0], 1e-9) if page else CENTIMETRE * unit
        for page, line in ((width, columns), (height, rows))
    )
    room = _shortest(placement, columns=columns, rows=rows, across=across, down=down)
    symbol = min(max(unit, 0.36), max(FILL * (room - 2 * node - 4) / _RESISTOR, 0.1))
    return Scale(
        unit=unit,
        symbol=symbol,
        font=max(FONT * unit, SMALLEST_FONT),
        digits=max(DIGITS * unit, SMALLEST_DIGITS),
        node=node,
        wire=max(WIRE * unit, 1.0),
        thick=max(THICK * min(unit, symbol), 1.7),
        border=max(BORDER * unit, 3.0) if FONT * unit >= SMALLEST_FONT else 3.0,
    )


def _shortest(
    placement: Placement, *, columns: Sequence[float], rows: Sequence[float], across: float, down: float
) -> float:
    """The shortest edge with a symbol, in pixels: `across` and `down` are pixels for a centimetre."""
    frame = Frame(columns=_two([x * across for x in columns]), rows=_two([y * down for y in rows]))
    lengths = [1e9]
    for symbol in placement.symbols:
        if symbol.form == "edge":
            a, b = (frame.at(pin) for pin in symbol.pins)
            cut = math.dist(a, b) / max(math.dist(*symbol.pins), 1e-9)
            lengths.append(cut if placement.columns else math.dist(a, b) + 2 * NODE)
    return min(lengths)


def _two(line: Sequence[float]) -> tuple[float, ...]:
    """At least two grid lines, for `Frame` looks between them."""
    return tuple(line) if len(line) > 1 else (line[0], line[0] + 1.0)


def frame(
    placement: Placement, *, scale: Scale, width: int | None, height: int | None, margins: Margins | None = None
) -> Frame:
    """Where the grid lines lie on the page."""
    columns, rows = lines_of(placement)
    usual = MARGIN * scale.unit
    found = margins or Margins(left=usual, top=usual, right=usual, bottom=usual)
    rooms = [
        None if page is None else page - 2 * scale.border - beyond
        for page, beyond in ((width, found.left + found.right), (height, found.top + found.bottom))
    ]
    dense = [
        CENTIMETRE * scale.unit if room is None else room / max(line[-1] - line[0], 1e-9)
        for room, line in zip(rooms, (columns, rows), strict=True)
    ]
    across, down = (min(pixels, STRETCHED * min(dense)) for pixels in dense)
    return Frame(
        columns=_placed(columns, start=scale.border + found.left, pixels=across, room=rooms[0]),
        rows=_placed(rows, start=scale.border + found.top, pixels=down, room=rooms[1]),
    )


def _placed(line: Sequence[float], *, start: float, pixels: float, room: float | None) -> tuple[float, ...]:
    """Grid lines on one axis, in the middle of the room there is."""
    spare = 0.0 if room is None else (room - pixels * (line[-1] - line[0])) / 2
    return _two([start + spare + pixels * (at - line[0]) for at in line])
