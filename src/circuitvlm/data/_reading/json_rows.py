"""Read the rows of a JSON file that is one list, or has one value a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import BOM, DataFileError, decode, parse_json


def read_rows(path: Path, *, max_bytes: int) -> Sequence[Any]:
    """The rows in order; empty lines are skipped. Raises DataFileError, with the byte at which the JSON is broken."""
    if not path.is_file():
        raise DataFileError(f"{path}: expected a file of JSON or JSON lines, got no file")
    if (size := path.stat().st_size) > max_bytes:
        raise DataFileError(f"{path}: expected JSON of at most {max_bytes:,} bytes, got {size:,}")
    raw = path.read_bytes()
    start = len(BOM) if raw.startswith(BOM) else 0
    if not raw[start:].lstrip().startswith(b"["):
        return list(_parse_lines(raw, path=path))
    rows = parse_json(decode(raw), path=path, offset=start)
    assert isinstance(rows, list), "a JSON text that begins with a bracket is a list"
    return rows


def _parse_lines(raw: bytes, *, path: Path) -> Iterator[Any]:
    offset = 0
    for line in raw.split(b"\n"):
        if line.strip():
            yield parse_json(decode(line), path=path, offset=offset)
        offset += len(line) + 1
