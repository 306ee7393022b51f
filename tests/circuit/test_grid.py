"""Check that circuits on a grid are solvable, controlled by marked quantities, and drawn legibly."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Literal

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from circuitvlm.circuit import draw, netlist
from circuitvlm.circuit.draw import circuitikz, render
from circuitvlm.circuit.draw.canvas import Body
from circuitvlm.circuit.draw.circuitikz.annotations import annotate_device, annotate_mark, caption
from circuitvlm.circuit.draw.circuitikz.scale import fit_scale
from circuitvlm.circuit.draw.labels import Rect
from circuitvlm.circuit.generate import Item, grid
from circuitvlm.circuit.graph import GROUND, Circuit, Device
from circuitvlm.circuit.judge.equivalence import topology_key
from circuitvlm.circuit.netlist import parse
from circuitvlm.circuit.placement import Mark, Placement, reading_order
from circuitvlm.circuit.solve.numeric import solve
from tests.circuit.placement_nets import drawn_nets, netlist_nets

Form = Literal["symbolic", "numeric"]
FORMS: tuple[Form, ...] = ("symbolic", "numeric")
PAGE = {"style": "circuitsense", "width": 448, "height": 336}


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [
        grid.item(5, i, components=size, form=form)
        for form in FORMS
        for size in ((2, 4), (4, 9), (9, 14))
        for i in range(60)
    ]


def is_symbolic(item: Item) -> bool:
    return item.family == "symbolic"


def is_probe(device: Device) -> bool:
    return device.name.startswith("VI")


@pytest.mark.parametrize("form", FORMS)
def test_an_item_is_the_same_alone_and_in_any_order(form: Form) -> None:
    forwards = [grid.item(3, i, components=(3, 9), form=form) for i in range(20)]
    backwards = [grid.item(3, i, components=(3, 9), form=form) for i in reversed(range(20))]
    assert forwards == backwards[::-1]
    assert grid.item([3, 4], 0, components=(3, 9), form=form) != forwards[0]


def test_an_item_and_its_picture_are_the_same_in_another_process() -> None:
    code = (
        "import hashlib; from circuitvlm.circuit import draw; from circuitvlm.circuit.generate import grid;"
        "i = grid.item(3, 9, components=(9, 9), form='symbolic');"
        "png = draw.image(i.circuit, i.placement, style='circuitsense', seed=5);"
        "print(repr(i), hashlib.sha256(png).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "ab"]
    assert runs[0].stdout == runs[1].stdout
    assert repr(grid.item(3, 9, components=(9, 9), form="symbolic")) in runs[0].stdout


def test_the_picture_connects_what_the_netlist_connects(items: list[Item]) -> None:
    for item in items:
        assert drawn_nets(item.placement) == netlist_nets(item.circuit), item.circuit


def test_a_turned_mark_or_another_marked_device_is_noticed(items: list[Item]) -> None:
    count = 0
    for item in items:
        placement = item.placement
        for mark in placement.marks:
            if mark.kind == "voltage":
                other_marks = [m for m in placement.marks if m is not mark]
                marks = (*other_marks, replace(mark, is_reversed=not mark.is_reversed))
                assert drawn_nets(replace(placement, marks=marks)) != netlist_nets(item.circuit)
                assert drawn_nets(replace(placement, controls=())) != netlist_nets(item.circuit)
                count += 1
    assert count > 20


def test_numeric_circuits_have_a_solution_of_sensible_size(items: list[Item]) -> None:
    for item in items:
        if not is_symbolic(item):
            for frequency in (0.0, 1000.0):
                solution = solve(item.circuit, frequency_hz=frequency)
                assert all(abs(solution.voltage(node)) < 1e7 for node in item.circuit.nodes), item.circuit


def test_symbolic_circuits_are_solvable_for_other_values_too(items: list[Item]) -> None:
    rng = np.random.default_rng(0)
    for item in items:
        if is_symbolic(item):
            solution = solve(with_values(item.circuit, rng), frequency_hz=0.7)
            passive = [d for d in item.circuit.devices if d.kind in "RCL"]
            assert all(abs(solution.voltage(*d.nodes)) > 1e-9 for d in passive), "a part without a voltage"


def with_values(circuit: Circuit, rng: np.random.Generator) -> Circuit:
    devices = [
        d
        if d.value is not None
        else replace(d, value=float(rng.uniform(0.3, 3)), text=d.text.split()[0] if d.kind in "FH" else "")
        for d in circuit.devices
    ]
    return Circuit(devices=tuple(devices))


def test_every_part_lies_on_a_closed_path(items: list[Item]) -> None:
    for item in items:
        graph = nx.MultiGraph([device.nodes[:2] for device in item.circuit.devices])
        assert GROUND in graph
        assert nx.is_connected(graph)
        assert all(device.nodes[0] != device.nodes[1] for device in item.circuit.devices)
        for a, b in nx.bridges(nx.Graph(graph)):
            assert graph.number_of_edges(a, b) > 1, item.circuit


def test_sources_are_counted(items: list[Item]) -> None:
    for item in items:
        sources = [d for d in item.circuit.devices if d.kind in "VI" and not is_probe(d)]
        assert 1 <= len(sources) <= 2
        assert not is_symbolic(item) or any(d.kind == "V" for d in sources)


@pytest.mark.parametrize("form", FORMS)
def test_a_third_of_the_circuits_has_controlled_sources_of_every_kind(form: Form) -> None:
    items = [grid.item(6, i, components=(4, 10), form=form) for i in range(300)]
    kinds = Counter(d.kind for item in items for d in item.circuit.devices if d.kind in "EGFH")
    assert 0.25 < sum(bool(item.placement.controls) for item in items) / len(items) < 0.5
    assert min(kinds[kind] for kind in "EGFH") > 10


def test_controls_are_named_beside_what_controls(items: list[Item]) -> None:
    for item in items:
        marks = {mark.name: mark for mark in item.placement.marks}
        names = [device.name for device in item.circuit.devices]
        assert not set(marks) & set(names), "one name for two things"
        controls = dict(item.placement.controls)
        assert set(controls) == {d.name for d in item.circuit.devices if d.kind in "EGFH"}
        for source, name in controls.items():
            device, mark = item.circuit.device(source), marks[name]
            controller = item.circuit.device(mark.device)
            if device.kind in "EG":
                assert (mark.kind, controller.kind in "RCL") == ("voltage", True)
                assert device.nodes[2:] == controller.nodes[:: -1 if mark.is_reversed else 1]
            else:
                assert (mark.kind, mark.is_reversed, controller.value) == ("current", False, 0.0)
                assert device.text.split()[0] == controller.name == f"V{name}"


def test_devices_stand_in_reading_order(items: list[Item]) -> None:
    for item in items:
        assert reading_order(item.placement) == tuple(device.name for device in item.circuit.devices)


def test_every_point_bears_the_number_of_its_node(items: list[Item]) -> None:
    for item in items:
        numbers = {point: node for node, point in item.placement.node_labels}
        if not is_symbolic(item):
            assert not numbers
            continue
        for symbol in item.placement.symbols:
            for point, node in zip(symbol.pins, item.circuit.device(symbol.device).nodes, strict=False):
                assert numbers.get(point, node) == node
                assert point in numbers or not all(number == int(number) for number in point)
        for wire in item.placement.wires:
            for (x0, y0), (x1, y1) in pairwise(wire):
                wire_nodes = {n for (x, y), n in numbers.items() if x0 <= x <= x1 and y0 <= y <= y1}
                assert len(wire_nodes) == 1
        assert numbers[item.placement.ground or (-1, -1)] == GROUND


def test_the_grid_is_jittered_and_small(items: list[Item]) -> None:
    gaps = []
    for item in items:
        for line, size in zip((item.placement.columns, item.placement.rows), item.placement.size, strict=True):
            assert len(line) == size + 1
            assert 2 <= len(line) <= 4
            gaps += [b - a for a, b in pairwise(line)]
    assert min(gaps) > 3
    assert max(gaps) / min(gaps) > 1.3


def test_texts_are_those_of_the_dialect_and_survive_the_netlist(items: list[Item]) -> None:
    for item in items:
        text = netlist.format(item.circuit, renumber=False)
        assert netlist.parse(text).devices == item.circuit.devices
        for device in item.circuit.devices:
            if is_symbolic(item) and not is_probe(device):
                assert device.value is None
                assert device.text == device.name or device.text.split()[-1][:2] in ("x_", "y_")
            if not is_symbolic(item) and device.value:
                digits = text.split(f"{device.name} ")[1].split("\n")[0].split()[-1].rstrip("unm")
                assert 1 <= len(digits) <= 3, device
                assert digits.isdigit(), device


def test_circuits_are_varied() -> None:
    keys = {topology_key(grid.item(2, i, components=(3, 6), form="numeric").circuit) for i in range(500)}
    assert len(keys) > 150


def test_only_wanted_kinds_are_drawn() -> None:
    items = [grid.item(2, i, components=(3, 8), form="numeric", kinds="RV") for i in range(60)]
    assert {d.kind for item in items for d in item.circuit.devices} == {"R", "V"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": (1, 3)}, "components: expected a range within 2 to 14, got 1 to 3"),
        ({"components": (5, 4)}, "got 5 to 4"),
        ({"components": (2, 99)}, "within 2 to 14"),
        ({"form": "poetic"}, "form: expected 'symbolic' or 'numeric', got 'poetic'"),
        ({"kinds": "RI"}, "one of V and one of RCL"),
        ({"kinds": "VX"}, "kinds: expected letters of RCLVIEGFH, .* got 'VX'"),
    ],
)
def test_impossible_arguments_are_refused(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"components": (3, 5), "form": "symbolic", **change}
    with pytest.raises(ValueError, match=message):
        grid.item(0, 0, **arguments)


# ---------------------------------------------------------------------------------------------------------- the drawing


def shared_area(a: Rect, b: Rect) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def test_labels_touch_nothing(items: list[Item]) -> None:
    legible_count = 0
    for i, item in enumerate(items):
        canvas = render._draw(
            item.circuit, item.placement, style="circuitsense", width=448, height=336, seed=i, marks=()
        )
        if canvas.overlap < 1:
            legible_count += 1
            captions = canvas.caption_rects
            ink = canvas.ink[: -len(captions)]
            assert canvas.ink[len(ink) :] == captions
            assert not any(shared_area(a, b) >= 1 for a, b in combinations(captions, 2))
            assert not any(shared_area(a, b) >= 1 for a in captions for b in ink)
            assert all(x0 >= 0 and y0 >= 0 and x1 <= 448 and y1 <= 336 for x0, y0, x1, y1 in canvas.ink)
            assert len(captions) >= len(item.circuit.devices)
    assert legible_count > 0.9 * len(items)


@pytest.mark.parametrize(("width", "height", "limit"), [(None, None, 1), (448, 336, 4), (336, 448, 4), (224, 168, 10)])
def test_nearly_every_drawing_is_legible(width: int | None, height: int | None, limit: int) -> None:
    items = [grid.item(9, i, components=(3, 7), form=FORMS[i % 2]) for i in range(60)]
    crowded_count = sum(
        draw.overlap_area(item.circuit, item.placement, style="circuitsense", seed=i, width=width, height=height) >= 1
        for i, item in enumerate(items)
    )
    assert crowded_count <= limit


def test_letters_and_lines_stay_large_enough_on_small_pages(items: list[Item]) -> None:
    for item in items[::7]:
        for width, height in ((224, 168), (112, 300), (900, 700)):
            scale = fit_scale(item.placement, width=width, height=height)
            assert scale.label_font >= 12
            assert scale.number_font >= 9
            assert scale.wire_line >= 1
            assert scale.symbol_line > 1.5 * scale.wire_line


def test_pictures_have_colour_where_nodes_are_numbered(items: list[Item]) -> None:
    for item in items[::15]:
        with Image.open(io.BytesIO(draw.image(item.circuit, item.placement, **PAGE))) as png:
            assert png.size == (448, 336)
            assert png.getchannel("A").getextrema() == (255, 255), "paper has no holes"
            values = np.asarray(png.convert("RGB")).astype(int)
        assert bool((values[..., 2] - values[..., 0] > 200).any()) is is_symbolic(item)
        grey = draw.pixels(item.circuit, item.placement, **PAGE)
        assert (grey.shape, grey.dtype) == ((336, 448), np.uint8)


def test_a_page_of_natural_size_is_like_the_benchmarks(items: list[Item]) -> None:
    for item in items[::9]:
        with Image.open(io.BytesIO(draw.image(item.circuit, item.placement, style="circuitsense"))) as png:
            assert 300 <= max(png.size) <= 930
            assert min(png.size) >= 250


def test_drawings_differ_by_seed(items: list[Item]) -> None:
    circuit, placement = items[100].circuit, items[100].placement
    pictures = [draw.image(circuit, placement, style="circuitsense", seed=seed) for seed in (1, 2, 3, 4, 1)]
    assert pictures[0] == pictures[4]
    assert len(set(pictures)) > 1


@pytest.mark.parametrize("kind", "VIEGFH")
def test_the_direction_of_a_source_shows(kind: str) -> None:
    deck = f"{kind}1 {{}} " + {"V": "5", "I": "5", "E": "3 0 2", "G": "3 0 2", "F": "VI1 2", "H": "VI1 2"}[kind]
    other_devices = "\nR1 1 2 1\nR2 3 0 1\nVI1 2 3 0\nR3 1 0 7"
    forward, backward = (
        draw.pixels(parse(deck.format(nodes) + other_devices), style="circuitsense", width=400, height=200)
        for nodes in ("1 0", "0 1")
    )
    assert (forward != backward).any()


def body() -> Body:
    """A symbol on the page at (100, 100), its first pin left, 40 long, on an edge of 160."""
    return Body(x=100, y=100, dx=1, dy=0, half_length=20, half_width=10, start_lead=80, end_lead=80, unit=0.5)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_plus_stands_at_the_first_pin_and_the_arrow_points_to_the_second(is_reversed: bool) -> None:
    scale = fit_scale(Placement(symbols=(), wires=(((0, 0), (1, 1)),), dots=(), ground=None), width=None, height=None)
    for side in (1, -1):
        mark = Mark(kind="voltage", name="U0", device="R1", is_reversed=is_reversed)
        _, places = annotate_mark(body(), mark, side=side, scale=scale)
        for first, second, _ in places:
            plus, minus = (first, second) if "v" in first.svg.split('d="')[1] else (second, first)
            assert "v" not in minus.svg.split('d="')[1]
            assert (plus.rect[0] < 80 and minus.rect[2] > 120) is not is_reversed
        _, places = annotate_mark(body(), replace(mark, kind="current"), side=side, scale=scale)
        for arrow, _ in places:
            tail, tip = (float(arrow.svg.split('d="M')[i].split()[0]) for i in (1, 2))
            assert (tip > tail) is not is_reversed
    _, places = annotate_device(body(), parse("I1 1 0 2").devices[0], (), side=1, is_far=True, scale=scale)
    arrow = places[0][0]
    assert float(arrow.svg.split('d="M')[2].split()[0]) > 100 > float(arrow.svg.split('d="M')[1].split()[0])


@pytest.mark.parametrize(
    ("line", "control", "label"),
    [
        ("R1 1 0 45", "", "45Ω"),
        ("R12 1 0 R12", "", "R12"),
        ("C1 1 0 10u", "", "10µF"),
        ("L1 1 0 3m", "", "3mH"),
        ("V1 1 0 97", "", "97V"),
        ("R1 1 0 2Meg", "", "2MΩ"),
        ("G1 1 0 2 0 y_1", "V0", "y1V0"),
        ("F1 1 0 VI1 3", "I1", "3I1"),
    ],
)
def test_a_label_says_what_the_netlist_says(line: str, control: str, label: str) -> None:
    codes = {"\xad": "Ω", "\xb9": "µ"}
    formula = caption(parse(f"{line}\nR9 1 2 1\nR8 2 0 1").devices[0], control=control)
    assert "".join(codes.get(run.text, run.text) for run in formula) == label


def test_a_marked_quantity_is_drawn_and_its_direction_shows() -> None:
    item = grid.item(4, 1, components=(5, 5), form="numeric", kinds="RV")
    unmarked_picture = draw.pixels(item.circuit, item.placement, **PAGE)
    for kind in ("voltage", "current"):
        mark = Mark(kind=kind, name="U7", device="R1")
        pictures = [
            draw.pixels(item.circuit, item.placement, **PAGE, marks=[m])
            for m in (mark, replace(mark, is_reversed=True))
        ]
        assert all((picture != unmarked_picture).any() for picture in pictures)
        assert (pictures[0] != pictures[1]).any()


@pytest.mark.parametrize(
    "text",
    [
        "R1 0 1 R1\nR2 2 0 R2\nV1 1 2 V1",
        "C1 2 1 C1\nG1 4 1 2 0 y_1\nV1 2 0 V1\nR1 2 0 R1\nR2 2 4 R2",
        "V1 1 0 5\nR1 1 2 100\nVI1 2 3 0\nR2 3 0 1k\nF1 0 4 VI1 3\nR3 4 0 10\nR4 4 1 22",
        "R1 1 2 1k\nR2 1 2 2k\nR3 1 2 3k\nV1 1 0 1\nR5 2 0 1\nR6 1 3 2\nR7 3 0 4",
    ],
)
def test_a_netlist_without_a_placement_is_drawn_with_its_own_connections(text: str) -> None:
    circuit = parse(text)
    assert drawn_nets(circuitikz.place(circuit)) == netlist_nets(circuit)
    assert draw.overlap_area(circuit, style="circuitsense") < 1
    assert draw.pixels(circuit, style="circuitsense").min() < 50


@st.composite
def circuits(draw_: st.DrawFn) -> Circuit:
    """Two-pin devices between any two nodes, and sources controlled by the voltage over one of them."""
    devices: list[Device] = []
    for i in range(draw_(st.integers(1, 8))):
        a, b = draw_(st.permutations("01234"))[:2]
        devices.append(Device(name=f"R{i}", kind=draw_(st.sampled_from("RCLVI")), nodes=(a, b), value=1e3))
    for i in range(draw_(st.integers(0, 2))):
        output, control = draw_(st.permutations("01234"))[:2], draw_(st.sampled_from(devices)).nodes
        plus_minus = (control[::-1] if draw_(st.booleans()) else control)[:2]
        devices.append(Device(name=f"E{i}", kind=draw_(st.sampled_from("EG")), nodes=(*output, *plus_minus), value=2.0))
    return Circuit(devices=tuple(devices))


@settings(max_examples=150, deadline=None)
@given(circuits())
def test_any_such_netlist_is_placed_with_its_own_connections(circuit: Circuit) -> None:
    assert drawn_nets(circuitikz.place(circuit)) == netlist_nets(circuit)


@settings(max_examples=20, deadline=None)
@given(circuits(), st.integers(30, 500), st.integers(30, 500))
def test_any_such_netlist_can_be_drawn_on_any_page(circuit: Circuit, width: int, height: int) -> None:
    assert draw.pixels(circuit, style="circuitsense", width=width, height=height).shape == (height, width)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("D1 1 0 X\nR1 1 0 1", "got D1 of kind D"),
        ("R1 1 1 1\nR2 1 0 1", "got R1 of kind R on nodes 1 1"),
        ("E1 1 0 2 3 4\nR1 1 2 1\nR2 2 0 1\nR3 3 0 1", "expected E1 to be controlled by .*, got the nodes 2 and 3"),
    ],
)
def test_what_cannot_be_drawn_in_this_look_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw.image(parse(text), style="circuitsense")


def test_names_from_a_model_cannot_break_out_of_the_picture() -> None:
    circuit = Circuit(devices=(Device(name='R<&">', kind="R", nodes=("1", "0"), text="</svg><script>"),))
    marks = [Mark(kind="voltage", name="</svg><script>", device='R<&">')]
    assert "<script" not in draw.svg(circuit, style="circuitsense", marks=marks)
    assert "<script" not in draw.svg(circuit, style="american", marks=marks)


def test_a_long_name_costs_no_more_than_its_letters() -> None:
    circuit = Circuit(devices=(Device(name="R" * 3000, kind="R", nodes=("1", "0")),))
    assert math.isfinite(draw.overlap_area(circuit, style="circuitsense", width=300, height=200))
