"""Test that parquet files are read, that their images are unpacked once, and that errors name a broken file."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from circuitvlm.data._reading import parquet
from circuitvlm.data._reading.files import DataFileError

arrow, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")


def image(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 7)).save(file, kind)
    return file.getvalue()


ROWS: list[dict[str, Any]] = [
    {"image": {"bytes": image("PNG" if k % 2 else "JPEG"), "path": None} if k % 5 else None, "text": f"row {k}"}
    for k in range(50)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pq.write_table(arrow.Table.from_pylist(ROWS), tmp_path / "x.parquet", row_group_size=7)
    return tmp_path / "x.parquet"


def test_rows_have_the_columns_that_are_asked_for(path: Path) -> None:
    assert parquet.columns(path) == ["image", "text"]
    assert list(parquet.rows(path, columns=["text"])) == [{"text": row["text"]} for row in ROWS]
    assert list(parquet.rows(path, columns=parquet.columns(path))) == ROWS


def test_each_image_is_unpacked_by_its_row_and_once(path: Path, tmp_path: Path) -> None:
    images_by_row = parquet.unpack_images(path, cache=tmp_path / "cache")
    assert {row: file.read_bytes() for row, file in images_by_row.items()} == {
        k: row["image"]["bytes"] for k, row in enumerate(ROWS) if row["image"]
    }
    assert {file.suffix for file in images_by_row.values()} == {".png", ".jpg"}
    times = {file: file.stat().st_mtime_ns for file in images_by_row.values()}
    assert parquet.unpack_images(path, cache=tmp_path / "cache") == images_by_row
    assert {file: file.stat().st_mtime_ns for file in images_by_row.values()} == times
    pq.write_table(arrow.Table.from_pylist([{"text": "a"}]), path)
    assert parquet.unpack_images(path, cache=tmp_path / "cache") == {}


def test_a_changed_or_lost_image_in_the_cache_is_noticed_and_unpacked_again(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images_by_row = parquet.unpack_images(path, cache=tmp_path / "cache")
    contents = {row: file.read_bytes() for row, file in images_by_row.items()}
    images_by_row[1].write_bytes(contents[1][:-1] + b"?")
    images_by_row[2].unlink()
    assert parquet.unpack_images(path, cache=tmp_path / "cache") == images_by_row
    assert {row: file.read_bytes() for row, file in images_by_row.items()} == contents
    assert "2 of 40 images in the cache" in caplog.text


def fault(path: Path, *, cache: Path) -> str:
    """What is wrong with a file."""
    try:
        list(parquet.rows(path, columns=parquet.columns(path)))
        parquet.unpack_images(path, cache=cache)
    except DataFileError as error:
        return str(error)
    return ""


def test_whatever_is_broken_is_a_data_file_error_that_names_the_file(path: Path, tmp_path: Path) -> None:
    whole, rng = path.read_bytes(), random.Random(0)
    fault_count = 0
    for trial in range(150):
        raw = bytearray(whole[: rng.randrange(len(whole))] if trial % 5 == 0 else whole)
        for _ in range(rng.choice((1, 3, 20)) if raw else 0):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        path.write_bytes(raw)
        fault_count += fault(path, cache=tmp_path / f"cache{trial}") != ""
    assert fault_count > 60
    path.write_bytes(whole[:60])
    assert fault(path, cache=tmp_path).startswith(f"{path}: unreadable parquet file (")
