"""Where from? Circuits of our own making: drawn at random, each with its netlist, on disk from the first use on.

A split is the first `count` distinct circuits of an endless series that its name and the seed start; each can be made
alone. Which topology belongs to training, validation or test is told from the topology itself, never from the seed, so
what is held out stays held out across experiments.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from circuitvlm.circuit import draw, generate, netlist
from circuitvlm.circuit.equivalence import topology_key
from circuitvlm.core.record import Example, Picture
from circuitvlm.data import _chunks

VERSION = 1
"""Raise this whenever the same settings would give other circuits or other pixels: old caches are then left alone."""

ATTEMPTS = 3000
SHARES = {"train": range(80), "validation": range(80, 90), "test": range(90, 100)}
"""Which hundredths of the topologies a split may draw from."""

FACTS = ("netlist",)


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

    @property
    def digest(self) -> str:
        """A name for these settings and this version of the code."""
        text = json.dumps([VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class Circuits:
    """Generated circuits with their netlists.

    `width` and `height` are the size of the drawings (single parts have half of it), `cache` the folder they are kept
    in, `workers` the number of processes that draw them (0: this one). Each split states `count`, `components` (least
    and most), `styles` (names; one given twice is drawn twice as often) and `topologies` (train, validation or test).
    """

    def __init__(
        self, *, seed: int, width: int, height: int, cache: str, workers: int, splits: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.cache = Path(cache).expanduser()
        self.workers = workers
        self._splits = {
            name: _split(name, settings, seed=seed, width=width, height=height) for name, settings in splits.items()
        }

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self._splits)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split; drawn now if they are not on disk yet."""
        if split not in self._splits:
            raise ValueError(f"circuits: no split {split!r}; there are {', '.join(self._splits)}")
        settings = self._splits[split]
        folder = self.cache / f"{split}-{settings.digest}"
        if not _chunks.is_whole(folder):
            _chunks.fill(
                folder,
                make=partial(_make, settings),
                distinct=_distinct,
                count=settings.count,
                workers=self.workers,
                label=f"drawing circuits/{split}",
            )
        return Examples(folder)


class Examples(Sequence[Example]):
    """The rows of a finished split; a row is parsed when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows = _chunks.lines(folder)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...

    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = json.loads(self._rows[index])
        return Example(
            id=row.pop("id"),
            images=(Picture(self.folder / row.pop("image")),),
            facts={name: row.pop(name) for name in FACTS},
            tags=row,
        )


# ------------------------------------------------------------------------------------------------------- the settings


def _split(name: str, settings: Mapping[str, Any], *, seed: int, width: int, height: int) -> Split:
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


# ------------------------------------------------------------------------------------------------------------ one item


def _make(split: Split, index: int) -> tuple[_chunks.Row, bytes]:
    """Number `index` of the split's series: its row and its picture."""
    series = [split.seed, int(hashlib.sha256(split.name.encode()).hexdigest()[:8], 16), index]
    rng = np.random.default_rng(np.random.SeedSequence([*series, ATTEMPTS]))
    names, weights = zip(*split.styles, strict=True)
    style = names[int(rng.choice(len(names), p=np.array(weights) / sum(weights)))]
    seed = int(rng.integers(2**31))
    for attempt in range(ATTEMPTS):
        made = generate.item(series, attempt, components=split.components)
        topology = topology_key(made.circuit)
        half = 2 if made.family == generate.SINGLE else 1
        if half == 1 and share_of(topology) != split.topologies:
            continue
        page: dict[str, Any] = {
            "width": split.width // half,
            "height": split.height // half,
            "style": style,
            "seed": seed,
        }
        if draw.crowding(made.circuit, made.placement, **page) < 1:
            return _row(split, index, made, style=style, topology=topology), draw.image(
                made.circuit, made.placement, **page
            )
    raise ValueError(
        f"circuits: split {split.name!r} found no legible {split.topologies} topology of {split.components} components "
        f"at {split.width} x {split.height} in {ATTEMPTS} tries; allow more components, or larger drawings"
    )


def _row(split: Split, index: int, made: generate.Item, *, style: str, topology: str) -> _chunks.Row:
    return {
        "id": f"{split.name}-{index:06d}",
        "netlist": netlist.format(made.circuit),
        "style": style,
        "components": str(len(made.circuit.devices)),
        "family": made.family,
        "topology": topology,
    }


def _distinct(rows: Iterable[_chunks.Row]) -> list[_chunks.Row]:
    """Each circuit once, the first that came; single parts are few, they may come again."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for row in rows:
        values = " ".join(sorted(line.split()[-1] for line in row["netlist"].splitlines()))
        key = (row["topology"], values)
        if row["family"] == generate.SINGLE or key not in seen:
            seen.add(key)
            kept.append(row)
    return kept
