"""Audit a CORD folder: what is in it, what cannot be used, and what is in several parts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import list_files
from circuitvlm.data._reading.groups import Groups, format_nonempty_groups, group_names
from circuitvlm.data.cord.files import PARTS, has_truth, part_of
from circuitvlm.data.cord.source import Cord
from circuitvlm.runtime.folders.identity import file_digest


@dataclass(frozen=True, slots=True)
class Audit:
    """Numbers of receipts by part, of fields by their path, and of unusable receipts by reason.

    `images` and `parses` are groups of ids in different parts that have the same image, or the same parse.
    """

    parts: Mapping[str, int]
    fields: Mapping[str, int]
    unusable: Mapping[str, int]
    images: Groups
    parses: Groups

    @property
    def is_faulty(self) -> bool:
        """Whether a score on this folder would be wrong: receipts are unusable, or are in several parts."""
        return bool(self.unusable or self.images or self.parses)

    def lines(self) -> list[str]:
        """The report, one result a line."""
        return [
            *(f"{count} in {part}" for part, count in self.parts.items()),
            *(f"{count} of {field}" for field, count in sorted(self.fields.items())),
            *(f"{count} cannot be used: {reason}" for reason, count in sorted(self.unusable.items())),
            *format_nonempty_groups(self.images, description="groups with the same image in several parts"),
            *format_nonempty_groups(self.parses, description="groups with the same parse in several parts"),
        ]


def is_cord(root: str) -> bool:
    """Whether a folder has receipts as {train,dev,test}/json/*.json, as JSON lines, or as parquet.

    Raises DataFileError for a parquet file of a part that cannot be read.
    """
    folder = Path(root).expanduser()
    return folder.is_dir() and any(part_of(file) and has_truth(folder / file) for file in list_files(folder))


def audit(root: str, *, cache: str) -> Audit:
    """Read all parts of a folder and compare them. Raises DataFileError."""
    folder_parts = {part_of(file) for file in list_files(Path(root).expanduser())}
    splits = {part: {"part": part} for part in PARTS if part in folder_parts}
    source = Cord(root=root, revision="main", splits=splits, on_unusable="count", cache=cache)
    examples = [example for part in splits for example in source.examples(part)]
    part_by_id = {example.id: example.tags["part"] for example in examples}
    images, parses = (
        tuple(ids for ids in groups if len({part_by_id[name] for name in ids}) > 1)
        for groups in (
            group_names((file_digest(example.images[0].path), example.id) for example in examples),
            group_names((str(example.facts["answer"]), example.id) for example in examples),
        )
    )
    return Audit(
        parts={part: len(source.examples(part)) for part in splits},
        fields=Counter(path for e in examples for path in _leaf_paths(json.loads(str(e.facts["answer"])))),
        unusable=source.unusable,
        images=images,
        parses=parses,
    )


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
