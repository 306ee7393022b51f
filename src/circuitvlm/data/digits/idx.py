"""Read IDX files, the format of MNIST's images and labels, gzipped or not.

The format is that of Y. LeCun's MNIST page: big-endian 32-bit integers, first a magic number (two zero bytes, 8 for
unsigned bytes, the number of axes: 2049 for labels, 2051 for images), then the size of each axis, then the bytes.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from circuitvlm.data._reading.files import DataFileError

MAGIC = {1: 2049, 3: 2051}
"""The magic number by the number of axes."""

KINDS = {2049: "labels", 2051: "images"}
MAX_BYTES, MAX_SIDE, MAX_COUNT = 1_000_000_000, 1024, 10_000_000
_GZIP_MAGIC = b"\x1f\x8b"
_NAME = re.compile(r"(?:.*/)?(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")


def part_and_kind(file: str) -> tuple[str, str]:
    """The part (train, test) and the kind (images, labels) of a file by its name; both empty for other files."""
    match = _NAME.fullmatch(file)
    return (match[1].replace("t10k", "test"), match[2]) if match else ("", "")


def find_pair(files: Iterable[str], *, part: str) -> tuple[str, str] | None:
    """The files of a part's images and labels: of several, those in the fewest folders, and plain before gzipped.

    None if the part has neither. Raises DataFileError if it has only one of the two.
    """
    sorted_files = sorted(files, key=lambda file: (file.count("/"), file.endswith(".gz"), file))
    images, labels = (
        next((file for file in sorted_files if part_and_kind(file) == (part, kind)), None)
        for kind in ("images", "labels")
    )
    if images and labels:
        return images, labels
    if images or labels:
        raise DataFileError(
            f"digits: expected files of images and of labels for the part {part!r}, got {images or labels} "
            f"without a file of {'labels' if images else 'images'}"
        )
    return None


def read_pair(image_path: Path, label_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W) and their labels (N,), both uint8. Raises DataFileError, also if their numbers differ."""
    images, labels = read_array(image_path, axes=3), read_array(label_path, axes=1)
    if len(images) != len(labels):
        raise DataFileError(
            f"{label_path}: expected {len(images):,} labels, one for each image of {image_path}, got {len(labels):,}"
        )
    return images, labels


def read_array(path: Path, *, axes: int) -> np.ndarray:
    """The array of uint8 in a file with 1 or 3 axes. Raises DataFileError for a file that is not exactly this."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not is_gzip:
                return _parse_array(raw, path=path, axes=axes)
            with gzip.GzipFile(fileobj=raw) as file:
                return _parse_array(file, path=path, axes=axes)
    except (EOFError, zlib.error, OSError) as error:
        raise DataFileError(f"{path}: expected a complete file, got an error while reading ({error})") from error


def _parse_array(file: BinaryIO | gzip.GzipFile, *, path: Path, axes: int) -> np.ndarray:
    header_size = 4 * (1 + axes)
    header = file.read(header_size)
    magic = int.from_bytes(header[:4], "big") if len(header) >= 4 else None
    if magic is not None and magic != MAGIC[axes]:
        kind = f" ({KINDS[magic]})" if magic in KINDS else ""
        raise DataFileError(
            f"{path}: expected the magic number {MAGIC[axes]} ({KINDS[MAGIC[axes]]}), got {magic}{kind}"
        )
    if len(header) < header_size:
        raise DataFileError(f"{path}: expected a header of {header_size} bytes, got {len(header)}")
    shape = struct.unpack(f">{axes}I", header[4:])
    _check_shape(shape, path=path)
    size = math.prod(shape)
    data = file.read(size + 1)
    if len(data) != size:
        length = f"{len(data):,}" if len(data) < size else "more"
        raise DataFileError(
            f"{path}: expected {' x '.join(map(str, shape))} = {size:,} bytes of data after the header, got {length}"
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _check_shape(shape: tuple[int, ...], *, path: Path) -> None:
    count, *sides = shape
    if not 0 < count <= MAX_COUNT or any(not 2 <= side <= MAX_SIDE for side in sides) or math.prod(shape) > MAX_BYTES:
        raise DataFileError(
            f"{path}: expected a shape of 1 to {MAX_COUNT:,} items, sides of 2 to {MAX_SIDE:,} pixels and at most "
            f"{MAX_BYTES:,} bytes, got {' x '.join(map(str, shape))}"
        )
