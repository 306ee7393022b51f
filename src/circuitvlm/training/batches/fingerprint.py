"""Compute a fingerprint of a source's examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitvlm.core.record import Example
from circuitvlm.runtime.folders.identity import file_digest


def fingerprint(examples: Sequence[Example]) -> dict[str, int | str]:
    """Count, and SHA-256 of every example's id, facts and tags and its images' names and contents, in order."""
    digest = hashlib.sha256()
    for example in examples:
        paths = [picture.path for picture in example.images]
        images = [[path.name, file_digest(path) if path.is_file() else None] for path in paths]
        content = [example.id, dict(example.facts), dict(example.tags), images]
        digest.update(json.dumps(content, sort_keys=True, default=_portable_value).encode() + b"\n")
    return {"examples": len(examples), "sha256": digest.hexdigest()}


def _portable_value(value: Any) -> Any:
    """A value that JSON lacks, in a form that is the same on every machine and at every start."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    return dict(value) if isinstance(value, Mapping) else repr(value)
