"""Check that drawings of any netlist, in every style, have the connections of the netlist and legible labels."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pytest
import resvg_py
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from circuitvlm.circuit import draw, generate
from circuitvlm.circuit.draw import plain, render
from circuitvlm.circuit.draw.labels import Rect, label_lines
from circuitvlm.circuit.draw.layout import place
from circuitvlm.circuit.graph import PIN_NAMES, Circuit, Device
from circuitvlm.circuit.netlist import parse
from circuitvlm.circuit.placement import Mark
from tests.circuit.placement_nets import drawn_nets, netlist_nets

STYLES = tuple(name for name, style in draw.STYLES.items() if style.look == "schemdraw")
EVERY_KIND = "RCLVIDQMJZEGFHBSWTKX"


@st.composite
def circuits(draw_: st.DrawFn, kinds: str = EVERY_KIND) -> Circuit:
    """Any devices on any nodes: shorted parts, loose nodes and missing ground included."""
    devices = []
    for i in range(draw_(st.integers(1, 12))):
        kind = draw_(st.sampled_from(kinds))
        pins = draw_(st.integers(0, 6)) if kind == "X" else len(PIN_NAMES[kind])
        nodes = draw_(st.lists(st.sampled_from("012345"), min_size=pins, max_size=pins))
        devices.append(Device(name=f"{kind}{i}", kind=kind, nodes=tuple(nodes), value=1e3))
    return Circuit(devices=tuple(devices))


@settings(max_examples=250, deadline=None)
@given(circuits())
def test_any_netlist_is_placed_with_its_own_connections(circuit: Circuit) -> None:
    assert drawn_nets(place(circuit)) == netlist_nets(circuit)


@settings(max_examples=250, deadline=None)
@given(circuits(kinds="RCLVIDFHBW"))
def test_any_circuit_of_two_pins_is_placed_with_its_own_connections(circuit: Circuit) -> None:
    assert drawn_nets(place(circuit)) == netlist_nets(circuit)


@settings(max_examples=15, deadline=None)
@given(circuits())
def test_any_netlist_can_be_drawn(circuit: Circuit) -> None:
    assert draw.pixels(circuit, style="american").min() < 100


def test_a_generated_circuit_is_placed_anew_with_its_own_connections() -> None:
    for i in range(100):
        circuit = generate.item(4, i, components=(2, 12)).circuit
        assert drawn_nets(place(circuit)) == netlist_nets(circuit)


@pytest.mark.parametrize("style", STYLES)
def test_labels_touch_nothing(style: str) -> None:
    for i in range(200):
        item = generate.item(8, i, components=(3, 8))
        canvas = render._draw(item.circuit, item.placement, style=style, width=224, height=168, seed=i, marks=())
        labels = [line.rect(canvas.style) for line in canvas.label_lines]
        if draw.overlap_area(item.circuit, item.placement, style=style, width=224, height=168, seed=i) < 1:
            ink = canvas.ink if canvas.style.node_numbers else canvas.ink[: len(canvas.ink) - len(labels)]
            assert not any(shared_area(a, b) >= 1 for a, b in combinations(labels, 2))
            assert not any(shared_area(a, b) >= 1 for a in labels for b in ink if b not in labels)
            assert all(x0 >= 0 and y0 >= 0 and x1 <= 224 and y1 <= 168 for x0, y0, x1, y1 in labels)
            assert len(labels) >= len(item.circuit.devices)


@pytest.mark.parametrize("style", STYLES)
def test_nearly_every_drawing_is_legible(style: str) -> None:
    items = [generate.item(9, i, components=(3, 8)) for i in range(100)]
    crowded_count = sum(
        draw.overlap_area(item.circuit, item.placement, style=style, seed=i, width=224, height=168) >= 1
        for i, item in enumerate(items)
    )
    assert crowded_count <= 5


def shared_area(a: Rect, b: Rect) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


@pytest.mark.parametrize("style", STYLES)
def test_every_style_draws_every_kind(style: str) -> None:
    blank = draw.pixels(deck("R"), style=style)
    for kind in EVERY_KIND:
        if kind != "K":
            picture = draw.pixels(deck(kind), style=style)
            assert picture.dtype == np.uint8
            assert picture.shape != blank.shape or kind == "R" or (picture != blank).mean() > 0.002, kind


def deck(kind: str) -> Circuit:
    pins = len(PIN_NAMES[kind]) if kind != "X" else 5
    probe = Device(name=f"{kind}1", kind=kind, nodes=tuple("10234"[:pins]), value=2.0)
    return Circuit(devices=(probe, Device(name="R9", kind="R", nodes=("1", "0"), value=4700.0)))


def test_a_label_shows_name_and_value() -> None:
    text = draw.svg(deck("R"), style="textbook")
    assert "R9 = 4.7k" in text or {"R9", "4.7k"} <= set(re.findall(">([^<>]+)</text>", text))
    assert "4.7kΩ" in draw.svg(deck("R"), style="iec")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("V1 1 0 DC 0 AC 1m", "1mV AC"),
        ("V1 1 0 AC 2 90", "2V∠90° AC"),
        ("D1 1 0 AVERYLONGMODELNAME", "AVERYLONGMODE…"),
        ("D1 1 0 FOURTEENLETTER", "FOURTEENLETTER"),
    ],
)
def test_a_label_shows_a_phasor_and_cuts_what_is_long(text: str, label: str) -> None:
    assert label_lines(parse(text).devices[0], draw.find_style("american"))[1] == label


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "first", ["E1 1 0 VALUE={V(2)*3}", "G1 1 0 POLY(1) 2 0 0 1", "X1 1 2 0 AVERYLONGMODELNAME", "E1 1 0 2 0 1k"]
)
def test_what_is_written_in_a_box_stays_in_it_and_on_the_page(first: str, style: str) -> None:
    circuit = parse(f"{first}\nR1 1 2 1k\nR2 2 0 1k")
    placement = place(circuit)
    width, height = draw.default_size(placement)
    canvas = plain.draw(
        circuit,
        placement,
        style=draw.find_style(style),
        width=width,
        height=height,
        rng=np.random.default_rng(0),
    )
    name = next(line for line in canvas.small_lines if line.text.startswith(first[:2]))
    x0, y0, x1, y1 = name.rect(canvas.style.with_small_font())
    assert x0 > 0
    assert x1 < width
    assert any(a <= x0 and x1 <= b and c <= y0 and y1 <= d for a, c, b, d in canvas.ink), f"{name} has no box"


def test_the_png_has_the_size_that_was_asked_for() -> None:
    item = generate.item(1, 1, components=(3, 8))
    with Image.open(io.BytesIO(draw.image(item.circuit, item.placement, style="paper", width=300, height=200))) as png:
        assert (png.format, png.size, png.mode) == ("PNG", (300, 200), "L")
    single = generate.item(1, 1, components=(1, 1))
    assert draw.pixels(single.circuit, single.placement, style="american").shape == (84, 112)
    assert draw.pixels(item.circuit, item.placement, style="american").shape == (168, 224)


@pytest.mark.parametrize("style", STYLES)
def test_outlined_letters_are_the_text_of_the_svg(style: str) -> None:
    item = generate.item(1, 2, components=(8, 8))
    clean_style = replace(draw.STYLES[style], noise=0.0, blur=0.0)
    text = draw.svg(item.circuit, item.placement, style=clean_style)
    png = resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True, font_files=[clean_style.font.path])
    expected_pixels = np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(float)
    png_without_text = resvg_py.svg_to_bytes(svg_string=re.sub("<text.*?</text>", "", text), skip_system_fonts=True)
    without_text = np.asarray(Image.open(io.BytesIO(png_without_text)).convert("L")).astype(float)
    outlines = draw.pixels(item.circuit, item.placement, style=clean_style).astype(float)
    assert np.abs(outlines - expected_pixels).sum() < 0.15 * np.abs(without_text - expected_pixels).sum()


def test_a_drawing_is_the_same_in_another_process() -> None:
    code = (
        "import hashlib; from circuitvlm.circuit import draw, generate; i = generate.item(3, 7, components=(3, 8));"
        "print(hashlib.sha256(draw.image(i.circuit, i.placement, style='paper', seed=5)).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "ab"]
    assert runs[0].stdout == runs[1].stdout


def test_drawings_of_one_style_differ_by_seed() -> None:
    item = generate.item(3, 7, components=(3, 8))
    pictures = [draw.image(item.circuit, item.placement, style="american", seed=seed) for seed in (1, 2, 1)]
    assert pictures[0] == pictures[2] != pictures[1]


def test_the_sign_of_a_source_shows() -> None:
    for kind in "VI":
        forward, backward = (
            Circuit(devices=(Device(name=f"{kind}1", kind=kind, nodes=n, value=1.0),)) for n in (("1", "0"), ("0", "1"))
        )
        for style in STYLES:
            assert (draw.pixels(forward, style=style) != draw.pixels(backward, style=style)).any()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", ["voltage", "current"])
def test_a_marked_quantity_is_drawn_and_its_direction_shows(kind: Literal["voltage", "current"], style: str) -> None:
    item = generate.item(1, 2, components=(5, 5))
    name = next(device.name for device in item.circuit.devices if device.kind == "R")
    page: dict[str, Any] = {"style": style, "width": 300, "height": 224}
    unmarked_picture = draw.pixels(item.circuit, item.placement, **page)
    marks = [Mark(kind=kind, name="U7", device=name, is_reversed=is_reversed) for is_reversed in (False, True)]
    forward, backward = (draw.pixels(item.circuit, item.placement, **page, marks=[mark]) for mark in marks)
    assert 0 < (forward != unmarked_picture).mean() < 0.2
    assert (forward != backward).any()
    assert "U7" in draw.svg(item.circuit, item.placement, **page, marks=marks[:1])


def test_most_marks_find_room() -> None:
    crowded_count = 0
    for i in range(60):
        item = generate.item(2, i, components=(3, 6))
        marks = [Mark(kind="current", name="I0", device=item.circuit.devices[0].name)]
        crowded_count += draw.overlap_area(item.circuit, item.placement, style="american", marks=marks, seed=i) >= 1
    assert crowded_count <= 12


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (Mark(kind="voltage", name="U0", device="R8"), "device: expected one of Q1, R9, got 'R8'"),
        (Mark(kind="power", name="P0", device="R9"), "kind: expected 'voltage' or 'current', got 'power'"),
        (Mark(kind="voltage", name="U0", device="q1"), "expected a device with a two-pin symbol, got 'Q1'"),
    ],
)
def test_a_mark_that_cannot_be_drawn_is_named(mark: Mark, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw.svg(deck("Q"), style="american", marks=[mark])


def test_an_unknown_style_is_named() -> None:
    with pytest.raises(ValueError, match=r"style: expected one of american, .*, got 'japanese'"):
        draw.svg(deck("R"), style="japanese")


def test_names_from_a_model_cannot_break_out_of_the_picture() -> None:
    device = Device(name="R<&>", kind="R", nodes=("1", "0"), text="</svg><script>")
    assert "<script" not in draw.svg(Circuit(devices=(device,)), style="american")
