"""Generate the circuit of one item of a split, and decide its drawing."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuitvlm.circuit import draw, generate, netlist
from circuitvlm.circuit.generate import grid
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge.equivalence import topology_key
from circuitvlm.circuit.placement import Mark, Placement
from circuitvlm.data._reading.splits import GENERATED_SPLITS, generated_split

ATTEMPTS = 3000
GRID_STYLE = "circuitsense"
"""The style whose circuits are generated on a grid (`circuit.generate.grid`)."""

SYMBOLIC_SHARE = 0.6
"""The fraction of the circuits on a grid with symbols for values; the others have numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The settings that decide every byte of a split; their names are part of the key of the cache."""

    name: str
    seed: int
    width: int
    height: int
    count: int
    components: tuple[int, int]
    styles: tuple[tuple[str, float], ...]
    topologies: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A circuit with everything that decides its pixels: placement, and in `page` size, style and seed."""

    circuit: Circuit
    placement: Placement
    family: str
    topology: str
    page: Mapping[str, Any]

    @property
    def is_numbered(self) -> bool:
        """Whether the drawing shows node numbers."""
        return self.page["style"] == GRID_STYLE and bool(self.placement.node_labels)

    @property
    def names_devices(self) -> bool:
        """Whether the drawing shows the names of devices."""
        return self.page["style"] != GRID_STYLE or self.is_numbered

    @property
    def netlist(self) -> str:
        """The netlist with the node numbers of the drawing if it shows any, else with canonical ones."""
        return netlist.format(self.circuit, renumber=not self.is_numbered)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of examples of this drawing."""
        return {
            "style": str(self.page["style"]),
            "components": str(len(self.circuit.devices)),
            "family": self.family,
            "topology": self.topology,
        }

    def image(self, marks: Sequence[Mark] = ()) -> bytes:
        """The PNG, with marked voltages and currents."""
        return draw.image(self.circuit, self.placement, marks=marks, **self.page)

    def overlap_area(self, marks: Sequence[Mark] = ()) -> float:
        """The area in pixels where labels touch something; a legible drawing has less than 1."""
        return draw.overlap_area(self.circuit, self.placement, marks=marks, **self.page)


def read_split(name: str, settings: Mapping[str, Any], *, seed: int, width: int, height: int) -> Split:
    """The settings of one split from the configuration. Raises ValueError for missing, unknown and invalid ones."""
    expected_keys = {"count", "components", "styles", "topologies"}
    if set(settings) != expected_keys:
        raise ValueError(f"splits.{name}: expected the keys {sorted(expected_keys)}, got {sorted(settings)}")
    weights = Counter(settings["styles"])
    for style in weights:
        draw.find_style(style)
    if not weights:
        raise ValueError(f"splits.{name}.styles: expected at least one of {', '.join(draw.STYLES)}, got []")
    if settings["topologies"] not in GENERATED_SPLITS:
        raise ValueError(
            f"splits.{name}.topologies: expected {', '.join(GENERATED_SPLITS)}, got {settings['topologies']!r}"
        )
    low, high = settings["components"]
    if settings["count"] < 1:
        raise ValueError(f"splits.{name}.count: expected 1 or more, got {settings['count']!r}")
    return Split(
        name=name,
        seed=seed,
        width=width,
        height=height,
        count=int(settings["count"]),
        components=(int(low), int(high)),
        styles=tuple((style, float(weight)) for style, weight in weights.items()),
        topologies=settings["topologies"],
    )


def item_seeds(split: Split, index: int) -> list[int]:
    """The seeds of the circuit of item `index`; with a further number, those of its other random values."""
    return [split.seed, int(hashlib.sha256(split.name.encode()).hexdigest()[:8], 16), index]


def make_drawing(split: Split, index: int) -> Drawing:
    """The first legible drawing that item `index` generates with a topology of the split's share.

    Raises ValueError after 3,000 attempts.
    """
    seeds = item_seeds(split, index)
    rng = np.random.default_rng(np.random.SeedSequence([*seeds, ATTEMPTS]))
    names, weights = zip(*split.styles, strict=True)
    style = names[int(rng.choice(len(names), p=np.array(weights) / sum(weights)))]
    seed = int(rng.integers(2**31))
    symbolic = style == GRID_STYLE and rng.random() < SYMBOLIC_SHARE
    for attempt in range(ATTEMPTS):
        item = _generate(seeds, attempt, split=split, style=style, symbolic=symbolic)
        topology = topology_key(item.circuit)
        divisor = 2 if item.family == generate.SINGLE else 1
        if divisor == 1 and generated_split(topology) != split.topologies:
            continue
        page = {**_page_size(split, item, style=style, divisor=divisor), "style": style, "seed": seed}
        drawing = Drawing(item.circuit, item.placement, item.family, topology, page)
        if drawing.overlap_area() < 1:
            return drawing
    raise ValueError(
        f"splits.{split.name}: expected a legible {split.topologies} topology of {split.components} components at "
        f"{split.width} x {split.height} pixels, got none in {ATTEMPTS} attempts; allow more components, or larger "
        "drawings"
    )


def _page_size(split: Split, item: generate.Item, *, style: str, divisor: int) -> dict[str, int]:
    """The size of the drawing in pixels: a circuit on a grid keeps its aspect ratio, with as many pixels in total."""
    if style != GRID_STYLE or divisor > 1:
        return {"width": split.width // divisor, "height": split.height // divisor}
    width, height = draw.default_size(item.placement)
    factor = math.sqrt(split.width * split.height / (width * height))
    return {"width": round(width * factor), "height": round(height * factor)}


def _generate(seeds: Sequence[int], attempt: int, *, split: Split, style: str, symbolic: bool) -> generate.Item:
    if style == GRID_STYLE and split.components != (1, 1):
        return grid.item(seeds, attempt, components=split.components, form="symbolic" if symbolic else "numeric")
    return generate.item(seeds, attempt, components=split.components)
