"""Fit the grid lines of a placement on a page, by what symbols and labels need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from circuitvlm.circuit.draw.labels import GAP, label_lines, text_width
from circuitvlm.circuit.draw.styles import Style
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.circuit.placement import BOX_OVERHANG, Placement, Point, Symbol

XY = tuple[float, float]
"""A pixel."""

GROUND_SCALE, GROUND_DEPTH = 0.85, 0.66
"""Size of the ground sign as a share of a symbol's size, and its depth as a share of its own size."""

_EMPTY_GAP = 16.0
"""Pixels between two grid lines where nothing stands."""

_EMPTY_SIDE = 4.0
"""Pixels on one side of a grid line where nothing stands."""

_SLIM_KINDS = frozenset("RCLD")


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixel of each column and row; points between grid lines are interpolated."""

    columns: tuple[float, ...]
    rows: tuple[float, ...]

    def pixel(self, point: Point) -> XY:
        """The pixel of a grid point."""
        return _interpolate(self.columns, point[0]), _interpolate(self.rows, point[1])


def _interpolate(lines: Sequence[float], position: float) -> float:
    i = min(max(int(position), 0), len(lines) - 2)
    return lines[i] + (lines[i + 1] - lines[i]) * (position - i)


@dataclass(slots=True)
class _Space:
    """Pixels needed on both sides of each of the `count` + 1 grid lines, and between a line and the next."""

    count: int
    before_line: dict[int, float] = field(default_factory=dict)
    after_line: dict[int, float] = field(default_factory=dict)
    gaps: dict[int, float] = field(default_factory=dict)


def fit_frame(
    circuit: Circuit, placement: Placement, *, style: Style, width: int, height: int, rng: np.random.Generator
) -> Frame:
    """The columns and rows of a placement on a page; sizes in pixels."""
    columns, rows = (_Space(int(np.ceil(size))) for size in placement.size)
    devices = {device.name: device for device in circuit.devices}
    for symbol in placement.symbols:
        _require_symbol(symbol, devices[symbol.device], columns, rows, style=style)
    if placement.ground is not None:
        size = GROUND_SCALE * style.symbol_size
        _require(rows.after_line, int(placement.ground[1]), GROUND_DEPTH * size + 3)
        for side in (columns.before_line, columns.after_line):
            _require(side, int(placement.ground[0]), 0.27 * size + 2)
    return Frame(
        columns=_spread_lines(columns, page=width, variation=style.variation, rng=rng),
        rows=_spread_lines(rows, page=height, variation=style.variation, rng=rng),
    )


def _require_symbol(symbol: Symbol, device: Device, columns: _Space, rows: _Space, *, style: Style) -> None:
    """Enter the pixels that a symbol and its label need."""
    x, y = symbol.centre
    half = (0.26 if device.kind in _SLIM_KINDS else 0.43) * style.symbol_size
    line_height = 1.1 * style.font_size
    lines = label_lines(device, style)
    label_width = max(text_width(line, style) for line in lines)
    if symbol.form == "edge" and symbol.pins[0][1] == symbol.pins[1][1]:
        _require(columns.gaps, int(x), max(style.symbol_size + 10, label_width + 6))
        for side in (rows.before_line, rows.after_line):
            _require(side, round(y), half + GAP + line_height)
    elif symbol.form == "box" and symbol.pins:
        first, last = (pick(x for x, _ in symbol.pins) for pick in (min, max))
        width = (text_width(" ".join(lines), style) + 6) / (last - first + 2 * BOX_OVERHANG)
        for gap in range(int(first - BOX_OVERHANG), int(np.ceil(last + BOX_OVERHANG))):
            _require(columns.gaps, gap, width)
        _require(rows.gaps, int(y), 5 * style.font_size)
    else:
        sides = columns.after_line, columns.before_line
        label_side, far_side = sides[::-1] if style.label_side == "left" else sides
        column = int(x + 0.5)
        if style.label_layout == "split":
            _require(far_side, column, half + GAP + min(label_width, 2.2 * line_height))
        _require(label_side, column, half + GAP + label_width + 2)
        _require(far_side, column, half + 3)
        if symbol.form != "edge":
            _require(
                columns.before_line, int(min(x for x, _ in (*symbol.pins, symbol.centre))), 0.5 * style.symbol_size
            )
        _require(rows.gaps, int(y), max(style.symbol_size + 8, 2 * line_height + 6))


def _require(needs: dict[int, float], key: int, pixels: float) -> None:
    needs[key] = max(needs.get(key, 0.0), pixels)


def _spread_lines(space: _Space, *, page: int, variation: float, rng: np.random.Generator) -> tuple[float, ...]:
    """The positions of grid lines: margins first, then all required gaps, then the remaining space."""
    start, stop = 2 + space.before_line.get(0, _EMPTY_SIDE), 2 + space.after_line.get(space.count, _EMPTY_SIDE)
    room = page - start - stop
    sides = [
        space.after_line.get(i, _EMPTY_SIDE) + space.before_line.get(i + 1, _EMPTY_SIDE) for i in range(space.count)
    ]
    gaps = [max(space.gaps.get(i, 0.0), side, _EMPTY_GAP) for i, side in enumerate(sides)]
    spare, place = room * (0.15 * variation * rng.random()), 0.5 + 0.5 * variation * rng.uniform(-1, 1)
    if not gaps:
        middle = start + room / 2 + (place - 0.5) * 0.3 * room
        return middle, middle + 1
    spare = min(spare, max(0.0, room - 1.15 * sum(gaps)))
    return tuple(accumulate(_widen(gaps, room - spare), initial=start + spare * place))


def _widen(gaps: Sequence[float], room: float) -> list[float]:
    """Raise the narrow gaps to one common width, or shrink all gaps, so that their sum is the room in pixels."""
    if sum(gaps) >= room:
        return [gap * room / sum(gaps) for gap in gaps]
    sorted_gaps = sorted(gaps)
    for count in range(len(gaps), 0, -1):
        level = (room - sum(sorted_gaps[count:])) / count
        if level >= sorted_gaps[count - 1]:
            return [max(gap, level) for gap in gaps]
    raise AssertionError(f"gaps: expected a sum below the room of {room!r} pixels, got {gaps!r}")
