"""Which circuit does item k of a generated split show, and how is it drawn?"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuitvlm.circuit import draw, generate, netlist
from circuitvlm.circuit.draw.layout import Mark, Placement
from circuitvlm.circuit.generate import grid
from circuitvlm.circuit.graph import Circuit
from circuitvlm.circuit.judge.equivalence import topology_key

ATTEMPTS = 3000
SHARES = {"train": range(80), "validation": range(80, 90), "test": range(90, 100)}
"""Which hundredths of the topologies a split may draw from."""

GRID_STYLE = "circuitsense"
"""The style whose circuits lie on a grid of their own (`circuit.grid`)."""

SYMBOLIC_SHARE = 0.6
"""How many of the circuits on a grid have names for values; the others have numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What decides every byte of a split."""

    name: str
    seed: int
    width: int
    height: int
    count: int
    components: tuple[int, int]
    styles: tuple[tuple[str, float], ...]
    topologies: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A circuit with all that decides its pixels."""

    circuit: Circuit
    placement: Placement
    family: str
    topology: str
    page: Mapping[str, Any]

    @property
    def is_numbered(self) -> bool:
        """Whether the drawing shows the numbers of the nodes."""
        return self.page["style"] == GRID_STYLE and bool(self.placement.labels)

    @property
    def names_devices(self) -> bool:
        """Whether the drawing shows the devices' names."""
        return self.page["style"] != GRID_STYLE or self.is_numbered

    @property
    def netlist(self) -> str:
        """The netlist as a reader of the drawing would write it: by the numbers of the nodes that it shows, if any."""
        return netlist.format(self.circuit, renumber=not self.is_numbered)

    def image(self, marks: Sequence[Mark] = ()) -> bytes:
        return draw.image(self.circuit, self.placement, marks=marks, **self.page)

    def crowding(self, marks: Sequence[Mark] = ()) -> float:
        return draw.crowding(self.circuit, self.placement, marks=marks, **self.page)


def split_of(name: str, settings: Mapping[str, Any], *, seed: int, width: int, height: int) -> Split:
    """The settings of one split, read strictly."""
    wanted = {"count", "components", "styles", "topologies"}
    if set(settings) != wanted:
        raise ValueError(f"circuits: split {name!r} states {sorted(settings)}, wanted {sorted(wanted)}")
    weights = Counter(settings["styles"])
    for style in weights:
        draw.style_named(style)
    if not weights:
        raise ValueError(f"circuits: split {name!r} states no styles, wanted some of {', '.join(draw.STYLES)}")
    if settings["topologies"] not in SHARES:
        raise ValueError(f"circuits: split {name!r} has topologies {settings['topologies']!r}, wanted {list(SHARES)}")
    low, high = settings["components"]
    if settings["count"] < 1:
        raise ValueError(f"circuits: split {name!r} has count {settings['count']}, wanted 1 or more")
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


def share_of(topology: str) -> str:
    """train, validation or test: the share to which a topology belongs, whatever the seed."""
    bucket = int(hashlib.sha256(topology.encode()).hexdigest()[:12], 16) % 100
    return next(share for share, buckets in SHARES.items() if bucket in buckets)


def series_of(split: Split, index: int) -> list[int]:
    """The seeds of item `index`: of its circuit, and with a further number of whatever else is drawn for it."""
    return [split.seed, int(hashlib.sha256(split.name.encode()).hexdigest()[:8], 16), index]


def drawn(split: Split, index: int) -> Drawn:
    """Number `index` of the split's series: the first legible circuit of the split's share of topologies."""
    series = series_of(split, index)
    rng = np.random.default_rng(np.random.SeedSequence([*series, ATTEMPTS]))
    names, weights = zip(*split.styles, strict=True)
    style = names[int(rng.choice(len(names), p=np.array(weights) / sum(weights)))]
    seed = int(rng.integers(2**31))
    symbolic = style == GRID_STYLE and rng.random() < SYMBOLIC_SHARE
    for attempt in range(ATTEMPTS):
        made = _made(series, attempt, split=split, style=style, symbolic=symbolic)
        topology = topology_key(made.circuit)
        half = 2 if made.family == generate.SINGLE else 1
        if half == 1 and share_of(topology) != split.topologies:
            continue
        width, height = _page(split, made, style=style, half=half)
        page = {"width": width, "height": height, "style": style, "seed": seed}
        found = Drawn(made.circuit, made.placement, made.family, topology, page)
        if found.crowding() < 1:
            return found
    raise ValueError(
        f"circuits: split {split.name!r} found no legible {split.topologies} topology of {split.components} components "
        f"at {split.width} x {split.height} in {ATTEMPTS} tries; allow more components, or larger drawings"
    )


def _page(split: Split, made: generate.Item, *, style: str, half: int) -> tuple[int, int]:
    """The split's page; a circuit on a grid has its own shape on as many pixels, as other programs' drawings have."""
    if style != GRID_STYLE or half > 1:
        return split.width // half, split.height // half
    width, height = draw.size_of(made.placement)
    factor = math.sqrt(split.width * split.height / (width * height))
    return round(width * factor), round(height * factor)


def _made(series: Sequence[int], attempt: int, *, split: Split, style: str, symbolic: bool) -> generate.Item:
    if style == GRID_STYLE and split.components != (1, 1):
        return grid.item(series, attempt, components=split.components, form="symbolic" if symbolic else "numeric")
    return generate.item(series, attempt, components=split.components)
