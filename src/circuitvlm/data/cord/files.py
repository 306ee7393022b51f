"""Find the receipts of a CORD folder in its parquet files, its folders image and json, or its JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.data._reading import images, parquet
from circuitvlm.data._reading.files import DataFileError, UnusableError, decode, natural_key, read_json, resolve_inside

PARTS = ("train", "validation", "test")
_ALIASES = {"val": "validation", "valid": "validation", "dev": "validation"}
_PART = r"(train|validation|valid|val|dev|test)"
_RECEIPT_FILE = re.compile(rf"(?:.*/)?{_PART}/json/[^/]+\.json")
_TABLE_FILE = re.compile(rf"(?:.*/)?{_PART}(?![a-z])(?:[^/]*|/.*)\.(?:parquet|jsonl)")
_TRUTH_COLUMNS = ("ground_truth", "gt_parse")
_MAX_LINE_BYTES, _HEAD_BYTES = 25_000_000, 1_000_000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A receipt of a file, not checked yet: `location` names file and row, `fault` says why row or image are missing.

    `image` is None if the file states none.
    """

    id: str
    location: str
    row: Row | None
    image: Path | None
    fault: str


def part_of(file: str) -> str:
    """The part that a file of receipts belongs to by its path; empty for other files."""
    match = _RECEIPT_FILE.fullmatch(file) or _TABLE_FILE.fullmatch(file)
    return _ALIASES.get(match[1], match[1]) if match else ""


def has_truth(path: Path) -> bool:
    """Whether the content of a file with a part's name is CORD's, too. Raises DataFileError."""
    if path.suffix == ".parquet":
        return bool(set(_TRUTH_COLUMNS) & set(parquet.columns(path)))
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return path.suffix == ".json" or any(f'"{name}"'.encode() in head for name in _TRUTH_COLUMNS)


def read_entries(folder: Path, files: Sequence[str], *, part: str, cache: Path) -> Iterator[Entry]:
    """The receipts of one part, those of q2.json before those of q10.json. Raises DataFileError."""
    part_files = sorted((file for file in files if part_of(file) == part), key=natural_key)
    suffixes = sorted({Path(file).suffix for file in part_files})
    if len(suffixes) > 1:
        raise DataFileError(
            f"cord: {folder}: expected the part {part} in files of one kind, got {' and '.join(suffixes)}, "
            f"such as {part_files[0]} and {part_files[-1]}; remove all but one kind"
        )
    index = 0
    for file in part_files:
        path = folder / file
        if path.suffix == ".parquet":
            rows = _read_parquet(path, cache=cache)
        else:
            rows = _read_lines(path) if path.suffix == ".jsonl" else _read_receipt(path)
        for row_name, row, image, fault in rows:
            name = path.stem if path.suffix == ".json" else index
            yield Entry(id=f"{part}-{name}", location=f"{file}{row_name}", row=row, image=image, fault=fault)
            index += 1


_Rows = Iterator[tuple[str, Row | None, Path | None, str]]
"""The row's name in its file, the row, its image, and the fault, as in Entry."""


def _read_parquet(path: Path, *, cache: Path) -> _Rows:
    """Rows with a column `ground_truth` or `gt_parse`; their images are unpacked into the cache once."""
    all_columns = parquet.columns(path)
    columns = [name for name in _TRUTH_COLUMNS if name in all_columns]
    if not columns:
        raise DataFileError(f"{path}: expected a column {' or '.join(_TRUTH_COLUMNS)}, got {', '.join(all_columns)}")
    images_by_row = parquet.unpack_images(path, cache=cache)
    for number, row in enumerate(parquet.rows(path, columns=columns)):
        yield f" row {number}", row, images_by_row.get(number), ""


def _read_lines(path: Path) -> _Rows:
    """Lines {"image" or "file_name": path relative to the file's folder, "ground_truth" or "gt_parse": ..}."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES + 1), b""), start=1):
            if len(line) > _MAX_LINE_BYTES:
                raise DataFileError(f"{path}: line {number}: expected at most {_MAX_LINE_BYTES:,} bytes, got more")
            if line.strip():
                yield f" line {number}", *_parse_line(line, folder=path.parent)


def _parse_line(line: bytes, *, folder: Path) -> tuple[Row | None, Path | None, str]:
    try:
        row = json.loads(decode(line))
    except (RecursionError, ValueError):  # a JSONDecodeError is a ValueError
        return None, None, "line is not JSON"
    if not isinstance(row, dict):
        return None, None, "line is not an object"
    image = row.get("image", row.get("file_name"))
    if not isinstance(image, str) or not image:
        return row, None, ""
    try:
        return row, resolve_inside(folder, image), ""
    except UnusableError as error:
        return row, None, str(error)


def _read_receipt(path: Path) -> _Rows:
    """The receipt of {train,dev,test}/json/receipt_00000.json; its image is in the folder image beside json."""
    image_paths = (path.parent.parent / "image" / f"{path.stem}{suffix}" for suffix in images.RASTER)
    image = next((image for image in image_paths if image.is_file()), None)
    try:
        row = read_json(path)
    except DataFileError:
        yield "", None, image, "ground truth is not JSON"
    except UnusableError as error:
        yield "", None, image, str(error)
    else:
        is_object = isinstance(row, dict)
        yield "", row if is_object else None, image, "" if is_object else "ground truth is not an object"
