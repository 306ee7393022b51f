"""Read a folder in ScienceQA's official layout: problems, sets of problems, captions, and the paths of images.

The layout is that of github.com/lupantech/ScienceQA: problems.json (elsewhere problem.json), pid_splits.json,
captions.json, and images/<train|val|test>/<pid>/image.png.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import DataFileError, UnusableError, read_json, resolve_inside

PARTS = ("train", "val", "test")
"""The sets that have no problem in common; all other sets are made of their problems."""

PROBLEMS, SPLITS, CAPTIONS = ("problems.json", "problem.json"), "pid_splits.json", "captions.json"
_HOMES = (".", "data", "scienceqa", "data/scienceqa")

Problem = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Store:
    """The unchecked content of a folder.

    `sets` are pids, perhaps without a problem. `images` is the path, perhaps without a file, of the image of each
    problem that names one. `captions` is None if there are no captions at all.
    """

    problems: Mapping[str, Problem]
    sets: Mapping[str, tuple[str, ...]]
    captions: Mapping[str, str] | None
    images: Mapping[str, Path]


def find_home(folder: Path) -> Path | None:
    """The folder of the problems: this one or a folder just below it; None if there is no file of problems."""
    homes = (folder / name for name in _HOMES)
    return next((home for home in homes if any((home / name).is_file() for name in PROBLEMS)), None)


def read(home: Path) -> Store:
    """Read a folder with a file of problems. Raises DataFileError for invalid or unexpected JSON."""
    problems = _read_problems(next(path for name in PROBLEMS if (path := home / name).is_file()))
    return Store(
        problems=problems,
        sets=_read_sets(home / SPLITS, problems),
        captions=_read_captions([home / CAPTIONS, home.parent / CAPTIONS]),
        images={pid: _find_image(home, pid, problem) for pid, problem in problems.items() if problem.get("image")},
    )


def _read_problems(path: Path) -> dict[str, Problem]:
    problems = _read_object(path)
    for pid, problem in problems.items():
        if not isinstance(problem, Mapping):
            raise DataFileError(
                f"{path}: {pid!r}: expected an object with question, choices and answer, got {problem!r:.60}"
            )
    return problems


def _read_sets(path: Path, problems: Mapping[str, Problem]) -> dict[str, tuple[str, ...]]:
    """The sets of pid_splits.json; without this file, train, val and test by the key `split` of each problem."""
    if not path.is_file():
        own_sets = {part: tuple(pid for pid, p in problems.items() if p.get("split") == part) for part in PARTS}
        return add_trainval({part: pids for part, pids in own_sets.items() if pids})
    sets = _read_object(path)
    for name, pids in sets.items():
        if not isinstance(pids, list):
            raise DataFileError(f"{path}: {name!r}: expected a list of pids, got {pids!r:.60}")
    return add_trainval({name: tuple(dict.fromkeys(map(str, pids))) for name, pids in sets.items()})


def add_trainval(sets: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The sets, with train and val together as trainval if there is no set of this name."""
    if {"train", "val"} <= set(sets) and "trainval" not in sets:
        return {**sets, "trainval": (*sets["train"], *sets["val"])}
    return dict(sets)


def _read_captions(paths: list[Path]) -> dict[str, str] | None:
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    content = _read_object(path)
    captions = content.get("captions", content)
    if not isinstance(captions, Mapping):
        raise DataFileError(f'{path}: expected {{"captions": {{pid: text}}}}, got {captions!r:.60}')
    return {str(pid): text for pid, text in captions.items() if isinstance(text, str)}


def _find_image(home: Path, pid: str, problem: Problem) -> Path:
    """The first file in the folder of the problem's own split or of another one; the first path if there is none."""
    paths = list(
        _image_paths(
            home,
            pid,
            str(problem["image"]),
            splits=dict.fromkeys([*([problem["split"]] if isinstance(problem.get("split"), str) else []), *PARTS]),
        )
    )
    return next((path for path in paths if path.is_file()), paths[0] if paths else home / "images")


def _image_paths(home: Path, pid: str, name: str, *, splits: Mapping[str, None]) -> Iterator[Path]:
    for parent in ("images/", ""):
        for split in splits:
            try:
                yield resolve_inside(home, f"{parent}{split}/{pid}/{name}")
            except UnusableError:  # a path out of the folder: the image counts as missing
                continue


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except UnusableError as error:
        raise DataFileError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise DataFileError(f"{path}: expected a JSON object, got a {type(content).__name__}")
    return content
