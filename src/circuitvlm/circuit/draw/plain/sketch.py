"""Where on the page does each line run? A placement on the grid becomes strokes and labels in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from circuitvlm.circuit.draw.frame import GROUND_SCALE, Frame
from circuitvlm.circuit.draw.frame import frame as fitted
from circuitvlm.circuit.draw.geometry import OVERHANG, Mark, Placement, Symbol
from circuitvlm.circuit.draw.labels import Line, Spot, label_lines, place, text_width
from circuitvlm.circuit.draw.plain import marks as plain_marks
from circuitvlm.circuit.draw.plain import symbols
from circuitvlm.circuit.draw.plain.page import Body, Pole, Sketch
from circuitvlm.circuit.draw.styles import SMALLER, Style
from circuitvlm.circuit.graph import Circuit, Device

SMALLEST_FONT = 8.0


def sketch(
    circuit: Circuit,
    placement: Placement,
    *,
    style: Style,
    width: int,
    height: int,
    rng: np.random.Generator,
    marks: Sequence[Mark] = (),
) -> Sketch:
    """The drawing of a placement, labels placed; with a smaller font where labels would touch something."""
    page = Sketch(width=width, height=height, style=style, controls=dict(placement.controls))
    frame = fitted(circuit, placement, style=style, width=width, height=height, rng=rng)
    for wire in placement.wires:
        page.line(*(frame.at(point) for point in wire))
    devices = {device.name: device for device in circuit.devices}
    for symbol in placement.symbols:
        _draw(page, frame, symbol, devices[symbol.device])
    for dot in placement.dots:
        _dot(page, *frame.at(dot))
    if placement.ground is not None:
        _ground(page, *frame.at(placement.ground))
    for pole in page.poles:
        plain_marks.signs(page, pole)
    named = (*placement.marks, *(mark for mark in marks if mark not in placement.marks))
    plain_marks.draw(page, named, small=replace(style, font_size=style.font_size - SMALLER))
    _write_labels(page)
    if style.nodes:
        _write_nodes(page, frame, placement)
    return page


# ------------------------------------------------------------------------------------------------------------ the parts


def _draw(page: Sketch, frame: Frame, symbol: Symbol, device: Device) -> None:
    if symbol.form == "edge":
        _two_pins(page, frame, symbol, device)
    elif symbol.form == "transistor":
        _transistor(page, frame, symbol, device)
    else:
        _box(page, frame, symbol, device)


def _outline(kind: str, style: Style) -> str:
    """The name of the outline of a two-pin kind."""
    return {
        "R": f"resistor_{style.resistor}",
        "L": f"inductor_{style.inductor}",
        "C": "capacitor",
        "D": "diode",
        "V": "battery" if style.source == "battery" else "circle",
        "I": "circle",
    }.get(kind, "diamond" if kind in "EFGHB" else "resistor_box")


def _two_pins(page: Sketch, frame: Frame, symbol: Symbol, device: Device) -> None:
    """A symbol in the middle of its edge, with leads, its signs and the place of its label."""
    style, name = page.style, _outline(device.kind, page.style)
    shape = symbols.shape(name)
    (x0, y0), (x1, y1) = frame.at(symbol.pins[0]), frame.at(symbol.pins[1])
    reach = math.hypot(x1 - x0, y1 - y0)
    reach_is_cell = math.dist(*symbol.pins) >= 1  # else the placement has put leads of its own around the symbol
    scale = min(style.symbol, (0.66 if reach_is_cell else 1.0) * reach) * (
        0.85 if name in ("circle", "diamond") else 1.0
    )
    x, y, dx, dy = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / reach, (y1 - y0) / reach
    along, across = shape.length * scale / 2, shape.half * scale
    page.line((x0, y0), (x - dx * along, y - dy * along))
    page.line((x + dx * along, y + dy * along), (x1, y1))
    angle = math.degrees(math.atan2(dy, dx))
    page.path(shape.stroke, shape.fill, x=x, y=y, angle=angle, scale=scale, shift=-shape.length / 2)
    half_x, half_y = (along, across) if dx else (across, along)
    page.taken.append((x - half_x - 1, y - half_y - 1, x + half_x + 1, y + half_y + 1))
    if device.kind in "IGF":
        _arrow(page, x=x, y=y, dx=dx, dy=dy, reach=0.3 * scale)
    elif name in ("circle", "diamond"):
        page.poles.append(Pole(x=x, y=y, dx=dx, dy=dy, scale=scale))
    elif name == "battery":
        plain_marks.draw_plus(page, x=x - dx * (along + 5) + dy * 7, y=y - dy * (along + 5) - dx * 7, arm=2.4)
    page.bodies[device.name] = Body(x=x, y=y, dx=dx, dy=dy, along=along, across=across, reach=reach / 2)
    lines = label_lines(device, style)
    if device.name in page.controls:
        gain = " ".join(lines[1:]).rpartition(" ")[2]  # without the probe that a line of the netlist names
        lines = (device.name, f"{gain} {page.controls[device.name]}".lstrip())
    page.spots.append(Spot(lines=lines, x=x, y=y, across=across, along=along, upright=abs(dy) > abs(dx)))


def _arrow(page: Sketch, *, x: float, y: float, dx: float, dy: float, reach: float) -> None:
    """From the first pin to the second, inside of a source: the way its current goes (SPICE)."""
    head = 0.62 * reach + page.style.line_width
    tip, neck = (x + dx * reach, y + dy * reach), (x + dx * (reach - head), y + dy * (reach - head))
    wing = 0.55 * head
    page.fragments.append(f'<path d="M{x - dx * reach:.2f} {y - dy * reach:.2f}L{neck[0]:.2f} {neck[1]:.2f}"/>')
    corners = (tip, (neck[0] - dy * wing, neck[1] + dx * wing), (neck[0] + dy * wing, neck[1] - dx * wing))
    page.fragments.append(
        '<path d="M' + "L".join(f"{a:.2f} {b:.2f}" for a, b in corners) + 'Z" fill="#000" stroke="none"/>'
    )


def _transistor(page: Sketch, frame: Frame, symbol: Symbol, device: Device) -> None:
    """A transistor between its main pins, upside down where the first of them is the lower one."""
    outline = symbols.body(_transistor_outline(device))
    (x, y0), (pin_x, y), (_, y1) = (frame.at(pin) for pin in symbol.pins[:3])
    sign = 1 if y0 < y1 else -1
    scale = min(0.7 * page.style.symbol, abs(y0 - y1) / 2, (x - pin_x) / -outline.control[0])
    turn = f'transform="translate({x:.2f} {y:.2f}) scale({scale:.3f} {sign * scale:.3f})"'
    width = f'stroke-width="{page.style.line_width / scale:.4f}"'
    page.fragments.append(
        f'<path d="{outline.stroke}" {turn} {width}/><path d="{outline.fill}" fill="#000" {turn} {width}/>'
    )
    page.line((x, y0), (x, y - sign * scale))
    page.line((x, y1), (x, y + sign * scale))
    gate_x, gate_y = x + outline.control[0] * scale, y + sign * outline.control[1] * scale
    page.line((pin_x, y), (pin_x, gate_y), (gate_x, gate_y))
    page.taken.append((gate_x, y - scale, x, y + scale))
    page.spots.append(Spot(lines=label_lines(device, page.style), x=x, y=y, across=1, along=scale, upright=True))


def _transistor_outline(device: Device) -> str:
    """n or p: as far as the model's name tells."""
    text = device.text.lower()
    p_type = text.startswith("p") or any(word in text for word in ("pnp", "pmos", "pch", "pjf", "pfet"))
    family = {"Q": ("npn", "pnp"), "M": ("nmos", "pmos")}.get(device.kind, ("njf", "pjf"))
    return family[p_type]


def _box(page: Sketch, frame: Frame, symbol: Symbol, device: Device) -> None:
    """A rectangle with the names of its pins inside."""
    if not symbol.pins:  # a coupling between inductors is only written down
        x, y = frame.at(symbol.centre)
        page.spots.append(Spot(lines=label_lines(device, page.style), x=x, y=y, across=-2, along=2, upright=True))
        return
    size = page.style.font_size - SMALLER
    row = symbol.centre[1]
    columns = [x for x, _ in symbol.pins]
    x0, y0 = frame.at((min(columns) - OVERHANG, row - 0.3))
    x1, y1 = frame.at((max(columns) + OVERHANG, row + 0.3))
    page.line((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
    page.taken.append((x0, y0, x1, y1))
    for point, (pin, _) in zip(symbol.pins, device.pins, strict=True):
        x, y = frame.at(point)
        page.text(pin, x=x, y=y + (size * 0.7 if point[1] < row else -size * 0.7), size=size)
    text = " ".join(label_lines(device, page.style))
    while len(text) > 2 and text_width(text, page.style) * size / page.style.font_size > x1 - x0 - 2:
        text = f"{text[:-2]}…"
    page.text(text, x=(x0 + x1) / 2, y=(y0 + y1) / 2, size=size)


def _dot(page: Sketch, x: float, y: float) -> None:
    page.fragments.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{page.style.dot:.2f}" fill="#000" stroke="none"/>')
    page.taken.append((x - page.style.dot, y - page.style.dot, x + page.style.dot, y + page.style.dot))


def _ground(page: Sketch, x: float, y: float) -> None:
    shape = symbols.ground(f"ground_{page.style.ground}")
    scale = GROUND_SCALE * page.style.symbol
    page.path(shape.stroke, "", x=x, y=y, angle=0, scale=scale, shift=0)
    page.taken.append((x - shape.half * scale, y, x + shape.half * scale, y + shape.length * scale))


# ----------------------------------------------------------------------------------------------------------- the labels


def _write_labels(page: Sketch) -> None:
    """Every label at its place, in the largest font in which none touches anything."""
    full = page.style
    ink = len(page.taken)
    best: tuple[float, Style, list[Line]] | None = None
    while True:
        del page.taken[ink:]
        lines, touched = _placed(page)
        if best is None or touched < best[0] - 1:
            best = touched, page.style, lines
        if touched < 1 or page.style.font_size - 1 < min(SMALLEST_FONT, full.font_size):
            break
        page.style = replace(page.style, font_size=page.style.font_size - 1)
    touched, page.style, page.labels = best
    page.touched += touched
    page.taken[ink:] = [line.rect(page.style) for line in page.labels]


def _placed(page: Sketch) -> tuple[list[Line], float]:
    lines: list[Line] = []
    total = 0.0
    for spot in page.spots:
        chosen, touched = place(spot, style=page.style, taken=page.taken, page=(1, 1, page.width - 1, page.height - 1))
        lines.extend(chosen)
        page.taken.extend(line.rect(page.style) for line in chosen)
        total += touched
    return lines, total


def _write_nodes(page: Sketch, frame: Frame, placement: Placement) -> None:
    """Node numbers, small, where there is room beside their point; a crowded one stays unwritten."""
    size = page.style.font_size - SMALLER
    small = replace(page.style, font_size=size)
    for node, point in placement.labels:
        x, y = frame.at(point)
        for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
            line = Line(
                text=node, x=x + 3 * dx, y=y + (-3 if dy < 0 else 3 + 0.74 * size), anchor="start" if dx > 0 else "end"
            )
            rect = line.rect(small)
            if not page.touches(rect):
                page.signs.append(line)
                page.taken.append(rect)
                break
