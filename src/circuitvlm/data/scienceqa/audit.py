"""Can this ScienceQA folder be trusted? What is in it, what is missing, and what lies in two splits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.data._reading.files import UnusableError
from circuitvlm.data._reading.images import digest
from circuitvlm.data.scienceqa import problem as problems
from circuitvlm.data.scienceqa.files import PARTS, Store, home_of, read
from circuitvlm.data.scienceqa.source import image_fault
from circuitvlm.runtime.progress import bar

SHOWN = 10
"""Of each finding, how many are named in the lines."""

NOTHING = "(none)"


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found. Counts are of problems; findings name them by pid, with the reason where there are several.

    `shared` are pids that two of train, val and test list; `duplicates` are groups of pids in different ones of them
    that have the same question, choices and image.
    """

    sets: Mapping[str, int]
    subjects: Mapping[tuple[str, str], int]
    grades: Mapping[tuple[int, str], int]
    unlisted: tuple[str, ...]
    unknown: tuple[str, ...]
    unusable: Mapping[str, str]
    images: Mapping[str, str]
    shared: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]

    @property
    def faulty(self) -> bool:
        """Whether something would be wrong with a number measured on this folder."""
        return bool(self.unusable or self.images or self.shared or self.duplicates)

    def lines(self) -> list[str]:
        """The audit for people, one finding a line."""
        rows = [f"{count} in {name}" for name, count in self.sets.items()]
        rows += [f"{count} of {subject} in {part}" for (subject, part), count in sorted(self.subjects.items())]
        rows += [f"{count} of grade {grade} in {part}" for (grade, part), count in sorted(self.grades.items())]
        for what, found in (("cannot be asked", self.unusable), ("have no usable image", self.images)):
            rows += [f"{count} {what}: {why}" for why, count in sorted(Counter(found.values()).items())]
            rows += [f"  {pid} ({why})" for pid, why in list(found.items())[:SHOWN]]
        rows += _named(self.unlisted, what="lie in none of train, val and test")
        rows += _named(self.unknown, what="are listed without a problem")
        rows += _named(self.shared, what="lie in more than one of train, val and test")
        rows += _named([", ".join(g[:SHOWN]) for g in self.duplicates], what="groups of duplicates lie across splits")
        return rows


def is_scienceqa(root: str) -> bool:
    """Whether a folder has ScienceQA's problems.json, or problem.json, here or just below."""
    return home_of(Path(root).expanduser()) is not None


def audit(root: str) -> Audit:
    """Reads a folder in the official layout and checks it. Raises DataFileError."""
    home = home_of(Path(root).expanduser())
    if home is None:
        raise ValueError(f"{root!r} has no problems.json")
    return audited(read(home))


def audited(store: Store) -> Audit:
    """The audit of what was read."""
    part_of = {pid: part for part in PARTS for pid in store.sets.get(part, ())}
    known = {pid: part_of.get(pid, NOTHING) for pid in store.problems}
    grades = ((problems.grade(store.problems[pid]), part) for pid, part in known.items())
    listed = [pid for part in PARTS for pid in store.sets.get(part, ())]
    images = ((pid, image_fault(path)) for pid, path in bar(store.images.items(), label="looking at images"))
    faults = {pid: fault for pid, fault in images if fault}
    return Audit(
        sets={name: len(pids) for name, pids in store.sets.items()},
        subjects=Counter(
            (problems.text(store.problems[pid], "subject") or NOTHING, part) for pid, part in known.items()
        ),
        grades=Counter((grade or 0, part) for grade, part in grades),
        unlisted=tuple(pid for pid, part in known.items() if part == NOTHING),
        unknown=tuple(dict.fromkeys(pid for pids in store.sets.values() for pid in pids if pid not in known)),
        unusable=_unusable(store),
        images=faults,
        shared=tuple(pid for pid, count in Counter(listed).items() if count > 1),
        duplicates=_duplicates(store, part_of, unseen=faults),
    )


def _unusable(store: Store) -> dict[str, str]:
    found = {}
    for pid, problem in store.problems.items():
        try:
            problems.check(problem)
        except UnusableError as error:
            found[pid] = str(error)
    return found


def _duplicates(store: Store, part_of: Mapping[str, str], *, unseen: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Groups with the same question, choices, hint and image; images are read only where the words are the same."""
    words = (
        (json.dumps([p.get("question"), p.get("choices"), p.get("hint"), bool(p.get("image"))], default=str), pid)
        for pid, p in store.problems.items()
        if pid in part_of and pid not in unseen
    )
    found: list[tuple[str, ...]] = []
    for group in _same(words):
        seen = ((digest(store.images[pid]) if pid in store.images else "", pid) for pid in group)
        found += [pids for pids in _same(seen) if len({part_of[pid] for pid in pids}) > 1]
    return tuple(found)


def _same(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The pids that share a key, where two or more do."""
    groups: dict[str, list[str]] = {}
    for key, pid in pairs:
        groups.setdefault(key, []).append(pid)
    return [tuple(pids) for pids in groups.values() if len(pids) > 1]


def _named(found: Sequence[str], *, what: str) -> list[str]:
    return [f"{len(found)} {what}", *(f"  {one}" for one in found[:SHOWN])] if found else []
