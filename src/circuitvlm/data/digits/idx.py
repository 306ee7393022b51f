"""What does an IDX file hold? Bytes in one or three axes, as MNIST has its labels and images, gzipped or not.

The format is that of Y. LeCun's MNIST page: big-endian 32-bit integers, first a magic number (two zero bytes, 8 for
bytes without a sign, the number of axes: 2049 for labels, 2051 for images), then the size of each axis, then the bytes.
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
"""By the number of axes."""

KINDS = {2049: "labels", 2051: "images"}
MAX_BYTES, MAX_SIDE, MAX_COUNT = 1_000_000_000, 1024, 10_000_000
_GZIP = b"\x1f\x8b"
_NAME = re.compile(r"(?:.*/)?(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
_PARTS = {"t10k": "test"}


def part_of(file: str) -> tuple[str, str]:
    """The part (train, test) and the kind (images, labels) of a file by its name; both empty for other files."""
    found = _NAME.fullmatch(file)
    return (_PARTS.get(found[1], found[1]), found[2]) if found else ("", "")


def pair(files: Iterable[str], *, part: str) -> tuple[str, str] | None:
    """The files of a part's images and labels: of several, those that lie highest, and before the gzipped ones.

    None where there is neither. Raises DataFileError where there is one without the other.
    """
    ranked = sorted(files, key=lambda file: (file.count("/"), file.endswith(".gz"), file))
    found = {kind: next((f for f in ranked if part_of(f) == (part, kind)), None) for kind in ("images", "labels")}
    images, labels = found["images"], found["labels"]
    if images and labels:
        return images, labels
    if images or labels:
        raise DataFileError(
            f"digits: there is {images or labels}, but no file of {'labels' if images else 'images'} of the {part} part"
        )
    return None


def labelled(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W) and their labels (N,), both uint8. Raises DataFileError, also where their counts differ."""
    shown, named = read(images, axes=3), read(labels, axes=1)
    if len(shown) != len(named):
        raise DataFileError(f"{images} has {len(shown):,} images, but {labels} has {len(named):,} labels")
    return shown, named


def read(path: Path, *, axes: int) -> np.ndarray:
    """The bytes of a file with so many axes, 1 or 3. Raises DataFileError for whatever is not as it should be."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            if not packed:
                return _read(raw, path=path, axes=axes)
            with gzip.GzipFile(fileobj=raw) as file:
                return _read(file, path=path, axes=axes)
    except (EOFError, zlib.error, OSError) as error:
        raise DataFileError(f"{path}: cannot be read to its end ({error})") from error


def _read(file: BinaryIO | gzip.GzipFile, *, path: Path, axes: int) -> np.ndarray:
    size = 4 * (1 + axes)
    header = file.read(size)
    magic = int.from_bytes(header[:4], "big") if len(header) >= 4 else None
    if magic is not None and magic != MAGIC[axes]:
        found = f", which are {KINDS[magic]}" if magic in KINDS else ""
        raise DataFileError(
            f"{path}: begins with the number {magic}{found}; wanted {MAGIC[axes]}, {KINDS[MAGIC[axes]]}"
        )
    if len(header) < size:
        raise DataFileError(f"{path}: ends after {len(header)} bytes; wanted a header of {size}")
    shape = struct.unpack(f">{axes}I", header[4:])
    _check_shape(shape, path=path)
    wanted = math.prod(shape)
    data = file.read(wanted + 1)
    said = f"its header says {' x '.join(map(str, shape))} = {wanted:,} bytes"
    if len(data) < wanted:
        raise DataFileError(f"{path}: ends after {len(data):,} bytes of data; {said}: it is cut short")
    if len(data) > wanted:
        raise DataFileError(f"{path}: goes on after its data; {said}: something else was appended")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _check_shape(shape: tuple[int, ...], *, path: Path) -> None:
    count, *sides = shape
    if not 0 < count <= MAX_COUNT or any(not 2 <= side <= MAX_SIDE for side in sides) or math.prod(shape) > MAX_BYTES:
        raise DataFileError(
            f"{path}: its header says {' x '.join(map(str, shape))}; wanted 1 to {MAX_COUNT:,} items, sides of 2 to "
            f"{MAX_SIDE:,} pixels, and at most {MAX_BYTES:,} bytes"
        )
