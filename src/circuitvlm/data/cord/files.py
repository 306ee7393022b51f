"""Which receipts lie in a CORD folder? Those of its parquet files, of its folders image and json, or of JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.data._reading import images as pictures
from circuitvlm.data._reading import parquet
from circuitvlm.data._reading.files import DataFileError, UnusableError, decoded, json_of, natural, within

PARTS = ("train", "validation", "test")
_SAME = {"val": "validation", "valid": "validation", "dev": "validation"}
_WORD = r"(train|validation|valid|val|dev|test)"
_RECEIPT = re.compile(rf"(?:.*/)?{_WORD}/json/[^/]+\.json")
_TABLE = re.compile(rf"(?:.*/)?{_WORD}(?![a-z])(?:[^/]*|/.*)\.(?:parquet|jsonl)")
_TRUTHS = ("ground_truth", "gt_parse")
_MAX_LINE, _HEAD = 25_000_000, 1_000_000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A receipt as it lies there: `where` names its file and row, `fault` says why row or image are missing."""

    id: str
    where: str
    row: Row | None
    image: Path | None
    fault: str = ""


def part_of(file: str) -> str:
    """The part that a file to read belongs to by its own name or its folder's; empty for others."""
    found = _RECEIPT.fullmatch(file) or _TABLE.fullmatch(file)
    return _SAME.get(found[1], found[1]) if found else ""


def states_truth(path: Path) -> bool:
    """Whether a file that is of a part by its name is CORD's by what it states, too. Raises DataFileError."""
    if path.suffix == ".parquet":
        return bool(set(_TRUTHS) & set(parquet.columns(path)))
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return path.suffix == ".json" or any(f'"{name}"'.encode() in head for name in _TRUTHS)


def receipts(folder: Path, files: Sequence[str], *, part: str, cache: Path) -> Iterator[Found]:
    """The receipts of one part, those of q2.json before those of q10.json. Raises DataFileError."""
    mine = sorted((file for file in files if part_of(file) == part), key=natural)
    kinds = {Path(file).suffix for file in mine}
    if len(kinds) > 1:
        raise DataFileError(
            f"cord: {folder} has {part} as {' and as '.join(sorted(kinds))}, such as {mine[0]} and {mine[-1]}; "
            "wanted one of them"
        )
    place = 0
    for file in mine:
        path = folder / file
        if path.suffix == ".parquet":
            rows = _of_parquet(path, cache=cache)
        else:
            rows = _of_lines(path) if path.suffix == ".jsonl" else _of_receipt(path)
        for where, row, image, fault in rows:
            own = path.stem if path.suffix == ".json" else str(place)
            yield Found(id=f"{part}-{own}", where=f"{file}{where}", row=row, image=image, fault=fault)
            place += 1


_Rows = Iterator[tuple[str, Row | None, Path | None, str]]
"""Where in the file, the row, its image (None: the row states none), and what is wrong with them."""


def _of_parquet(path: Path, *, cache: Path) -> _Rows:
    """Rows with a column `ground_truth` (or gt_parse); their images are unpacked into the cache once."""
    there = parquet.columns(path)
    columns = [name for name in _TRUTHS if name in there]
    if not columns:
        raise DataFileError(f"{path}: wanted a column ground_truth, there are {', '.join(there)}")
    images = parquet.unpacked(path, cache=cache)
    for number, row in enumerate(parquet.rows(path, columns=columns)):
        yield f" row {number}", row, images.get(number), "" if number in images else "no image"


def _of_lines(path: Path) -> _Rows:
    """{"image" or "file_name": path beside the file or in a folder beside it, "ground_truth" or "gt_parse": ..}."""
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(_MAX_LINE + 1), b""), start=1):
            if len(raw) > _MAX_LINE:
                raise DataFileError(f"{path}: line {number} is longer than {_MAX_LINE // 10**6} MB")
            if raw.strip():
                yield _line(path, raw, number=number)


def _line(path: Path, raw: bytes, *, number: int) -> tuple[str, Row | None, Path | None, str]:
    where = f" line {number}"
    try:
        row = json.loads(decoded(raw))
    except (RecursionError, ValueError):  # a JSONDecodeError is a ValueError
        return where, None, None, "line is no JSON"
    if not isinstance(row, dict):
        return where, None, None, "line is no object"
    stated = row.get("image", row.get("file_name"))
    if not isinstance(stated, str) or not stated:
        return where, row, None, "no image"
    try:
        return where, row, within(path.parent, stated), ""
    except UnusableError as error:
        return where, row, None, str(error)


def _of_receipt(path: Path) -> _Rows:
    """{train,dev,test}/json/receipt_00000.json, with its image in the folder image beside json."""
    images = (path.parent.parent / "image" / f"{path.stem}{suffix}" for suffix in pictures.RASTER)
    image = next((image for image in images if image.is_file()), None)
    fault = "" if image else "no image"
    try:
        said = json_of(path)
    except DataFileError:
        yield "", None, image, "ground truth is no JSON"
    except UnusableError as error:
        yield "", None, image, str(error)
    else:
        row = said if isinstance(said, dict) else None
        yield "", row, image, fault if row is not None else "ground truth is no object"
