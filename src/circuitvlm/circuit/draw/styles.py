"""Define the named drawing styles, and how the drawings of one style vary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np

_FONT_FOLDER = str(Path(matplotlib.get_data_path(), "fonts", "ttf")) + "/"

Side = Literal["right", "left"]


@dataclass(frozen=True, slots=True)
class Font:
    """A font file that comes with matplotlib; `family` is the name stated in the file."""

    file: str
    family: str
    bold: bool = False
    italic: bool = False

    @property
    def path(self) -> str:
        """The path of the file on this machine."""
        return _FONT_FOLDER + self.file


SANS = Font(file="DejaVuSans.ttf", family="DejaVu Sans")
SERIF = Font(file="DejaVuSerif-Bold.ttf", family="DejaVu Serif", bold=True)
MONO = Font(file="DejaVuSansMono.ttf", family="DejaVu Sans Mono")
OBLIQUE = Font(file="DejaVuSans-BoldOblique.ttf", family="DejaVu Sans", bold=True, italic=True)
TIMES = Font(file="STIXGeneral.ttf", family="STIXGeneral")


@dataclass(frozen=True, slots=True)
class Style:
    """The look of symbols and labels. Sizes are in pixels of a drawing of 224 x 168 pixels.

    `look`: which package draws it. "circuitikz" has colour, and its own symbols, letters and sizes; of the other fields
    only `noise` and `blur` apply to it.
    `source`: the signs of a voltage source stand "inside" or "outside" of its circle, or it is drawn as a "battery".
    `label_layout`: "stacked" writes the name over the value at a vertical symbol, and the name above and the value
    below a horizontal one. "split" writes them on both sides of a vertical symbol too. "one_line" writes them in one
    line where there is space, with a = between them if `equals_sign`.
    `label_side`: the side of a vertical symbol where its label stands.
    `units`: which devices show the unit of their value; `unit_space` stands between number and unit.
    `node_numbers`: whether the numbers of the nodes are drawn.
    `variation`: how much scale, place, font size and line width vary between drawings (0: not at all, 1: most).
    `noise`: standard deviation of the paper in grey levels. `blur`: radius of a Gaussian blur.
    """

    look: Literal["schemdraw", "circuitikz"] = "schemdraw"
    resistor: Literal["zigzag", "box"] = "zigzag"
    inductor: Literal["bumps", "loops"] = "bumps"
    source: Literal["inside", "outside", "battery"] = "inside"
    ground: Literal["bars", "triangle"] = "bars"
    font: Font = SANS
    font_size: float = 11.0
    line_width: float = 1.3
    symbol_size: float = 27.0
    label_layout: Literal["stacked", "split", "one_line"] = "stacked"
    label_side: Side = "right"
    equals_sign: bool = False
    units: Literal["none", "sources", "all"] = "sources"
    unit_space: str = ""
    micro: str = "u"
    node_numbers: bool = False
    dot_radius: float = 2.2
    variation: float = 1.0
    noise: float = 0.0
    blur: float = 0.0

    def with_small_font(self) -> Style:
        """The style of node numbers, pin names and marks: a font 2 pixels smaller than that of labels."""
        return replace(self, font_size=self.font_size - 2.0)


STYLES: dict[str, Style] = {
    "american": Style(),
    "american_serif": Style(
        font=SERIF, font_size=10.5, line_width=1.9, ground="triangle", inductor="loops", units="all", dot_radius=2.8
    ),
    "american_mono": Style(
        font=MONO, units="none", label_layout="split", source="battery", line_width=1.1, node_numbers=True
    ),
    "textbook": Style(
        font=OBLIQUE,
        font_size=10.5,
        source="outside",
        label_layout="one_line",
        equals_sign=True,
        micro="µ",
        line_width=1.5,
    ),
    "paper": Style(label_side="left", units="all", micro="µ", inductor="loops", noise=6.0, blur=0.4, line_width=1.5),
    "iec": Style(
        resistor="box",
        font=TIMES,
        font_size=12.0,
        line_width=0.9,
        label_side="left",
        units="all",
        micro="µ",
        ground="triangle",
        source="outside",
        dot_radius=1.8,
        variation=0.3,
    ),
    "circuitsense": Style(look="circuitikz"),
}
"""Styles by name. No base model is trained on `iec`: it is for tests and for adaptation. `circuitsense` is the style of
the public benchmark CircuitSense."""


def find_style(name: str) -> Style:
    """The style with this name. Raises ValueError for an unknown name."""
    if name not in STYLES:
        raise ValueError(f"style: expected one of {', '.join(STYLES)}, got {name!r}")
    return STYLES[name]


def vary(style: Style, rng: np.random.Generator) -> Style:
    """The style of one drawing: font size, line width and symbols a little larger or smaller."""
    if not style.variation:
        return style
    size, width, symbol = style.variation * rng.uniform(-1, 1, size=3)
    return replace(
        style,
        font_size=style.font_size + 0.8 * float(size),
        line_width=style.line_width * (1 + 0.2 * float(width)),
        symbol_size=style.symbol_size * (1 + 0.1 * float(symbol)),
    )
