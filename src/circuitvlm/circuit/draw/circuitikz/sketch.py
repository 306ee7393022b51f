"""Where does each stroke of a drawing in CircuiTikZ's look lie? A placement becomes strokes and labels in pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from circuitvlm.circuit.draw.circuitikz import notes, text
from circuitvlm.circuit.draw.circuitikz.notes import Candidates, Piece, Spot
from circuitvlm.circuit.draw.circuitikz.page import Margins, Scale, frame, scale
from circuitvlm.circuit.draw.circuitikz.symbols import SYMBOLS, XY
from circuitvlm.circuit.draw.circuitikz.symbols import Symbol as Shape
from circuitvlm.circuit.draw.frame import Frame
from circuitvlm.circuit.draw.geometry import Mark, Placement, Symbol
from circuitvlm.circuit.draw.labels import Rect, touched_area
from circuitvlm.circuit.draw.plain.page import Sketch
from circuitvlm.circuit.draw.styles import Style
from circuitvlm.circuit.graph import Circuit, Device

BLUE = "#00f"
SHORT = 0.65
"""Grid units between two pins under which their symbol is fitted between them."""

_OPEN: Rect = (-math.inf, -math.inf, math.inf, math.inf)


def sketch(
    circuit: Circuit,
    placement: Placement,
    *,
    style: Style,
    width: int | None,
    height: int | None,
    seed: int,
    marks: Sequence[Mark] = (),
) -> Sketch:
    """The drawing of a placement; a page whose size is left open is as large as its ink and a border.

    Drawn twice: how far labels reach beyond the grid is known only then. Raises ValueError for kinds of device that
    have no symbol here.
    """
    lengths = scale(placement, width=width, height=height)
    wanted = (*placement.marks, *(mark for mark in marks if mark not in placement.marks))
    page = Sketch(width=0, height=0, style=replace(style, line_width=lengths.wire))
    rough = frame(placement, scale=lengths, width=width, height=height)
    _draw(page, circuit, placement, frame=rough, lengths=lengths, marks=wanted, seed=seed)
    margins = _beyond(page.taken, rough)
    final = frame(placement, scale=lengths, width=width, height=height, margins=margins)
    page = Sketch(
        width=width or math.ceil(final.columns[-1] + margins.right + lengths.border),
        height=height or math.ceil(final.rows[-1] + margins.bottom + lengths.border),
        style=page.style,
    )
    _draw(page, circuit, placement, frame=final, lengths=lengths, marks=wanted, seed=seed)
    return page


def _beyond(ink: Sequence[Rect], lines: Frame) -> Margins:
    """How far the ink reaches beyond the outermost grid lines."""
    left, top, right, bottom = zip(*ink, strict=True)
    return Margins(
        left=max(0.0, lines.columns[0] - min(left)),
        top=max(0.0, lines.rows[0] - min(top)),
        right=max(0.0, max(right) - lines.columns[-1]),
        bottom=max(0.0, max(bottom) - lines.rows[-1]),
    )


def _draw(
    page: Sketch,
    circuit: Circuit,
    placement: Placement,
    *,
    frame: Frame,
    lengths: Scale,
    marks: Sequence[Mark],
    seed: int,
) -> None:
    """Wires, symbols, node numbers, then labels: those that need most room first."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    for wire in placement.wires:
        page.line(*(frame.at(point) for point in wire))
    devices = {device.name: device for device in circuit.devices}
    steps = any(device.kind in "CL" for device in circuit.devices)
    controls = dict(placement.controls)
    spots = {
        s.device: _body(page, frame, s, devices[s.device], lengths=lengths, steps=steps) for s in placement.symbols
    }
    if not placement.columns:  # a grid has no crossings, so its picture needs no dots
        for dot in placement.dots:
            _dot(page, *frame.at(dot), lengths=lengths)
    for node, point in placement.labels:
        _node(page, node, *frame.at(point), lengths=lengths)
    limits = (1.0, 1.0, page.width - 1.0, page.height - 1.0) if page.width else _OPEN
    groups: list[Candidates] = []
    for symbol in placement.symbols:
        device, side = devices[symbol.device], 1 if rng.random() < 0.5 else -1
        own = [mark for mark in marks if mark.device == device.name]
        control = controls.get(device.name, "")
        spot = spots[device.name]
        groups += _groups(spot, device, marks=own, control=control, side=side, steps=steps, lengths=lengths)
    for _, candidates in sorted(groups, key=lambda group: group[0]):
        _place(page, candidates, limits=limits)


def _groups(
    spot: Spot, device: Device, *, marks: Sequence[Mark], control: str, side: int, steps: bool, lengths: Scale
) -> list[Candidates]:
    """What is written beside a symbol: its label, or the arrow of a probe, and its marks on the other side."""
    found = [notes.of_mark(spot, mark, side=-side, lengths=lengths) for mark in marks]
    if not notes.is_probe(device):
        label, far = notes.caption(device, control=control), device.kind == "V" and not steps
        return [notes.of_device(spot, device, label, side=side, far=far, lengths=lengths), *found]
    if any(mark.kind == "current" for mark in marks):
        return found
    shown = Mark(kind="current", name=device.name[1:], device=device.name)
    return [notes.of_mark(spot, shown, side=side, lengths=lengths), *found]


def _place(page: Sketch, candidates: Iterable[Sequence[Piece]], *, limits: Rect) -> None:
    """The first candidate that touches nothing, else the one that touches least."""
    best: Sequence[Piece] = ()
    least = math.inf
    for pieces in candidates:
        area = sum(touched_area(piece.box, page.taken, limits) for piece in pieces)
        if area < least:
            best, least = pieces, area
        if area == 0:
            break
    page.touched += least
    page.fragments.extend(piece.svg for piece in best)
    page.taken.extend(piece.box for piece in best)
    page.captions.extend(piece.box for piece in best)


# ------------------------------------------------------------------------------------------------------------ the parts


def _body(page: Sketch, frame: Frame, symbol: Symbol, device: Device, *, lengths: Scale, steps: bool) -> Spot:
    """The symbol of a device with its leads."""
    kind = "probe" if notes.is_probe(device) else "step" if device.kind == "V" and steps else device.kind
    if symbol.form != "edge" or kind not in SYMBOLS:
        raise ValueError(
            f"style circuitsense: {device.name} is of kind {device.kind} with {len(device.nodes)} pins, "
            "wanted two-pin devices R C L V I E G F H; another style draws it"
        )
    shape = SYMBOLS[kind]
    a, b = (frame.at(pin) for pin in symbol.pins[:2])
    x, y = frame.at(symbol.centre)
    reach = math.dist(a, b)
    dx, dy = (b[0] - a[0]) / reach, (b[1] - a[1]) / reach
    size = lengths.symbol
    if math.dist(*symbol.pins[:2]) < SHORT:  # a placement with leads of its own around the symbol
        size = min(size, 0.45 * reach / max(shape.half, 1.0))
    half, side = shape.half * size, shape.side * size
    spot = Spot(
        x=x, y=y, dx=dx, dy=dy, half=half, side=side, before=math.dist(a, (x, y)), after=math.dist((x, y), b), size=size
    )
    if shape.through:
        page.line(a, b)
    else:
        for pin, end, free in ((a, spot.at(-half, 0), spot.before), (b, spot.at(half, 0), spot.after)):
            if free > half:
                page.line(pin, end)
    _ink(page, shape, spot, lengths=lengths)
    if device.kind in "EH":
        for sign, along in (("+", -0.48), ("-", 0.48)):
            page.fragments.append(notes.sign(sign, spot.at(along * half, 0), lengths=lengths, share=0.8).svg)
    page.taken.append(spot.box(half, side))
    return spot


def _ink(page: Sketch, shape: Shape, spot: Spot, *, lengths: Scale) -> None:
    """The outline of a symbol."""
    look = f'stroke-width="{lengths.thick:.2f}" stroke-linejoin="{shape.join}" stroke-linecap="butt"'
    for outline in shape.strokes:
        path = _path([spot.at(along * spot.size, aside * spot.size) for along, aside in outline])
        page.fragments.append(f'<path {look} d="{path}"/>')
    for outline in shape.fills:
        path = _path([spot.at(along * spot.size, aside * spot.size) for along, aside in outline])
        page.fragments.append(f'<path fill="#000" stroke="none" d="{path}Z"/>')


def _path(points: Sequence[XY]) -> str:
    closed = points[0] == points[-1] and len(points) > 2
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points[: -1 if closed else None]) + "Z" * closed


def _dot(page: Sketch, x: float, y: float, *, lengths: Scale) -> None:
    radius = 2 * lengths.wire
    page.fragments.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2f}" fill="#000" stroke="none"/>')
    page.taken.append((x - radius, y - radius, x + radius, y + radius))


def _node(page: Sketch, node: str, x: float, y: float, *, lengths: Scale) -> None:
    """A node's number in a blue circle."""
    number = text.quantity(node, "")
    size = lengths.digits
    wide = text.width(number, size)
    radius = max(lengths.node, wide / 2 + 2)
    page.fragments.append(
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2f}" fill="#fff" stroke="{BLUE}"/>'
        + text.outline(number, x=x - wide / 2, y=y + text.CAPITAL * size / 2, size=size, colour=BLUE)
    )
    half = radius + lengths.wire / 2
    page.taken.append((x - half, y - half, x + half, y + half))
