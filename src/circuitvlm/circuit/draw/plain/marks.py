"""Which signs stand beside a symbol? The + and - of a source, and quantities: a voltage from + to -, a current along an
arrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from circuitvlm.circuit.draw.frame import XY
from circuitvlm.circuit.draw.geometry import Mark
from circuitvlm.circuit.draw.labels import Line, Rect, touched_area
from circuitvlm.circuit.draw.plain.page import Body, Pole, Sketch
from circuitvlm.circuit.draw.styles import Style
from circuitvlm.circuit.graph import Circuit

_ARM = 2.4


def checked(marks: Sequence[Mark], *, circuit: Circuit) -> tuple[Mark, ...]:
    """The marks, each with its device's own spelling.

    Raises ValueError for a kind that is neither, and for a device that the circuit does not have or that has no two
    pins.
    """
    names = {device.name.upper(): device for device in circuit.devices}
    found = []
    for mark in marks:
        if mark.kind not in ("voltage", "current"):
            raise ValueError(f"mark {mark.name!r}: kind is {mark.kind!r}, wanted 'voltage' or 'current'")
        device = names.get(mark.device.upper())
        if device is None:
            known = ", ".join(d.name for d in circuit.devices)
            raise ValueError(f"mark {mark.name!r}: no device {mark.device!r}; the circuit has {known}")
        if len(device.nodes) < 2:
            raise ValueError(f"mark {mark.name!r}: {device.name} has {len(device.nodes)} pins, wanted 2 or more")
        found.append(Mark(kind=mark.kind, name=mark.name, device=device.name, reversed=mark.reversed))
    return tuple(found)


def signs(page: Sketch, pole: Pole) -> None:
    """Plus at the first pin and minus at the second: beside the leads where there is room for both, else inside."""
    inside = 0.25 * pole.scale, 0.0, 0.11 * pole.scale
    places = [inside]
    if page.style.source == "outside":
        side = 1 if (page.style.side == "left") == (pole.dy != 0) else -1  # away from the label first
        places = [(0.5 * pole.scale + 5.0, side * 6.0, 2.6), (0.5 * pole.scale + 5.0, -side * 6.0, 2.6), inside]
    for back, aside, arm in places:
        ax, ay = abs(pole.dy) * aside, abs(pole.dx) * aside
        plus = pole.x - pole.dx * back + ax, pole.y - pole.dy * back + ay
        minus = pole.x + pole.dx * back + ax, pole.y + pole.dy * back + ay
        if not aside or not any(page.touches(_square(at, arm + 1)) for at in (plus, minus)):
            break
    draw_plus(page, x=plus[0], y=plus[1], arm=arm)
    draw_minus(page, x=minus[0], y=minus[1], arm=arm)


def _square(at: XY, half: float) -> Rect:
    return at[0] - half, at[1] - half, at[0] + half, at[1] + half


def draw_plus(page: Sketch, *, x: float, y: float, arm: float) -> None:
    page.fragments.append(f'<path d="M{x - arm:.2f} {y:.2f}h{2 * arm:.2f}M{x:.2f} {y - arm:.2f}v{2 * arm:.2f}"/>')
    page.taken.append((x - arm - 1, y - arm - 1, x + arm + 1, y + arm + 1))


def draw_minus(page: Sketch, *, x: float, y: float, arm: float) -> None:
    page.fragments.append(f'<path d="M{x - arm:.2f} {y:.2f}h{2 * arm:.2f}"/>')
    page.taken.append((x - arm - 1, y - 2, x + arm + 1, y + 2))


def draw(page: Sketch, marks: Iterable[Mark], *, small: Style) -> None:
    """Signs or arrow and name of each mark, on the side of its symbol where they touch least.

    `small` is the style with the font size of node numbers. Raises ValueError for a device without a two-pin symbol.
    """
    first = -1 if page.style.side == "right" else 1  # the label stands there
    for mark in marks:
        if mark.device not in page.bodies:
            raise ValueError(f"mark {mark.name!r}: {mark.device} has no two-pin symbol, so nothing can stand beside it")
        body = page.bodies[mark.device]
        made = _voltage if mark.kind == "voltage" else _current
        candidates = [made(body, mark, side=side, small=small) for side in _sides(body, first)]
        best = min(candidates, key=lambda note: _touched(page, note, small))
        page.touched += _touched(page, best, small)
        page.fragments.append(best.svg)
        page.signs.append(best.name)
        page.taken += [*best.boxes, best.name.rect(small)]


@dataclass(frozen=True, slots=True)
class _Note:
    """What is drawn for a mark, and where its ink lies, the name's apart."""

    svg: str
    boxes: tuple[Rect, ...]
    name: Line


def _sides(body: Body, first: int) -> tuple[int, int]:
    """Away from the label first: below a level symbol where labels of upright ones stand right."""
    preferred = first if abs(body.dy) > abs(body.dx) else -first
    return preferred, -preferred


def _touched(page: Sketch, note: _Note, small: Style) -> float:
    limits = (1.0, 1.0, page.width - 1.0, page.height - 1.0)
    return sum(touched_area(box, page.taken, limits) for box in (*note.boxes, note.name.rect(small)))


def _voltage(body: Body, mark: Mark, *, side: int, small: Style) -> _Note:
    """Plus and minus beside the leads, the name between them."""
    back = min(body.along + 7, (body.along + body.reach) / 2 + 1, body.reach - _ARM)
    plus, minus = (body.at(sign * back, side * 6.0) for sign in ((1, -1) if mark.reversed else (-1, 1)))
    svg = "".join(f'<path d="M{x - _ARM:.2f} {y:.2f}h{2 * _ARM:.2f}"/>' for x, y in (plus, minus))
    svg += f'<path d="M{plus[0]:.2f} {plus[1] - _ARM:.2f}v{2 * _ARM:.2f}"/>'
    boxes = tuple((x - _ARM, y - _ARM, x + _ARM, y + _ARM) for x, y in (plus, minus))
    return _Note(svg=svg, boxes=boxes, name=_name(body, mark, along=0, aside=side * (body.across + 4), small=small))


def _current(body: Body, mark: Mark, *, side: int, small: Style) -> _Note:
    """An arrow beside the second pin's lead, the name beyond it."""
    half = min(max((body.reach - body.along) / 2 - 1, 4.0), 9.0)
    middle = (body.along + body.reach) / 2
    tail, tip = (body.at(middle + sign * half, side * 6.0) for sign in ((1, -1) if mark.reversed else (-1, 1)))
    (x0, y0), (x1, y1) = tail, tip
    dx, dy = (x1 - x0) / (2 * half), (y1 - y0) / (2 * half)
    neck = x1 - 4 * dx, y1 - 4 * dy
    corners = (tip, (neck[0] - 2 * dy, neck[1] + 2 * dx), (neck[0] + 2 * dy, neck[1] - 2 * dx))
    path = "L".join(f"{x:.2f} {y:.2f}" for x, y in corners)
    svg = f'<path d="M{x0:.2f} {y0:.2f}L{neck[0]:.2f} {neck[1]:.2f}"/><path d="M{path}Z" fill="#000" stroke="none"/>'
    box = (min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2)
    return _Note(svg=svg, boxes=(box,), name=_name(body, mark, along=middle, aside=side * 9.5, small=small))


def _name(body: Body, mark: Mark, *, along: float, aside: float, small: Style) -> Line:
    x, y = body.at(along, aside)
    if abs(body.dy) > abs(body.dx):
        return Line(text=mark.name, x=x, y=y + 0.36 * small.font_size, anchor="start" if aside > 0 else "end")
    return Line(text=mark.name, x=x, y=y + (0.74 * small.font_size if aside > 0 else 0.0), anchor="middle")
