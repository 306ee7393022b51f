"""Where is a system good, and where is it not? Tables by level, style and size, and executed answers beside direct."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.significance import paired
from circuitvlm.report.table import NOTHING, cell, percent, row

FEWEST, MOST = 2, 20
"""How many values a tag has in a table: one value says nothing new, and what has more is no grouping."""

EXECUTED = "_executed"
"""How the key of a task ends that asks the questions of another, for a netlist that is then solved."""

_LONGEST_VALUE = 60


def breakdown(grades: Mapping[str, Grades], *, tags: Sequence[str]) -> str:
    """Markdown, for each split and task a table per tag: a row per value with n and all metrics, % with 95 % interval.

    Tags with 2 to 20 values there; values in the order of numbers, then of text; items without the tag come last, as
    "–". Empty where no tag tells items apart.
    """
    parts = []
    for split, graded in grades.items():
        for task in dict.fromkeys(item.task for item in graded.items):
            items = [item for item in graded.items if item.task == task]
            tables = [_by_tag(items, tag) for tag in dict.fromkeys(tags) if FEWEST <= len(_values(items, tag)) <= MOST]
            if tables:
                parts += [f"## {split}: {task}, % with 95 % interval", *tables]
    return "\n\n".join(parts) + "\n" if parts else ""


def side_by_side(grades: Mapping[str, Grades]) -> str:
    """Markdown, for each split what `<task>` and `<task>_executed` scored on the questions that both answered.

    Ids of one question differ in the task's key after the last `#`. A row per metric that both have; the difference is
    paired, in points. Begins with an empty line, so that it can follow a table; empty where no question was answered
    in both ways.
    """
    tables = [table for split, graded in grades.items() if (table := _both_ways(split, graded))]
    return "\n" + "\n\n".join(tables) + "\n" if tables else ""


def _by_tag(items: Sequence[Item], tag: str) -> str:
    metrics = Grades(tuple(items)).metrics()
    groups = [(_shown(value), _carrying(items, tag, value)) for value in _values(items, tag)]
    if untold := _carrying(items, tag, None):
        groups.append((NOTHING, untold))
    lines = [row([tag, "n", *(name.rpartition("/")[2] for name in metrics)]), row(["---"] * (len(metrics) + 2))]
    for name, group in groups:
        part = Grades(tuple(group))
        lines.append(row([name, str(len(group)), *(cell(part, metric) for metric in metrics)]))
    return "\n".join(lines)


def _values(items: Sequence[Item], tag: str) -> list[str]:
    return sorted({item.tags[tag] for item in items if tag in item.tags}, key=_rank)


def _carrying(items: Sequence[Item], tag: str, value: str | None) -> list[Item]:
    return [item for item in items if item.tags.get(tag) == value]


def _rank(value: str) -> tuple[bool, float, str]:
    """Numbers by their size, before all else."""
    try:
        number = float(value)
    except ValueError:
        number = math.inf
    return not math.isfinite(number), number if math.isfinite(number) else 0.0, value


def _shown(value: str) -> str:
    """A tag as a cell of a table: data sets write what they like into theirs."""
    plain = " ".join(value.split())[:_LONGEST_VALUE]
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _both_ways(split: str, graded: Grades) -> str:
    tasks = dict.fromkeys(item.task for item in graded.items)
    lines = [line for task in tasks for line in _pairs_of(task, graded)]
    if not lines:
        return ""
    head = ["task", "n", "direct", "executed", "executed − direct"]
    title = f"**{split}: direct and executed**, % with 95 % interval; the difference in points, paired"
    return "\n".join([title, "", row(head), row(["---"] * len(head)), *lines])


def _pairs_of(task: str, graded: Grades) -> list[str]:
    """A row per metric, over the questions that were answered in both ways."""
    direct, executed = (_by_question(graded, key) for key in (task, task + EXECUTED))
    both = [(item, executed[question]) for question, item in direct.items() if question in executed]
    if not both:
        return []
    old, new = (Grades(tuple(pair[way] for pair in both)) for way in (0, 1))
    lines = []
    for metric in both[0][0].scores:
        if all(metric in item.scores for pair in both for item in pair):
            asked, run = f"{task}/{metric}", f"{task}{EXECUTED}/{metric}"
            scores = new.values(run), old.values(asked)
            gain = percent(paired(*scores), sign="+") if all(scores) else NOTHING
            lines.append(row([asked, str(len(both)), cell(old, asked), cell(new, run), gain]))
    return lines


def _by_question(graded: Grades, task: str) -> dict[str, Item]:
    return {item.id.removesuffix(f"#{task}"): item for item in graded.items if item.task == task}
