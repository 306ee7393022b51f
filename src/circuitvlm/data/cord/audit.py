"""Can this CORD folder be trusted? What is in it, what cannot be used, and what lies in two parts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import walk
from circuitvlm.data._reading.images import digest
from circuitvlm.data.cord.files import PARTS, part_of, states_truth
from circuitvlm.data.cord.source import Cord

SHOWN = 10
"""Of each finding, how many are named in the lines."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found: receipts of each part, fields by their path, what cannot be used by reason.

    `images` and `parses` are groups of ids in different parts that have the same image, or the same parse.
    """

    parts: Mapping[str, int]
    fields: Mapping[str, int]
    unusable: Mapping[str, int]
    images: tuple[tuple[str, ...], ...]
    parses: tuple[tuple[str, ...], ...]

    @property
    def faulty(self) -> bool:
        """Whether something would be wrong with a number measured on this folder."""
        return bool(self.unusable or self.images or self.parses)

    def lines(self) -> list[str]:
        """The audit for people, one finding a line."""
        rows = [f"{count} in {part}" for part, count in self.parts.items()]
        rows += [f"{count} of {field}" for field, count in sorted(self.fields.items())]
        rows += [f"{count} cannot be used: {why}" for why, count in sorted(self.unusable.items())]
        for what, groups in (("image", self.images), ("parse", self.parses)):
            if groups:
                rows.append(f"{len(groups)} groups with the same {what} lie across parts")
                rows += [f"  {', '.join(group[:SHOWN])}" for group in groups[:SHOWN]]
        return rows


def is_cord(root: str) -> bool:
    """Whether a folder has receipts as {train,dev,test}/json/*.json, as JSON lines, or as parquet.

    Raises DataFileError for a parquet file of a part that cannot be read.
    """
    folder = Path(root).expanduser()
    return folder.is_dir() and any(part_of(file) and states_truth(folder / file) for file in walk(folder))


def audit(root: str, *, cache: str) -> Audit:
    """Reads all parts of a folder and compares them. Raises DataFileError."""
    there = {part_of(file) for file in walk(Path(root).expanduser())}
    parts = [part for part in PARTS if part in there]
    source = Cord(
        root=root,
        revision="main",
        splits={part: {"part": part} for part in parts},
        on_unusable="count",
        cache=cache,
    )
    fields: Counter[str] = Counter()
    images: dict[str, list[Key]] = {}
    parses: dict[str, list[Key]] = {}
    for part in parts:
        for example in source.examples(part):
            answer = str(example.facts["answer"])
            fields.update(_paths(json.loads(answer)))
            images.setdefault(digest(example.images[0].path), []).append((part, example.id))
            parses.setdefault(answer, []).append((part, example.id))
    counts = {part: len(source.examples(part)) for part in parts}
    return Audit(counts, fields, source.unusable, _across(images), _across(parses))


def _across(groups: Mapping[str, list[Key]]) -> tuple[tuple[str, ...], ...]:
    """The ids of those groups that lie in more than one part."""
    return tuple(tuple(name for _, name in keys) for keys in groups.values() if len({part for part, _ in keys}) > 1)


def _paths(value: Any, above: str = "") -> Iterator[str]:
    """The dotted path of every leaf."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{above}.{name}" if above else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, above)
    else:
        yield above
