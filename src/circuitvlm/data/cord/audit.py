"""Audit a CORD folder: what is in it, what cannot be used, and what is in several parts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import list_files
from circuitvlm.data._reading.images import file_digest
from circuitvlm.data.cord.files import PARTS, has_truth, part_of
from circuitvlm.data.cord.source import Cord

MAX_NAMES = 10
"""The number of groups, and of ids in a group, that a report names."""

Key = tuple[str, str]
"""The part and the id of a receipt."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Numbers of receipts by part, of fields by their path, and of unusable receipts by reason.

    `images` and `parses` are groups of ids in different parts that have the same image, or the same parse.
    """

    parts: Mapping[str, int]
    fields: Mapping[str, int]
    unusable: Mapping[str, int]
    images: tuple[tuple[str, ...], ...]
    parses: tuple[tuple[str, ...], ...]

    @property
    def is_faulty(self) -> bool:
        """Whether a score on this folder would be wrong: receipts are unusable, or are in several parts."""
        return bool(self.unusable or self.images or self.parses)

    def lines(self) -> list[str]:
        """The report, one result a line."""
        lines = [f"{count} in {part}" for part, count in self.parts.items()]
        lines += [f"{count} of {field}" for field, count in sorted(self.fields.items())]
        lines += [f"{count} cannot be used: {reason}" for reason, count in sorted(self.unusable.items())]
        for kind, groups in (("image", self.images), ("parse", self.parses)):
            if groups:
                lines.append(f"{len(groups)} groups with the same {kind} in several parts")
                lines += [f"  {', '.join(group[:MAX_NAMES])}" for group in groups[:MAX_NAMES]]
        return lines


def is_cord(root: str) -> bool:
    """Whether a folder has receipts as {train,dev,test}/json/*.json, as JSON lines, or as parquet.

    Raises DataFileError for a parquet file of a part that cannot be read.
    """
    folder = Path(root).expanduser()
    return folder.is_dir() and any(part_of(file) and has_truth(folder / file) for file in list_files(folder))


def audit(root: str, *, cache: str) -> Audit:
    """Read all parts of a folder and compare them. Raises DataFileError."""
    folder_parts = {part_of(file) for file in list_files(Path(root).expanduser())}
    parts = [part for part in PARTS if part in folder_parts]
    splits = {part: {"part": part} for part in parts}
    source = Cord(root=root, revision="main", splits=splits, on_unusable="count", cache=cache)
    fields: Counter[str] = Counter()
    images: dict[str, list[Key]] = {}
    parses: dict[str, list[Key]] = {}
    for part in parts:
        for example in source.examples(part):
            answer = str(example.facts["answer"])
            fields.update(_leaf_paths(json.loads(answer)))
            images.setdefault(file_digest(example.images[0].path), []).append((part, example.id))
            parses.setdefault(answer, []).append((part, example.id))
    counts = {part: len(source.examples(part)) for part in parts}
    return Audit(counts, fields, source.unusable, _select_shared(images), _select_shared(parses))


def _select_shared(groups: Mapping[str, list[Key]]) -> tuple[tuple[str, ...], ...]:
    """The ids of the groups that are in more than one part."""
    return tuple(tuple(name for _, name in keys) for keys in groups.values() if len({part for part, _ in keys}) > 1)


def _leaf_paths(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted path of every leaf."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _leaf_paths(child, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list):
        for child in value:
            yield from _leaf_paths(child, prefix)
    else:
        yield prefix
