"""Where from? Circuits of our own making: drawn at random, each with its netlist, on disk from the first use on.

A split is the first `count` distinct circuits of an endless series that its name and the seed start; each can be made
alone. Which topology belongs to training, validation or test is told from the topology itself, never from the seed, so
what is held out stays held out across experiments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from circuitvlm.circuit import generate
from circuitvlm.core.record import Example
from circuitvlm.data._reading import chunks
from circuitvlm.data.circuits.drawings import Split, drawn, split_of

VERSION = 1
"""Raise this whenever the same settings would give other circuits or other pixels: old caches are then left alone."""


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
            name: split_of(name, settings, seed=seed, width=width, height=height) for name, settings in splits.items()
        }

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self._splits)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split; drawn now if they are not on disk yet."""
        if split not in self._splits:
            raise ValueError(f"circuits: no split {split!r}; there are {', '.join(self._splits)}")
        settings = self._splits[split]
        folder = chunks.kept(
            self.cache,
            settings,
            version=VERSION,
            source="circuits",
            split=split,
            make=partial(_make, settings),
            distinct=_distinct,
            count=settings.count,
            workers=self.workers,
        )
        return chunks.Examples(folder, facts=("netlist",))


def _make(split: Split, index: int) -> tuple[chunks.Row, bytes]:
    """Number `index` of the split's series: its row and its picture."""
    made = drawn(split, index)
    row = {
        "id": f"{split.name}-{index:06d}",
        "netlist": made.netlist,
        "style": str(made.page["style"]),
        "components": str(len(made.circuit.devices)),
        "family": made.family,
        "topology": made.topology,
    }
    return row, made.image()


def _distinct(rows: Iterable[chunks.Row]) -> list[chunks.Row]:
    """Each circuit once, the first that came.

    Single parts are few, they may come again. A symbolic circuit has no values to tell it from others: it counts as
    another where its names or the numbers of its nodes, which are drawn, are others.
    """
    seen: set[tuple[str, str]] = set()
    kept = []
    for row in rows:
        values = " ".join(sorted(line.split()[-1] for line in row["netlist"].splitlines()))
        key = (row["topology"], row["netlist"] if row["family"] == "symbolic" else values)
        if row["family"] == generate.SINGLE or key not in seen:
            seen.add(key)
            kept.append(row)
    return kept
