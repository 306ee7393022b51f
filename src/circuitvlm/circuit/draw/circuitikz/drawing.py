"""Turn a placement on the grid into strokes and labels in pixels, in CircuiTikZ's look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from circuitvlm.circuit.draw.canvas import Body, Canvas, bounding_box, path_points
from circuitvlm.circuit.draw.circuitikz import text
from circuitvlm.circuit.draw.circuitikz.annotations import (
    Candidates,
    annotate_device,
    annotate_mark,
    caption,
    draw_sign,
    is_probe,
)
from circuitvlm.circuit.draw.circuitikz.scale import Scale, fit_frame, fit_scale
from circuitvlm.circuit.draw.circuitikz.symbols import SHAPES, Polyline, Shape
from circuitvlm.circuit.draw.frame import Frame
from circuitvlm.circuit.draw.labels import Rect, choose_place
from circuitvlm.circuit.draw.styles import Style
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.circuit.placement import Mark, Placement, Symbol

BLUE = "#00f"
SHORT_EDGE = 0.65
"""Grid units between two pins, below which their symbol is made smaller to fit between them."""


def draw(
    circuit: Circuit,
    placement: Placement,
    *,
    style: Style,
    width: int | None,
    height: int | None,
    seed: int,
    marks: Sequence[Mark] = (),
) -> Canvas:
    """The drawing of a placement with its marks; a page of unspecified size is as large as its ink and a border.

    It is drawn twice, because the space that labels need outside of the grid is known only after the first time. Raises
    ValueError for a device without a symbol in this look.
    """
    scale = fit_scale(placement, width=width, height=height)
    canvas = Canvas(width=0, height=0, style=replace(style, line_width=scale.wire_line))
    frame = fit_frame(placement, scale=scale, width=width, height=height)
    _draw_all(canvas, circuit, placement, frame=frame, scale=scale, marks=marks, seed=seed)
    margins = _ink_margins(canvas.ink, frame)
    frame = fit_frame(placement, scale=scale, width=width, height=height, margins=margins)
    canvas = Canvas(
        width=width or math.ceil(frame.columns[-1] + margins[2] + scale.border),
        height=height or math.ceil(frame.rows[-1] + margins[3] + scale.border),
        style=canvas.style,
    )
    _draw_all(canvas, circuit, placement, frame=frame, scale=scale, marks=marks, seed=seed)
    return canvas


def _ink_margins(ink: Sequence[Rect], frame: Frame) -> Rect:
    """The extent of the ink outside of the outermost grid lines: left, top, right and bottom."""
    return (
        max(0.0, frame.columns[0] - min(rect[0] for rect in ink)),
        max(0.0, frame.rows[0] - min(rect[1] for rect in ink)),
        max(0.0, max(rect[2] for rect in ink) - frame.columns[-1]),
        max(0.0, max(rect[3] for rect in ink) - frame.rows[-1]),
    )


def _draw_all(
    canvas: Canvas,
    circuit: Circuit,
    placement: Placement,
    *,
    frame: Frame,
    scale: Scale,
    marks: Sequence[Mark],
    seed: int,
) -> None:
    """Wires, symbols, node numbers, then annotations: those that need most space first."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    for wire in placement.wires:
        canvas.draw_line(*map(frame.pixel, wire))
    devices = {device.name: device for device in circuit.devices}
    has_steps = any(device.kind in "CL" for device in circuit.devices)
    bodies = {
        s.device: _draw_symbol(canvas, frame, s, devices[s.device], scale=scale, has_steps=has_steps)
        for s in placement.symbols
    }
    if not placement.columns:  # a drawing on a grid of its own has no crossings, and needs no dots
        for dot in placement.dots:
            canvas.draw_dot(*frame.pixel(dot), radius=2 * scale.wire_line)
    for node, point in placement.node_labels:
        _draw_node(canvas, node, *frame.pixel(point), scale=scale)
    controls = dict(placement.controls)
    groups: list[Candidates] = []
    for symbol in placement.symbols:
        device, body = devices[symbol.device], bodies[symbol.device]
        side = 1 if rng.random() < 0.5 else -1
        device_marks = [mark for mark in marks if mark.device == device.name]
        if not is_probe(device):
            label = caption(device, control=controls.get(device.name, ""))
            is_far = device.kind == "V" and not has_steps
            groups.append(annotate_device(body, device, label, side=side, is_far=is_far, scale=scale))
        elif all(mark.kind != "current" for mark in device_marks):
            groups.append(annotate_mark(body, Mark("current", device.name[1:], device.name), side=side, scale=scale))
        groups += [annotate_mark(body, mark, side=-side, scale=scale) for mark in device_marks]
    for _, candidates in sorted(groups, key=lambda group: group[0]):
        pieces, area = choose_place(
            candidates, lambda pieces: [piece.rect for piece in pieces], ink=canvas.ink, limits=canvas.limits
        )
        canvas.overlap += area
        canvas.fragments += [piece.svg for piece in pieces]
        for rects in (canvas.ink, canvas.caption_rects):
            rects.extend(piece.rect for piece in pieces)


# ---------------------------------------------------------------------------------------------------------- the symbols


def _draw_symbol(
    canvas: Canvas, frame: Frame, symbol: Symbol, device: Device, *, scale: Scale, has_steps: bool
) -> Body:
    """The symbol of a device with its leads."""
    kind = "probe" if is_probe(device) else "step" if device.kind == "V" and has_steps else device.kind
    if symbol.form != "edge" or kind not in SHAPES:
        raise ValueError(
            "style circuitsense: expected two-pin devices of kinds R C L V I E G F H, "
            f"got {device.name} of kind {device.kind} with {len(device.nodes)} pins; choose another style"
        )
    shape = SHAPES[kind]
    a, b = map(frame.pixel, symbol.pins[:2])
    x, y = frame.pixel(symbol.centre)
    span, unit = math.dist(a, b), scale.symbol_unit
    if math.dist(*symbol.pins[:2]) < SHORT_EDGE:  # the placement has its own leads around the symbol
        unit = min(unit, 0.45 * span / max(shape.half_length, 1.0))
    body = Body(
        x=x,
        y=y,
        dx=(b[0] - a[0]) / span,
        dy=(b[1] - a[1]) / span,
        half_length=shape.half_length * unit,
        half_width=shape.half_width * unit,
        start_lead=math.dist(a, (x, y)),
        end_lead=math.dist((x, y), b),
        unit=unit,
    )
    if shape.wire_behind:
        canvas.draw_line(a, b)
    else:
        for pin, end, lead in ((a, -1, body.start_lead), (b, 1, body.end_lead)):
            if lead > body.half_length:
                canvas.draw_line(pin, body.point(end * body.half_length, 0))
    _draw_shape(canvas, shape, body, line_width=scale.symbol_line)
    if device.kind in "EH":
        for sign, share in (("+", -0.48), ("-", 0.48)):
            canvas.fragments.append(
                draw_sign(sign, body.point(share * body.half_length, 0), scale=scale, share=0.8).svg
            )
    canvas.ink.append(bounding_box(*(body.point(s * body.half_length, s * body.half_width) for s in (-1, 1))))
    return body


def _draw_shape(canvas: Canvas, shape: Shape, body: Body, *, line_width: float) -> None:
    """The outline of a symbol."""

    def path(polyline: Polyline) -> str:
        """SVG path data."""
        points = [body.point(axial * body.unit, lateral * body.unit) for axial, lateral in polyline]
        is_closed = len(points) > 2 and points[0] == points[-1]
        return f"M{path_points(points[:-1])}Z" if is_closed else f"M{path_points(points)}"

    attributes = f'stroke-width="{line_width:.2f}" stroke-linejoin="{shape.line_join}" stroke-linecap="butt"'
    canvas.fragments += [f'<path {attributes} d="{path(stroke)}"/>' for stroke in shape.strokes]
    canvas.fragments += [f'<path fill="#000" stroke="none" d="{path(fill)}Z"/>' for fill in shape.fills]


def _draw_node(canvas: Canvas, node: str, x: float, y: float, *, scale: Scale) -> None:
    """The number of a node in a blue circle."""
    number, size = text.quantity(node, ""), scale.number_font
    width = text.width(number, size)
    radius = max(scale.node_radius, width / 2 + 2)
    canvas.fragments.append(
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2f}" fill="#fff" stroke="{BLUE}"/>'
        + text.outline(number, x=x - width / 2, y=y + text.ASCENT * size / 2, size=size, colour=BLUE)
    )
    half = radius + scale.wire_line / 2
    canvas.ink.append((x - half, y - half, x + half, y + half))
