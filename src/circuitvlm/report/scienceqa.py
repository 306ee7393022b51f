"""How good on ScienceQA? The table of its eight groups, the official result file, and which published rows can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from circuitvlm.core.contract import Task
from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.significance import wilson
from circuitvlm.report.table import NOTHING, row
from circuitvlm.runtime.seed import guess

Tags = Mapping[str, str]

AVERAGE = "Average"
GROUPS: Mapping[str, Callable[[Tags], bool]] = {
    "NAT": lambda tags: tags.get("subject") == "natural science",
    "SOC": lambda tags: tags.get("subject") == "social science",
    "LAN": lambda tags: tags.get("subject") == "language science",
    "TXT": lambda tags: tags.get("has_hint") == "yes",
    "IMG": lambda tags: tags.get("has_image") == "yes",
    "NO": lambda tags: tags.get("has_hint") == tags.get("has_image") == "no",
    "G1-6": lambda tags: tags.get("grade_band") == "1-6",
    "G7-12": lambda tags: tags.get("grade_band") == "7-12",
    AVERAGE: lambda tags: True,
}
"""As tools/evaluate_acc.py of github.com/lupantech/ScienceQA groups; TXT and IMG overlap."""

TEST_SIZES: Mapping[str, int] = {
    "NAT": 2252,
    "SOC": 889,
    "LAN": 1100,
    "TXT": 2046,
    "IMG": 2017,
    "NO": 1435,
    "G1-6": 2724,
    "G7-12": 1517,
    AVERAGE: 4241,
}
SUBJECTS, CONTEXTS, GRADES = ("NAT", "SOC", "LAN"), ("TXT", "IMG", "NO"), ("G1-6", "G7-12")
LETTERS = "ABCDEFGH"
UNREAD = -1
"""The result of a reply that chooses nothing: no question has this answer."""


@dataclass(frozen=True, slots=True)
class Share:
    """A sum of scores over so many items."""

    right: float
    count: int

    def cell(self) -> str:
        """Per cent with Wilson's 95 % interval."""
        if not self.count:
            return NOTHING
        share = wilson(self.right, self.count)
        return f"{100 * share.value:.2f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def group_shares(items: Sequence[Item], metric: str) -> dict[str, Share]:
    """What the items of each of the eight groups, and all of them, scored in a metric (without its task's name)."""
    return {name: _share([item for item in items if of(item.tags)], metric) for name, of in GROUPS.items()}


def group_table(grades: Mapping[str, Grades]) -> str:
    """Markdown, for each split and task that asked ScienceQA: a row per metric over the groups, and one over topics.

    Per cent with Wilson's 95 % interval. Empty where no item is of ScienceQA.
    """
    parts = []
    for split, task, items in _asked(grades):
        metrics = list(dict.fromkeys(name for item in items for name in item.scores))
        parts.append(f"## ScienceQA, {split}: {task}, % with 95 % interval")
        parts += [_groups_of(items, metrics), _topics_of(items, metrics)]
    return "\n\n".join(parts) + "\n" if parts else ""


def official_results(
    grades: Mapping[str, Grades], *, tasks: Mapping[str, Task], failure: str = "wrong"
) -> dict[str, dict[str, Any]]:
    """The official result file of each split and task, named scienceqa_<split>_<task>: acc in per cent, correct, count,
    results {pid: index of the choice} and outputs {pid: what was said}.

    `failure` is "wrong" (a reply without a choice has the result -1) or "random" (a choice drawn by the pid, as the
    original draws one without a seed). Empty where no item is of ScienceQA.
    """
    if failure not in ("wrong", "random"):
        raise ValueError(f"official_results: failure is {failure!r}, wanted wrong or random")
    return {
        f"scienceqa_{split}_{task}": _official(items, tasks[task], guessed=failure == "random")
        for split, task, items in _asked(grades)
    }


def _official(items: Sequence[Item], task: Task, *, guessed: bool) -> dict[str, Any]:
    results = {item.tags["pid"]: _result(item, task, guessed=guessed) for item in items}
    correct = sum(results[item.tags["pid"]] == LETTERS.index(item.tags["answer"]) for item in items)
    return {
        "acc": correct / len(results) * 100,
        "correct": correct,
        "count": len(results),
        "results": results,
        "outputs": {item.tags["pid"]: item.reply for item in items},
    }


def _result(item: Item, task: Task, *, guessed: bool) -> int:
    letter, options = task.read(item.reply), int(item.tags["options"])
    if isinstance(letter, str) and len(letter) == 1 and letter in LETTERS[:options]:
        return LETTERS.index(letter)
    return guess(item.tags["pid"], options=options) if guessed else UNREAD


def _asked(grades: Mapping[str, Grades]) -> list[tuple[str, str, list[Item]]]:
    """Split, task and items of ScienceQA."""
    found = []
    for split, graded in grades.items():
        ours = [item for item in graded.items if {"pid", "options", "answer", "has_hint"} <= set(item.tags)]
        for task in dict.fromkeys(item.task for item in ours):
            found.append((split, task, [item for item in ours if item.task == task]))
    return found


def _share(items: Sequence[Item], metric: str) -> Share:
    scores = [item.scores[metric] for item in items if metric in item.scores]
    return Share(sum(scores), len(scores))


def _groups_of(items: Sequence[Item], metrics: Sequence[str]) -> str:
    shares = {metric: group_shares(items, metric) for metric in metrics}
    counts = [str(sum(of(item.tags) for item in items)) for of in GROUPS.values()]
    lines = [row(["", *GROUPS]), row(["---"] * (len(GROUPS) + 1)), row(["n", *counts])]
    return "\n".join([*lines, *(row([metric, *(s.cell() for s in shares[metric].values())]) for metric in metrics)])


def _topics_of(items: Sequence[Item], metrics: Sequence[str]) -> str:
    topics: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        topics.setdefault((item.tags.get("subject", NOTHING), item.tags.get("topic", NOTHING)), []).append(item)
    lines = [row(["subject", "topic", "n", *metrics]), row(["---"] * (len(metrics) + 3))]
    for (subject, topic), group in sorted(topics.items()):
        cells = [_share(group, metric).cell() for metric in metrics]
        lines.append(row([_plain(subject), _plain(topic), str(len(group)), *cells]))
    return "\n".join(lines)


def _plain(text: str) -> str:
    return " ".join(text.split())[:60].replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


# --------------------------------------------------------------------------------------------------- published rows


@dataclass(frozen=True, slots=True)
class RowAudit:
    """Which counts a published row can stand for.

    `counts` holds, for each cell, every k with k/n as printed; `totals` every number of right answers on which the
    subjects, the grades, the contexts and the average agree. `faults` says what cannot be; empty for a possible row.
    """

    counts: Mapping[str, tuple[int, ...]]
    totals: tuple[int, ...]
    faults: tuple[str, ...]

    @property
    def possible(self) -> bool:
        return not self.faults


def audit_row(
    cells: Mapping[str, float | str], *, decimals: int = 2, sizes: Mapping[str, int] = TEST_SIZES
) -> RowAudit:
    """Audits a row of per cents by group (NAT .. G7-12, Average); groups may be missing.

    A cell that is text has the decimals that are printed in it, a number has `decimals`; halves may have been rounded
    either way. Raises ValueError for a group that has no size, and a cell that is no number.
    """
    if unknown := [name for name in cells if name not in sizes]:
        raise ValueError(f"audit_row: no group {', '.join(unknown)}; there are {', '.join(sizes)}")
    counts = {name: _counts(cell, sizes[name], decimals=decimals) for name, cell in cells.items()}
    faults = [_no_count(name, cells[name], sizes[name]) for name, found in counts.items() if not found]
    sums = {
        "subjects": _sums([counts[name] for name in SUBJECTS]) if set(SUBJECTS) <= set(counts) else None,
        "grades": _sums([counts[name] for name in GRADES]) if set(GRADES) <= set(counts) else None,
        AVERAGE: set(counts[AVERAGE]) if AVERAGE in counts else None,
    }
    stated = {name: totals for name, totals in sums.items() if totals}
    totals = set.intersection(*stated.values()) if stated else set()
    if stated and not totals:
        said = ", ".join(f"{name} {_shown(totals)}" for name, totals in stated.items())
        faults.append(f"numbers of right answers do not agree: {said}")
    if totals and set(CONTEXTS) <= set(counts) and all(counts[name] for name in CONTEXTS):
        agreeing = {total for total in totals if _contexts_agree(counts, total, sizes)}
        if not agreeing:
            faults.append(f"TXT, IMG and NO cannot have {_shown(totals)} right answers together")
        totals = agreeing
    return RowAudit(counts, tuple(sorted(totals)), tuple(faults))


def _counts(cell: float | str, size: int, *, decimals: int) -> tuple[int, ...]:
    text = cell.strip() if isinstance(cell, str) else f"{cell:.{decimals}f}"
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"audit_row: came {cell!r}, wanted a number of per cent such as 88.51") from error
    half = Fraction(1, 2 * 10 ** len(text.partition(".")[2]))
    low, high = (value - half) * size / 100, (value + half) * size / 100
    return tuple(range(max(0, ceil(low)), min(size, floor(high)) + 1))


def _no_count(name: str, cell: float | str, size: int) -> str:
    """With the counts on either side, of which one may have been meant."""
    below = min(size, max(0, floor(Fraction(str(cell).strip()) * size / 100)))
    near = ", ".join(f"{k} are {100 * k / size:.2f}" for k in range(below, min(size, below + 1) + 1))
    return f"{name}: no k of {size} is {cell} % ({near})"


def _sums(parts: Sequence[Sequence[int]]) -> set[int]:
    sums = {0}
    for part in parts:
        sums = {total + k for total in sums for k in part}
    return sums


def _contexts_agree(counts: Mapping[str, Sequence[int]], total: int, sizes: Mapping[str, int]) -> bool:
    """TXT + IMG counts twice what has both: that many right answers must fit among the questions with both, and leave
    no more of TXT and of IMG than there are without the other.
    """
    both = sum(sizes[name] for name in CONTEXTS) - sizes[AVERAGE]
    return any(
        0 <= twice <= both and txt - twice <= sizes["TXT"] - both and img - twice <= sizes["IMG"] - both
        for txt in counts["TXT"]
        for img in counts["IMG"]
        for no in counts["NO"]
        if min(txt, img) >= (twice := txt + img + no - total)
    )


def _shown(totals: set[int]) -> str:
    low, high = min(totals), max(totals)
    return str(low) if low == high else f"{low} to {high}"
