"""How wide is each column of a drawing? As wide as its symbols and labels need, and the rest shared out evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from circuitvlm.circuit.draw.geometry import OVERHANG, Placement, Point, Symbol
from circuitvlm.circuit.draw.labels import GAP, label_lines, text_width
from circuitvlm.circuit.draw.styles import Style
from circuitvlm.circuit.graph import Circuit

XY = tuple[float, float]
GROUND_SCALE, GROUND_DEPTH = 0.85, 0.66
"""Size of the ground sign as a share of a symbol's, and its depth as a share of its own size."""
_EMPTY = 16.0
_SLIM = frozenset("RCLD")


@dataclass(frozen=True, slots=True)
class Frame:
    """From grid to pixels: where each column and row lies; points between lie in between."""

    columns: tuple[float, ...]
    rows: tuple[float, ...]

    def at(self, point: Point) -> XY:
        """The pixel of a grid point."""
        return _between(self.columns, point[0]), _between(self.rows, point[1])


def _between(lines: Sequence[float], at: float) -> float:
    i = min(max(int(at), 0), len(lines) - 2)
    return lines[i] + (lines[i + 1] - lines[i]) * (at - i)


@dataclass(slots=True)
class _Needs:
    """Pixels that are needed right and left of (or below and above) each grid line, and between it and the next."""

    count: int
    after: dict[int, float] = field(default_factory=dict)
    before: dict[int, float] = field(default_factory=dict)
    between: dict[int, float] = field(default_factory=dict)

    def gaps(self) -> list[float]:
        """What each gap between two lines needs at least."""
        return [
            max(self.between.get(i, 0.0), self.after.get(i, 4.0) + self.before.get(i + 1, 4.0), _EMPTY)
            for i in range(self.count)
        ]


def frame(
    circuit: Circuit, placement: Placement, *, style: Style, width: int, height: int, rng: np.random.Generator
) -> Frame:
    """Columns and rows for a page."""
    columns, rows = (int(np.ceil(size)) for size in placement.size)
    across, down = _Needs(columns), _Needs(rows)
    boxed = {symbol.device for symbol in placement.symbols if symbol.form == "box" and symbol.pins}
    lines = {d.name: label_lines(d, style) for d in circuit.devices}
    widths = {
        n: text_width(" ".join(t), style) if n in boxed else max(text_width(u, style) for u in t)
        for n, t in lines.items()
    }
    kinds = {d.name: d.kind for d in circuit.devices}
    for symbol in placement.symbols:
        _need(symbol, across, down, style=style, label=widths[symbol.device], slim=kinds[symbol.device] in _SLIM)
    if placement.ground is not None:
        size = GROUND_SCALE * style.symbol
        _raise(down.after, int(placement.ground[1]), GROUND_DEPTH * size + 3)
        for side in (across.before, across.after):
            _raise(side, int(placement.ground[0]), 0.27 * size + 2)
    return Frame(
        columns=_lines(across, page=width, wobble=style.wobble, rng=rng),
        rows=_lines(down, page=height, wobble=style.wobble, rng=rng),
    )


def _need(symbol: Symbol, across: _Needs, down: _Needs, *, style: Style, label: float, slim: bool) -> None:
    """What one symbol and its label need."""
    x, y = symbol.centre
    half, line = (0.26 if slim else 0.43) * style.symbol, 1.1 * style.font_size
    if symbol.form == "edge" and symbol.pins[0][1] == symbol.pins[1][1]:
        _raise(across.between, int(x), max(style.symbol + 10, label + 6))
        for side in (down.before, down.after):
            _raise(side, round(y), half + GAP + line)
        return
    if symbol.form == "box" and symbol.pins:
        left, right = (pick(x for x, _ in symbol.pins) for pick in (min, max))
        for gap in range(int(left - OVERHANG), int(np.ceil(right + OVERHANG))):
            _raise(across.between, gap, (label + 6) / (right - left + 2 * OVERHANG))
        _raise(down.between, int(y), 5 * style.font_size)
        return
    sides: Mapping[str, dict[int, float]] = {"right": across.after, "left": across.before}
    other = sides["left" if style.side == "right" else "right"]
    room = half + GAP + label + 2
    column = int(x + 0.5)
    if style.label == "split":
        _raise(other, column, half + GAP + min(label, 2.2 * line))
    _raise(sides[style.side], column, room)
    _raise(other, column, half + 3)
    if symbol.form != "edge":
        _raise(across.before, int(min(x for x, _ in (*symbol.pins, symbol.centre))), 0.5 * style.symbol)
    _raise(down.between, int(y), max(style.symbol + 8, 2 * line + 6))


def _raise(needs: dict[int, float], key: int, pixels: float) -> None:
    needs[key] = max(needs.get(key, 0.0), pixels)


def _lines(needs: _Needs, *, page: int, wobble: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Where the grid lines lie: margins first, then every gap what it needs, and the widest share of what is left."""
    start, stop = 2 + needs.before.get(0, 4.0), 2 + needs.after.get(needs.count, 4.0)
    room, gaps = page - start - stop, needs.gaps()
    spare, place = room * (0.15 * wobble * rng.random()), 0.5 + 0.5 * wobble * rng.uniform(-1, 1)
    if not gaps:
        middle = start + room / 2 + (place - 0.5) * 0.3 * room
        return middle, middle + 1
    spare = min(spare, max(0.0, room - 1.15 * sum(gaps)))
    line = start + spare * place
    lines = [line]
    for gap in _filled(gaps, room - spare):
        line += gap
        lines.append(line)
    return tuple(lines)


def _filled(gaps: Sequence[float], room: float) -> list[float]:
    """The narrow gaps raised to one common width until the room is used up; all shrunk where it does not suffice."""
    if sum(gaps) >= room:
        return [gap * room / sum(gaps) for gap in gaps]
    ordered = sorted(gaps)
    for count in range(len(gaps), 0, -1):
        level = (room - sum(ordered[count:])) / count
        if level >= ordered[count - 1]:
            return [max(gap, level) for gap in gaps]
    raise AssertionError("a single gap always fits where their sum does")
