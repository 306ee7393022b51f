"""Read a part of a digit data set from MNIST's IDX files, or from parquet files such as those of ylecun/mnist."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from circuitvlm.data._reading import images, parquet
from circuitvlm.data._reading.files import DataFileError, UnusableError, natural_key
from circuitvlm.data.digits import idx
from circuitvlm.data.digits.pool import Pool, pool_of_arrays
from circuitvlm.data.scienceqa.parquet import part_of as parquet_part_of

PARTS = ("train", "test")


def part_of(file: str) -> str:
    """The part that a file belongs to by its name; empty for other files."""
    return idx.part_and_kind(file)[0] or parquet_part_of(file)


def read_part(folder: Path, files: Sequence[str], *, part: str, cache: Path) -> Pool:
    """A part from the IDX files of a folder if there are any, else from its parquet files. Raises DataFileError."""
    if pair := idx.find_pair(files, part=part):
        image_path, label_path = (folder / file for file in pair)
        pixels, labels = idx.read_pair(image_path, label_path)
        return pool_of_arrays(pixels, _check_labels(labels.tolist(), path=label_path), cache=cache)
    parquet_files = sorted((file for file in files if parquet_part_of(file) == part), key=natural_key)
    if parquet_files:
        return _read_parquet([folder / file for file in parquet_files], cache=cache)
    parts = sorted({part_of(file) for file in files} & set(PARTS))
    raise DataFileError(
        f"digits.root: {folder}: expected files of the part {part!r}, such as {part}-00000-of-00001.parquet, or "
        f"{'t10k' if part == 'test' else part}-images-idx3-ubyte and -labels-idx1-ubyte (also .gz); "
        f"got files of {', '.join(parts) or 'no part'}"
    )


def _check_labels(labels: Sequence[object], *, path: Path) -> list[int]:
    """The same labels. Raises DataFileError unless all are whole numbers from 0 to 9."""
    for k, label in enumerate(labels):
        if type(label) is not int or not 0 <= label <= 9:
            raise DataFileError(f"{path}: label {k}: expected 0 to 9, got {label!r:.40}")
    return [label for label in labels if isinstance(label, int)]


def _read_parquet(paths: Sequence[Path], *, cache: Path) -> Pool:
    """Rows of an image (a struct of PNG bytes) and a label."""
    all_labels: list[int] = []
    image_paths: list[Path] = []
    for path in paths:
        labels, images_by_row = _read_rows(path, cache=cache)
        missing_row = next((row for row in range(len(labels)) if row not in images_by_row), None)
        if missing_row is not None or not labels:
            fault = "no rows" if missing_row is None else f"row {missing_row} without an image"
            raise DataFileError(f"{path}: expected rows with an image each, got {fault}")
        all_labels += labels
        image_paths += [images_by_row[row] for row in range(len(labels))]
    return Pool(all_labels, partial(_check_image, paths=image_paths, cache=cache))


def _check_image(k: int, *, paths: Sequence[Path], cache: Path) -> Path:
    try:
        return images.usable_image(paths[k], cache=cache)
    except UnusableError as error:
        raise DataFileError(f"{paths[k]}: {error}, number {k} of its part") from error


def _read_rows(path: Path, *, cache: Path) -> tuple[list[int], dict[int, Path]]:
    """The label of each row, and the image files by row."""
    columns = parquet.columns(path)
    if "label" not in columns:
        raise DataFileError(f"{path}: expected columns image and label, got {', '.join(columns)}")
    return _check_labels(
        [row["label"] for row in parquet.rows(path, columns=["label"])], path=path
    ), parquet.unpack_images(path, cache=cache)
