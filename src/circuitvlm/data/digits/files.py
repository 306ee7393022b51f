"""Which digits lie in a folder? Those of MNIST's IDX files, or of parquet files such as those of ylecun/mnist."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from circuitvlm.data._reading import images, parquet
from circuitvlm.data._reading.files import DataFileError, UnusableError, natural
from circuitvlm.data.digits import idx
from circuitvlm.data.digits.pool import Pool, drawn
from circuitvlm.data.scienceqa.parquet import part_of as parquet_part_of

PARTS = ("train", "test")


def is_used(file: str) -> bool:
    """Whether this is a file to read, by its name."""
    return _part_of(file) in PARTS


def read(folder: Path, files: Sequence[str], *, part: str, cache: Path) -> Pool:
    """The part as it lies in a folder: as IDX, else as parquet. Raises DataFileError."""
    if (found := idx.pair(files, part=part)) is not None:
        shown, named = idx.labelled(*(folder / file for file in found))
        return drawn(shown, _labels(named.tolist(), path=folder / found[1]), cache=cache)
    mine = sorted((file for file in files if parquet_part_of(file) == part), key=natural)
    if mine:
        return _of_parquet([folder / file for file in mine], cache=cache)
    there = sorted({own for file in files if (own := _part_of(file)) in PARTS})
    raise DataFileError(
        f"digits: {folder} has no part {part!r}, there are: {', '.join(there) or 'none'}; wanted files such as "
        f"{'t10k' if part == 'test' else part}-images-idx3-ubyte and -labels-idx1-ubyte (also .gz), or "
        f"{part}-00000-of-00001.parquet"
    )


def _part_of(file: str) -> str:
    return idx.part_of(file)[0] or parquet_part_of(file)


def _labels(said: Sequence[object], *, path: Path) -> list[int]:
    """The same, each of them a digit. Raises DataFileError."""
    odd = next((k for k, label in enumerate(said) if type(label) is not int or not 0 <= label <= 9), None)
    if odd is not None:
        raise DataFileError(f"{path}: label {odd} is {said[odd]!r:.40}; wanted 0 to 9")
    return [label for label in said if isinstance(label, int)]


def _of_parquet(paths: Sequence[Path], *, cache: Path) -> Pool:
    """Rows of an image (a struct of PNG bytes) and a label."""
    named: list[int] = []
    files: list[Path] = []
    for path in paths:
        labels, unpacked = _rows(path, cache=cache)
        lost = next((row for row in range(len(labels)) if row not in unpacked), None)
        if lost is not None or not labels:
            raise DataFileError(f"{path}: {'no rows' if lost is None else f'row {lost} has no image'}")
        named += labels
        files += [unpacked[row] for row in range(len(labels))]

    return Pool(named, partial(_usable, files=files, cache=cache))


def _usable(k: int, *, files: Sequence[Path], cache: Path) -> Path:
    try:
        return images.usable(files[k], cache=cache)
    except UnusableError as error:
        raise DataFileError(f"{files[k]}: {error}, number {k} of its part") from error


def _rows(path: Path, *, cache: Path) -> tuple[list[int], dict[int, Path]]:
    """The label of each row, and the file of each row's image."""
    there = parquet.columns(path)
    if "label" not in there:
        raise DataFileError(f"{path}: wanted columns image and label, there are {', '.join(there)}")
    said = [row["label"] for row in parquet.rows(path, columns=["label"])]
    return _labels(said, path=path), parquet.unpacked(path, cache=cache)
