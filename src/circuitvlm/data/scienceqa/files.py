"""What lies in a ScienceQA folder? Its problems, the sets that its lists name, its captions, and where its images are.

The layout is that of github.com/lupantech/ScienceQA: problems.json (elsewhere problem.json), pid_splits.json,
captions.json, and images/<train|val|test>/<pid>/image.png.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitvlm.data._reading.files import DataFileError, UnusableError, json_of, within

PARTS = ("train", "val", "test")
"""The sets that share no problem; every other one is made of theirs."""

PROBLEMS, SPLITS, CAPTIONS = ("problems.json", "problem.json"), "pid_splits.json", "captions.json"
_BELOW = (".", "data", "scienceqa", "data/scienceqa")

Problem = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that was found, nothing of it judged yet.

    `sets` names problems by pid, also such as are not there; `images` says where the image of each problem that states
    one lies, or should. `captions` is None where there are none at all.
    """

    problems: Mapping[str, Problem]
    sets: Mapping[str, tuple[str, ...]]
    captions: Mapping[str, str] | None
    images: Mapping[str, Path]


def home_of(folder: Path) -> Path | None:
    """The folder, here or just below, in which the problems lie; None where there are none."""
    homes = (folder / below for below in _BELOW)
    return next((home for home in homes if any((home / name).is_file() for name in PROBLEMS)), None)


def read(home: Path) -> Store:
    """All of a folder with problems. Raises DataFileError for JSON that is broken or holds something else."""
    problems = _problems(next(path for name in PROBLEMS if (path := home / name).is_file()))
    return Store(
        problems=problems,
        sets=_sets(home / SPLITS, problems),
        captions=_captions([home / CAPTIONS, home.parent / CAPTIONS]),
        images={pid: _image(home, pid, problem) for pid, problem in problems.items() if problem.get("image")},
    )


def _problems(path: Path) -> dict[str, Problem]:
    said = _mapping(path)
    odd = next((pid for pid, problem in said.items() if not isinstance(problem, Mapping)), None)
    if odd is not None:
        raise DataFileError(f"{path}: {odd!r} is {said[odd]!r:.60}; wanted a problem with question, choices and answer")
    return said


def _sets(path: Path, problems: Mapping[str, Problem]) -> dict[str, tuple[str, ...]]:
    """The lists of pid_splits.json; where there is none, train, val and test as the problems themselves say."""
    if path.is_file():
        said = _mapping(path)
        odd = next((name for name, pids in said.items() if not isinstance(pids, list)), None)
        if odd is not None:
            raise DataFileError(f"{path}: {odd!r} is {said[odd]!r:.60}; wanted a list of pids")
        sets = {name: tuple(dict.fromkeys(map(str, pids))) for name, pids in said.items()}
    else:
        own = {part: tuple(pid for pid, p in problems.items() if p.get("split") == part) for part in PARTS}
        sets = {part: pids for part, pids in own.items() if pids}
    return with_trainval(sets)


def with_trainval(sets: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The same with train and val together, where nothing else is called so."""
    if {"train", "val"} <= set(sets) and "trainval" not in sets:
        return {**sets, "trainval": (*sets["train"], *sets["val"])}
    return dict(sets)


def _captions(paths: list[Path]) -> dict[str, str] | None:
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    said = _mapping(path)
    captions = said.get("captions", said)
    if not isinstance(captions, Mapping):
        raise DataFileError(f'{path}: wanted {{"captions": {{pid: text}}}}, came {captions!r:.60}')
    return {str(pid): text for pid, text in captions.items() if isinstance(text, str)}


def _image(home: Path, pid: str, problem: Problem) -> Path:
    """Where the image lies: in the folder of the problem's own split, or of another; the first place if nowhere."""
    own = [split for split in (problem.get("split"),) if isinstance(split, str)]
    places = list(_places(home, pid, str(problem["image"]), splits=dict.fromkeys([*own, *PARTS])))
    return next((place for place in places if place.is_file()), places[0] if places else home / "images")


def _places(home: Path, pid: str, name: str, *, splits: Mapping[str, None]) -> Iterator[Path]:
    for above in ("images/", ""):
        for split in splits:
            try:
                yield within(home, f"{above}{split}/{pid}/{name}")
            except UnusableError:  # a path that leads out of the folder is no place; the image counts as missing
                continue


def _mapping(path: Path) -> dict[str, Any]:
    try:
        said = json_of(path)
    except UnusableError as error:
        raise DataFileError(f"{path}: {error}") from error
    if not isinstance(said, dict):
        raise DataFileError(f"{path}: wanted a JSON object, came {type(said).__name__}")
    return said
