"""In which hand is a circuit drawn? Named styles, and how one drawing differs a little from the next of its style."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np

SMALLER = 2.0
"""By how much the font of node numbers and pin names is smaller than that of labels, in pixels."""


@dataclass(frozen=True, slots=True)
class Font:
    """A font file that comes with matplotlib; the family is the name the file gives itself."""

    file: str
    family: str
    bold: bool = False
    italic: bool = False

    @property
    def path(self) -> str:
        """Where the file lies on this machine."""
        return _font_folder() + self.file


@cache
def _font_folder() -> str:
    return str(Path(matplotlib.get_data_path(), "fonts", "ttf")) + "/"


SANS = Font(file="DejaVuSans.ttf", family="DejaVu Sans")
SERIF = Font(file="DejaVuSerif-Bold.ttf", family="DejaVu Serif", bold=True)
MONO = Font(file="DejaVuSansMono.ttf", family="DejaVu Sans Mono")
OBLIQUE = Font(file="DejaVuSans-BoldOblique.ttf", family="DejaVu Sans", bold=True, italic=True)
TIMES = Font(file="STIXGeneral.ttf", family="STIXGeneral")


@dataclass(frozen=True, slots=True)
class Style:
    """How symbols and labels look. Sizes are in pixels of a 224 x 168 drawing.

    `label`: "stacked" (name over value at an upright part, name above and value below a level one), "split" (on both
    sides of an upright part too) or "joined" (in one line where there is room). `side` is where an upright part's label
    stands. `unit`: who shows its unit. `wobble`: how much scale, place, font size and line width vary from drawing to
    drawing (0: not at all, 1: a lot). `noise` is the paper's standard deviation in grey levels, `blur` a radius.

    The look "circuitikz" (see `_grid_sketch`) has colour, and symbols, letters and sizes of its own: of the others
    only `noise` and `blur` apply to it.
    """

    look: Literal["schemdraw", "circuitikz"] = "schemdraw"
    resistor: Literal["zigzag", "box"] = "zigzag"
    inductor: Literal["bumps", "loops"] = "bumps"
    source: Literal["inside", "outside", "battery"] = "inside"
    ground: Literal["bars", "triangle"] = "bars"
    font: Font = SANS
    font_size: float = 11.0
    line_width: float = 1.3
    symbol: float = 27.0
    label: Literal["stacked", "split", "joined"] = "stacked"
    side: Literal["right", "left"] = "right"
    equals: bool = False
    unit: Literal["none", "sources", "all"] = "sources"
    space: str = ""
    micro: str = "u"
    nodes: bool = False
    dot: float = 2.2
    wobble: float = 1.0
    noise: float = 0.0
    blur: float = 0.0


STYLES: dict[str, Style] = {
    "american": Style(),
    "american_serif": Style(
        font=SERIF, font_size=10.5, line_width=1.9, ground="triangle", inductor="loops", unit="all", dot=2.8
    ),
    "american_mono": Style(font=MONO, unit="none", label="split", source="battery", line_width=1.1, nodes=True),
    "textbook": Style(
        font=OBLIQUE, font_size=10.5, source="outside", label="joined", equals=True, micro="µ", line_width=1.5
    ),
    "paper": Style(side="left", unit="all", micro="µ", inductor="loops", noise=6.0, blur=0.4, line_width=1.5),
    "iec": Style(
        resistor="box",
        font=TIMES,
        font_size=12.0,
        line_width=0.9,
        side="left",
        unit="all",
        micro="µ",
        ground="triangle",
        source="outside",
        dot=1.8,
        wobble=0.3,
    ),
    "circuitsense": Style(look="circuitikz"),
}
"""`iec` is the style that no base model is trained on: it tests, and is adapted to. `circuitsense` is that of a public
benchmark, for circuits on a grid."""

SEEN = tuple(name for name in STYLES if name not in ("iec", "circuitsense"))


def style_named(name: str) -> Style:
    """The style of that name. Raises ValueError with the names there are."""
    if name not in STYLES:
        raise ValueError(f"style: got {name!r}, wanted one of {', '.join(STYLES)}")
    return STYLES[name]


def varied(style: Style, rng: np.random.Generator) -> Style:
    """The style of one drawing: font size, line width and symbols a little larger or smaller."""
    if not style.wobble:
        return style
    size, width, symbol = style.wobble * rng.uniform(-1, 1, size=3)
    return replace(
        style,
        font_size=style.font_size + 0.8 * float(size),
        line_width=style.line_width * (1 + 0.2 * float(width)),
        symbol=style.symbol * (1 + 0.1 * float(symbol)),
    )
