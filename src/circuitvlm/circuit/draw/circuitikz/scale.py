"""Choose the lengths of a drawing in CircuiTikZ's look, and the positions of its grid lines on the page.

On a page of natural size the lengths are those at 200 dots per inch. On a smaller page the drawing shrinks, but letters
and lines stay large enough to be read, and the grid is stretched until it fills the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from circuitvlm.circuit.draw.circuitikz.symbols import NODE_RADIUS, SYMBOL_LINE, WIRE_LINE
from circuitvlm.circuit.draw.frame import Frame
from circuitvlm.circuit.draw.labels import Rect
from circuitvlm.circuit.placement import Placement

CENTIMETRE = 200 / 2.54
LABEL_FONT, NUMBER_FONT = 27.7, 13.8
"""Font sizes of labels and of node numbers: 10 and 5 points."""

SMALLEST_LABEL_FONT, SMALLEST_NUMBER_FONT, SMALLEST_NODE_RADIUS = 12.5, 9.5, 6.4
BORDER, MARGIN = 28.0, 42.0
"""White around the ink, and an estimate of the space for ink outside of the outermost grid lines."""

LONGEST_SIDE = 850.0
"""Pixels along the longer side of a page of unspecified size, before its labels are placed."""

CELL = 4.2
"""Distance in centimetres of the grid lines of a placement that states none."""

SYMBOL_SHARE = 0.62
"""Share of the shortest distance between two leads that a resistor may take."""

MAX_ENLARGEMENT = 1.25
"""Factor by which everything may be larger than what fits the narrower side of a page."""

MAX_STRETCH = 1.7
"""Largest ratio of the distances of columns and of rows, on a page of another shape."""

_RESISTOR_LENGTH = 82.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Lengths in pixels. `unit` is a pixel at 200 dots per inch for distances, `symbol_unit` the same for symbols.

    `label_font` and `number_font` are font sizes, `wire_line` and `symbol_line` line widths.
    """

    unit: float
    symbol_unit: float
    label_font: float
    number_font: float
    node_radius: float
    wire_line: float
    symbol_line: float
    border: float


def _grid_lines(placement: Placement) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The positions of columns and rows, in centimetres."""
    columns, rows = (tuple(CELL * i for i in range(1 + math.ceil(size))) for size in placement.size)
    return placement.columns or columns, placement.rows or rows


def natural_size(placement: Placement) -> tuple[float, float]:
    """Width and height in pixels at 200 dots per inch."""
    columns, rows = _grid_lines(placement)
    margins = 2 * (BORDER + MARGIN)
    return CENTIMETRE * (columns[-1] - columns[0]) + margins, CENTIMETRE * (rows[-1] - rows[0]) + margins


def fit_scale(placement: Placement, *, width: int | None, height: int | None) -> Scale:
    """The lengths for a page in pixels; an unspecified side has its natural size."""
    natural = natural_size(placement)
    unit = min(1.0, LONGEST_SIDE / max(natural))
    ratios = [page / size for page, size in zip((width, height), natural, strict=True) if page is not None]
    if ratios:
        unit = min(min(ratios) * MAX_ENLARGEMENT, math.prod(ratios) ** (1 / len(ratios)), 1.5)
    node_radius = max(NODE_RADIUS * unit, SMALLEST_NODE_RADIUS)
    room = _shortest_edge(placement, unit=unit, width=width, height=height) - 2 * node_radius - 4
    symbol_unit = min(max(unit, 0.36), max(SYMBOL_SHARE * room / _RESISTOR_LENGTH, 0.1))
    return Scale(
        unit=unit,
        symbol_unit=symbol_unit,
        label_font=max(LABEL_FONT * unit, SMALLEST_LABEL_FONT),
        number_font=max(NUMBER_FONT * unit, SMALLEST_NUMBER_FONT),
        node_radius=node_radius,
        wire_line=max(WIRE_LINE * unit, 1.0),
        symbol_line=max(SYMBOL_LINE * min(unit, symbol_unit), 1.7),
        border=max(BORDER * unit, 3.0) if LABEL_FONT * unit >= SMALLEST_LABEL_FONT else 3.0,
    )


def _shortest_edge(placement: Placement, *, unit: float, width: int | None, height: int | None) -> float:
    """The shortest edge with a symbol, in pixels."""
    margins = 2 * (BORDER + MARGIN) * unit
    columns, rows = (
        _place_lines(lines, density=_density(lines, None if page is None else page - margins, unit=unit))
        for lines, page in zip(_grid_lines(placement), (width, height), strict=True)
    )
    frame = Frame(columns=columns, rows=rows)
    edges = [(math.dist(*map(frame.pixel, s.pins)), s.pins) for s in placement.symbols if s.form == "edge"]
    lengths = (
        length / max(math.dist(*pins), 1e-9) if placement.columns else length + 2 * NODE_RADIUS
        for length, pins in edges
    )
    return min([1e9, *lengths])


def fit_frame(
    placement: Placement, *, scale: Scale, width: int | None, height: int | None, margins: Rect | None = None
) -> Frame:
    """The positions of the grid lines on a page in pixels.

    `margins` is the space for ink outside of the outermost grid lines: left, top, right and bottom.
    """
    grid = _grid_lines(placement)
    x0, y0, x1, y1 = margins or [MARGIN * scale.unit] * 4
    rooms = [
        None if page is None else page - 2 * scale.border - space
        for page, space in ((width, x0 + x1), (height, y0 + y1))
    ]
    densities = [_density(lines, room, unit=scale.unit) for lines, room in zip(grid, rooms, strict=True)]
    columns, rows = (
        _place_lines(lines, density=min(density, MAX_STRETCH * min(densities)), start=scale.border + margin, room=room)
        for lines, density, margin, room in zip(grid, densities, (x0, y0), rooms, strict=True)
    )
    return Frame(columns=columns, rows=rows)


def _density(lines: Sequence[float], room: float | None, *, unit: float) -> float:
    """Pixels per centimetre, so that grid lines fill the room in pixels; of natural size where it is unspecified."""
    return CENTIMETRE * unit if room is None else room / max(lines[-1] - lines[0], 1e-9)


def _place_lines(
    lines: Sequence[float], *, density: float, start: float = 0.0, room: float | None = None
) -> tuple[float, ...]:
    """The pixels of grid lines, in the middle of the room after `start`. They are at least two, as `Frame` expects."""
    spare = 0.0 if room is None else (room - density * (lines[-1] - lines[0])) / 2
    pixels = tuple(start + spare + density * (line - lines[0]) for line in lines)
    return pixels if len(pixels) > 1 else (pixels[0], pixels[0] + 1.0)
