"""Write tables of scores by level, style and size, and a comparison of direct with executed answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuitvlm.report.grade import Grades, Item
from circuitvlm.report.table import NO_VALUE, cell, escape, gain_cell, parse_number, table, tag_cell

MIN_VALUES, MAX_VALUES = 2, 20
"""The number of values of a tag that has a table: a tag with one value, or with more than 20, forms no groups."""

EXECUTED_SUFFIX = "_executed"
"""The end of the key of a task that asks another task's questions, for a netlist that is then solved."""


def breakdown(grades: Mapping[str, Grades], *, tags: Sequence[str]) -> str:
    """Markdown, for each split and task a table per tag: a row per value with n and all metrics, % with 95 % interval.

    Only tags with 2 to 20 values there have a table. Numbers come first, in their order, then texts; items without the
    tag come last, as "–". Empty where no tag forms groups.
    """
    parts = []
    for split, of_split in grades.items():
        for task, items in _by_task(of_split).items():
            tag_values = {tag: sorted({i.tags[tag] for i in items if tag in i.tags}, key=_rank) for tag in tags}
            tables = [
                _tag_table(items, tag, values)
                for tag, values in tag_values.items()
                if MIN_VALUES <= len(values) <= MAX_VALUES
            ]
            if tables:
                parts += [f"## {escape(split)}: {escape(task)}, % with 95 % interval", *tables]
    return "\n\n".join(parts) + "\n" if parts else ""


def side_by_side(grades: Mapping[str, Grades]) -> str:
    """Markdown, for each split the scores of `<task>` and `<task>_executed` on the questions that both answered.

    The ids of one question differ in the task's key after the last `#`. There is a row for each metric that both have,
    with the paired difference in points. The text begins with an empty line, so that it can follow a table. It is empty
    where no question was answered in both ways.
    """
    parts = []
    for split, of_split in grades.items():
        items = _by_task(of_split)
        if rows := [row for task in items for row in _executed_rows(task, items)]:
            parts += [
                f"**{escape(split)}: direct and executed**, % with 95 % interval; the difference in points, paired",
                table(["task", "n", "direct", "executed", "executed − direct"], rows),
            ]
    return "\n" + "\n\n".join(parts) + "\n" if parts else ""


def _by_task(grades: Grades) -> dict[str, list[Item]]:
    items: dict[str, list[Item]] = {}
    for item in grades.items:
        items.setdefault(item.task, []).append(item)
    return items


def _tag_table(items: Sequence[Item], tag: str, values: Sequence[str]) -> str:
    metrics = Grades(tuple(items)).metrics()
    lines = []
    for value in (*values, None):
        group = Grades(tuple(item for item in items if item.tags.get(tag) == value))
        if group.items:
            name = NO_VALUE if value is None else tag_cell(value)
            lines.append([name, str(len(group.items)), *(cell(group, metric) for metric in metrics)])
    return table([escape(tag), "n", *(escape(metric.rpartition("/")[2]) for metric in metrics)], lines)


def _rank(value: str) -> tuple[bool, float, str]:
    """The sort key of a tag's value: finite numbers by their size, then texts."""
    number = parse_number(value)
    return number is None, number or 0.0, value


def _executed_rows(task: str, items: Mapping[str, Sequence[Item]]) -> list[list[str]]:
    """A row per metric, over the questions that were answered in both ways."""
    keys = (task, task + EXECUTED_SUFFIX)
    answers = [{item.id.removesuffix(f"#{key}"): item for item in items.get(key, ())} for key in keys]
    questions = [question for question in answers[0] if question in answers[1]]
    old, new = (Grades(tuple(of_key[question] for question in questions)) for of_key in answers)
    rows = []
    for metric in old.items[0].scores if questions else ():
        if all(metric in item.scores for item in old.items + new.items):
            old_metric, new_metric = (f"{key}/{metric}" for key in keys)
            gain = gain_cell(new.values(new_metric), old.values(old_metric))
            rows.append([escape(old_metric), str(len(questions)), cell(old, old_metric), cell(new, new_metric), gain])
    return rows
