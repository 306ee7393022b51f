"""By which few characters are a source's examples known again?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitvlm.core.record import Example


def fingerprint(examples: Sequence[Example]) -> dict[str, int | str]:
    """Count, and SHA-256 of every example's id, facts and tags and its images' names and sizes in bytes, in order."""
    digest = hashlib.sha256()
    for example in examples:
        images = [[path.name, path.stat().st_size if path.is_file() else None] for path in _paths(example)]
        said = [example.id, dict(example.facts), dict(example.tags), images]
        digest.update(json.dumps(said, sort_keys=True, default=_told).encode() + b"\n")
    return {"examples": len(examples), "sha256": digest.hexdigest()}


def _paths(example: Example) -> list[Path]:
    return [picture.path for picture in example.images]


def _told(value: Any) -> Any:
    """A fact that is no plain value: without what differs from one machine, or one start, to the next."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    return dict(value) if isinstance(value, Mapping) else repr(value)
