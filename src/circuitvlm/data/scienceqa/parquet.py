"""Read parquet files of ScienceQA with their images, as in derek-thomas/ScienceQA.

Rows have no pid. The pid of a problem is its split and its number there, such as validation-17, whatever other files
are read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from circuitvlm.data._reading import parquet
from circuitvlm.data._reading.files import natural_key
from circuitvlm.data.scienceqa.layout import Problem, Store, add_trainval

_NAME = re.compile(r"(?:.*/)?(train|validation|val|test)(?![a-z])[^/]*\.parquet")
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def part_of(file: str) -> str:
    """The set of a file by its name: train, val or test; empty for other files."""
    match = _NAME.fullmatch(file)
    return {"validation": "val"}.get(match[1], match[1]) if match else ""


def read(folder: Path, files: Sequence[str], *, parts: Collection[str], cache: Path) -> Store:
    """The problems of the files of these parts; images are unpacked into `cache`. Raises DataFileError."""
    problems: dict[str, Problem] = {}
    images: dict[str, Path] = {}
    sets: dict[str, list[str]] = {}
    for file in sorted((file for file in files if part_of(file) in parts), key=natural_key):
        path, part = folder / file, part_of(file)
        pids = sets.setdefault(part, [])
        image_files = parquet.unpack_images(path, cache=cache)
        for number, row in enumerate(
            parquet.rows(path, columns=[name for name in parquet.columns(path) if name != "image"])
        ):
            pid = f"{_SPLITS[part]}-{len(pids)}"
            pids.append(pid)
            problems[pid] = {**row, "image": image_files.get(number, Path()).name, "split": part}
            if number in image_files:
                images[pid] = image_files[number]
    return Store(
        problems=problems,
        sets=add_trainval({part: tuple(pids) for part, pids in sets.items()}),
        captions=None,
        images=images,
    )
