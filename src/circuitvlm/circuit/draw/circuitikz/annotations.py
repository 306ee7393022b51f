"""List the places for labels, + and -, and arrows beside a symbol, as CircuiTikZ sets them.

Every public function gives the candidates, the usual one first. A candidate is a list of pieces with their ink.
"""

from __future__ import annotations

from dataclasses import dataclass

from circuitvlm.circuit.draw.canvas import Body, arrow_svg, bounding_box, sign_path
from circuitvlm.circuit.draw.circuitikz import text
from circuitvlm.circuit.draw.circuitikz.scale import Scale
from circuitvlm.circuit.draw.circuitikz.text import Formula
from circuitvlm.circuit.draw.frame import XY
from circuitvlm.circuit.draw.labels import UNITS, Rect
from circuitvlm.circuit.graph import Device
from circuitvlm.circuit.placement import Mark
from circuitvlm.circuit.quantity import format_engineering


@dataclass(frozen=True, slots=True)
class Piece:
    """SVG, and the rectangle of its ink."""

    svg: str
    rect: Rect


Candidates = tuple[int, list[list[Piece]]]
"""A rank and the candidates of one annotation; annotations of lower rank are placed first."""


def is_probe(device: Device) -> bool:
    """Whether the device is a current probe, a source of 0 V with a name such as VI1."""
    return device.kind == "V" and device.value == 0 and device.name[:2].upper() == "VI" and device.name[2:].isdigit()


def caption(device: Device, *, control: str) -> Formula:
    """The label of a device: its value, or its name where it has none; a controlled source's gain and control."""
    if device.kind in "EGFH" and control:
        words = device.text.split() or [device.name]
        return text.product(words[-1] if device.value is None else format_engineering(device.value), control)
    value = device.value if device.value or not device.ac else abs(device.ac)
    if value is None:
        return text.symbol(device.name)
    number = format_engineering(value).replace("Meg", "M")
    prefix = number[-1] if number[-1].isalpha() else ""
    return text.quantity(number.removesuffix(prefix), prefix.replace("u", "µ") + UNITS.get(device.kind, ""))


def annotate_device(body: Body, device: Device, label: Formula, *, side: int, is_far: bool, scale: Scale) -> Candidates:
    """The label of a device on the preferred `side` (1: to the right of its axis, -1: left), with its signs or arrow.

    The label of a voltage source nearly touches it, unless `is_far`.
    """
    gap = max(8 * scale.unit, 3.0)
    if device.kind in "VEH":
        gaps = (max(18 * scale.unit, 4.0) if is_far else max(2 * scale.unit, 2.5), gap)
        return 0, [_plus_minus(body, label, side=s, gap=g, scale=scale) for g in gaps for s in (side, -side)]
    labels = _label_alone(body, label, side=side, gap=gap, scale=scale)
    if device.kind in "IGF":
        arrows = [
            _long_arrow(body, label, side=s, gap=max(share * scale.unit, 4.0), scale=scale)
            for share in (26, 12, 4)
            for s in (side, -side)
        ]
        return 1, [*arrows, *labels]  # the arrow inside of the symbol shows the direction too
    return 3, labels


def annotate_mark(body: Body, mark: Mark, *, side: int, scale: Scale) -> Candidates:
    """A named voltage or current of a device, on the preferred side."""
    name, sides = text.symbol(mark.name), (side, -side)
    if mark.kind == "voltage":
        gap = max(12 * scale.unit, 3.0)
        gaps, signs = (gap, 0.5 * gap, 2 * gap), "-+" if mark.is_reversed else "+-"
        return 0, [_plus_minus(body, name, side=s, gap=g, scale=scale, signs=signs) for g in gaps for s in sides]
    return 2, [
        _lead_arrow(body, name, end=end, side=s, scale=scale, direction=-1 if mark.is_reversed else 1)
        for end in ((1, -1) if side > 0 else (-1, 1))
        for s in sides
    ]


# ------------------------------------------------------------------------------------------------------- the candidates


def _plus_minus(body: Body, label: Formula, *, side: int, gap: float, scale: Scale, signs: str = "+-") -> list[Piece]:
    """The first sign at the first pin, the second at the second pin, the label between them."""
    lateral = side * max(20 * scale.unit, 0.42 * scale.label_font + scale.wire_line)
    lowest = body.half_length + 0.4 * scale.label_font
    pieces = []
    for char, end, lead in zip(signs, (-1, 1), (body.start_lead, body.end_lead), strict=True):
        highest = lead - (scale.node_radius + 0.35 * scale.label_font)
        axial = max(lowest, min((body.half_length + lead) / 2, highest))
        pieces.append(draw_sign(char, body.point(end * axial, lateral), scale=scale))
    return [*pieces, _label(body, label, axial=0, lateral=side * (body.half_width + gap), scale=scale)]


def _long_arrow(body: Body, label: Formula, *, side: int, gap: float, scale: Scale) -> list[Piece]:
    """An arrow along the axis from the first pin to the second, and the label on its far side."""
    lateral, half = body.half_width + gap, 33 * max(body.unit, 0.3)
    return [
        _arrow(body.point(-half, side * lateral), body.point(half, side * lateral), scale=scale),
        _label(body, label, axial=0, lateral=side * (lateral + 0.8 * gap + 3), scale=scale),
    ]


def _lead_arrow(body: Body, name: Formula, *, end: int, side: int, scale: Scale, direction: int) -> list[Piece]:
    """An arrow beside the lead at one end of the symbol, and its name on its far side."""
    lead = (body.end_lead if end > 0 else body.start_lead) - scale.node_radius
    if body.half_length:
        half = min(20 * scale.unit + 2, max((lead - body.half_length) / 2, 4.0))
        middle = end * (body.half_length + max(lead, body.half_length) + 2) / 2
    else:  # a probe is only an arrow
        half, middle = min(24 * scale.unit + 2, max(lead, 4.0)), 0.0
    lateral = side * max(15 * scale.unit, 5.0)
    tail, tip = (body.point(middle + sign * half, lateral) for sign in (-direction, direction))
    label_lateral = lateral + side * max(8 * scale.unit, 4.0)
    return [_arrow(tail, tip, scale=scale), _label(body, name, axial=middle, lateral=label_lateral, scale=scale)]


def _label_alone(body: Body, label: Formula, *, side: int, gap: float, scale: Scale) -> list[list[Piece]]:
    """A label beside the symbol, farther away, or beside one of its leads."""
    beside_lead = body.half_length + 0.8 * scale.label_font
    laterals = [(0.0, body.half_width + gap), (0.0, body.half_width + 2.5 * gap)]
    laterals += [(axial, gap + scale.wire_line) for axial in (beside_lead, -beside_lead)]
    return [
        [_label(body, label, axial=axial, lateral=s * lateral, scale=scale)]
        for axial, lateral in laterals
        for s in (side, -side)
    ]


# ----------------------------------------------------------------------------------------------------------- the pieces


def _label(body: Body, label: Formula, *, axial: float, lateral: float, scale: Scale) -> Piece:
    """A formula whose edge nearest to the axis lies `lateral` pixels from it."""
    size = scale.label_font
    x, y = body.point(axial, lateral)
    x0, y0, x1, y1 = text.rect(label, x=0, y=0, size=size)
    if body.is_vertical:
        x, y = x - (x0 if x > body.x else x1), y + text.ASCENT * size / 2
    else:
        x, y = x - text.width(label, size) / 2, y - (y0 if y > body.y else y1)
    return Piece(svg=text.outline(label, x=x, y=y, size=size), rect=text.rect(label, x=x, y=y, size=size))


def draw_sign(sign: str, point: XY, *, scale: Scale, share: float = 1.0) -> Piece:
    """A plus or a minus, horizontal whichever way the symbol stands; `share` is its size relative to a label's sign."""
    x, y = point
    arm = 0.27 * scale.label_font * share
    half_height = arm if sign == "+" else 1.0
    attributes = f'stroke-width="{max(1.1 * scale.unit, 0.9):.2f}" stroke-linecap="butt"'
    return Piece(
        svg=f'<path {attributes} d="{sign_path(sign, x, y, arm=arm)}"/>',
        rect=(x - arm, y - half_height, x + arm, y + half_height),
    )


def _arrow(tail: XY, tip: XY, *, scale: Scale) -> Piece:
    """A slim horizontal or vertical arrow."""
    (x0, y0), (x1, y1) = tail, tip
    length = max(abs(x1 - x0) + abs(y1 - y0), 1e-9)
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    head = min(max(15 * scale.unit, 6.0), length)
    wing, notch = 0.4 * head, 0.75 * head
    neck = x1 - dx * notch, y1 - dy * notch
    corners = (
        tip,
        (x1 - dx * head - dy * wing, y1 - dy * head + dx * wing),
        neck,
        (x1 - dx * head + dy * wing, y1 - dy * head - dx * wing),
    )
    return Piece(
        svg=arrow_svg(tail, neck, corners, attributes=' stroke-linecap="butt"'), rect=bounding_box(tail, *corners)
    )
