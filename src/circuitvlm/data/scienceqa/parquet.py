"""What do parquet files of ScienceQA hold? The problems of derek-thomas/ScienceQA, with their images inside.

Rows have no pid, so a problem is called by its split and its place in it, such as validation-17: the same for the same
files, whatever else is read of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from circuitvlm.data._reading import parquet
from circuitvlm.data._reading.files import natural
from circuitvlm.data.scienceqa.files import Problem, Store, with_trainval

_NAME = re.compile(r"(?:.*/)?(train|validation|val|test)(?![a-z])[^/]*\.parquet")
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def part_of(file: str) -> str:
    """The set that a file belongs to by its name: train, val or test; empty for other files."""
    found = _NAME.fullmatch(file)
    return {"validation": "val"}.get(found[1], found[1]) if found else ""


def read(folder: Path, files: Sequence[str], *, parts: Collection[str], cache: Path) -> Store:
    """The problems of those files that belong to the wanted parts. Raises DataFileError."""
    problems: dict[str, Problem] = {}
    images: dict[str, Path] = {}
    sets: dict[str, list[str]] = {}
    for file in sorted((file for file in files if part_of(file) in parts), key=natural):
        part = part_of(file)
        pids = sets.setdefault(part, [])
        unpacked = parquet.unpacked(folder / file, cache=cache)
        for row, problem in enumerate(_problems(folder / file)):
            pid = f"{_SPLITS[part]}-{len(pids)}"
            pids.append(pid)
            problems[pid] = {**problem, "image": unpacked.get(row, Path()).name, "split": part}
            if row in unpacked:
                images[pid] = unpacked[row]
    named = with_trainval({part: tuple(pids) for part, pids in sets.items()})
    return Store(problems=problems, sets=named, captions=None, images=images)


def _problems(path: Path) -> Iterator[dict[str, Any]]:
    """Every row without its image."""
    return parquet.rows(path, columns=[name for name in parquet.columns(path) if name != "image"])
