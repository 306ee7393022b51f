"""Give generated circuits with their netlists as examples, drawn on first use and then read from disk.

A split is the first `count` distinct circuits of an endless series. The series depends on the split's name and the
seed, and each of its circuits can be generated alone. A topology belongs to training, validation or test by its own
hash, whatever the seed, so held-out topologies are the same in all experiments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from circuitvlm.circuit import generate
from circuitvlm.core.record import Example
from circuitvlm.data._reading import chunks
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data.circuits.drawings import Split, make_drawing, read_split

VERSION = 1
"""Increase this when a change gives other circuits or pixels for the same settings: older caches are then not used."""


class Circuits(SplitSource):
    """Generated circuits with their netlists.

    `width` and `height` are the size of the drawings in pixels; single components have half of it. `cache` is the
    folder of the drawings, and `num_workers` the number of processes that draw them (0: this one). Each split sets
    `count`, `components` (smallest and largest number), `styles` (names; one given twice is drawn twice as often) and
    `topologies` (train, validation or test).
    """

    def __init__(
        self,
        *,
        seed: int,
        width: int,
        height: int,
        cache: str,
        num_workers: int,
        splits: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.cache = Path(cache).expanduser()
        self.num_workers = num_workers
        self._splits = {
            name: read_split(name, settings, seed=seed, width=width, height=height) for name, settings in splits.items()
        }

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split, drawn now if they are not on disk yet."""
        settings = self._splits[split]
        folder = chunks.prepare_split(
            self.cache,
            settings,
            version=VERSION,
            source="circuits",
            split=split,
            make_item=partial(_make_item, settings),
            select_distinct=partial(chunks.unique_rows, key=_row_key),
            count=settings.count,
            num_workers=self.num_workers,
        )
        return chunks.read_examples(folder, facts=("netlist",))


def _make_item(split: Split, index: int) -> tuple[chunks.Row, bytes]:
    """The row and the PNG of item `index` of a split."""
    drawing = make_drawing(split, index)
    return {"id": f"{split.name}-{index:06d}", "netlist": drawing.netlist, **drawing.tags}, drawing.image()


def _row_key(row: chunks.Row) -> tuple[str, ...]:
    """What makes a circuit distinct from others: its topology and its values.

    Single components may repeat, since there are few of them. Symbolic circuits have no values, so their netlists with
    the names and node numbers of the drawing count.
    """
    if row["family"] == generate.SINGLE:
        return (row["id"],)
    values = " ".join(sorted(line.split()[-1] for line in row["netlist"].splitlines()))
    return row["topology"], row["netlist"] if row["family"] == "symbolic" else values
