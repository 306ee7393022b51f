"""Write ScienceQA's group tables and official result files, and audit published rows of its test split."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from circuitvlm.core.contract import Task
from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.significance import wilson
from circuitvlm.report.table import NO_VALUE, escape, percent, table, tag_cell
from circuitvlm.runtime.seed import guess_index

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
"""The groups of tools/evaluate_acc.py of github.com/lupantech/ScienceQA; TXT and IMG overlap."""

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
"""The number of questions of the test split by group."""

SUBJECTS, CONTEXTS, GRADES = ("NAT", "SOC", "LAN"), ("TXT", "IMG", "NO"), ("G1-6", "G7-12")
LETTERS = "ABCDEFGH"
NO_CHOICE = -1
"""The result of a reply without a choice; no question has this answer."""


def group_scores(items: Sequence[Item], metric: str) -> dict[str, list[float]]:
    """The scores of each of the eight groups, and of all items, in a metric (without its task's name)."""
    return {name: _scores([item for item in items if belongs(item.tags)], metric) for name, belongs in GROUPS.items()}


def group_table(grades: Mapping[str, Grades]) -> str:
    """Markdown, for each split and task of ScienceQA: a table of a row per metric over the groups, and one over topics.

    Per cent with Wilson's 95 % interval. Empty where no item is of ScienceQA.
    """
    parts = []
    for split, task, items in _scienceqa_items(grades):
        metrics = list(dict.fromkeys(name for item in items for name in item.scores))
        parts.append(f"## ScienceQA, {escape(split)}: {escape(task)}, % with 95 % interval")
        parts += [_group_rows(items, metrics), _topic_rows(items, metrics)]
    return "\n\n".join(parts) + "\n" if parts else ""


def official_results(
    grades: Mapping[str, Grades], *, tasks: Mapping[str, Task], failure: str = "wrong"
) -> dict[str, dict[str, Any]]:
    """The official result file of each split and task, named scienceqa_<split>_<task>: acc in per cent, correct, count,
    results {pid: index of the choice} and outputs {pid: reply}.

    With `failure` "wrong", a reply without a choice has the result -1. With "random", a choice is drawn by the pid; the
    original draws one without a seed. Empty where no item is of ScienceQA. Raises ValueError for another `failure`.
    """
    if failure not in ("wrong", "random"):
        raise ValueError(f"official_results: failure: expected wrong or random, got {failure!r}")
    return {
        f"scienceqa_{split}_{task}": _official(items, tasks[task], guess=failure == "random")
        for split, task, items in _scienceqa_items(grades)
    }


def _official(items: Sequence[Item], task: Task, *, guess: bool) -> dict[str, Any]:
    results = {item.tags["pid"]: _result(item, task, guess=guess) for item in items}
    correct = sum(results[item.tags["pid"]] == LETTERS.index(item.tags["answer"]) for item in items)
    return {
        "acc": correct / len(results) * 100,
        "correct": correct,
        "count": len(results),
        "results": results,
        "outputs": {item.tags["pid"]: item.reply for item in items},
    }


def _result(item: Item, task: Task, *, guess: bool) -> int:
    letter, options = task.read(item.reply), int(item.tags["options"])
    if isinstance(letter, str) and len(letter) == 1 and letter in LETTERS[:options]:
        return LETTERS.index(letter)
    return guess_index(item.tags["pid"], options=options) if guess else NO_CHOICE


def _scienceqa_items(grades: Mapping[str, Grades]) -> Iterator[tuple[str, str, list[Item]]]:
    """Split, task and items of ScienceQA, which its tags identify."""
    for split, of_split in grades.items():
        items = [item for item in of_split.items if {"pid", "options", "answer", "has_hint"} <= set(item.tags)]
        for task in dict.fromkeys(item.task for item in items):
            yield split, task, [item for item in items if item.task == task]


def _scores(items: Sequence[Item], metric: str) -> list[float]:
    return [item.scores[metric] for item in items if metric in item.scores]


def _cell(scores: Sequence[float]) -> str:
    """Per cent with Wilson's 95 % interval; "–" without scores."""
    return percent(wilson(sum(scores), len(scores)), decimals=2) if scores else NO_VALUE


def _group_rows(items: Sequence[Item], metrics: Sequence[str]) -> str:
    counts = [str(sum(belongs(item.tags) for item in items)) for belongs in GROUPS.values()]
    rows = ([escape(metric), *map(_cell, group_scores(items, metric).values())] for metric in metrics)
    return table(["", *GROUPS], [["n", *counts], *rows])


def _topic_rows(items: Sequence[Item], metrics: Sequence[str]) -> str:
    topics: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        topics.setdefault((item.tags.get("subject", NO_VALUE), item.tags.get("topic", NO_VALUE)), []).append(item)
    rows = (
        [*map(tag_cell, names), str(len(group)), *(_cell(_scores(group, metric)) for metric in metrics)]
        for names, group in sorted(topics.items())
    )
    return table(["subject", "topic", "n", *map(escape, metrics)], rows)


# --------------------------------------------------------------------------------------------------- published rows


@dataclass(frozen=True, slots=True)
class RowAudit:
    """The counts of right answers that a published row can have.

    `counts` has, for each cell, every k with k/n as printed. `totals` has every number of right answers on which the
    subjects, the grades, the contexts and the average agree. `faults` names what is impossible; it is empty for a
    possible row.
    """

    counts: Mapping[str, tuple[int, ...]]
    totals: tuple[int, ...]
    faults: tuple[str, ...]


def audit_row(
    cells: Mapping[str, float | str], *, decimals: int = 2, sizes: Mapping[str, int] = TEST_SIZES
) -> RowAudit:
    """Audit a row of per cents by group (NAT .. G7-12, Average); groups may be absent.

    A text has the decimals that are printed in it, a number has `decimals`; halves may have been rounded up or down.
    Raises ValueError for a group that has no size, and for a cell that is no number.
    """
    if unknown_groups := [name for name in cells if name not in sizes]:
        raise ValueError(f"audit_row: expected groups of {', '.join(sizes)}, got {', '.join(unknown_groups)}")
    counts = {name: _counts(cell, sizes[name], decimals=decimals) for name, cell in cells.items()}
    faults = [_no_count(name, cells[name], sizes[name]) for name, of_cell in counts.items() if not of_cell]
    parts = {"subjects": SUBJECTS, "grades": GRADES, AVERAGE: (AVERAGE,)}
    sums = {name: _sums(groups, counts) for name, groups in parts.items()}
    known_sums = {name: totals for name, totals in sums.items() if totals}
    totals = set.intersection(*known_sums.values()) if known_sums else set()
    if known_sums and not totals:
        ranges = ", ".join(f"{name} {number_range(totals)}" for name, totals in known_sums.items())
        faults.append(f"the numbers of right answers do not agree: {ranges}")
    if totals and all(counts.get(name) for name in CONTEXTS):
        possible_totals = {total for total in totals if _contexts_agree(counts, total, sizes)}
        if not possible_totals:
            faults.append(f"TXT, IMG and NO cannot have {number_range(totals)} right answers together")
        totals = possible_totals
    return RowAudit(counts, tuple(sorted(totals)), tuple(faults))


def _counts(cell: float | str, size: int, *, decimals: int) -> tuple[int, ...]:
    text = cell.strip() if isinstance(cell, str) else f"{cell:.{decimals}f}"
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"audit_row: expected a number of per cent such as 88.51, got {cell!r}") from error
    half = Fraction(1, 2 * 10 ** len(text.partition(".")[2]))
    low, high = (value - half) * size / 100, (value + half) * size / 100
    return tuple(range(max(0, ceil(low)), min(size, floor(high)) + 1))


def _no_count(name: str, cell: float | str, size: int) -> str:
    """The fault of a cell, with the counts on either side, since one of them may have been meant."""
    lower = min(size, max(0, floor(Fraction(str(cell).strip()) * size / 100)))
    neighbours = ", ".join(f"{k} are {100 * k / size:.2f}" for k in range(lower, min(size, lower + 1) + 1))
    return f"{name}: no count of {size} is {cell} % ({neighbours})"


def _sums(groups: Sequence[str], counts: Mapping[str, Sequence[int]]) -> set[int]:
    """Every sum of one count from each group; empty where a group is absent or has no count."""
    sums = {0}
    for group in groups:
        sums = {total + k for total in sums for k in counts.get(group, ())}
    return sums


def _contexts_agree(counts: Mapping[str, Sequence[int]], total: int, sizes: Mapping[str, int]) -> bool:
    """Whether some counts of TXT, IMG and NO have this total.

    TXT + IMG counts the questions with both twice. So many right answers must fit among the questions with both, and
    the remaining ones among those with only one.
    """
    overlap_size = sum(sizes[name] for name in CONTEXTS) - sizes[AVERAGE]
    txt_size, img_size = sizes["TXT"] - overlap_size, sizes["IMG"] - overlap_size
    return any(
        0 <= overlap <= overlap_size and txt - overlap <= txt_size and img - overlap <= img_size
        for txt in counts["TXT"]
        for img in counts["IMG"]
        for no in counts["NO"]
        if min(txt, img) >= (overlap := txt + img + no - total)
    )


def number_range(numbers: Collection[int]) -> str:
    """The smallest and the largest number, such as `3,188 to 3,190`; one number where they are equal."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
