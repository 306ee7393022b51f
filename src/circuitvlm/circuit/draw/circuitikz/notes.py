"""What is written beside a symbol, and where may it stand? Labels, + and -, and arrows, as CircuiTikZ sets them.

Every function gives candidates, the usual one first: each is a list of pieces with their ink's bounding box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from circuitvlm.circuit.draw.circuitikz import text
from circuitvlm.circuit.draw.circuitikz.page import Scale
from circuitvlm.circuit.draw.circuitikz.symbols import XY
from circuitvlm.circuit.draw.circuitikz.text import Formula
from circuitvlm.circuit.draw.geometry import Mark
from circuitvlm.circuit.draw.labels import UNITS, Rect
from circuitvlm.circuit.graph import Device
from circuitvlm.circuit.quantity import format_engineering

Candidates = tuple[int, list[list["Piece"]]]
"""A rank, by which groups are placed, the least first, and the places for one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """SVG and where its ink lies."""

    svg: str
    box: Rect


@dataclass(frozen=True, slots=True)
class Spot:
    """A symbol on the page: its middle, the unit vector along its axis, half its length and width, what lies between
    its middle and its pins, and the size of one of its units.
    """

    x: float
    y: float
    dx: float
    dy: float
    half: float
    side: float
    before: float
    after: float
    size: float

    def at(self, along: float, aside: float) -> XY:
        """A point beside the axis, `aside` to the right of its direction."""
        return self.x + along * self.dx - aside * self.dy, self.y + along * self.dy + aside * self.dx

    def box(self, half: float, side: float) -> Rect:
        """A rectangle around the middle."""
        (x0, y0), (x1, y1) = self.at(-half, -side), self.at(half, side)
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def is_probe(device: Device) -> bool:
    """Whether the device is a current probe, a source of 0 V with a name such as VI1."""
    return device.kind == "V" and device.value == 0 and device.name[:2].upper() == "VI" and device.name[2:].isdigit()


def caption(device: Device, *, control: str) -> Formula:
    """What a device's label says: its value, or its name where it has none; a controlled source's gain and control."""
    words = device.text.split()
    if device.kind in "EGFH" and control:
        gain = format_engineering(device.value) if device.value is not None else words[-1] if words else device.name
        return text.product(gain, control)
    stated = device.value if device.value or not device.ac else abs(device.ac)
    if stated is None:
        return text.symbol(device.name)
    number = format_engineering(stated).replace("Meg", "M")
    prefix = number[-1] if number[-1].isalpha() else ""
    unit = UNITS.get(device.kind, "")
    return text.quantity(number[: len(number) - len(prefix)], prefix.replace("u", "µ") + unit)


def of_device(spot: Spot, device: Device, label: Formula, *, side: int, far: bool, lengths: Scale) -> Candidates:
    """The label of a device on the `side` that is preferred (1: right of its axis), with its signs or its arrow.

    `far`: whether a voltage source's label stands off, else it nearly touches.
    """
    near = max(8 * lengths.unit, 3.0)
    plain = _beside(spot, label, side=side, near=near, lengths=lengths)
    if device.kind in "VEH":
        gap = max(18 * lengths.unit, 4.0) if far else max(2 * lengths.unit, 2.5)
        return 0, [_signed(spot, label, side=s, near=n, lengths=lengths) for n in (gap, near) for s in (side, -side)]
    if device.kind in "IGF":
        gaps = [max(gap * lengths.unit, 4.0) for gap in (26, 12, 4)]
        arrows = [_arrowed(spot, label, side=s, near=gap, lengths=lengths) for gap in gaps for s in (side, -side)]
        return 1, [*arrows, *plain]  # the arrow inside of the symbol says the same
    return 3, plain


def of_mark(spot: Spot, mark: Mark, *, side: int, lengths: Scale) -> Candidates:
    """A named voltage or current of a device."""
    name = text.symbol(mark.name)
    if mark.kind == "voltage":
        near = max(12 * lengths.unit, 3.0)
        turned, gaps = mark.reversed, (near, 0.5 * near, 2 * near)
        return 0, [
            _signed(spot, name, side=s, near=gap, lengths=lengths, turned=turned) for gap in gaps for s in (side, -side)
        ]
    return 2, [
        _flow(spot, name, end=end, side=s, lengths=lengths, turned=mark.reversed)
        for end in ((1, -1) if side > 0 else (-1, 1))
        for s in (side, -side)
    ]


# ----------------------------------------------------------------------------------------------------------- the places


def _signed(spot: Spot, label: Formula, *, side: int, near: float, lengths: Scale, turned: bool = False) -> list[Piece]:
    """Plus at the first pin, minus at the second, the label between them."""
    aside = side * max(20 * lengths.unit, 0.42 * lengths.font + lengths.wire)
    signs = "-+" if turned else "+-"
    room = lengths.node + 0.35 * lengths.font
    places = []
    for end, free in ((-1, spot.before), (1, spot.after)):
        least, most = spot.half + 0.4 * lengths.font, free - room
        places.append(end * (least if most < least else max(least, min((spot.half + free) / 2, most))))
    pieces = [sign(s, spot.at(along, aside), lengths=lengths) for s, along in zip(signs, places, strict=True)]
    return [*pieces, _label(spot, label, along=0, aside=side * (spot.side + near), lengths=lengths)]


def _arrowed(spot: Spot, label: Formula, *, side: int, near: float, lengths: Scale) -> list[Piece]:
    """An arrow along the axis from the first pin to the second, and the label beyond it."""
    aside, half = spot.side + near, 33 * max(spot.size, 0.3)
    arrow = _arrow(spot.at(-half, side * aside), spot.at(half, side * aside), lengths=lengths)
    return [arrow, _label(spot, label, along=0, aside=side * (aside + 0.8 * near + 3), lengths=lengths)]


def _flow(spot: Spot, name: Formula, *, end: int, side: int, lengths: Scale, turned: bool) -> list[Piece]:
    """An arrow beside the lead at one end of the symbol, its name beyond it."""
    free = (spot.after if end > 0 else spot.before) - lengths.node
    if spot.half:
        half = min(20 * lengths.unit + 2, max((free - spot.half) / 2, 4.0))
        middle = end * (spot.half + max(free, spot.half) + 2) / 2
    else:  # a probe is nothing but its arrow
        half, middle = min(24 * lengths.unit + 2, max(free, 4.0)), 0.0
    aside = side * max(15 * lengths.unit, 5.0)
    there = -1 if turned else 1
    arrow = _arrow(spot.at(middle - there * half, aside), spot.at(middle + there * half, aside), lengths=lengths)
    beyond = aside + side * max(8 * lengths.unit, 4.0)
    return [arrow, _label(spot, name, along=middle, aside=beyond, lengths=lengths)]


def _beside(spot: Spot, label: Formula, *, side: int, near: float, lengths: Scale) -> list[list[Piece]]:
    """A label beside the symbol, farther off, or beside one of its leads."""
    sides = (side, -side)
    clear = spot.half + 0.8 * lengths.font
    places = [(0.0, s * (spot.side + near)) for s in sides]
    places += [(0.0, s * (spot.side + 2.5 * near)) for s in sides]
    places += [(along, s * (near + lengths.wire)) for along in (clear, -clear) for s in sides]
    return [[_label(spot, label, along=along, aside=aside, lengths=lengths)] for along, aside in places]


# ----------------------------------------------------------------------------------------------------------- the pieces


def _label(spot: Spot, label: Formula, *, along: float, aside: float, lengths: Scale) -> Piece:
    """A formula whose edge nearest to the axis lies `aside` of it."""
    size = lengths.font
    x, y = spot.at(along, aside)
    wide = text.width(label, size)
    left, top, right, bottom = text.box(label, x=0, y=0, size=size)
    if abs(spot.dx) > abs(spot.dy):
        x, y = x - wide / 2, y - (top if y > spot.y else bottom)
    else:
        x, y = x - (left if x > spot.x else right), y + text.CAPITAL * size / 2
    return Piece(svg=text.outline(label, x=x, y=y, size=size), box=text.box(label, x=x, y=y, size=size))


def sign(char: str, at: XY, *, lengths: Scale, share: float = 1.0) -> Piece:
    """A plus or a minus, level whichever way the symbol stands."""
    x, y = at
    arm = 0.27 * lengths.font * share
    width = max(1.1 * lengths.unit, 0.9)
    path = f"M{x - arm:.2f} {y:.2f}h{2 * arm:.2f}" + (f"M{x:.2f} {y - arm:.2f}v{2 * arm:.2f}" if char == "+" else "")
    tall = arm if char == "+" else 1.0
    return Piece(
        svg=f'<path stroke-width="{width:.2f}" stroke-linecap="butt" d="{path}"/>',
        box=(x - arm, y - tall, x + arm, y + tall),
    )


def _arrow(tail: XY, tip: XY, *, lengths: Scale) -> Piece:
    """A slim arrow."""
    (x0, y0), (x1, y1) = tail, tip
    reach = max(abs(x1 - x0) + abs(y1 - y0), 1e-9)  # level or upright
    dx, dy = (x1 - x0) / reach, (y1 - y0) / reach
    head = min(max(15 * lengths.unit, 6.0), reach)
    wing, notch = 0.4 * head, 0.75 * head
    neck = x1 - dx * notch, y1 - dy * notch
    corners: Sequence[XY] = (
        tip,
        (x1 - dx * head - dy * wing, y1 - dy * head + dx * wing),
        neck,
        (x1 - dx * head + dy * wing, y1 - dy * head - dx * wing),
    )
    outline = "L".join(f"{x:.2f} {y:.2f}" for x, y in corners)
    return Piece(
        svg=f'<path d="M{x0:.2f} {y0:.2f}L{neck[0]:.2f} {neck[1]:.2f}" stroke-linecap="butt"/>'
        f'<path d="M{outline}Z" fill="#000" stroke="none"/>',
        box=_around((tail, *corners)),
    )


def _around(points: Sequence[XY]) -> Rect:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
