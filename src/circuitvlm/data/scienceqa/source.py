"""Read ScienceQA: school questions with two to five choices, half of them with an image, most with a lecture.

The files have the official layout (github.com/lupantech/ScienceQA, problems.json and pid_splits.json), or are the
parquet files of derek-thomas/ScienceQA on the hub. The data are licensed CC BY-NC-SA 4.0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import Literal

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading.files import DataFileError, UnusableError
from circuitvlm.data._reading.images import RASTER, usable_image
from circuitvlm.data._reading.lazy import LazyExamples
from circuitvlm.data._reading.root import find_files
from circuitvlm.data._reading.settings import check_choice
from circuitvlm.data._reading.source import SplitSource
from circuitvlm.data._reading.unusable import ACTIONS, UnusableItems
from circuitvlm.data.scienceqa import layout, parquet
from circuitvlm.data.scienceqa.layout import Store
from circuitvlm.data.scienceqa.problem import check_problem, make_example
from circuitvlm.runtime.progress import bar
from circuitvlm.runtime.spelling import suggestion

MISSING_IMAGE_ACTIONS = ("stop", "skip", "text")


@dataclass(frozen=True, slots=True)
class CheckedSet:
    """The usable pids of a set, its unusable problems, and the pids whose problems are asked without their image."""

    pids: tuple[str, ...]
    unusable: UnusableItems
    without_image: frozenset[str]


class ScienceQA(SplitSource):
    """ScienceQA's problems, each made into an example on access.

    `root` is a folder with the official layout or with parquet files, or owner/name of the latter on the hub, which are
    downloaded into `cache` at `revision`. Each of `splits` sets `pids`, the set that it gives: train, val, test,
    trainval, minitrain, minival or minitest; null leaves a split out. Two splits must not have a problem in common.
    `on_missing_image` is for problems with a missing or unreadable image: "stop" (an error), "skip" (left out and
    counted) or "text" (asked without it and counted). `on_unusable` is for other problems that cannot be asked:
    "count" (left out and counted) or "stop" (an error).

    Facts: `kind` (choice), `question`, `options`, `answer` (a letter), `hint`, `lecture`, `solution`, and `caption`
    if the folder has captions. Tags: kind, pid, options, answer, subject, topic, category, grade, grade_band,
    has_hint, has_image.
    """

    def __init__(
        self,
        *,
        root: str,
        revision: str,
        splits: Mapping[str, Mapping[str, str] | None],
        on_missing_image: Literal["stop", "skip", "text"],
        on_unusable: Literal["count", "stop"],
        cache: str,
    ) -> None:
        self._splits: dict[str, str] = {}
        for name, settings in splits.items():
            if settings is not None:
                if set(settings) != {"pids"}:
                    raise ValueError(f"scienceqa.splits.{name}: expected pids: a set's name, got {dict(settings)}")
                self._splits[name] = settings["pids"]
        check_choice("scienceqa.on_missing_image", on_missing_image, MISSING_IMAGE_ACTIONS)
        check_choice("scienceqa.on_unusable", on_unusable, ACTIONS)
        self.root, self.revision = root, revision
        self.on_missing_image, self.on_unusable = on_missing_image, on_unusable
        self.cache = Path(cache).expanduser()
        self._checked_sets: dict[str, CheckedSet] = {}

    def _read_split(self, split: str) -> Sequence[Example]:
        """The examples of a split, in the set's order. All files are read on the first call, images at each set's.

        Raises DataFileError, hub.FetchError, and ValueError for missing sets and for sets with problems in common.
        """
        checked_set = self._check_set(self._splits[split])
        return LazyExamples(checked_set.pids, partial(_make_example, self.store, checked_set.without_image))

    @property
    def unusable(self) -> Counter[str]:
        """The number of unusable problems of all splits by reason; reads the splits that were not read yet."""
        checked_sets = (self._check_set(name) for name in self._splits.values() if name in self.store.sets)
        return sum((checked_set.unusable.counts for checked_set in checked_sets), start=Counter())

    @cached_property
    def store(self) -> Store:
        """The unchecked content of all files that the splits need, read once."""
        store = self._read()
        self._check_disjoint(store)
        return store

    def _check_set(self, name: str) -> CheckedSet:
        """The checked problems of a set; at the first call the result is logged."""
        if name not in self.store.sets:
            sets = list(self.store.sets)
            raise ValueError(
                f"scienceqa: {self.root}: expected one of the sets {', '.join(sets) or '(none)'}, got {name!r}."
                f"{suggestion(name, sets)}"
            )
        if name not in self._checked_sets:
            checked_set = _check_set(self.store, name, on_missing_image=self.on_missing_image)
            usable = f"{len(checked_set.pids)} problems of {name} in {self.root}"
            if checked_set.without_image:
                usable += f"; {len(checked_set.without_image)} are asked without their image, which is missing"
            checked_set.unusable.report("scienceqa", usable, on_unusable=self.on_unusable)
            self._checked_sets[name] = checked_set
        return self._checked_sets[name]

    def _read(self) -> Store:
        home = layout.find_home(Path(self.root).expanduser())
        if home is not None:
            return layout.read(home)
        folder, files = find_files(
            self.root,
            source="scienceqa",
            revision=self.revision,
            cache=self.cache,
            select=lambda files: [file for file in files if parquet.part_of(file) in self._parts()],
        )
        if not any(map(parquet.part_of, files)):
            raise DataFileError(
                f"scienceqa.root: {self.root}: expected {' or '.join(layout.PROBLEMS)}, or parquet files such as "
                f"data/train-00000-of-00001.parquet; got {len(files)} other files"
            )
        return parquet.read(folder, files, parts=self._parts(), cache=self.cache)

    def _parts(self) -> set[str]:
        """The sets with files of their own that the splits need."""
        names = set(self._splits.values())
        return (names | {"train", "val"} if "trainval" in names else names) & set(layout.PARTS)

    def _check_disjoint(self, store: Store) -> None:
        """Raise ValueError if two splits have problems in common: training must not see the problems of a test."""
        known_sets = {split: name for split, name in self._splits.items() if name in store.sets}
        for first, second in combinations(known_sets, 2):
            common = sorted(set(store.sets[known_sets[first]]) & set(store.sets[known_sets[second]]))
            if common:
                raise ValueError(
                    f"scienceqa.splits: {first} ({known_sets[first]}) and {second} ({known_sets[second]}) share "
                    f"{len(common)} problems, such as {common[0]!r}; set other pids for one of them, or leave it out "
                    f"({first}: null)"
                )


def _make_example(store: Store, without_image: frozenset[str], pid: str) -> Example:
    return make_example(
        pid,
        store.problems[pid],
        picture=Picture(store.images[pid]) if (pid in store.images and pid not in without_image) else None,
        caption=None if store.captions is None else store.captions.get(pid, ""),
    )


def _check_set(store: Store, name: str, *, on_missing_image: str) -> CheckedSet:
    """Check each problem of a set and its image. Raises DataFileError for a missing image under "stop"."""
    unusable = UnusableItems()
    without_image: set[str] = set()
    pids: list[str] = []
    for pid in bar(store.sets[name], label=f"reading scienceqa's {name}"):
        with unusable.count(pid):
            if pid not in store.problems:
                raise UnusableError("listed without a problem", pid)
            check_problem(store.problems[pid])
            if pid in store.images and (fault := image_fault(store.images[pid])):
                if on_missing_image == "skip":
                    raise UnusableError(fault, store.images[pid])
                if on_missing_image == "stop":
                    raise DataFileError(
                        f"scienceqa: problem {pid}: {fault} ({store.images[pid]}); add the images, or set "
                        "on_missing_image: skip (leave such problems out) or text (ask them without it)"
                    )
                without_image.add(pid)
            pids.append(pid)
    return CheckedSet(tuple(pids), unusable, frozenset(without_image))


def image_fault(path: Path) -> str:
    """Why an image cannot be used; empty for a usable image."""
    if path.suffix.lower() not in RASTER:
        return "unreadable image"
    try:
        usable_image(path, cache=path.parent)
    except UnusableError as error:
        return str(error)
    return ""
