"""Are parquet files read row by row, their images unpacked once, and every broken one told as such?"""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from circuitvlm.data._reading import parquet
from circuitvlm.data._reading.files import DataFileError

arrow, written = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")


def image(kind: str) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (9, 7)).save(held, kind)
    return held.getvalue()


ROWS: list[dict[str, Any]] = [
    {"image": {"bytes": image("PNG" if k % 2 else "JPEG"), "path": None} if k % 5 else None, "text": f"row {k}"}
    for k in range(50)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written.write_table(arrow.Table.from_pylist(ROWS), tmp_path / "x.parquet", row_group_size=7)
    return tmp_path / "x.parquet"


def test_rows_have_the_columns_that_are_asked_for(path: Path) -> None:
    assert parquet.columns(path) == ["image", "text"]
    assert list(parquet.rows(path, columns=["text"])) == [{"text": row["text"]} for row in ROWS]
    assert list(parquet.rows(path, columns=parquet.columns(path))) == ROWS


def test_each_image_is_unpacked_by_its_row_and_once(path: Path, tmp_path: Path) -> None:
    found = parquet.unpacked(path, cache=tmp_path / "cache")
    assert {row: file.read_bytes() for row, file in found.items()} == {
        k: row["image"]["bytes"] for k, row in enumerate(ROWS) if row["image"]
    }
    assert {file.suffix for file in found.values()} == {".png", ".jpg"}
    before = {file: file.stat().st_mtime_ns for file in found.values()}
    assert parquet.unpacked(path, cache=tmp_path / "cache") == found
    assert {file: file.stat().st_mtime_ns for file in found.values()} == before
    written.write_table(arrow.Table.from_pylist([{"text": "a"}]), path)
    assert parquet.unpacked(path, cache=tmp_path / "cache") == {}


def said(path: Path, *, cache: Path) -> str:
    """What is wrong with a file."""
    try:
        list(parquet.rows(path, columns=parquet.columns(path)))
        parquet.unpacked(path, cache=cache)
    except DataFileError as error:
        return str(error)
    return ""


def test_whatever_is_broken_is_a_data_file_error_that_names_the_file(path: Path, tmp_path: Path) -> None:
    whole, rng = path.read_bytes(), random.Random(0)
    broken = 0
    for trial in range(150):
        raw = bytearray(whole[: rng.randrange(len(whole))] if trial % 5 == 0 else whole)
        for _ in range(rng.choice((1, 3, 20)) if raw else 0):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        path.write_bytes(raw)
        broken += said(path, cache=tmp_path / f"cache{trial}") != ""
    assert broken > 60
    path.write_bytes(whole[:60])
    assert said(path, cache=tmp_path).startswith(f"{path}: no parquet file that can be read (")
