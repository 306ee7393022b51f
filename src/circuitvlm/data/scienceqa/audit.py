"""Audit a ScienceQA folder: what is in it, what is missing, and which problems are in two splits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from circuitvlm.data._reading.files import UnusableError
from circuitvlm.data._reading.groups import MAX_NAMES, Groups, format_nonempty_groups, group_names
from circuitvlm.data.scienceqa.layout import PARTS, Store, find_home, read
from circuitvlm.data.scienceqa.problem import check_problem, grade_of, text_field
from circuitvlm.data.scienceqa.source import image_fault
from circuitvlm.runtime.folders.identity import file_digest
from circuitvlm.runtime.progress import bar

NO_VALUE = "(none)"


@dataclass(frozen=True, slots=True)
class Audit:
    """The numbers of problems by set, by (subject, part) and by (grade, part), and the faults by pid.

    `unlisted_pids` are in none of train, val and test, and `unknown_pids` are listed without a problem. `unusable` and
    `images` have a reason for each pid. `shared_pids` are in two of train, val and test. `duplicates` are groups of
    pids in different ones of these sets with the same question, choices, hint and image.
    """

    sets: Mapping[str, int]
    subjects: Mapping[tuple[str, str], int]
    grades: Mapping[tuple[int, str], int]
    unlisted_pids: tuple[str, ...]
    unknown_pids: tuple[str, ...]
    unusable: Mapping[str, str]
    images: Mapping[str, str]
    shared_pids: tuple[str, ...]
    duplicates: Groups

    @property
    def is_faulty(self) -> bool:
        """Whether a score on this folder would be wrong."""
        return bool(self.unusable or self.images or self.shared_pids or self.duplicates)

    def lines(self) -> list[str]:
        """The report, one result a line."""
        lines = [
            *(f"{count} in {name}" for name, count in self.sets.items()),
            *(f"{count} of {subject} in {part}" for (subject, part), count in sorted(self.subjects.items())),
            *(f"{count} of grade {grade} in {part}" for (grade, part), count in sorted(self.grades.items())),
        ]
        for description, reasons in (("cannot be asked", self.unusable), ("have no usable image", self.images)):
            lines += [f"{count} {description}: {reason}" for reason, count in sorted(Counter(reasons.values()).items())]
            lines += [f"  {pid} ({reason})" for pid, reason in list(reasons.items())[:MAX_NAMES]]
        for pids, description in (
            (self.unlisted_pids, "are in none of train, val and test"),
            (self.unknown_pids, "are listed without a problem"),
            (self.shared_pids, "are in more than one of train, val and test"),
        ):
            lines += format_nonempty_groups([(pid,) for pid in pids], description=description)
        return lines + format_nonempty_groups(self.duplicates, description="groups of duplicates are in several splits")


def is_scienceqa(root: str) -> bool:
    """Whether a folder, or one just below it, has ScienceQA's problems.json or problem.json."""
    return find_home(Path(root).expanduser()) is not None


def audit(root: str) -> Audit:
    """Read a folder in the official layout and check it. Raises DataFileError, and ValueError for another folder."""
    home = find_home(Path(root).expanduser())
    if home is None:
        raise ValueError(f"expected a folder with problems.json, got {root!r}")
    store = read(home)
    pids = [pid for part in PARTS for pid in store.sets.get(part, ())]
    part_of = {pid: part for part in PARTS for pid in store.sets.get(part, ())}
    parts = {pid: part_of.get(pid, NO_VALUE) for pid in store.problems}
    subjects = ((text_field(store.problems[pid], "subject") or NO_VALUE, part) for pid, part in parts.items())
    faults = ((pid, image_fault(path)) for pid, path in bar(store.images.items(), label="checking images"))
    images = {pid: fault for pid, fault in faults if fault}
    return Audit(
        sets={name: len(pids) for name, pids in store.sets.items()},
        subjects=Counter(subjects),
        grades=Counter((grade_of(store.problems[pid]) or 0, part) for pid, part in parts.items()),
        unlisted_pids=tuple(pid for pid, part in parts.items() if part == NO_VALUE),
        unknown_pids=tuple(dict.fromkeys(pid for pids in store.sets.values() for pid in pids if pid not in parts)),
        unusable=_find_unusable(store),
        images=images,
        shared_pids=tuple(pid for pid, count in Counter(pids).items() if count > 1),
        duplicates=_find_duplicates(store, part_of, unreadable=images),
    )


def _find_unusable(store: Store) -> dict[str, str]:
    reasons = {}
    for pid, problem in store.problems.items():
        try:
            check_problem(problem)
        except UnusableError as error:
            reasons[pid] = str(error)
    return reasons


def _find_duplicates(store: Store, part_of: Mapping[str, str], *, unreadable: Mapping[str, str]) -> Groups:
    """The groups with the same question, choices, hint and image; only images of problems with the same text are read.

    `unreadable` images are left out.
    """
    texts = (
        (json.dumps([p.get("question"), p.get("choices"), p.get("hint"), bool(p.get("image"))], default=str), pid)
        for pid, p in store.problems.items()
        if pid in part_of and pid not in unreadable
    )
    groups: list[tuple[str, ...]] = []
    for pids in group_names(texts):
        images = ((file_digest(store.images[pid]) if pid in store.images else "", pid) for pid in pids)
        groups += [group for group in group_names(images) if len({part_of[pid] for pid in group}) > 1]
    return tuple(groups)
