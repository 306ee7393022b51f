"""Turn a placement on the grid into strokes and labels in pixels, in one of the plain styles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from circuitvlm.circuit.draw.canvas import Body, Canvas, arrow_svg
from circuitvlm.circuit.draw.frame import GROUND_SCALE, Frame, fit_frame
from circuitvlm.circuit.draw.labels import ASCENT, Label, TextLine, label_lines, place, text_width
from circuitvlm.circuit.draw.plain.marks import draw_marks, draw_sign, draw_source_signs
from circuitvlm.circuit.draw.plain.symbols import find_shape, find_transistor
from circuitvlm.circuit.draw.styles import Style
from circuitvlm.circuit.graph import Circuit, Device
from circuitvlm.circuit.placement import BOX_OVERHANG, Mark, Placement, Symbol

SMALLEST_FONT = 8.0


def draw(
    circuit: Circuit,
    placement: Placement,
    *,
    style: Style,
    width: int,
    height: int,
    rng: np.random.Generator,
    marks: Sequence[Mark] = (),
) -> Canvas:
    """The drawing of a placement with its marks and labels, in a smaller font where labels would overlap something."""
    canvas = Canvas(width=width, height=height, style=style, controls=dict(placement.controls))
    frame = fit_frame(circuit, placement, style=style, width=width, height=height, rng=rng)
    for wire in placement.wires:
        canvas.draw_line(*map(frame.pixel, wire))
    devices = {device.name: device for device in circuit.devices}
    for symbol in placement.symbols:
        _DRAWERS[symbol.form](canvas, frame, symbol, devices[symbol.device])
    for dot in placement.dots:
        canvas.draw_dot(*frame.pixel(dot), radius=style.dot_radius)
    if placement.ground is not None:
        _draw_ground(canvas, *frame.pixel(placement.ground))
    for body in canvas.signed_bodies:
        draw_source_signs(canvas, body)
    draw_marks(canvas, marks)
    _place_labels(canvas)
    if style.node_numbers:
        _place_node_numbers(canvas, frame, placement)
    return canvas


# ---------------------------------------------------------------------------------------------------------- the symbols


def _shape_name(kind: str, style: Style) -> str:
    return {
        "R": f"resistor_{style.resistor}",
        "L": f"inductor_{style.inductor}",
        "C": "capacitor",
        "D": "diode",
        "V": "battery" if style.source == "battery" else "circle",
        "I": "circle",
    }.get(kind, "diamond" if kind in "EFGHB" else "resistor_box")


def _draw_two_pins(canvas: Canvas, frame: Frame, symbol: Symbol, device: Device) -> None:
    """A symbol in the middle of its edge, with leads and signs; its label is placed later."""
    style, name = canvas.style, _shape_name(device.kind, canvas.style)
    shape, is_round = find_shape(name), name in ("circle", "diamond")
    start, end = map(frame.pixel, symbol.pins)
    (x0, y0), (x1, y1) = start, end
    span = math.hypot(x1 - x0, y1 - y0)
    spans_cell = math.dist(*symbol.pins) >= 1  # otherwise the placement has its own leads around the symbol
    scale = min(style.symbol_size, (0.66 if spans_cell else 1.0) * span) * (0.85 if is_round else 1.0)
    body = Body(
        x=(x0 + x1) / 2,
        y=(y0 + y1) / 2,
        dx=(x1 - x0) / span,
        dy=(y1 - y0) / span,
        half_length=shape.length * scale / 2,
        half_width=shape.half_width * scale,
        start_lead=span / 2,
        end_lead=span / 2,
        unit=scale,
    )
    x, y, dx, dy = body.x, body.y, body.dx, body.dy
    canvas.draw_line(start, body.point(-body.half_length, 0))
    canvas.draw_line(body.point(body.half_length, 0), end)
    canvas.draw_outline(
        shape.stroke,
        shape.fill,
        x=x,
        y=y,
        angle=math.degrees(math.atan2(dy, dx)),
        scale=scale,
        shift=-shape.length / 2,
    )
    half_x, half_y = (body.half_length, body.half_width) if dx else (body.half_width, body.half_length)
    canvas.ink.append((x - half_x - 1, y - half_y - 1, x + half_x + 1, y + half_y + 1))
    if device.kind in "IGF":
        _draw_current_arrow(canvas, body)
    elif is_round:
        canvas.signed_bodies.append(body)
    elif name == "battery":
        draw_sign(canvas, "+", *body.point(-body.half_length - 5, -7))
    canvas.bodies[device.name] = body
    lines = label_lines(device, style)
    if device.name in canvas.controls:
        gain = " ".join(lines[1:]).rpartition(" ")[2]  # without the probe that the netlist names before the gain
        lines = (device.name, f"{gain} {canvas.controls[device.name]}".lstrip())
    canvas.labels.append(Label(lines, x, y, body.half_width, body.half_length, is_vertical=body.is_vertical))


def _draw_current_arrow(canvas: Canvas, body: Body) -> None:
    """An arrow inside of a source from the first pin to the second: the direction of its current (SPICE)."""
    dx, dy, half = body.dx, body.dy, 0.3 * body.unit
    head = 0.62 * half + canvas.style.line_width
    wing = 0.55 * head
    x, y = neck = body.point(half - head, 0)
    corners = (body.point(half, 0), (x - dy * wing, y + dx * wing), (x + dy * wing, y - dx * wing))
    canvas.fragments.append(arrow_svg(body.point(-half, 0), neck, corners))


def _draw_transistor(canvas: Canvas, frame: Frame, symbol: Symbol, device: Device) -> None:
    """A transistor between its main pins, upside down where the first of them is the lower one."""
    outline = find_transistor(_transistor_name(device))
    (x, y0), (pin_x, y), (_, y1) = map(frame.pixel, symbol.pins[:3])
    sign = 1 if y0 < y1 else -1
    scale = min(0.7 * canvas.style.symbol_size, abs(y0 - y1) / 2, (x - pin_x) / -outline.control[0])
    attributes = (
        f'transform="translate({x:.2f} {y:.2f}) scale({scale:.3f} {sign * scale:.3f})" '
        f'stroke-width="{canvas.style.line_width / scale:.4f}"'
    )
    canvas.fragments.append(
        f'<path d="{outline.stroke}" {attributes}/><path d="{outline.fill}" fill="#000" {attributes}/>'
    )
    canvas.draw_line((x, y0), (x, y - sign * scale))
    canvas.draw_line((x, y1), (x, y + sign * scale))
    gate_x, gate_y = x + outline.control[0] * scale, y + sign * outline.control[1] * scale
    canvas.draw_line((pin_x, y), (pin_x, gate_y), (gate_x, gate_y))
    canvas.ink.append((gate_x, y - scale, x, y + scale))
    canvas.labels.append(Label(label_lines(device, canvas.style), x, y, 1, scale, is_vertical=True))


def _transistor_name(device: Device) -> str:
    """The outline of a transistor: of p type where the name of its model says so."""
    text = device.text.lower()
    is_p_type = text.startswith("p") or any(word in text for word in ("pnp", "pmos", "pch", "pjf", "pfet"))
    return {"Q": ("npn", "pnp"), "M": ("nmos", "pmos")}.get(device.kind, ("njf", "pjf"))[is_p_type]


def _draw_box(canvas: Canvas, frame: Frame, symbol: Symbol, device: Device) -> None:
    """A rectangle with the names of its pins inside."""
    lines = label_lines(device, canvas.style)
    if not symbol.pins:  # a coupling between inductors has a label only
        canvas.labels.append(Label(lines, *frame.pixel(symbol.centre), -2, 2, is_vertical=True))
        return
    small, row = canvas.style.with_small_font(), symbol.centre[1]
    columns = [x for x, _ in symbol.pins]
    x0, y0 = frame.pixel((min(columns) - BOX_OVERHANG, row - 0.3))
    x1, y1 = frame.pixel((max(columns) + BOX_OVERHANG, row + 0.3))
    canvas.draw_line((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
    canvas.ink.append((x0, y0, x1, y1))
    for point, (pin, _) in zip(symbol.pins, device.pins, strict=True):
        x, y = frame.pixel(point)
        canvas.add_small_text(pin, x=x, y=y + (0.7 if point[1] < row else -0.7) * small.font_size)
    text = " ".join(lines)
    while len(text) > 2 and text_width(text, small) > x1 - x0 - 2:
        text = f"{text[:-2]}…"
    canvas.add_small_text(text, x=(x0 + x1) / 2, y=(y0 + y1) / 2)


_DRAWERS = {"edge": _draw_two_pins, "transistor": _draw_transistor, "box": _draw_box}


def _draw_ground(canvas: Canvas, x: float, y: float) -> None:
    shape = find_shape(f"ground_{canvas.style.ground}")
    scale = GROUND_SCALE * canvas.style.symbol_size
    canvas.draw_outline(shape.stroke, "", x=x, y=y, scale=scale)
    canvas.ink.append((x - shape.half_width * scale, y, x + shape.half_width * scale, y + shape.length * scale))


# ----------------------------------------------------------------------------------------------------------- the labels


def _place_labels(canvas: Canvas) -> None:
    """Place all labels in the largest font in which none overlaps anything."""
    smallest = min(SMALLEST_FONT, canvas.style.font_size)
    best = trial = _try_labels(canvas)
    while trial[0] >= 1 and canvas.style.font_size - 1 >= smallest:
        canvas.style = replace(canvas.style, font_size=canvas.style.font_size - 1)
        trial = _try_labels(canvas)
        if trial[0] < best[0] - 1:
            best = trial
    area, canvas.style, canvas.label_lines = best
    canvas.overlap += area
    canvas.ink += [line.rect(canvas.style) for line in canvas.label_lines]


def _try_labels(canvas: Canvas) -> tuple[float, Style, list[TextLine]]:
    """The overlap of all labels in square pixels, their style, and their lines."""
    ink, total = list(canvas.ink), 0.0
    lines: list[TextLine] = []
    for label in canvas.labels:
        placed_lines, area = place(label, style=canvas.style, ink=ink, limits=canvas.limits)
        lines.extend(placed_lines)
        ink.extend(line.rect(canvas.style) for line in placed_lines)
        total += area
    return total, canvas.style, lines


def _place_node_numbers(canvas: Canvas, frame: Frame, placement: Placement) -> None:
    """Write node numbers in the small font beside their points; a number without space is left out."""
    small = canvas.style.with_small_font()
    for node, point in placement.node_labels:
        x, y = frame.pixel(point)
        for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
            baseline = y + (-3 if dy < 0 else 3 + ASCENT * small.font_size)
            line = TextLine(text=node, x=x + 3 * dx, y=baseline, anchor="start" if dx > 0 else "end")
            rect = line.rect(small)
            if not canvas.is_covered(rect):
                canvas.small_lines.append(line)
                canvas.ink.append(rect)
                break
