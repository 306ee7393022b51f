"""Read the rows of parquet files, and unpack their images into a cache that is keyed by the file's content."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import DataFileError, write_atomically
from circuitvlm.data._reading.images import file_digest
from circuitvlm.runtime.progress import bar

_BATCH_ROWS, _INDEX, _VERSION = 32, "images.json", 1


def columns(path: Path) -> list[str]:
    """The names of the columns. Raises DataFileError."""
    return [str(name) for name in _open(path).schema_arrow.names]


def rows(path: Path, *, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows with these columns. Raises DataFileError, also during the iteration if a later row is unreadable."""
    file, row_count = _open(path), 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
            for row in batch.to_pylist():
                yield row
                row_count += 1
    except (OSError, ValueError) as error:  # the base classes of pyarrow's own errors
        raise DataFileError(f"{path}: unreadable parquet file beyond {row_count} rows ({error})") from error


def unpack_images(path: Path, *, cache: Path) -> dict[int, Path]:
    """The image file of each row that has an image; the index file is written last and marks the cache as complete.

    Images are in a column `image`, as bytes or as a struct with `bytes`. Raises DataFileError.
    """
    _open(path)
    folder = cache / f"parquet-{_VERSION}-{file_digest(path)[:24]}"
    index = folder / _INDEX
    if not index.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        names = {}
        for row, raw in _images(path):
            names[row] = f"{row}.jpg" if raw.startswith(b"\xff\xd8") else f"{row}.png"
            write_atomically(folder / names[row], raw)
        write_atomically(index, json.dumps(names).encode())
    return {int(row): folder / name for row, name in json.loads(index.read_bytes()).items()}


def _images(path: Path) -> Iterator[tuple[int, bytes]]:
    """The number of each row that has an image, and the image's bytes."""
    if "image" not in columns(path):
        return
    total = _open(path).metadata.num_rows
    for number, row in enumerate(bar(rows(path, columns=["image"]), total=total, label=f"unpacking {path.name}")):
        image = row["image"]
        raw = image.get("bytes") if isinstance(image, dict) else image
        if isinstance(raw, bytes) and raw:
            yield number, raw


def _open(path: Path) -> Any:
    """A `pyarrow.parquet.ParquetFile`. Raises DataFileError for another file, and if pyarrow is not installed."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise DataFileError(
            f"{path}: reading parquet files needs pyarrow, which is not installed; run `pip install pyarrow`, or set "
            "`root` to a folder with another form of this data set"
        ) from error
    try:
        return parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # the base classes of pyarrow's own errors
        raise DataFileError(f"{path}: unreadable parquet file ({error})") from error
