"""Where from? ScienceQA: school questions with two to five choices, half of them with an image, most with a lecture.

Read from the official layout (github.com/lupantech/ScienceQA, problems.json and pid_splits.json) or from the parquet
files of derek-thomas/ScienceQA on the hub. The data are licensed CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Literal

from circuitvlm.core.record import Example, Picture
from circuitvlm.data._reading import images as pictures
from circuitvlm.data._reading.chunks import Lazy
from circuitvlm.data._reading.files import DataFileError, UnusableError, walk
from circuitvlm.data.scienceqa import files as layout
from circuitvlm.data.scienceqa import parquet
from circuitvlm.data.scienceqa import problem as problems
from circuitvlm.data.scienceqa.files import Store
from circuitvlm.runtime import hub
from circuitvlm.runtime.progress import bar
from circuitvlm.runtime.spelling import suggestion

MISSING, ACTIONS = ("stop", "skip", "text"), ("count", "stop")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found in one set: the problems that can be asked, by their pids, and what cannot be, by reason.

    `first` is one pid for each reason; `imageless` are the problems that are asked without the image they state.
    """

    taken: tuple[str, ...]
    unusable: Counter[str]
    first: Mapping[str, str]
    imageless: frozenset[str]


class ScienceQA:
    """ScienceQA's problems, made one by one as they are asked for.

    `root` is a folder with the official layout or with parquet files, or owner/name of the latter on the hub, which is
    downloaded into `cache` at `revision`. Each of `splits` states as `pids` the set it gives out (null: none): train,
    val, test, trainval, minitrain, minival or minitest; two of them must not share a problem. `on_missing_image` says
    what becomes of a problem whose image is not there or cannot be read: "stop", "skip" (left out and counted) or
    "text" (asked without it, and counted). `on_unusable`: problems that cannot be asked are left out and counted
    ("count"), or an error ("stop").

    Facts: `kind` (choice), `question`, `options`, `answer` (a letter), `hint`, `lecture`, `solution`, and `caption`
    where the folder has captions. Tags: kind, pid, options, answer, subject, topic, category, grade, grade_band,
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
        chosen = {name: stated for name, stated in splits.items() if stated is not None}
        for name, stated in chosen.items():
            if set(stated) != {"pids"}:
                raise ValueError(f"scienceqa: split {name!r} states {dict(stated)}; wanted its pids and no more")
        for key, said, known in (
            ("on_missing_image", on_missing_image, MISSING),
            ("on_unusable", on_unusable, ACTIONS),
        ):
            if said not in known:
                raise ValueError(f"scienceqa: {key} is {said!r}; wanted {', '.join(known)}.{suggestion(said, known)}")
        self.root, self.revision = root, revision
        self.sets = {name: stated["pids"] for name, stated in chosen.items()}
        self.on_missing_image, self.on_unusable = on_missing_image, on_unusable
        self.cache = Path(cache).expanduser()
        self._judged: dict[str, Judged] = {}

    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the configuration."""
        return tuple(self.sets)

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split, in the set's order; the files are read on the first call, each split judged on its.

        Raises DataFileError, hub.FetchError, and ValueError for sets that are not there or share problems.
        """
        if split not in self.sets:
            raise ValueError(f"scienceqa: no split {split!r}; there are {', '.join(self.sets)}")
        return Problems(self.store, self._looked_at(self.sets[split]))

    @property
    def unusable(self) -> Counter[str]:
        """How many problems of all splits could not be used, by reason; looks at those that nobody has asked for."""
        judged = (self._looked_at(wanted) for wanted in self.sets.values() if wanted in self.store.sets)
        return sum((one.unusable for one in judged), start=Counter())

    @cached_property
    def store(self) -> Store:
        """Everything that the splits name, read once, nothing of it judged yet."""
        store = self._read()
        self._refuse_shared(store)
        return store

    def _looked_at(self, wanted: str) -> Judged:
        """A set, judged once; its first time is told."""
        if wanted not in self.store.sets:
            there = list(self.store.sets)
            raise ValueError(
                f"scienceqa: {self.root} has no set {wanted!r}; there are {', '.join(there) or 'none'}."
                f"{suggestion(wanted, there)}"
            )
        if wanted not in self._judged:
            judged = _judged(self.store, wanted, policy=self.on_missing_image)
            self._tell(judged, wanted)
            self._judged[wanted] = judged
        return self._judged[wanted]

    def _read(self) -> Store:
        folder = Path(self.root).expanduser()
        if (home := layout.home_of(folder)) is not None:
            return layout.read(home)
        parts = self._parts()
        if folder.is_dir():
            files: Sequence[str] = [file for file in walk(folder) if parquet.part_of(file)]
        elif hub.is_name(self.root):
            home = self.cache / "hub"
            snapshot = hub.dataset(self.root, revision=self.revision, cache=home, wanted=self._wanted)
            folder, files = snapshot.folder, snapshot.files
        else:
            raise DataFileError(f"scienceqa: root is {self.root!r}; wanted a folder, or owner/name of the hub")
        if not files:
            raise DataFileError(
                f"scienceqa: nothing of it in {self.root!r}; wanted {' or '.join(layout.PROBLEMS)}, or parquet files "
                "such as data/train-00000-of-00001.parquet"
            )
        return parquet.read(folder, files, parts=parts, cache=self.cache)

    def _wanted(self, files: Sequence[str]) -> list[str]:
        """Which files of the hub are needed."""
        return [file for file in files if parquet.part_of(file) in self._parts()]

    def _parts(self) -> set[str]:
        """The sets that are files of their own, as far as the splits need them."""
        wanted = set(self.sets.values())
        return (wanted | {"train", "val"} if "trainval" in wanted else wanted) & set(layout.PARTS)

    def _refuse_shared(self, store: Store) -> None:
        """What is trained on must not be asked in an evaluation, and ids are unique."""
        there = {name: wanted for name, wanted in self.sets.items() if wanted in store.sets}
        for one, other in combinations(there, 2):
            both = sorted(set(store.sets[there[one]]) & set(store.sets[there[other]]))
            if both:
                raise ValueError(
                    f"scienceqa: splits {one} ({there[one]}) and {other} ({there[other]}) share {len(both)} problems, "
                    f"such as {both[0]!r}; state other pids for one of them, or take it out ({one}: null)"
                )

    def _tell(self, judged: Judged, wanted: str) -> None:
        """One line on what is there and what was left out; an error where that is wanted."""
        count = judged.unusable.total()
        if count and self.on_unusable == "stop":
            such = ", ".join(f"{pid} ({reason})" for reason, pid in list(judged.first.items())[:5])
            raise DataFileError(f"scienceqa: {self.root}: {count} problems of {wanted} cannot be used: {such}")
        reasons = ", ".join(f"{count} {reason}" for reason, count in judged.unusable.most_common())
        left = f"; {count} cannot be used ({reasons})" if count else ""
        bare = f"; {len(judged.imageless)} are asked without their image, which is missing" if judged.imageless else ""
        log.info("scienceqa: %d of %s%s%s", len(judged.taken), wanted, left, bare)


class Problems(Lazy):
    """The examples of one set."""

    def __init__(self, store: Store, judged: Judged) -> None:
        self.store, self.judged = store, judged

    def __len__(self) -> int:
        return len(self.judged.taken)

    def one(self, place: int) -> Example:
        pid, store = self.judged.taken[place], self.store
        shown = pid in store.images and pid not in self.judged.imageless
        return problems.example(
            pid,
            store.problems[pid],
            picture=Picture(store.images[pid]) if shown else None,
            caption=None if store.captions is None else store.captions.get(pid, ""),
        )


def _judged(store: Store, wanted: str, *, policy: str) -> Judged:
    """Looks at each problem of a set once. Raises DataFileError for a missing image, where that stops."""
    reasons: Counter[str] = Counter()
    first: dict[str, str] = {}
    imageless: set[str] = set()
    taken: list[str] = []
    for pid in bar(store.sets[wanted], label=f"reading scienceqa's {wanted}"):
        try:
            if pid not in store.problems:
                raise UnusableError("listed without a problem")
            problems.check(store.problems[pid])
            if pid in store.images and (fault := image_fault(store.images[pid])):
                if policy == "skip":
                    raise UnusableError(fault)
                _refuse(pid, fault, store.images[pid], policy=policy)
                imageless.add(pid)
        except UnusableError as error:
            reasons[str(error)] += 1
            first.setdefault(str(error), pid)
            continue
        taken.append(pid)
    return Judged(tuple(taken), reasons, first, frozenset(imageless))


def image_fault(path: Path) -> str:
    """Why an image cannot be shown; empty where it can."""
    if path.suffix.lower() not in pictures.RASTER:
        return "unreadable image"
    try:
        pictures.usable(path, cache=path.parent)
    except UnusableError as error:
        return str(error)
    return ""


def _refuse(pid: str, fault: str, path: Path, *, policy: str) -> None:
    if policy == "stop":
        raise DataFileError(
            f"scienceqa: problem {pid}: {fault} ({path}); bring the images, or state on_missing_image: skip (leave "
            "such problems out) or text (ask them without it)"
        )
