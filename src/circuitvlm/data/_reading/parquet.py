"""What do parquet files hold? Their rows, and their images, unpacked once into a cache by the content of the file."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import DataFileError
from circuitvlm.data._reading.images import digest
from circuitvlm.runtime.progress import bar

_ROWS, _INDEX, _VERSION = 32, "images.json", 1


def columns(path: Path) -> list[str]:
    """The names of the columns. Raises DataFileError."""
    return [str(name) for name in _opened(path).schema_arrow.names]


def rows(path: Path, *, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every row, of these columns alone. Raises DataFileError, also where the file is broken further on."""
    file, read = _opened(path), 0
    try:
        for batch in file.iter_batches(batch_size=_ROWS, columns=list(columns)):
            for row in batch.to_pylist():
                yield row
                read += 1
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise DataFileError(f"{path}: no parquet file that can be read beyond {read} rows ({error})") from error


def unpacked(path: Path, *, cache: Path) -> dict[int, Path]:
    """The file of each row that has an image; the index is written last and says that all are there.

    Images are of a column `image`: bytes, or a struct of them; a file without one has none. Raises DataFileError.
    """
    _opened(path)
    home = cache / f"parquet-{_VERSION}-{digest(path)[:24]}"
    index = home / _INDEX
    if not index.is_file():
        home.mkdir(parents=True, exist_ok=True)
        names = {row: _kept(home, row, raw) for row, raw in _images(path)}
        _write(index, json.dumps(names).encode())
    return {int(row): home / name for row, name in json.loads(index.read_bytes()).items()}


def _images(path: Path) -> Iterator[tuple[int, bytes]]:
    """The bytes of each image, with its row."""
    if "image" not in columns(path):
        return
    total = _opened(path).metadata.num_rows
    for place, row in enumerate(bar(rows(path, columns=["image"]), total=total, label=f"unpacking {path.name}")):
        image = row["image"]
        raw = image.get("bytes") if isinstance(image, dict) else image
        if isinstance(raw, bytes) and raw:
            yield place, raw


def _kept(home: Path, row: int, raw: bytes) -> str:
    name = f"{row}.jpg" if raw.startswith(b"\xff\xd8") else f"{row}.png"
    _write(home / name, raw)
    return name


def _write(path: Path, raw: bytes) -> None:
    """Whole or not at all, whoever else writes the same."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(raw)
    os.replace(temporary, path)


def _opened(path: Path) -> Any:
    """Raises DataFileError for a file that is no parquet, and where the library that reads it is not installed."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise DataFileError(
            f"{path}: parquet files are read by pyarrow, which is not installed: pip install pyarrow, or state a "
            "folder of the other form that this data set comes in as `root`"
        ) from error
    try:
        return parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise DataFileError(f"{path}: no parquet file that can be read ({error})") from error
