"""Read the rows of parquet files, and unpack their images into a cache.

A folder of the cache belongs to the content of one parquet file. Its index holds the SHA-256 of every image, so that
an image which was changed or lost there is noticed.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import DataFileError, write_atomically
from circuitvlm.runtime.folders.identity import file_digest
from circuitvlm.runtime.progress import bar

_BATCH_ROWS, _INDEX, _VERSION = 32, "images.json", 2
log = logging.getLogger(__name__)


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

    Images are in a column `image`, as bytes or as a struct with `bytes`. Where an unpacked image is not what was
    written, a warning says so and all are unpacked again. Raises DataFileError.
    """
    _open(path)
    folder = cache / f"parquet-{_VERSION}-{file_digest(path)[:24]}"
    index = folder / _INDEX
    if index.is_file():
        digests: dict[str, str] = json.loads(index.read_bytes())
        changed_images = [name for name, digest in digests.items() if not _has_digest(folder / name, digest)]
        if not changed_images:
            return _by_row(folder, digests)
        log.warning(
            "%s: %d of %d images in the cache %s were changed or are missing, such as %s; they are unpacked again",
            *(path, len(changed_images), len(digests), folder, changed_images[0]),
        )
    folder.mkdir(parents=True, exist_ok=True)
    digests = {}
    for row, raw in _images(path):
        name = f"{row}.jpg" if raw.startswith(b"\xff\xd8") else f"{row}.png"
        write_atomically(folder / name, raw)
        digests[name] = hashlib.sha256(raw).hexdigest()
    write_atomically(index, json.dumps(digests).encode())
    return _by_row(folder, digests)


def _by_row(folder: Path, names: Iterable[str]) -> dict[int, Path]:
    return {int(name.partition(".")[0]): folder / name for name in names}


def _has_digest(path: Path, digest: str) -> bool:
    return path.is_file() and file_digest(path) == digest


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
